//! The exchange itself: the application's key, and perhaps a session token, for a tenant's key.

use std::sync::{Arc, atomic::Ordering};

use secrecy::ExposeSecret;

use super::{Error, Key, Meter, NotConnected, Shelf, key::Span, tokens::SessionToken};
use crate::{
    aurora::{
        call::{Call, Verb},
        transport::{Answer, Failure},
        wire,
    },
    domain::TenantId,
};

const TEMPLATE: &str = "/partner_applications/{application}/tenants/{tenant}/create_token";

/// Why an exchange brought no key.
pub(super) struct Failed {
    pub(super) error: Error,
    /// Whether Aurora may have looked at the session token, and so spent it.
    pub(super) spent: bool,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { error, spent: true }
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
        call = match session_token {
            Some(token) => call.with_query("session_token", token.secret.expose_secret()),
            // Nothing is used up by it: a second key is as good as the first.
            None => call.repeatable_at(&self.pace),
        };
        let answer = match self.ask(&call, meter).await {
            Ok(answer) => answer,
            Err(failure) => {
                let spent = spends_token(&failure);
                let error = match failure {
                    Failure::Unauthorized => self.application_refused(),
                    other => refusal(other.into_error(&call)),
                };
                return Err(Failed { error, spent });
            }
        };
        let told = call.understood(wire::token(&answer.body))?;
        let span = Span::told(told.expires_at, answer.date, self.clock.now());
        self.application_is_refused.store(false, Ordering::Relaxed);
        Key::temporary(told.bearer_token, span, &self.clock, &self.quotas)
            .map(Arc::new)
            .ok_or_else(|| Error::InvalidResponse("the key it gave cannot be one").into())
    }

    /// Makes the call with the application's key; once more if that was refused and there is another one by now.
    async fn ask(&self, call: &Call<'_>, meter: &Meter) -> Result<Answer, Failure> {
        let partner = self.partner().map_err(Failure::Held)?;
        let key = partner.key();
        let outcome = self.ask_with(&key, call, meter).await;
        let newer = partner.key();
        if matches!(outcome, Err(Failure::Unauthorized)) && !Arc::ptr_eq(&key, &newer) {
            return self.ask_with(&newer, call, meter).await;
        }
        outcome
    }

    /// Takes its place among all exchanges first, unless it would lead nowhere.
    async fn ask_with(&self, key: &Key, call: &Call<'_>, meter: &Meter) -> Result<Answer, Failure> {
        self.transport.check(call, key, meter.lane())?;
        let late = |wait| Failure::Held(Error::RateLimited { retry_after: wait });
        self.pace.take(self.patience).await.map_err(late)?;
        self.transport.call(call, key, meter).await
    }

    /// The application's key was refused: that concerns every tenant, so it is told loudly, and once.
    pub(super) fn application_refused(&self) -> Error {
        if !self.application_is_refused.swap(true, Ordering::Relaxed) {
            tracing::error!("Aurora does not accept the application's key: no tenant can be connected");
        }
        Error::ApplicationRefused
    }
}

/// A call that was held back, met nobody, came too early or under a key that Aurora does not know was answered
/// before anybody looked at its session token.
fn spends_token(failure: &Failure) -> bool {
    !matches!(
        failure,
        Failure::NotSent { .. } | Failure::Held(_) | Failure::Busy { .. } | Failure::Unauthorized
    )
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
