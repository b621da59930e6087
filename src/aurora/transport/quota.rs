//! What one Aurora key may do: its turns, whether its calls are left alone for a while, and how often they are
//! repeated.
//!
//! Invariant: one key has one of these however often we learn of it, so that all who share the key share its
//! limits; two keys share nothing, so that no tenant waits for another.
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
    sync::{Arc, Mutex, PoisonError, Weak},
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

/// The quotas of all keys in use.
pub(in crate::aurora) struct Quotas {
    bounds: Bounds,
    clock: Clock,
    by_key: Mutex<HashMap<Fingerprint, Weak<Quota>>>,
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
        let print = Fingerprinter::new("aurora key").text(key.expose_secret()).finish();
        let mut by_key = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = by_key.get(&print).and_then(Weak::upgrade) {
            return known;
        }
        // A new key is rare, so this is the time to drop those that nobody holds any more.
        by_key.retain(|_, quota| quota.strong_count() > 0);
        let quota = Arc::new(Quota::new(self.bounds, self.clock.clone()));
        by_key.insert(print, Arc::downgrade(&quota));
        quota
    }

    /// What a key that has not been used yet may spend.
    pub(in crate::aurora) fn full(&self) -> Budget {
        let limit = self.bounds.per_minute.get();
        Budget { limit, remaining: limit, resets_in: Duration::ZERO }
    }

    /// Those of all keys that somebody holds.
    pub(in crate::aurora) fn in_use(&self) -> Vec<Arc<Quota>> {
        let by_key = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        by_key.values().filter_map(Weak::upgrade).collect()
    }
}

/// What one key may do.
pub(in crate::aurora) struct Quota {
    turns: turns::Turns,
    breakers: [Breaker; Group::ALL.len()],
    retries: Allowance,
}

impl Quota {
    fn new(bounds: Bounds, clock: Clock) -> Self {
        let limit = usize::try_from(bounds.per_minute.get()).unwrap_or(usize::MAX);
        Self {
            breakers: std::array::from_fn(|_| Breaker::new(bounds.slow, clock.clone())),
            retries: Allowance::new(clock.clone()),
            turns: turns::Turns::new(limit, bounds.at_once, bounds.queued, clock),
        }
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
