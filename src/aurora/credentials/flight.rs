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

use super::{Error, Key, Meter, Shelf, exchange::Failed, tokens::SessionToken};
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
                    // Under the lock: what is struck off is not filed.
                    let flights = shelf.flights();
                    if flights.lists(tenant, landing.id) {
                        shelf.file(tenant, &key);
                    }
                    drop(flights);
                    Ok(key)
                }
                Err(failed) => {
                    shelf.file_failure(tenant, &failed, token);
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

    fn file(&self, tenant: &TenantId, key: &Arc<Key>) {
        self.failures.invalidate(tenant);
        if key.is_good(self.clock.now()) {
            tracing::info!(tenant.id = %tenant, "Aurora gave a key for tenant {tenant}");
            self.keys.insert(tenant.clone(), Arc::clone(key));
            self.tell_connected(tenant);
        } else {
            tracing::warn!(tenant.id = %tenant, "Aurora gave a key for tenant {tenant} that has expired already; is our clock right?");
        }
    }

    /// A failed exchange speaks for the next only where the next would be the same: not after one with a
    /// session token, and not once a spare has come. A full quota speaks for itself. A token that was not spent
    /// goes back.
    fn file_failure(&self, tenant: &TenantId, failed: &Failed, token: Option<SessionToken>) {
        let Failed { error, spent } = failed;
        tracing::warn!(tenant.id = %tenant, %error, "got no key for tenant {tenant}");
        let next_is_the_same = !spent || (token.is_none() && !self.tokens.has_spare(tenant));
        if next_is_the_same && !matches!(error, Error::RateLimited { .. }) {
            self.failures.insert(tenant.clone(), (self.clock.now(), error.clone()));
        }
        if let Some(token) = token.filter(|_| !spent) {
            self.tokens.take_back(tenant, token);
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
