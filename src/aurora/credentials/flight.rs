//! Exchanges under way: one for however many callers, in a task of its own.
//!
//! Invariants: an exchange is on the list from before it starts until its outcome is filed, so that nobody
//! starts another in between; it leaves the list however its task ends.

use std::{
    collections::HashMap,
    sync::{Arc, MutexGuard, PoisonError},
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};

use super::{Error, Key, Meter, NotConnected, Shelf, exchange::Failed, tokens::SessionToken};
use crate::domain::TenantId;

/// An exchange under way, and what comes of it for all who wait.
pub(super) type Flight = Shared<BoxFuture<'static, Result<Arc<Key>, Error>>>;

/// The exchanges under way.
#[derive(Default)]
pub(super) struct Flights {
    by_tenant: HashMap<TenantId, Listed>,
    next: u64,
}

struct Listed {
    id: u64,
    flight: Flight,
    carries_token: bool,
}

/// The way to a key that is here already.
pub(super) fn landed(key: Arc<Key>) -> Flight {
    std::future::ready(Ok(key)).boxed().shared()
}

impl Flights {
    /// The one that brings this tenant's key.
    pub(super) fn to(&self, tenant: &TenantId) -> Option<Flight> {
        self.by_tenant.get(tenant).map(|it| it.flight.clone())
    }

    /// Takes the tenant's exchange off the list: its key is not wanted any more.
    pub(super) fn strike(&mut self, tenant: &TenantId) {
        self.by_tenant.remove(tenant);
    }

    fn lists(&self, tenant: &TenantId, id: u64) -> bool {
        self.by_tenant.get(tenant).is_some_and(|it| it.id == id)
    }

    /// Whether that one carries somebody's session token, and may fail because of it.
    pub(super) fn carries_token(&self, tenant: &TenantId) -> bool {
        self.by_tenant.get(tenant).is_some_and(|it| it.carries_token)
    }
}

impl Shelf {
    pub(super) fn flights(&self) -> MutexGuard<'_, Flights> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts an exchange in a task of its own: a caller who hangs up must not stop it for the others.
    pub(super) fn depart(
        self: &Arc<Self>,
        flights: &mut Flights,
        tenant: &TenantId,
        token: Option<SessionToken>,
        meter: &Meter,
    ) -> Flight {
        flights.next += 1;
        let landing = Landing { shelf: Arc::clone(self), tenant: tenant.clone(), id: flights.next };
        let (meter, carries_token) = (meter.clone(), token.is_some());
        let task = tokio::spawn(async move {
            let Landing { shelf, tenant, .. } = &landing;
            match shelf.exchange(tenant, token.as_ref(), &meter).await {
                Ok(key) => {
                    if shelf.shelve(tenant, landing.id, &key) {
                        shelf.keep(tenant, landing.id, &key).await;
                    }
                    Ok(key)
                }
                Err(failed) => {
                    shelf.file_failure(tenant, landing.id, &failed, token).await;
                    Err(failed.error)
                }
            }
        });
        let flight = task.map(|ended| ended.unwrap_or_else(|died| Err(Error::unavailable(died))));
        let flight = flight.boxed().shared();
        let listed = Listed { id: flights.next, flight: flight.clone(), carries_token };
        flights.by_tenant.insert(tenant.clone(), listed);
        flight
    }

    /// Puts a key on the shelf for those who come now, and says whether it is one that serves. Under the lock of the
    /// flights: what was struck off meanwhile is not filed.
    fn shelve(&self, tenant: &TenantId, id: u64, key: &Arc<Key>) -> bool {
        let flights = self.flights();
        if !flights.lists(tenant, id) {
            return false;
        }
        self.setbacks.forget(tenant);
        if !key.is_good(self.clock.passed()) {
            tracing::warn!(tenant.id = %tenant, "Aurora gave a key for tenant {tenant} that has expired already; is our clock right?");
            return false;
        }
        tracing::info!(tenant.id = %tenant, "Aurora gave a key for tenant {tenant}");
        self.keys.insert(tenant.clone(), Arc::clone(key));
        self.tell_connected(tenant);
        true
    }

    /// On disk as well, before those who wait hear of it: whoever was told that a tenant is connected may count on it.
    async fn keep(&self, tenant: &TenantId, id: u64, key: &Arc<Key>) {
        let Some(vault) = self.vault.get() else { return };
        vault.keep(tenant, key).await;
        // Struck off while it was written: the vault was emptied before this came to it. One that was only overtaken by
        // another exchange stays, as long as the tenant has a key.
        let given_up = !self.flights().lists(tenant, id) && self.good_key(tenant).is_none();
        if given_up {
            vault.forget(tenant).await;
        }
    }

    /// A failed exchange speaks for the next only where the next would be the same: not after one with a
    /// session token, and not once a spare has come. A full quota speaks for itself. A token that was not spent
    /// goes back. A tenant that is refused and has no key has none on disk either.
    async fn file_failure(&self, tenant: &TenantId, id: u64, failed: &Failed, token: Option<SessionToken>) {
        let Failed { error, spent } = failed;
        // Struck off, or overtaken by another: it says nothing of the tenant any more.
        if !self.flights().lists(tenant, id) {
            return;
        }
        let next_is_the_same = !spent || (token.is_none() && !self.tokens.has_spare(tenant));
        if next_is_the_same && !matches!(error, Error::RateLimited { .. }) {
            let stands = self.setbacks.add(tenant, error, self.clock.passed());
            let reason = std::error::Error::source(error).map(tracing::field::display);
            tracing::warn!(tenant.id = %tenant, %error, reason, "got no key for tenant {tenant}; it is not tried again for {} s", stands.as_secs());
        } else {
            tracing::warn!(tenant.id = %tenant, %error, "got no key for tenant {tenant}");
        }
        if let Some(token) = token.filter(|_| !spent) {
            self.tokens.take_back(tenant, token);
        }
        let refused = matches!(error, Error::NotConnected { reason: NotConnected::ExchangeRefused });
        if let Some(vault) = self.vault.get().filter(|_| refused && self.good_key(tenant).is_none()) {
            vault.forget(tenant).await;
        }
    }
}

/// Takes an exchange off the list when its task ends, however it ends.
struct Landing {
    shelf: Arc<Shelf>,
    tenant: TenantId,
    id: u64,
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut flights = self.shelf.flights();
        if flights.lists(&self.tenant, self.id) {
            flights.by_tenant.remove(&self.tenant);
        }
    }
}
