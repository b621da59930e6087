//! Keys for tenants: configured, or exchanged by the partner application, and renewed in time.
//!
//! [`exchange`] asks for a key, [`flight`] does so once for however many wait, [`renewal`] does so before anybody has
//! to wait. [`pace`] bounds exchanges over all tenants, [`turns`] what callers of one tenant may set off, and
//! [`setback`] says for how long a failure stands. [`vault`] keeps keys over a restart, [`rotation`] takes others in
//! place of the configured ones.
//!
//! Invariants: however many callers wait for a tenant's key, one exchange is under way for them, and it goes on
//! when they hang up. A session token is sent at most once. A key's life is counted from its receipt, and from a
//! margin before its end it counts no longer; when Aurora refuses a key, exactly that key is given up. No caller
//! costs more than one exchange at a time, and none at all while a failure stands. A key leaves memory only sealed.
//!
//! Not here: what a 401 means for the call that met it.

mod exchange;
mod flight;
mod key;
mod pace;
mod renewal;
mod rotation;
mod seal;
mod setback;
mod tokens;
mod turns;
mod vault;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, RwLock, atomic::AtomicBool},
    time::Duration,
};

use jiff::Timestamp;
use moka::sync::Cache;
use secrecy::SecretString;
use tokio::sync::broadcast;

use super::{
    Config, Error, Lane, Meter, NotConnected, SessionTokens, SetupError,
    call::is_one_segment,
    transport::{Budget, Quotas, Standing, Transport, can_be_sent},
};
use crate::{clock::Clock, domain::TenantId};

use flight::{Flight, Flights};
pub(super) use key::Key;
pub(super) use pace::Pace;
pub use renewal::KeyLives;
use rotation::OwnKeys;
pub use rotation::{NewKeys, Rotated};
use setback::Setbacks;
use tokens::{SessionToken, Tokens};
use turns::Turns;
pub use vault::EncryptionKeys;
use vault::Vault;

/// Far more tenants than one gateway serves at a time; the rarest lose their key first and exchange it again.
const MOST_TENANTS: u64 = 10_000;

/// News of keys that wait for whoever listens. Who falls further behind is told that it did.
const NEWS_KEPT: usize = 256;

/// Whether a call takes an exchange of keys first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExchangeDue {
    /// As things are.
    pub now: bool,
    /// If there were no key at hand.
    pub ever: bool,
}

/// Finds the key for a call.
pub(super) struct Credentials(Arc<Shelf>);

struct Shelf {
    own: OwnKeys,
    application: Option<Partner>,
    /// Whether Aurora's last word was that it does not know the application's key.
    application_is_refused: AtomicBool,
    session_tokens: SessionTokens,
    quotas: Arc<Quotas>,
    keys: Cache<TenantId, Arc<Key>>,
    setbacks: Setbacks,
    tokens: Tokens,
    connects: Turns,
    pace: Pace,
    /// How long an exchange may wait for its place.
    patience: Duration,
    flights: Mutex<Flights>,
    /// Where keys outlive a restart, if they do.
    vault: OnceLock<Vault>,
    /// Which Aurora the keys are for.
    base_url: String,
    /// Told of each tenant for whom a key came.
    connected: broadcast::Sender<TenantId>,
    transport: Arc<Transport>,
    clock: Clock,
}

struct Partner {
    id: String,
    key: RwLock<Arc<Key>>,
}

impl Credentials {
    pub(super) fn try_new(
        config: Config,
        clock: Clock,
        transport: Arc<Transport>,
    ) -> Result<Self, SetupError> {
        let quotas = Arc::new(Quotas::within(config.bounds(), clock.clone()));
        let mut own = HashMap::new();
        for (tenant, secret) in config.tenant_keys {
            let key = Key::lasting(secret, &quotas).ok_or_else(|| SetupError::TenantKey(tenant.clone()))?;
            own.insert(tenant, Arc::new(key));
        }
        let application = match config.application {
            Some(it) if !is_one_segment(&it.id) || !can_be_sent(&it.id) => {
                return Err(SetupError::ApplicationId);
            }
            Some(it) => {
                let key = Key::lasting(it.key, &quotas).ok_or(SetupError::ApplicationKey)?;
                Some(Partner { id: it.id, key: RwLock::new(Arc::new(key)) })
            }
            None => None,
        };
        Ok(Self(Arc::new(Shelf {
            own: OwnKeys::new(own),
            application,
            application_is_refused: AtomicBool::new(false),
            session_tokens: config.session_tokens,
            quotas,
            keys: Cache::builder().max_capacity(MOST_TENANTS).expire_after(key::WhenKeyEnds).build(),
            setbacks: Setbacks::new(),
            tokens: Tokens::new(),
            connects: Turns::new(),
            pace: Pace::default(),
            patience: config.request_timeout,
            flights: Mutex::default(),
            vault: OnceLock::new(),
            base_url: config.base_url.into(),
            connected: broadcast::Sender::new(NEWS_KEPT),
            transport,
            clock,
        })))
    }

    pub(super) fn application_key(&self) -> Result<Arc<Key>, Error> {
        self.0.partner().map(Partner::key)
    }

    pub(super) fn application_id(&self) -> Result<&str, Error> {
        self.0.partner().map(|it| it.id.as_str())
    }

    pub(super) fn application_refused(&self) -> Error {
        self.0.application_refused()
    }

    pub(super) fn budget(&self, tenant: &TenantId) -> Option<Budget> {
        let shelf = &self.0;
        shelf
            .key_at_hand(tenant)
            .map(|key| key.quota().budget())
            .or_else(|| shelf.application.is_some().then(|| shelf.quotas.full()))
    }

    pub(super) fn exchange_due(&self, tenant: &TenantId) -> ExchangeDue {
        let shelf = &self.0;
        let ever = shelf.own.get(tenant).is_none() && shelf.application.is_some();
        ExchangeDue { now: ever && shelf.good_key(tenant).is_none(), ever }
    }

    /// Whether calls for the tenant are held back: with its key, or, while it has none, in getting one.
    pub(super) fn standing(&self, tenant: &TenantId) -> Standing {
        let shelf = &self.0;
        let application = || shelf.application.as_ref().map(Partner::key);
        let key = shelf.key_at_hand(tenant).or_else(application);
        key.map_or(Standing::Closed, |key| key.quota().worst_standing())
    }

    /// The quotas of all keys in use, the application's among them.
    pub(super) fn quotas(&self) -> &Arc<Quotas> {
        &self.0.quotas
    }

    /// The application's key, where there is one.
    pub(super) fn application_in_use(&self) -> Option<Arc<Key>> {
        self.0.application.as_ref().map(Partner::key)
    }

    /// A key for the tenant, exchanged if need be.
    pub(super) async fn key(&self, tenant: &TenantId, meter: &Meter) -> Result<Arc<Key>, Error> {
        let key = self.obtain(tenant, None, meter).await?;
        key.mark_used();
        Ok(key)
    }

    /// Another key than the one that Aurora refused: one that came meanwhile, else a new one.
    pub(super) async fn renew(
        &self,
        tenant: &TenantId,
        refused: &Arc<Key>,
        meter: &Meter,
    ) -> Result<Arc<Key>, Error> {
        let key = self.obtain(tenant, Some(refused), meter).await?;
        key.mark_used();
        Ok(key)
    }

    async fn obtain(
        &self,
        tenant: &TenantId,
        refused: Option<&Arc<Key>>,
        meter: &Meter,
    ) -> Result<Arc<Key>, Error> {
        let shelf = &self.0;
        if let Some(key) = shelf.own.get(tenant) {
            return Ok(key);
        }
        let flight = shelf.board(tenant, refused, meter)?;
        let carried = flight.carries_token;
        let outcome = flight.wait(meter).await;
        let refused_for_the_token = carried
            && shelf.session_tokens == SessionTokens::Optional
            && matches!(outcome, Err(Error::NotConnected { reason: NotConnected::ExchangeRefused }));
        if !refused_for_the_token {
            return outcome;
        }
        // Somebody's session token may have been all that was wrong, and this caller has nothing to do with it.
        shelf.board(tenant, refused, meter)?.wait(meter).await
    }

    /// Exchanges the session token now, whatever key there is. What was refused before stands until this succeeds:
    /// an invented token must not make others' reads try anew.
    pub(super) async fn connect(
        &self,
        tenant: &TenantId,
        token: SecretString,
    ) -> Result<Option<Timestamp>, Error> {
        let shelf = &self.0;
        if shelf.own.get(tenant).is_some() {
            shelf.tell_connected(tenant);
            return Ok(None);
        }
        shelf.partner()?;
        let now = shelf.clock.now();
        let _turn =
            shelf.connects.take(tenant, now).map_err(|wait| Error::RateLimited { retry_after: wait })?;
        let token = SessionToken { secret: token, since: now };
        if !shelf.tokens.claim(&token) {
            return Err(Error::not_connected(NotConnected::SessionTokenUsed));
        }
        let meter = Meter::in_lane(Lane::Mutation);
        let flight = shelf.depart(&mut shelf.flights(), tenant, Some(token), &meter);
        Ok(flight.wait(&meter).await?.span().map(|it| it.expires_at))
    }

    pub(super) fn connected(&self) -> broadcast::Receiver<TenantId> {
        self.0.connected.subscribe()
    }

    pub(super) fn has_key(&self, tenant: &TenantId) -> bool {
        self.0.key_at_hand(tenant).is_some()
    }

    /// Exchanges the session token if the tenant's key is missing or past half of its life, else keeps it.
    pub(super) fn offer(&self, tenant: &TenantId, token: SecretString) {
        let shelf = &self.0;
        let token = SessionToken { secret: token, since: shelf.clock.now() };
        if shelf.own.get(tenant).is_some() || shelf.application.is_none() || shelf.tokens.is_used(&token) {
            return;
        }
        let mut flights = shelf.flights();
        shelf.setbacks.forget(tenant);
        let young = shelf.good_key(tenant).is_some_and(|key| !key.is_past_half(shelf.clock.passed()));
        if young || flights.to(tenant).is_some() {
            shelf.tokens.keep(tenant, token);
        } else if shelf.tokens.claim(&token) {
            drop(shelf.depart(&mut flights, tenant, Some(token), &Meter::in_lane(Lane::Enrichment)));
        }
    }
}

impl Shelf {
    fn tell_connected(&self, tenant: &TenantId) {
        // Nobody listens in a command that only asks.
        let _nobody = self.connected.send(tenant.clone());
    }

    fn partner(&self) -> Result<&Partner, Error> {
        self.application.as_ref().ok_or(Error::not_connected(NotConnected::NoApplication))
    }

    /// The way to a key: one at hand, the exchange under way, or a new one.
    fn board(
        self: &Arc<Self>,
        tenant: &TenantId,
        refused: Option<&Arc<Key>>,
        meter: &Meter,
    ) -> Result<Flight, Error> {
        let mut flights = self.flights();
        if let Some(refused) = refused {
            self.give_up(tenant, refused);
        }
        if let Some(key) = self.good_key(tenant) {
            return Ok(Flight::landed(key));
        }
        if let Some(under_way) = flights.to(tenant) {
            return Ok(under_way);
        }
        let token = self.token_for_exchange(tenant)?;
        Ok(self.depart(&mut flights, tenant, token, meter))
    }

    fn key_at_hand(&self, tenant: &TenantId) -> Option<Arc<Key>> {
        self.own.get(tenant).or_else(|| self.good_key(tenant))
    }

    /// The tenant's key if it is good by the clock; the cache's own time is only for tidying up.
    fn good_key(&self, tenant: &TenantId) -> Option<Arc<Key>> {
        let passed = self.clock.passed();
        self.keys.get(tenant).filter(|key| key.is_good(passed))
    }

    /// Takes exactly that key off the shelf; one that came since stays.
    fn give_up(&self, tenant: &TenantId, refused: &Arc<Key>) {
        if self.keys.get(tenant).is_some_and(|key| Arc::ptr_eq(&key, refused)) {
            self.keys.invalidate(tenant);
        }
    }

    /// The session token to send with the next exchange, if any; an error when none should be made.
    fn token_for_exchange(&self, tenant: &TenantId) -> Result<Option<SessionToken>, Error> {
        self.partner()?;
        if let Some(error) = self.setbacks.standing(tenant, self.clock.passed()) {
            return Err(error);
        }
        let token = self.tokens.take(tenant, self.clock.now());
        if token.is_none() && self.session_tokens == SessionTokens::Required {
            return Err(Error::not_connected(NotConnected::SessionTokenRequired));
        }
        Ok(token)
    }
}
