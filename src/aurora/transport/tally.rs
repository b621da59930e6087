//! How many calls ended how, since the start: for whoever watches the gateway.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Answer, Failure};

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

#[derive(Debug, Default)]
pub(super) struct Tally {
    ended: [AtomicU64; 5],
}

impl Tally {
    /// Counts a call, unless it was held back before it was one.
    pub(super) fn count(&self, outcome: &Result<Answer, Failure>) {
        let ending = match outcome {
            Ok(_) => Ending::Ok,
            Err(Failure::Held(_)) => return,
            Err(Failure::Unauthorized | Failure::Decided(_)) => Ending::Rejected,
            Err(Failure::Busy { .. }) => Ending::RateLimited,
            Err(Failure::Timeout) => Ending::TimedOut,
            Err(Failure::NotSent(_) | Failure::Lost { .. } | Failure::Failed(_) | Failure::Unreadable(_)) => {
                Ending::Failed
            }
        };
        self.ended[ending as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn total(&self, ending: Ending) -> u64 {
        self.ended[ending as usize].load(Ordering::Relaxed)
    }
}
