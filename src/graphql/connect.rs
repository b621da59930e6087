//! `connectTenant`: trades a session token for a key of the tenant.

use async_graphql::{Context, ID, InputObject, Object};
use secrecy::SecretString;

use super::{
    context::Reach,
    create::UserError,
    error::{self, Code, Failure},
    scalar::DateTime,
    tenant::Tenant,
};
use crate::{
    catalog::{self, NotConnected, Upstream},
    domain::TenantId,
};

/// The mutations of this noun.
#[derive(Default)]
pub struct TenantMutation;

#[Object]
impl TenantMutation {
    /// Gives the gateway a key for a tenant, in exchange for a session token that Aurora gave to an embedded application
    /// or sent with a webhook. Needed only where the error `TENANT_NOT_CONNECTED` says so. Costs one call to Aurora.
    async fn connect_tenant(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant and its session token.")] input: ConnectTenantInput,
    ) -> async_graphql::Result<ConnectTenantPayload> {
        let tenant = ctx.asked().tenant(Some(&input.tenant_id))?;
        let token = input.session_token.trim();
        if token.is_empty() || token.len() > LONGEST_TOKEN {
            let message = format!("sessionToken must have between 1 and {LONGEST_TOKEN} bytes");
            return Err(Failure::new(Code::BadUserInput, message).into());
        }
        match ctx.parts().catalog.connect(&tenant, SecretString::from(token.to_owned())).await {
            Ok(key_expires_at) => {
                Ok(ConnectTenantPayload { tenant: Some(tenant), key_expires_at, user_errors: Vec::new() })
            }
            Err(catalog::Error::Aurora(Upstream::NotConnected {
                reason: NotConnected::ExchangeRefused | NotConnected::SessionTokenUsed,
            })) => {
                let message = "Aurora did not accept the session token: it is valid for one hour and one use";
                let refused = UserError::new("TENANT_NOT_ACCEPTED", message, &["sessionToken"]);
                Ok(ConnectTenantPayload { tenant: None, key_expires_at: None, user_errors: vec![refused] })
            }
            Err(error) => Err(error::public("tenant", &error).into()),
        }
    }
}

/// The longest session token that is passed on, in bytes.
const LONGEST_TOKEN: usize = 4096;

/// A tenant and proof that one of its users acted.
#[derive(InputObject)]
pub struct ConnectTenantInput {
    /// Aurora's id of the tenant.
    tenant_id: ID,
    /// The session token: valid for one hour and one use. It is exchanged at once and not kept.
    session_token: String,
}

/// The answer to `connectTenant`.
pub struct ConnectTenantPayload {
    tenant: Option<TenantId>,
    key_expires_at: Option<jiff::Timestamp>,
    user_errors: Vec<UserError>,
}

/// The answer to `connectTenant`.
#[Object]
impl ConnectTenantPayload {
    /// The tenant, where it is connected now.
    async fn tenant(&self) -> Option<Tenant> {
        self.tenant.clone().map(Tenant)
    }

    /// When the key ends that the gateway got; null where Aurora does not say, or where the tenant has a key of its own.
    async fn key_expires_at(&self) -> Option<DateTime> {
        self.key_expires_at.map(DateTime)
    }

    /// What a person has to mend before trying again; empty on success.
    async fn user_errors(&self) -> &[UserError] {
        &self.user_errors
    }
}
