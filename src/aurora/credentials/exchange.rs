//! The exchange itself: the application's key, and perhaps a session token, for a tenant's key.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use super::{Error, Key, Meter, NotConnected, Shelf};
use crate::{
    aurora::{
        call::{Call, Verb},
        wire,
    },
    domain::TenantId,
};

const TEMPLATE: &str = "/partner_applications/{application}/tenants/{tenant}/create_token";

impl Shelf {
    /// Asks Aurora for a key. Aurora's words of refusal are dropped: they might repeat a secret.
    pub(super) async fn exchange(
        &self,
        tenant: &TenantId,
        session_token: Option<SecretString>,
        meter: &Meter,
    ) -> Result<Arc<Key>, Error> {
        let partner = self.partner()?;
        let mut call = Call::new(Verb::Post, TEMPLATE, &[&partner.id, tenant.as_str()]);
        if let Some(token) = &session_token {
            call = call.with_query("session_token", token.expose_secret());
        }
        let answer = match self.transport.call(&call, &partner.key, meter).await {
            Ok(answer) => answer,
            Err(failure) => return Err(refusal(failure.into_error(&call))),
        };
        let told = wire::token(&answer.body).map_err(Error::from)?;
        let received_at = self.clock.now();
        Key::temporary(told.bearer_token, told.expires_at, received_at, &self.quotas)
            .map(Arc::new)
            .ok_or(Error::InvalidResponse("the key it gave cannot be one"))
    }
}

/// Any clear no means that there is no key for this tenant; which status Aurora chooses is not published.
fn refusal(error: Error) -> Error {
    match error {
        Error::NotFound | Error::Forbidden | Error::Rejected { .. } => {
            Error::not_connected(NotConnected::ExchangeRefused)
        }
        other => other,
    }
}
