//! What became of calls since the start: for whoever watches the gateway.
//!
//! Invariant: whatever is counted by is a closed list, so that nothing grows and counting is one atomic add.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::{Answer, Failure, endpoint::Endpoint};
use crate::aurora::Lane;

/// How a call to Aurora ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// 2xx.
    Ok,
    /// Another 4xx than 429.
    Rejected,
    /// 429.
    RateLimited,
    /// 5xx, no connection, or no answer that can be read.
    Failed,
    /// No answer in time.
    TimedOut,
}

impl Ending {
    /// Every ending.
    pub const ALL: [Self; 5] = [Self::Ok, Self::Rejected, Self::RateLimited, Self::Failed, Self::TimedOut];

    /// What it is called in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Rejected => "rejected",
            Self::RateLimited => "rate_limited",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
        }
    }

    /// How a call ended; nothing for one that was never made.
    pub(super) fn of(outcome: &Result<Answer, Failure>) -> Option<Self> {
        Some(match outcome {
            Ok(_) => Self::Ok,
            Err(Failure::Held(_)) => return None,
            Err(Failure::Unauthorized | Failure::Decided(_) | Failure::NotNow(_)) => Self::Rejected,
            Err(Failure::Busy { .. }) => Self::RateLimited,
            Err(Failure::Timeout) => Self::TimedOut,
            Err(
                Failure::NotSent { .. }
                | Failure::Lost { .. }
                | Failure::Failed(_)
                | Failure::Torn(_)
                | Failure::Unreadable(_),
            ) => Self::Failed,
        })
    }
}

/// Why a call was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withheld {
    /// No turn would have come in time.
    Budget,
    /// Aurora fails, and is left alone.
    Breaker,
    /// Too many calls are under way.
    Load,
}

impl Withheld {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::Budget, Self::Breaker, Self::Load];

    /// What it is called in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Budget => "budget",
            Self::Breaker => "breaker",
            Self::Load => "load",
        }
    }
}

/// Seconds, as far as a wait for a turn can take: a write has two, a read has [`Config::call_timeout`]
/// (crate::aurora::Config::call_timeout).
pub const WAITS: [f64; 10] = [0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0];

/// How long calls of one lane waited for their turn.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Waits {
    /// Those that waited no longer than each of [`WAITS`], and longer than the one before; then the rest.
    pub counts: [u64; WAITS.len() + 1],
    /// All waits together, in seconds.
    pub sum: f64,
}

#[derive(Debug, Default)]
struct Waited {
    counts: [AtomicU64; WAITS.len() + 1],
    micros: AtomicU64,
}

#[derive(Debug, Default)]
pub(in crate::aurora) struct Tally {
    ended: [[[AtomicU64; 5]; 4]; Endpoint::ALL.len()],
    withheld: [[AtomicU64; 3]; 4],
    waited: [Waited; 4],
    repeated: AtomicU64,
}

impl Tally {
    /// Counts a call that was made.
    pub(super) fn ended(&self, endpoint: Endpoint, lane: Lane, ending: Ending) {
        add(&self.ended[endpoint.index()][lane.index()][ending as usize], 1);
    }

    /// Counts a call that was not made.
    pub(super) fn withheld(&self, lane: Lane, why: Withheld) {
        add(&self.withheld[lane.index()][why as usize], 1);
    }

    /// Counts a turn that came after so long.
    pub(super) fn waited(&self, lane: Lane, wait: Duration) {
        let waited = &self.waited[lane.index()];
        let seconds = wait.as_secs_f64();
        add(&waited.counts[WAITS.partition_point(|limit| *limit < seconds)], 1);
        add(&waited.micros, u64::try_from(wait.as_micros()).unwrap_or(u64::MAX));
    }

    /// Counts a call that is made again.
    pub(super) fn repeated(&self) {
        add(&self.repeated, 1);
    }

    pub(in crate::aurora) fn total_ended(&self, endpoint: Endpoint, lane: Lane, ending: Ending) -> u64 {
        get(&self.ended[endpoint.index()][lane.index()][ending as usize])
    }

    pub(in crate::aurora) fn total_withheld(&self, lane: Lane, why: Withheld) -> u64 {
        get(&self.withheld[lane.index()][why as usize])
    }

    pub(in crate::aurora) fn total_repeated(&self) -> u64 {
        get(&self.repeated)
    }

    pub(in crate::aurora) fn waits(&self, lane: Lane) -> Waits {
        let waited = &self.waited[lane.index()];
        let sum = Duration::from_micros(get(&waited.micros)).as_secs_f64();
        Waits { counts: std::array::from_fn(|it| get(&waited.counts[it])), sum }
    }
}

fn add(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_goes_to_the_first_limit_that_it_does_not_exceed() {
        let tally = Tally::default();
        for millis in [0, 1, 2, 2_000, 9_000] {
            tally.waited(Lane::Refresh, Duration::from_millis(millis));
        }
        let waits = tally.waits(Lane::Refresh);
        assert_eq!(waits.counts, [2, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1]);
        assert!((waits.sum - 11.003).abs() < 1e-9);
        assert_eq!(tally.waits(Lane::Mutation), Waits::default());
    }
}
