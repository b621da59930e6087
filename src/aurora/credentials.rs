//! Keys for tenants: configured, or exchanged by the partner application, and renewed in time.
//!
//! [`exchange`] asks for a key, [`flight`] does so once for however many wait, and [`turns`] bounds what callers of
//! one tenant may set off.
//!
//! Invariants: however many callers wait for a tenant's key, one exchange is under way for them, and it goes on
//! when they hang up. A session token is sent at most once. A key counts as good by our clock, from a margin
//! before its end no longer; when Aurora refuses a key, exactly that key is given up. No caller costs more than
//! one exchange at a time, and none at all for a moment after one failed.
//!
//! Not here: sealing keys to outlive a restart, and what a 401 means for the call that met it.

mod exchange;
mod flight;
mod key;
mod tokens;
mod turns;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, atomic::AtomicBool},
    time::Duration,
};

use jiff::Timestamp;
use moka::sync::Cache;
use secrecy::SecretString;

use super::{
    Config, Error, Lane, Meter, NotConnected, SessionTokens, SetupError,
    call::is_one_segment,
    transport::{Budget, Quota, Quotas, Standing, Transport, can_be_sent},
};
use crate::{
    clock::{Clock, between},
    domain::TenantId,
};

use flight::{Flight, Flights};
pub(super) use key::Key;
use tokens::{SessionToken, Tokens};
use turns::Turns;

/// Far more tenants than one gateway serves at a time; the rarest lose their key first and exchange it again.
const MOST_TENANTS: u64 = 10_000;

/// How long a failed exchange speaks for the next callers, so that a crowd does not try one by one.
const FAILURE_HELD: Duration = Duration::from_secs(3);

/// Finds the key for a call.
pub(super) struct Credentials(Arc<Shelf>);

struct Shelf {
    own: HashMap<TenantId, Arc<Key>>,
    application: Option<Partner>,
    /// Whether Aurora's last word was that it does not know the application's key.
    application_is_refused: AtomicBool,
    session_tokens: SessionTokens,
    quotas: Quotas,
    keys: Cache<TenantId, Arc<Key>>,
    failures: Cache<TenantId, (Timestamp, Error)>,
    tokens: Tokens,
    connects: Turns,
    flights: Mutex<Flights>,
    transport: Arc<Transport>,
    clock: Clock,
}

struct Partner {
    id: String,
    key: Arc<Key>,
}

impl Credentials {
    pub(super) fn try_new(
        config: Config,
        clock: Clock,
        transport: Arc<Transport>,
    ) -> Result<Self, SetupError> {
        let quotas = Quotas::within(config.bounds(), clock.clone());
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
                Some(Partner { id: it.id, key: Arc::new(key) })
            }
            None => None,
        };
        Ok(Self(Arc::new(Shelf {
            own,
            application,
            application_is_refused: AtomicBool::new(false),
            session_tokens: config.session_tokens,
            quotas,
            keys: Cache::builder().max_capacity(MOST_TENANTS).expire_after(key::WhenKeyEnds).build(),
            failures: Cache::builder().max_capacity(MOST_TENANTS).time_to_live(FAILURE_HELD).build(),
            tokens: Tokens::new(),
            connects: Turns::new(),
            flights: Mutex::default(),
            transport,
            clock,
        })))
    }

    pub(super) fn application_key(&self) -> Result<&Key, Error> {
        self.0.partner().map(|it| &*it.key)
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

    /// Whether calls for the tenant are held back: with its key, or, while it has none, in getting one.
    pub(super) fn standing(&self, tenant: &TenantId) -> Standing {
        let shelf = &self.0;
        let application = || Some(Arc::clone(&shelf.application.as_ref()?.key));
        let key = shelf.key_at_hand(tenant).or_else(application);
        key.map_or(Standing::Closed, |key| key.quota().worst_standing())
    }

    /// How old the oldest key is that was exchanged.
    pub(super) fn oldest_key(&self) -> Option<Duration> {
        let now = self.0.clock.now();
        self.0.keys.iter().filter_map(|(_, key)| key.age(now)).max()
    }

    /// The quotas of all keys in use, the application's among them.
    pub(super) fn quotas(&self) -> &Quotas {
        &self.0.quotas
    }

    /// The quota of the application's key.
    pub(super) fn application_quota(&self) -> Option<&Quota> {
        self.0.application.as_ref().map(|it| it.key.quota())
    }

    /// A key for the tenant, exchanged if need be.
    pub(super) async fn key(&self, tenant: &TenantId, meter: &Meter) -> Result<Arc<Key>, Error> {
        self.obtain(tenant, None, meter).await
    }

    /// Another key than the one that Aurora refused: one that came meanwhile, else a new one.
    pub(super) async fn renew(
        &self,
        tenant: &TenantId,
        refused: &Arc<Key>,
        meter: &Meter,
    ) -> Result<Arc<Key>, Error> {
        self.obtain(tenant, Some(refused), meter).await
    }

    async fn obtain(
        &self,
        tenant: &TenantId,
        refused: Option<&Arc<Key>>,
        meter: &Meter,
    ) -> Result<Arc<Key>, Error> {
        let shelf = &self.0;
        if let Some(key) = shelf.own.get(tenant) {
            return Ok(Arc::clone(key));
        }
        let (flight, carried) = shelf.board(tenant, refused, meter)?;
        let outcome = flight.await;
        let refused_for_the_token = carried
            && shelf.session_tokens == SessionTokens::Optional
            && matches!(outcome, Err(Error::NotConnected { reason: NotConnected::ExchangeRefused }));
        if !refused_for_the_token {
            return outcome;
        }
        // Somebody's session token may have been all that was wrong, and this caller has nothing to do with it.
        let (flight, _) = shelf.board(tenant, refused, meter)?;
        flight.await
    }

    /// Exchanges the session token now, whatever key there is.
    pub(super) async fn connect(
        &self,
        tenant: &TenantId,
        token: SecretString,
    ) -> Result<Option<Timestamp>, Error> {
        let shelf = &self.0;
        if shelf.own.contains_key(tenant) {
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
        shelf.failures.invalidate(tenant);
        let flight = shelf.depart(&mut shelf.flights(), tenant, Some(token), &Meter::in_lane(Lane::Mutation));
        Ok(flight.await?.expires_at())
    }

    /// Exchanges the session token if the tenant's key is missing or past half of its life, else keeps it.
    pub(super) fn offer(&self, tenant: &TenantId, token: SecretString) {
        let shelf = &self.0;
        let now = shelf.clock.now();
        let token = SessionToken { secret: token, since: now };
        if shelf.own.contains_key(tenant) || shelf.application.is_none() || shelf.tokens.is_used(&token) {
            return;
        }
        let mut flights = shelf.flights();
        shelf.failures.invalidate(tenant);
        let young = shelf.good_key(tenant).is_some_and(|key| !key.is_past_half(now));
        if young || flights.to(tenant).is_some() {
            shelf.tokens.keep(tenant, token);
        } else if shelf.tokens.claim(&token) {
            drop(shelf.depart(&mut flights, tenant, Some(token), &Meter::in_lane(Lane::Enrichment)));
        }
    }
}

impl Shelf {
    fn partner(&self) -> Result<&Partner, Error> {
        self.application.as_ref().ok_or(Error::not_connected(NotConnected::NoApplication))
    }

    /// The way to a key: one at hand, the exchange under way, or a new one; and whether that carries a session token.
    fn board(
        self: &Arc<Self>,
        tenant: &TenantId,
        refused: Option<&Arc<Key>>,
        meter: &Meter,
    ) -> Result<(Flight, bool), Error> {
        let mut flights = self.flights();
        if let Some(refused) = refused {
            self.give_up(tenant, refused);
        }
        if let Some(key) = self.good_key(tenant) {
            return Ok((flight::landed(key), false));
        }
        if let Some(under_way) = flights.to(tenant) {
            return Ok((under_way, flights.carries_token(tenant)));
        }
        let token = self.token_for_exchange(tenant)?;
        let carries = token.is_some();
        Ok((self.depart(&mut flights, tenant, token, meter), carries))
    }

    fn key_at_hand(&self, tenant: &TenantId) -> Option<Arc<Key>> {
        self.own.get(tenant).cloned().or_else(|| self.good_key(tenant))
    }

    /// The tenant's key if it is good by the clock; the cache's own time is only for tidying up.
    fn good_key(&self, tenant: &TenantId) -> Option<Arc<Key>> {
        let now = self.clock.now();
        self.keys.get(tenant).filter(|key| key.is_good(now))
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
        let now = self.clock.now();
        if let Some((_, error)) = self.failures.get(tenant).filter(|(at, _)| between(*at, now) < FAILURE_HELD)
        {
            return Err(error);
        }
        let token = self.tokens.take(tenant, now);
        if token.is_none() && self.session_tokens == SessionTokens::Required {
            return Err(Error::not_connected(NotConnected::SessionTokenRequired));
        }
        Ok(token)
    }
}
