//! Subscriptions end when their tenant switches the application off.
//!
//! Invariant: no event follows what tells of the switch; what is announced meanwhile is kept, and comes behind the last
//! cursor when somebody subscribes again.

use async_graphql::Error;
use futures_util::{Stream, StreamExt, stream};

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

/// These events until the tenant switches the application off, and then the reason.
pub(super) fn until_switched_off<T>(
    standing: Standing,
    tenant: TenantId,
    events: impl Stream<Item = Result<T, Error>>,
) -> impl Stream<Item = Result<T, Error>> {
    let off = standing.switched_off(tenant.clone());
    let reason = async move { standing.is_off(&tenant).then(|| Err(switched_off().into())) };
    events.take_until(off).chain(stream::once(reason).filter_map(std::future::ready))
}

fn switched_off() -> Failure {
    let message =
        "the tenant has switched the application off in Aurora; nothing is told of it until it is on again";
    Failure::new(Code::TenantNotConnected, message)
}
