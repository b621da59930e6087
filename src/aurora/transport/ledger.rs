//! Calls on disk before they are made, so that a restart within the minute does not begin with a full allowance.
//!
//! Invariants: a call is written down before it is sent, unless the disk cannot take it in time; no call is held back or
//! fails for it. What is written is a digest of the key, a time and a count. Not here: for how long what was made before
//! still counts, which is the [`quota`](super::quota)'s to say.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::timeout;

use super::quota::Made;
use crate::{
    clock::{Clock, between},
    domain::Fingerprint,
    store::{CallsMade, Store},
};

/// How long a call waits for the disk. One that takes longer is in trouble, and the call is not to share it: it is
/// written down all the same when the disk comes to it.
const PATIENCE: Duration = Duration::from_millis(100);

/// Calls that were begun within so many seconds are counted together, as if all had been begun at the end of them. So a
/// key has few rows, and after a restart its calls count for this much longer at most.
const TOGETHER: i64 = 5;

/// Where calls are written down.
pub(super) struct Ledger {
    store: Store,
    clock: Clock,
}

impl Ledger {
    pub(super) fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock }
    }

    /// A call with that key is about to be sent.
    pub(super) async fn note(&self, key: Fingerprint) {
        let made = CallsMade { key, at: end_of_its_span(self.clock.now()), calls: 1 };
        match timeout(PATIENCE, self.store.note_calls(made)).await {
            Ok(Ok(())) => {}
            // The store itself tells loudly that it cannot be written.
            Ok(Err(error)) => tracing::debug!(%error, "a call is not written down"),
            Err(_late) => tracing::debug!("a call is made before it is written down: the store is slow"),
        }
    }

    /// What was made with which keys before the restart, and may still count.
    pub(super) async fn recall(&self) -> Vec<(Fingerprint, Made)> {
        let now = self.clock.now();
        let rows = match self.store.calls_made(now, end_of_its_span(now)).await {
            Ok(rows) => rows,
            Err(error) => {
                tracing::warn!(%error, "calls made before the restart cannot be read: Aurora may refuse some of the next");
                return Vec::new();
            }
        };
        let made = |row: CallsMade| (row.key, Made { calls: row.calls, ago: between(row.at, now) });
        rows.into_iter().map(made).collect()
    }
}

fn end_of_its_span(at: Timestamp) -> Timestamp {
    let second = at.as_second();
    Timestamp::from_second(second - second.rem_euclid(TOGETHER) + TOGETHER).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_counted_at_the_end_of_its_span_and_never_before_it_is_made() {
        for (at, end) in [(0.0, 5), (4.9, 5), (5.0, 10), (-1.0, 0), (-6.0, -5)] {
            #[expect(clippy::cast_possible_truncation, reason = "a few seconds")]
            let at = Timestamp::from_microsecond((at * 1e6) as i64).unwrap();
            assert_eq!(end_of_its_span(at).as_second(), end, "{at}");
        }
    }
}
