//! When a call is made again, and after which pause.
//!
//! Only what may arrive twice is repeated: reads, and exchanges that carry no session token. Never beyond what the
//! caller is willing to wait, and never so often that repeats themselves become the load: each key earns its repeats
//! by its calls.
//!
//! Not here: a 401, which the client answers with another key, and the wait that a 429 asks for, which the quota
//! keeps for all who share the key.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::Failure;
use crate::clock::Clock;

/// The first try and two more. A third repeat would hardly find what two did not.
const MOST_TRIES: u32 = 3;

/// The longest first pause; it doubles for the second. Somebody waits in front of a screen.
const PAUSE: Duration = Duration::from_millis(250);

/// Aurora is at work on the same thing: it takes about as long as a write does.
const BUSY_PAUSE: Duration = Duration::from_millis(1000);

/// What is done about a failure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Verdict {
    /// It is told.
    GiveUp,
    /// The call is made again after this.
    Again(Duration),
}

/// What to do about a failure of the try with this number, counted from 1, while the caller waits for `left` more.
/// `chance` is between 0 and 1: full jitter, so that those who failed together do not come back together.
pub(super) fn verdict(
    repeatable: bool,
    failure: &Failure,
    tries: u32,
    left: Duration,
    chance: f64,
) -> Verdict {
    if !repeatable || tries >= MOST_TRIES {
        return Verdict::GiveUp;
    }
    let spread = |longest: Duration| longest.saturating_mul(tries).mul_f64(chance.clamp(0.0, 1.0));
    let pause = match failure {
        // The quota keeps the wait for all who share the key; here it only has to be short enough.
        Failure::Busy { retry_after } if *retry_after < left => return Verdict::Again(Duration::ZERO),
        // At least half: whatever is under way is given time to end.
        Failure::NotNow(_) => BUSY_PAUSE / 2 + spread(BUSY_PAUSE) / 2,
        Failure::Failed(500 | 502..=504)
        | Failure::NotSent { .. }
        | Failure::Lost { .. }
        | Failure::Torn(_) => spread(PAUSE),
        Failure::Timeout => Duration::ZERO,
        Failure::Busy { .. }
        | Failure::Unauthorized
        | Failure::Decided(_)
        | Failure::Held(_)
        | Failure::Failed(_)
        | Failure::Unreadable(_) => return Verdict::GiveUp,
    };
    // With nothing left after the pause there is no try.
    if pause < left { Verdict::Again(pause) } else { Verdict::GiveUp }
}

/// Every call earns this much of a repeat.
const EARNED: f64 = 0.2;

/// As many repeats can be saved up, and are there to begin with are these: connections that died over night are
/// found out by the first calls of the morning.
const SAVED: f64 = 10.0;
const AT_FIRST: f64 = 2.0;

/// A key that makes few calls earns little: one repeat in this time is always its own.
const FLOOR: Duration = Duration::from_secs(5);

/// The repeats that one key has earned.
pub(super) struct Allowance {
    state: Mutex<Saved>,
    clock: Clock,
}

struct Saved {
    repeats: f64,
    floor_used: Option<Instant>,
}

impl Allowance {
    pub(super) fn new(clock: Clock) -> Self {
        Self { state: Mutex::new(Saved { repeats: AT_FIRST, floor_used: None }), clock }
    }

    /// A call was made for the first time.
    pub(super) fn earn(&self) {
        let mut saved = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        saved.repeats = (saved.repeats + EARNED).min(SAVED);
    }

    /// Takes a repeat, if one has been earned.
    pub(super) fn take(&self) -> bool {
        let now = self.clock.instant();
        let mut saved = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if saved.repeats >= 1.0 {
            saved.repeats -= 1.0;
            return true;
        }
        let floor_is_free = saved.floor_used.is_none_or(|at| now.saturating_duration_since(at) >= FLOOR);
        if floor_is_free {
            saved.floor_used = Some(now);
        }
        floor_is_free
    }
}

#[cfg(test)]
mod tests;
