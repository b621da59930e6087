//! What Aurora allows one key: never more than so many calls in any 60 seconds, and none while it said "wait".
//!
//! Each call holds a slot from before it is sent until a window after it ended. Aurora counts a call at some
//! moment in between, so whichever moment it takes, its own count stays within the limit.
//!
//! A call that has to wait is given its turn at once and told at once when that is too late for it. Dropping
//! the wait gives the turn back.

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Instant, sleep_until};

use super::Failure;
use crate::{
    aurora::Error,
    domain::{Fingerprint, fingerprint::Fingerprinter},
};

/// The span over which Aurora counts.
const WINDOW: Duration = Duration::from_secs(60);

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

/// The quotas of all keys in use, so that one key has one quota however often we learn of it.
pub(in crate::aurora) struct Quotas {
    limit: NonZeroU32,
    by_key: Mutex<HashMap<Fingerprint, Weak<Quota>>>,
}

impl Quotas {
    pub(in crate::aurora) fn new(limit: NonZeroU32) -> Self {
        Self { limit, by_key: Mutex::default() }
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
        let quota = Arc::new(Quota::new(self.limit));
        by_key.insert(print, Arc::downgrade(&quota));
        quota
    }

    /// What a key that has not been used yet may spend.
    pub(in crate::aurora) fn full(&self) -> Budget {
        Budget { limit: self.limit.get(), remaining: self.limit.get(), resets_in: Duration::ZERO }
    }
}

/// The quota of one key.
pub(in crate::aurora) struct Quota {
    limit: usize,
    window: Mutex<Window>,
}

#[derive(Default)]
struct Window {
    slots: Vec<Slot>,
    next_id: u64,
    stopped_until: Option<Instant>,
}

/// One call's place: it counts until a window after `at`.
#[derive(Clone, Copy)]
struct Slot {
    id: u64,
    at: Instant,
}

impl Quota {
    fn new(limit: NonZeroU32) -> Self {
        Self { limit: usize::try_from(limit.get()).unwrap_or(usize::MAX), window: Mutex::default() }
    }

    /// Waits for this call's turn.
    ///
    /// # Errors
    /// At once when the turn would come only after `patience`.
    pub(super) async fn take_turn(&self, patience: Duration) -> Result<Ticket<'_>, Failure> {
        let asked = Instant::now();
        let mut ticket = Ticket { quota: self, id: self.window().new_id(), used: false };
        loop {
            let now = Instant::now();
            let turn = self.window().place(ticket.id, self.limit, now);
            if turn <= now {
                ticket.used = true;
                return Ok(ticket);
            }
            if turn - asked > patience {
                return Err(Failure::Held(Error::RateLimited { retry_after: turn - now }));
            }
            sleep_until(turn).await;
        }
    }

    /// Aurora said "wait": nobody calls with this key for so long.
    pub(super) fn stop_for(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut window = self.window();
        window.stopped_until = window.stopped_until.max(Some(until));
    }

    /// What may still be spent.
    pub(in crate::aurora) fn budget(&self) -> Budget {
        let now = Instant::now();
        let window = self.window();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let spent: Vec<Instant> =
            window.slots.iter().map(|slot| slot.at + WINDOW).filter(|until| *until > now).collect();
        let stopped = window.stopped_until.filter(|until| *until > now);
        let until = stopped.or_else(|| spent.iter().min().copied());
        Budget {
            limit: count(self.limit),
            remaining: if stopped.is_some() { 0 } else { count(self.limit.saturating_sub(spent.len())) },
            resets_in: until.map_or(Duration::ZERO, |until| until - now),
        }
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Gives a call the earliest turn that keeps the limit behind all who hold an earlier one, and says when.
    fn place(&mut self, id: u64, limit: usize, now: Instant) -> Instant {
        self.slots.retain(|slot| slot.at + WINDOW > now);
        let mine = self.slots.iter().find(|slot| slot.id == id).map(|slot| slot.at);
        let mut before: Vec<Instant> = self
            .slots
            .iter()
            .filter(|slot| slot.id != id && mine.is_none_or(|at| (slot.at, slot.id) < (at, id)))
            .map(|slot| slot.at)
            .collect();
        before.sort_unstable();
        let full_until = before.len().checked_sub(limit).map(|nth| before[nth] + WINDOW);
        let turn = full_until.max(self.stopped_until).unwrap_or(now).max(now);
        self.slots.retain(|slot| slot.id != id);
        self.slots.push(Slot { id, at: turn });
        turn
    }
}

/// A call's turn, taken. Dropped when the call has ended; its slot then counts for a window more.
pub(super) struct Ticket<'a> {
    quota: &'a Quota,
    id: u64,
    used: bool,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let (now, mut window) = (Instant::now(), self.quota.window());
        window.slots.retain(|slot| slot.id != self.id);
        if self.used {
            window.slots.push(Slot { id: self.id, at: now });
        }
    }
}
