//! What one Aurora key may do: its turns, whether its calls are left alone for a while, and how often they are
//! repeated.
//!
//! Invariant: one key has one of these however often we learn of it, so that all who share the key share its
//! limits, and a key that is put aside and comes back within the minute meets what it has spent; two keys share nothing,
//! so that no tenant waits for another.
//!
//! [`window`] knows what Aurora counts, [`lanes`] whose turn it is, [`turns`] waits.

mod lanes;
#[cfg(test)]
mod tests;
mod turns;
mod window;

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};

use super::{
    breaker::{Breaker, Standing},
    endpoint::Group,
    retry::Allowance,
};
use crate::{
    aurora::meter::Urgency,
    clock::Clock,
    domain::{Fingerprint, fingerprint::Fingerprinter},
};

pub(super) use turns::{NoTurn, Ticket};
use window::{STILL_ON_ITS_WAY, WINDOW};

/// What a key may still spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Calls allowed in any 60 seconds.
    pub limit: u32,
    /// Calls that could be made now.
    pub remaining: u32,
    /// Until more can be made; zero when nothing is spent.
    pub resets_in: Duration,
}

/// What bounds the calls of each key.
#[derive(Debug, Clone, Copy)]
pub(in crate::aurora) struct Bounds {
    /// In any 60 seconds.
    pub(in crate::aurora) per_minute: NonZeroU32,
    /// Under way at once.
    pub(in crate::aurora) at_once: usize,
    /// Waiting in each lane.
    pub(in crate::aurora) queued: usize,
    /// A call that takes longer counts as trouble.
    pub(in crate::aurora) slow: Duration,
}

/// Calls that were made with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) calls: u32,
    /// For how much longer they stand in its window.
    pub(super) counts_for: Duration,
}

/// How long a call counts that ends within `request_timeout`, however it ends.
pub(super) fn counts_at_most(request_timeout: Duration) -> Duration {
    request_timeout + STILL_ON_ITS_WAY + WINDOW
}

/// The quotas of all keys: of those in use, and of those that are not, for as long as they have something spent.
pub(in crate::aurora) struct Quotas {
    bounds: Bounds,
    clock: Clock,
    by_key: Mutex<HashMap<Fingerprint, Arc<Quota>>>,
}

impl Quotas {
    pub(in crate::aurora) fn within(bounds: Bounds, clock: Clock) -> Self {
        Self { bounds, clock, by_key: Mutex::default() }
    }

    #[cfg(test)]
    pub(in crate::aurora) fn new(per_minute: NonZeroU32) -> Self {
        let bounds = Bounds { per_minute, at_once: 16, queued: 64, slow: Duration::from_secs(5) };
        Self::within(bounds, Clock::system())
    }

    /// The quota of that key.
    pub(in crate::aurora) fn of(&self, key: &SecretString) -> Arc<Quota> {
        self.named(Fingerprinter::new("aurora key").text(key.expose_secret()).finish())
    }

    /// Counts in what was made before this process was: however long it was to count, its calls broke off at the latest
    /// when the one ended that made them.
    pub(super) fn adopt(&self, key: Fingerprint, made: Made) {
        let counts_for = made.counts_for.min(STILL_ON_ITS_WAY + WINDOW);
        if !counts_for.is_zero() {
            self.named(key).turns.adopt(Made { counts_for, ..made });
        }
    }

    /// What stands in the windows of all keys.
    pub(super) fn made(&self) -> Vec<(Fingerprint, Made)> {
        let by_key = self.lock();
        let of = |quota: &Arc<Quota>| {
            let print = quota.print;
            quota.turns.made().into_iter().map(move |made| (print, made))
        };
        by_key.values().flat_map(of).collect()
    }

    fn named(&self, print: Fingerprint) -> Arc<Quota> {
        let mut by_key = self.lock();
        if let Some(known) = by_key.get(&print) {
            return Arc::clone(known);
        }
        // A new key is rare, so this is the time to drop those that nobody holds any more and that have nothing spent.
        by_key.retain(|_, quota| is_held(quota) || !quota.budget().resets_in.is_zero());
        let quota = Arc::new(Quota::new(print, self.bounds, self.clock.clone()));
        by_key.insert(print, Arc::clone(&quota));
        quota
    }

    /// What a key that has not been used yet may spend.
    pub(in crate::aurora) fn full(&self) -> Budget {
        let limit = self.bounds.per_minute.get();
        Budget { limit, remaining: limit, resets_in: Duration::ZERO }
    }

    /// Those of all keys that somebody holds.
    pub(in crate::aurora) fn in_use(&self) -> Vec<Arc<Quota>> {
        self.lock().values().filter(|it| is_held(it)).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Fingerprint, Arc<Quota>>> {
        self.by_key.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether anybody but the list has it.
fn is_held(quota: &Arc<Quota>) -> bool {
    Arc::strong_count(quota) > 1
}

/// What one key may do.
pub(in crate::aurora) struct Quota {
    print: Fingerprint,
    turns: turns::Turns,
    breakers: [Breaker; Group::ALL.len()],
    retries: Allowance,
}

impl Quota {
    fn new(print: Fingerprint, bounds: Bounds, clock: Clock) -> Self {
        let limit = usize::try_from(bounds.per_minute.get()).unwrap_or(usize::MAX);
        Self {
            print,
            breakers: std::array::from_fn(|_| Breaker::new(bounds.slow, clock.clone())),
            retries: Allowance::new(clock.clone()),
            turns: turns::Turns::new(limit, bounds.at_once, bounds.queued, clock),
        }
    }

    /// What stands for the key where the key itself may not stand.
    pub(super) fn print(&self) -> Fingerprint {
        self.print
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// When none comes within `patience`: at once where that can be told.
    pub(super) async fn take_turn(
        &self,
        urgency: &Urgency,
        patience: Duration,
    ) -> Result<Ticket<'_>, NoTurn> {
        self.turns.take(urgency, patience).await
    }

    /// Aurora said "wait": nobody calls with this key for so long.
    pub(super) fn stop_for(&self, wait: Duration) {
        self.turns.stop_for(wait);
    }

    /// What guards one group of endpoints.
    pub(super) fn breaker(&self, group: Group) -> &Breaker {
        &self.breakers[group.index()]
    }

    /// What of its calls may be repeated.
    pub(super) fn retries(&self) -> &Allowance {
        &self.retries
    }

    /// What may still be spent.
    pub(in crate::aurora) fn budget(&self) -> Budget {
        self.turns.budget()
    }

    /// Whether a group of endpoints is left alone now.
    pub(in crate::aurora) fn is_left_alone(&self, group: Group) -> bool {
        self.breaker(group).check().is_err()
    }

    /// How it stands with a group of endpoints.
    pub(in crate::aurora) fn standing(&self, group: Group) -> Standing {
        self.breaker(group).standing()
    }

    /// How it stands with the group that is worst off.
    pub(in crate::aurora) fn worst_standing(&self) -> Standing {
        let all = Group::ALL.into_iter().map(|group| self.standing(group));
        all.max().unwrap_or(Standing::Closed)
    }

    /// How many of its calls wait for their turn.
    pub(in crate::aurora) fn waiting(&self) -> usize {
        self.turns.waiting()
    }
}
