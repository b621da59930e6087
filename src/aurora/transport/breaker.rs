//! Leaves a group of endpoints alone while it fails, for one key.
//!
//! Closed, every call goes. After too much trouble it opens, and calls are refused at once, so that what is in
//! memory can be served without waiting. After a pause one call is let through as a probe; if that goes well it
//! closes, else the next pause is longer.
//!
//! Invariants: an answer that blames the caller (4xx, 429) is no trouble; while it is open or being probed, no more
//! than one call is under way because of it; a probe that nobody waits for any more leaves room for the next. Where
//! tenants share a key, as in exchanging their own, the trouble of one of them alone opens nothing.
//!
//! Not here: what is served instead.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::clock::Clock;

/// Trouble in a row. One may be chance, two a restart of Aurora's; five calls of one key are an outage.
const IN_A_ROW: u32 = 5;

/// As many of the last calls are looked at, and as much of their time: fewer say little, older ones nothing.
const LOOKED_AT: usize = 20;
const LOOKED_BACK: Duration = Duration::from_secs(10);

/// The first pause, and the longest. Aurora's deployments take seconds; a caller who looks once in half a minute
/// costs an Aurora that struggles nothing.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(24);

/// A pause is made longer by chance, by up to this part, so that keys that failed together are not probed together.
const JITTER: f64 = 0.25;

/// How a breaker stands, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Every call goes.
    Closed,
    /// One call is tried.
    HalfOpen,
    /// No call goes.
    Open,
}

impl Standing {
    /// Every standing.
    pub const ALL: [Self; 3] = [Self::Closed, Self::HalfOpen, Self::Open];

    /// What it is called in metrics and in `extensions.upstream`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}

/// What a call says of Aurora's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    Good,
    Trouble,
}

/// No call may go; one may be tried after so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LeftAlone {
    pub(super) retry_after: Duration,
}

/// Whether what was just learnt opened or closed it: to be told once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turned {
    Opened { pause: Duration },
    Closed,
}

/// One key's breaker of one group.
pub(in crate::aurora) struct Breaker {
    state: Mutex<State>,
    slow: Duration,
    clock: Clock,
}

#[derive(Debug)]
enum State {
    Closed(Recent),
    /// Until then; opened so many times in a row.
    Open {
        until: Instant,
        times: u32,
    },
    /// A probe is under way.
    Probing {
        times: u32,
    },
}

impl State {
    fn check(&self, now: Instant) -> Result<(), LeftAlone> {
        match *self {
            Self::Closed(_) => Ok(()),
            Self::Open { until, .. } if until <= now => Ok(()),
            Self::Open { until, .. } => Err(LeftAlone { retry_after: until - now }),
            Self::Probing { .. } => Err(LeftAlone { retry_after: FIRST_PAUSE }),
        }
    }
}

#[derive(Debug, Default)]
struct Recent {
    in_a_row: u32,
    /// Of which tenant the last trouble was, where tenants share the key.
    last_of: Option<Box<str>>,
    last: VecDeque<(Instant, Health)>,
}

impl Recent {
    /// Whether this was one too many.
    fn note(&mut self, health: Health, of: Option<&str>, now: Instant) -> bool {
        if health == Health::Trouble && of.is_some() {
            if of == self.last_of.as_deref() {
                return false;
            }
            self.last_of = of.map(Into::into);
        }
        self.in_a_row = if health == Health::Trouble { self.in_a_row + 1 } else { 0 };
        self.last.push_back((now, health));
        if self.last.len() > LOOKED_AT {
            self.last.pop_front();
        }
        let full = self.last.len() == LOOKED_AT;
        let young =
            self.last.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) <= LOOKED_BACK);
        let trouble = self.last.iter().filter(|(_, health)| *health == Health::Trouble).count();
        self.in_a_row >= IN_A_ROW || (full && young && 2 * trouble >= LOOKED_AT)
    }
}

impl Breaker {
    /// A closed one, for which a call that takes longer than `slow` is trouble.
    pub(super) fn new(slow: Duration, clock: Clock) -> Self {
        Self { state: Mutex::new(State::Closed(Recent::default())), slow, clock }
    }

    /// Whether it makes sense to wait for a turn.
    ///
    /// # Errors
    /// While it is open, or being probed.
    pub(super) fn check(&self) -> Result<(), LeftAlone> {
        let now = self.clock.instant();
        self.lock().check(now)
    }

    /// Lets a call go that has its turn; the first after a pause is the probe.
    ///
    /// # Errors
    /// As [`Breaker::check`]: meanwhile it may have opened.
    pub(super) fn admit(&self) -> Result<Pass<'_>, LeftAlone> {
        let now = self.clock.instant();
        // Held from the look to the change: in between a probe may fail, and another would follow it at once.
        let mut state = self.lock();
        state.check(now)?;
        let probe = match *state {
            State::Open { times, .. } => {
                *state = State::Probing { times };
                true
            }
            State::Closed(_) | State::Probing { .. } => false,
        };
        Ok(Pass { breaker: self, probe, begun: Instant::now(), over: false })
    }

    /// How it stands.
    pub(super) fn standing(&self) -> Standing {
        match *self.lock() {
            State::Closed(_) => Standing::Closed,
            State::Open { .. } => Standing::Open,
            State::Probing { .. } => Standing::HalfOpen,
        }
    }

    fn note(&self, health: Health, of: Option<&str>, probe: bool, chance: f64) -> Option<Turned> {
        let now = self.clock.instant();
        let mut state = self.lock();
        let times = match &mut *state {
            State::Closed(recent) => {
                if !recent.note(health, of, now) {
                    return None;
                }
                0
            }
            State::Probing { times } if probe && health == Health::Trouble => *times + 1,
            State::Probing { .. } if probe => {
                *state = State::Closed(Recent::default());
                return Some(Turned::Closed);
            }
            // What had been sent before it opened has nothing to add.
            State::Probing { .. } | State::Open { .. } => return None,
        };
        let pause = pause(times, chance);
        *state = State::Open { until: now + pause, times };
        Some(Turned::Opened { pause })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long it is left alone after it opened so many times in a row. `chance` is between 0 and 1.
fn pause(times: u32, chance: f64) -> Duration {
    let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(times)).min(LONGEST_PAUSE);
    pause.mul_f64(1.0 + JITTER * chance.clamp(0.0, 1.0))
}

/// A call on its way, which will say how Aurora is.
pub(super) struct Pass<'a> {
    breaker: &'a Breaker,
    probe: bool,
    begun: Instant,
    over: bool,
}

impl Pass<'_> {
    /// How it went; too slow is trouble as well. `of` is the tenant it was for, where others share the key.
    pub(super) fn end(mut self, health: Health, of: Option<&str>, chance: f64) -> Option<Turned> {
        self.over = true;
        let slow = self.begun.elapsed() > self.breaker.slow;
        self.breaker.note(if slow { Health::Trouble } else { health }, of, self.probe, chance)
    }
}

impl Drop for Pass<'_> {
    /// Nobody learns how it went: the next may try.
    fn drop(&mut self) {
        if self.over || !self.probe {
            return;
        }
        let now = self.breaker.clock.instant();
        let mut state = self.breaker.lock();
        if let State::Probing { times } = *state {
            *state = State::Open { until: now, times };
        }
    }
}

#[cfg(test)]
mod tests;
