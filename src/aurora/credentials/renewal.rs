//! Keys ahead of their end: kept over a restart, renewed before anybody has to wait, dropped when a tenant leaves.
//!
//! Invariants: a renewal waits for nobody and nobody waits for it; the old key serves until the new one is there; it
//! takes no session token that callers could still need, and of the application's allowance only what they leave.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use tokio_util::sync::CancellationToken;

use super::{
    Credentials, EncryptionKeys, Error, Key, Lane, Meter, SessionTokens, SetupError, Shelf, Vault, seal::Seal,
};
use crate::{aurora::Group, domain::TenantId, store::Store};

/// How often keys are looked through: even the shortest-lived is due for seconds.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Renewals at once. Few, so that a caller who needs a key now stands behind few of them.
const AT_ONCE: usize = 4;

/// Of the application's calls in a minute, one in so many is left for those who wait.
const LEFT_FOR_CALLERS: u32 = 3;

/// How old the gateway's keys are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyLives {
    /// Keys that were exchanged and are good.
    pub keys: u64,
    /// How long ago the oldest of them was received.
    pub oldest: Option<Duration>,
    /// How soon the first of them ends.
    pub ends_in: Option<Duration>,
}

impl Credentials {
    /// Keeps keys on disk from now on, sealed, and takes back those that lie there.
    pub(in crate::aurora) async fn keep_sealed(
        &self,
        store: Store,
        keys: &EncryptionKeys,
    ) -> Result<(), SetupError> {
        let shelf = &self.0;
        // Without an application no key is exchanged, and those of an earlier one are not for us.
        let Some(partner) = &shelf.application else { return Ok(()) };
        let seal = Seal::new(&keys.current, keys.previous.as_deref()).ok_or(SetupError::EncryptionKey)?;
        let vault = Vault::new(store, seal, &shelf.base_url, &partner.id);
        let kept = vault.restore(shelf.clock.now()).await;
        let found = kept.len();
        for it in kept.into_iter().filter(|it| shelf.own.get(&it.tenant).is_none()) {
            if let Some(key) = Key::temporary(it.secret, it.span, &shelf.clock, &shelf.quotas) {
                shelf.keys.insert(it.tenant, Arc::new(key));
            }
        }
        if found > 0 {
            tracing::info!(keys = found, "took {found} tenants' keys from the store");
        }
        // Once: a second call finds it set and changes nothing.
        let _kept_before = shelf.vault.set(vault);
        Ok(())
    }

    /// Renews keys ahead of their end until it is told to stop. An exchange that is under way then is not waited for.
    pub(in crate::aurora) async fn keep_fresh(&self, stop: CancellationToken) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let work = async {
            loop {
                looks.tick().await;
                let due = self.0.due();
                stream::iter(&due).for_each_concurrent(AT_ONCE, |tenant| self.0.renew_early(tenant)).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = work => {}
        }
    }

    /// The tenant has taken the application away: its key and its session token are given up, here and on disk, though
    /// Aurora may still take them. An exchange under way is taken off the list, so that its key is not filed.
    pub(in crate::aurora) fn disconnect(&self, tenant: &TenantId) {
        let shelf = Arc::clone(&self.0);
        let mut flights = shelf.flights();
        flights.strike(tenant);
        shelf.keys.invalidate(tenant);
        shelf.tokens.drop_spare(tenant);
        shelf.setbacks.forget(tenant);
        drop(flights);
        let tenant = tenant.clone();
        tokio::spawn(async move {
            if let Some(vault) = shelf.vault.get() {
                vault.forget(&tenant).await;
            }
        });
    }

    /// The tenant has enabled the application: what was refused before says nothing any more, nor does what an exchange
    /// will hear that is under way. If that one brings a key after all, the key is as good as any.
    pub(in crate::aurora) fn welcome(&self, tenant: &TenantId) {
        let mut flights = self.0.flights();
        flights.outdate(tenant);
        self.0.setbacks.forget(tenant);
    }

    pub(in crate::aurora) fn lives(&self) -> KeyLives {
        let (passed, mut lives) = (self.0.clock.passed(), KeyLives::default());
        for (_, key) in self.0.keys.iter().filter(|(_, key)| key.is_good(passed)) {
            let (Some(span), Some(left)) = (key.span(), key.left(passed)) else { continue };
            lives.keys += 1;
            lives.oldest = lives.oldest.max(Some(span.life.saturating_sub(left)));
            lives.ends_in = Some(lives.ends_in.map_or(left, |it| it.min(left)));
        }
        lives
    }
}

impl Shelf {
    /// The tenants whose keys are due, those that end first first.
    fn due(&self) -> Vec<TenantId> {
        let passed = self.clock.passed();
        let is_due = |key: &Key| key.is_good(passed) && key.is_due(passed);
        let due = self.keys.iter().filter(|(_, key)| is_due(key));
        let mut due: Vec<_> = due.map(|(tenant, key)| (key.left(passed), tenant)).collect();
        due.sort_unstable_by_key(|(left, _)| *left);
        due.into_iter().map(|(_, tenant)| TenantId::clone(&tenant)).collect()
    }

    async fn renew_early(self: &Arc<Self>, tenant: &TenantId) {
        let meter = Meter::in_lane(Lane::Refresh);
        let Some(flight) = self.early_flight(tenant, &meter) else { return };
        // What came of it has been filed and told of.
        let _filed: Result<_, Error> = flight.wait(&meter).await;
    }

    fn early_flight(self: &Arc<Self>, tenant: &TenantId, meter: &Meter) -> Option<super::Flight> {
        let application = self.partner().ok()?.key();
        let budget = application.quota().budget();
        if budget.remaining <= budget.limit / LEFT_FOR_CALLERS
            || application.quota().is_left_alone(Group::Keys)
        {
            return None;
        }
        let mut flights = self.flights();
        let passed = self.clock.passed();
        let is_due = self.good_key(tenant).is_some_and(|key| key.is_due(passed));
        if !is_due || flights.to(tenant).is_some() || self.setbacks.rests(tenant, passed) {
            return None;
        }
        let token = self.tokens.take(tenant, self.clock.now());
        if token.is_none() && self.session_tokens == SessionTokens::Required {
            return None;
        }
        Some(self.depart(&mut flights, tenant, token, meter))
    }
}
