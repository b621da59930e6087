//! Exchanges under way: one for however many callers, in a task of its own.
//!
//! Invariants: an exchange is on the list from before it starts until its outcome is filed, so that nobody
//! starts another in between; it leaves the list however its task ends. It is as urgent as the most urgent of those who
//! wait for it.

use std::{
    collections::HashMap,
    sync::{Arc, MutexGuard, PoisonError},
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};

use super::{Error, Key, Lane, Meter, NotConnected, Shelf, exchange::Failed, tokens::SessionToken};
use crate::{aurora::Urgency, domain::TenantId};

type Outcome = Shared<BoxFuture<'static, Result<Arc<Key>, Error>>>;

/// An exchange under way, and what comes of it for all who wait.
#[derive(Clone)]
pub(super) struct Flight {
    outcome: Outcome,
    urgency: Urgency,
    /// Whether it carries somebody's session token, and may fail because of it.
    pub(super) carries_token: bool,
}

impl Flight {
    /// The way to a key that is here already.
    pub(super) fn landed(key: Arc<Key>) -> Self {
        let outcome = std::future::ready(Ok(key)).boxed().shared();
        Self { outcome, urgency: Urgency::default(), carries_token: false }
    }

    /// What comes of it. Until then it is at least as urgent as whoever counts on that meter, whatever that becomes.
    pub(super) async fn wait(mut self, meter: &Meter) -> Result<Arc<Key>, Error> {
        loop {
            // Before the look, so that nothing that happens after it is missed.
            let raised = meter.urgency().raised();
            self.urgency.raise(lane_of(meter.lane()));
            tokio::select! {
                outcome = &mut self.outcome => return outcome,
                () = raised => {}
            }
        }
    }
}

/// Whoever waits for a key waits with everything that is asked for the tenant, so all but renewals in the background
/// are alike, and go first.
fn lane_of(waiting: Lane) -> Lane {
    if waiting == Lane::Refresh { Lane::Refresh } else { Lane::Mutation }
}

/// The exchanges under way.
#[derive(Default)]
pub(super) struct Flights {
    by_tenant: HashMap<TenantId, Listed>,
    next: u64,
}

struct Listed {
    id: u64,
    flight: Flight,
    /// Something came between that may have mended what it fails of.
    outdated: bool,
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

    /// The tenant has news: if its exchange fails, that says nothing of the next.
    pub(super) fn outdate(&mut self, tenant: &TenantId) {
        if let Some(listed) = self.by_tenant.get_mut(tenant) {
            listed.outdated = true;
        }
    }

    fn listed(&self, tenant: &TenantId, id: u64) -> Option<&Listed> {
        self.by_tenant.get(tenant).filter(|it| it.id == id)
    }

    fn lists(&self, tenant: &TenantId, id: u64) -> bool {
        self.listed(tenant, id).is_some()
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
        let carries_token = token.is_some();
        // Whoever waits makes the exchange more urgent, and nothing else of this request.
        let meter = meter.for_one_read();
        meter.urgency().raise(lane_of(meter.lane()));
        let urgency = meter.urgency().clone();
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
        let outcome = task.map(|ended| ended.unwrap_or_else(|died| Err(Error::unavailable(died))));
        let flight = Flight { outcome: outcome.boxed().shared(), urgency, carries_token };
        let listed = Listed { id: flights.next, flight: flight.clone(), outdated: false };
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

    /// A tenant that is refused and has no key has none on disk either.
    async fn file_failure(&self, tenant: &TenantId, id: u64, failed: &Failed, token: Option<SessionToken>) {
        if !self.note_failure(tenant, id, failed, token) {
            return;
        }
        let refused = matches!(failed.error, Error::NotConnected { reason: NotConnected::ExchangeRefused });
        if let Some(vault) = self.vault.get().filter(|_| refused && self.good_key(tenant).is_none()) {
            vault.forget(tenant).await;
        }
    }

    /// A failed exchange speaks for the next only where the next would be the same: not after one with a session token,
    /// and not once a spare or news of the tenant have come. A full quota and an Aurora that is left alone speak for
    /// themselves, for as long as they say. A token that was not spent goes back. Says whether it concerns the tenant.
    fn note_failure(&self, tenant: &TenantId, id: u64, failed: &Failed, token: Option<SessionToken>) -> bool {
        let Failed { error, spent } = failed;
        // Held to the end: news that come in between must not find nothing to outdate.
        let flights = self.flights();
        // Struck off, or overtaken by another: it says nothing of the tenant any more.
        let Some(listed) = flights.listed(tenant, id) else { return false };
        let same_again = !spent || (token.is_none() && !self.tokens.has_spare(tenant));
        let says_when = matches!(error, Error::RateLimited { .. } | Error::LeftAlone { .. });
        if says_when {
            tracing::debug!(tenant.id = %tenant, %error, "got no key for tenant {tenant}");
        } else if same_again && !listed.outdated {
            let stands = self.setbacks.add(tenant, error, self.clock.passed());
            let reason = std::error::Error::source(error).map(tracing::field::display);
            tracing::warn!(tenant.id = %tenant, %error, reason, "got no key for tenant {tenant}; it is not tried again for {} s", stands.as_secs());
        } else {
            tracing::warn!(tenant.id = %tenant, %error, "got no key for tenant {tenant}");
        }
        if let Some(token) = token.filter(|_| !spent) {
            self.tokens.take_back(tenant, token);
        }
        true
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

#[cfg(test)]
mod tests {
    use tokio::{sync::oneshot, task::yield_now};

    use super::*;

    #[tokio::test]
    async fn who_waits_makes_the_exchange_more_urgent_also_where_that_comes_later() {
        let (end, ended) = oneshot::channel();
        let outcome = async move { ended.await.unwrap_or(Err(Error::Timeout)) }.boxed().shared();
        let urgency = Urgency::new(Lane::Refresh);
        let flight = Flight { outcome, urgency: urgency.clone(), carries_token: false };
        let wait = |meter: &Meter| {
            let (flight, meter) = (flight.clone(), meter.clone());
            tokio::spawn(async move { flight.wait(&meter).await })
        };
        let nobodys = Meter::in_lane(Lane::Refresh);
        let waits = wait(&nobodys);
        yield_now().await;
        assert_eq!(urgency.lane(), Lane::Refresh);
        // Somebody joins the read that waits for the key.
        nobodys.urgency().raise(Lane::Interactive);
        yield_now().await;
        assert_eq!(urgency.lane(), Lane::Mutation, "everything of the tenant waits for it");
        end.send(Err(Error::Forbidden)).ok().unwrap();
        for outcome in [waits.await, wait(&Meter::default()).await] {
            assert!(matches!(outcome, Ok(Err(Error::Forbidden))));
        }
    }
}
