//! Subscriptions end when their tenant switches the application off.
//!
//! What is announced meanwhile is kept, and comes behind the last cursor when somebody subscribes again. Not here: ending
//! them at once, which is whoever carries their answers.

use crate::{
    domain::TenantId,
    graphql::error::{Code, Failure},
    relay::Standing,
};

/// Refuses a subscription to a tenant that has the application switched off.
///
/// # Errors
/// `TENANT_NOT_CONNECTED`.
pub(super) fn connected(standing: &Standing, tenant: &TenantId) -> Result<(), Failure> {
    if standing.is_off(tenant) { Err(switched_off()) } else { Ok(()) }
}

/// Why nothing more is told of the tenant.
pub(super) fn switched_off() -> Failure {
    let message =
        "the tenant has switched the application off in Aurora; nothing is told of it until it is on again";
    Failure::new(Code::TenantNotConnected, message)
}
