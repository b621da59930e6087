//! The exchange itself: the application's key, and perhaps a session token, for a tenant's key.

use std::sync::Arc;

use secrecy::ExposeSecret;

use super::{Error, Key, Meter, NotConnected, Shelf, tokens::SessionToken};
use crate::{
    aurora::{
        call::{Call, Verb},
        transport::Failure,
        wire,
    },
    domain::TenantId,
};

const TEMPLATE: &str = "/partner_applications/{application}/tenants/{tenant}/create_token";

/// Why an exchange brought no key.
pub(super) struct Failed {
    pub(super) error: Error,
    /// Whether it may have reached Aurora, and with it its session token.
    pub(super) sent: bool,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { error, sent: true }
    }
}

impl Shelf {
    /// Asks Aurora for a key. Aurora's words of refusal are dropped: they might repeat a secret.
    pub(super) async fn exchange(
        &self,
        tenant: &TenantId,
        session_token: Option<&SessionToken>,
        meter: &Meter,
    ) -> Result<Arc<Key>, Failed> {
        let partner = self.partner()?;
        let mut call = Call::new(Verb::Post, TEMPLATE, &[&partner.id, tenant.as_str()]);
        if let Some(token) = session_token {
            call = call.with_query("session_token", token.secret.expose_secret());
        }
        let answer = match self.transport.call(&call, &partner.key, meter).await {
            Ok(answer) => answer,
            Err(failure) => {
                let sent = !matches!(failure, Failure::NotSent(_) | Failure::Held(_));
                return Err(Failed { error: refusal(failure.into_error(&call)), sent });
            }
        };
        let told = call.understood(wire::token(&answer.body))?;
        let received_at = self.clock.now();
        Key::temporary(told.bearer_token, told.expires_at, received_at, &self.quotas)
            .map(Arc::new)
            .ok_or_else(|| Error::InvalidResponse("the key it gave cannot be one").into())
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
