//! The client: what the gateway can ask of Aurora, answered in domain values.
//!
//! [`Aurora`] is the handle; its methods stand with their noun, in `summary`, `design`, `project` and `webhook`.
//! Each is a `Call` that `credentials` find a key for and `transport` carries; `wire` reads what
//! comes back.
//!
//! Invariants: Aurora's words end in `wire`, the HTTP client in `transport`, secrets in `credentials`. A key is
//! renewed once and a request repeated once when Aurora answers 401, never more.
//!
//! Not here: remembering answers and joining equal reads. Only the catalog knows when news have made an answer
//! that is still on its way too old to join.

mod call;
mod credentials;
mod design;
mod error;
mod figures;
mod lane;
mod meter;
mod project;
mod summary;
#[cfg(test)]
mod tests;
mod transport;
mod webhook;
mod wire;

use std::{collections::HashMap, fmt, num::NonZeroU32, sync::Arc, time::Duration};

use jiff::Timestamp;
use secrecy::SecretString;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{clock::Clock, domain::TenantId, store::Store};

pub use credentials::{EncryptionKeys, KeyLives, NewKeys, Rotated};
pub use error::{Cause, Error, LeftAlone, NotConnected, Rejection, SetupError};
pub use lane::Lane;
pub use meter::{Meter, Urgency};
pub use project::{Listed, Page};
pub use transport::{Budget, Ending, Endpoint, Group, Standing, WAITS, Waits, Withheld};
pub use webhook::{NewWebhook, Webhook};

pub use credentials::ExchangeDue;

use call::Call;
use credentials::{Credentials, Key};
use transport::{Answer, Bounds, Failure, Transport};

/// How Aurora is reached and on whose behalf.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where Aurora is. May have a path; must not have a query or a password.
    pub base_url: Url,
    /// The partner application that exchanges keys; without it only tenants with their own key are reached.
    pub application: Option<Application>,
    /// Whether an exchange may be tried without a session token.
    pub session_tokens: SessionTokens,
    /// Keys of tenants' own, used instead of the exchange.
    pub tenant_keys: HashMap<TenantId, SecretString>,
    /// What Aurora allows each key in any 60 seconds.
    pub requests_per_minute: NonZeroU32,
    /// How long one try may take.
    pub request_timeout: Duration,
    /// How long a caller waits in all: for a key, for turns, for tries and the pauses between them. Only a write that
    /// has been sent is waited for longer.
    pub call_timeout: Duration,
    /// How many calls may be under way, and wait.
    pub load: Load,
    /// Sent as `Aurora-API-Version`. Without it each key answers in its own version.
    pub api_version: Option<String>,
}

/// How many calls may be under way, and wait.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Under way at once, over all keys.
    pub at_once: usize,
    /// Under way at once with one key.
    pub at_once_per_key: usize,
    /// Waiting for their turn with one key, in each lane.
    pub queued_per_key: usize,
}

impl Config {
    fn bounds(&self) -> Bounds {
        Bounds {
            per_minute: self.requests_per_minute,
            at_once: self.load.at_once_per_key,
            queued: self.load.queued_per_key,
            slow: self.request_timeout / 2,
        }
    }
}

/// A partner application as Aurora knows it.
#[derive(Debug, Clone)]
pub struct Application {
    /// Its id.
    pub id: String,
    /// Its key. Good for exchanging keys and for partner webhooks, never for tenants' data.
    pub key: SecretString,
}

/// Whether an exchange takes a session token. What Aurora publishes leaves both readings open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SessionTokens {
    /// One is sent when at hand; without one the exchange is tried all the same.
    #[default]
    Optional,
    /// Without one no exchange is tried.
    Required,
}

/// The client. Clones are the same client.
#[derive(Clone)]
pub struct Aurora(Arc<Inner>);

struct Inner {
    transport: Arc<Transport>,
    credentials: Credentials,
}

impl fmt::Debug for Aurora {
    /// Says nothing of keys, so that no log line can.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Aurora(…)")
    }
}

impl Aurora {
    /// Makes the client. Nothing is sent yet.
    ///
    /// # Errors
    /// When something in the configuration cannot stand in a URL or a header.
    pub fn try_new(config: Config, clock: Clock) -> Result<Self, SetupError> {
        let transport = Arc::new(Transport::try_new(&config, clock.clone())?);
        let credentials = Credentials::try_new(config, clock, Arc::clone(&transport))?;
        Ok(Self(Arc::new(Inner { transport, credentials })))
    }

    /// Counts calls in the store from now on, and those in that were made before a restart: the minute in which Aurora
    /// counts does not begin anew with the process.
    pub async fn keep_count(&self, store: Store) {
        self.0.transport.keep_count(store, self.0.credentials.quotas()).await;
    }

    /// The process is about to end in good order: leaves in the store for how long each call still counts, so that the next
    /// goes on as if there had been no restart.
    pub async fn settle_count(&self) {
        self.0.transport.settle_count(self.0.credentials.quotas()).await;
    }

    /// Keeps tenants' keys in the store from now on, sealed, and takes back those that lie there already.
    ///
    /// # Errors
    /// When an encryption key cannot be used. What lies in the store and cannot be opened is no error.
    pub async fn keep_sealed(&self, store: Store, keys: &EncryptionKeys) -> Result<(), SetupError> {
        self.0.credentials.keep_sealed(store, keys).await
    }

    /// Renews keys ahead of their end, until it is told to stop.
    pub async fn keep_fresh(self, stop: CancellationToken) {
        self.0.credentials.keep_fresh(stop).await;
    }

    /// Takes other keys in place of the configured ones. Calls under way keep theirs.
    ///
    /// # Errors
    /// When one of them can be no key. Then nothing has changed.
    pub fn rotate(&self, new: NewKeys) -> Result<Rotated, SetupError> {
        self.0.credentials.rotate(new)
    }

    /// How old the exchanged keys are.
    #[must_use]
    pub fn key_lives(&self) -> KeyLives {
        self.0.credentials.lives()
    }

    /// The tenant has switched the application on: an exchange that was refused before may be tried again.
    pub fn welcome(&self, tenant: &TenantId) {
        self.0.credentials.welcome(tenant);
    }

    /// Exchanges a session token for the tenant's key now. Answers when the key expires; nothing for a tenant
    /// that has a key of its own and needs no other.
    ///
    /// # Errors
    /// When Aurora refuses, cannot be reached, or the session token has been sent before; and
    /// [`Error::RateLimited`] when this tenant was connected too often just now.
    pub async fn connect(
        &self,
        tenant: &TenantId,
        session_token: SecretString,
    ) -> Result<Option<Timestamp>, Error> {
        self.0.credentials.connect(tenant, session_token).await
    }

    /// Takes a session token that came with a webhook: exchanged at once if the tenant's key is missing or past
    /// half of its life, else kept for the next renewal. Returns as soon as an exchange is under way; reads
    /// wait for it.
    pub fn offer_session_token(&self, tenant: &TenantId, session_token: SecretString) {
        self.0.credentials.offer(tenant, session_token);
    }

    /// Tells whenever Aurora has given a key for a tenant.
    #[must_use]
    pub fn connected(&self) -> broadcast::Receiver<TenantId> {
        self.0.credentials.connected()
    }

    /// Whether there is a key for the tenant now, without asking for one.
    #[must_use]
    pub fn has_key(&self, tenant: &TenantId) -> bool {
        self.0.credentials.has_key(tenant)
    }

    /// Gives up the tenant's key and its session token, and whatever exchange is under way. A key of its own stays.
    pub fn disconnect(&self, tenant: &TenantId) {
        self.0.credentials.disconnect(tenant);
    }

    /// Whether a call for the tenant would take an exchange of keys first.
    #[must_use]
    pub fn exchange_due(&self, tenant: &TenantId) -> ExchangeDue {
        self.0.credentials.exchange_due(tenant)
    }

    /// Makes a call with the tenant's key, renewing the key once if Aurora no longer knows it.
    async fn call(&self, tenant: &TenantId, call: &Call<'_>, meter: &Meter) -> Result<Answer, Error> {
        let (credentials, transport) = (&self.0.credentials, &self.0.transport);
        let deadline = transport.deadline();
        let key = deadline.keep(credentials.key(tenant, meter)).await?;
        match transport.call_by(call, &key, meter, deadline).await {
            Err(Failure::Unauthorized) => {}
            decided => return decided.map_err(|it| it.into_error(call)),
        }
        if !key.is_renewable() {
            return Err(unrenewable(&key));
        }
        let renewed = deadline.keep(credentials.renew(tenant, &key, meter)).await?;
        transport.call_by(call, &renewed, meter, deadline).await.map_err(|it| it.into_error(call))
    }

    /// Makes a call with the application's key.
    async fn partner_call(&self, call: &Call<'_>) -> Result<Answer, Error> {
        let credentials = &self.0.credentials;
        let key = credentials.application_key()?;
        let outcome = self.0.transport.call(call, &key, &Meter::default()).await;
        outcome.map_err(|failure| match failure {
            Failure::Unauthorized => credentials.application_refused(),
            other => other.into_error(call),
        })
    }

    fn application_id(&self) -> Result<&str, Error> {
        self.0.credentials.application_id()
    }
}

fn unrenewable(key: &Key) -> Error {
    if key.is_own() { Error::Forbidden } else { Error::not_connected(NotConnected::KeyExpired) }
}
