//! Whose open creations are looked for, and when next. One look serves all of a tenant's.
//!
//! Invariant: a tenant's looks come one after the other; whoever waits for one is served by any that began after they
//! came. Not here: the looking.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    sync::{Mutex as Turns, Notify},
    time::Instant,
};

use crate::{
    clock,
    domain::{Fingerprint, TenantId},
};

use super::Unsettled;

/// The pauses before each look that nobody waits for, the last one again and again: close together while Aurora may
/// still be at work, and then seldom enough to cost next to nothing.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(10),
    Duration::from_secs(45),
    Duration::from_secs(300),
];

/// How soon after a look the next caller's question is worth another: beyond that a caller who asks again and again
/// would spend the allowance on it.
const BETWEEN: Duration = Duration::from_secs(1);

/// The tenants with open creations.
#[derive(Default)]
pub(in crate::catalog) struct Desk {
    rounds: Mutex<HashMap<TenantId, Arc<Round>>>,
    pub(super) wake: Notify,
}

/// A tenant's looks.
pub(super) struct Round {
    /// Held during a look.
    pub(super) turn: Turns<()>,
    state: Mutex<State>,
}

struct State {
    /// Looks that have begun.
    begun: u64,
    /// When the latest began.
    last: Option<Timestamp>,
    /// How often somebody came with a creation to look for.
    arrivals: u64,
    tries: usize,
    due: Instant,
    /// What the latest look said of those that stay open.
    open: HashMap<Fingerprint, Unsettled>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Desk {
    /// The round of a tenant who has something to look for, begun anew if there is none. What comes new is looked for
    /// soon.
    pub(super) fn round(&self, tenant: &TenantId, new: bool) -> Arc<Round> {
        let mut rounds = lock(&self.rounds);
        let round = rounds.entry(tenant.clone()).or_insert_with(|| Arc::new(Round::new()));
        if new {
            let mut state = lock(&round.state);
            (state.tries, state.due) = (0, Instant::now() + PAUSES[0]);
        }
        lock(&round.state).arrivals += 1;
        self.wake.notify_one();
        Arc::clone(round)
    }

    /// The tenants whose look is due.
    pub(super) fn due(&self, now: Instant) -> Vec<(TenantId, Arc<Round>)> {
        let rounds = lock(&self.rounds);
        let due = rounds.iter().filter(|(_, round)| lock(&round.state).due <= now);
        due.map(|(tenant, round)| (tenant.clone(), Arc::clone(round))).collect()
    }

    /// When the next look is due.
    pub(super) fn next(&self) -> Option<Instant> {
        lock(&self.rounds).values().map(|round| lock(&round.state).due).min()
    }

    /// Ends a round in which nothing is left that looking could settle, unless somebody came meanwhile.
    pub(super) fn leave(&self, tenant: &TenantId, arrivals: u64) {
        let mut rounds = lock(&self.rounds);
        if rounds.get(tenant).is_some_and(|round| lock(&round.state).arrivals == arrivals) {
            rounds.remove(tenant);
        }
    }
}

impl Round {
    fn new() -> Self {
        let state = State {
            begun: 0,
            last: None,
            arrivals: 0,
            tries: 0,
            due: Instant::now() + PAUSES[0],
            open: HashMap::new(),
        };
        Self { turn: Turns::new(()), state: Mutex::new(state) }
    }

    /// How many looks have begun.
    pub(super) fn begun(&self) -> u64 {
        lock(&self.state).begun
    }

    /// Whether the latest look is so recent that another would hardly see more.
    pub(super) fn has_just_looked(&self, now: Timestamp) -> bool {
        lock(&self.state).last.is_some_and(|last| clock::between(last, now) < BETWEEN)
    }

    /// A look begins. Says how often somebody had come with something to look for.
    pub(super) fn begin(&self, now: Timestamp) -> u64 {
        let mut state = lock(&self.state);
        state.begun += 1;
        state.last = Some(now);
        state.due = Instant::now() + PAUSES.get(state.tries).copied().unwrap_or(PAUSES[PAUSES.len() - 1]);
        state.tries += 1;
        state.arrivals
    }

    /// What the look said of those that stay open.
    pub(super) fn end(&self, open: HashMap<Fingerprint, Unsettled>) {
        lock(&self.state).open = open;
    }

    /// Why a creation is still open.
    pub(super) fn why(&self, key: &Fingerprint) -> Unsettled {
        let state = lock(&self.state);
        state.open.get(key).copied().unwrap_or(Unsettled::Looking { again: self.wait(&state) })
    }

    /// How long until the next look.
    pub(super) fn again(&self) -> Duration {
        self.wait(&lock(&self.state))
    }

    fn wait(&self, state: &State) -> Duration {
        state.due.saturating_duration_since(Instant::now()).max(BETWEEN)
    }
}
