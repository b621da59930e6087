//! Calls on disk before they are made, so that a restart within the minute does not begin with a full allowance.
//!
//! Invariants: a call is written down before it is sent, unless the disk cannot take it in time; no call is held back or
//! fails for it. It is written to count for as long as it may at most; a process that ends in good order writes for how
//! long each really does. What is written is a digest of the key, a time and a count. Not here: how long a call counts, which
//! is the [`quota`](super::quota)'s to say.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::quota::{Made, Quotas, counts_at_most};
use crate::{
    clock::{Clock, between, later},
    domain::Fingerprint,
    store::{CallsMade, Store},
};

/// How long a call waits for the disk. One that takes longer is in trouble, and the call is not to share it: it is
/// written down all the same when the disk comes to it.
const PATIENCE: Duration = Duration::from_millis(100);

/// How long a stop waits for it. Without that the next process is cautious, as after a kill.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Where calls are written down.
pub(super) struct Ledger {
    store: Store,
    clock: Clock,
    patience: Duration,
    /// How long a call counts at most, from when it is written down.
    counts_for: Duration,
}

impl Ledger {
    /// One for calls that are answered, or given up, within `request_timeout`, and whose callers wait for `call_timeout`.
    pub(super) fn new(store: Store, clock: Clock, request_timeout: Duration, call_timeout: Duration) -> Self {
        let patience = PATIENCE.min(call_timeout / 8);
        Self { store, clock, patience, counts_for: patience + counts_at_most(request_timeout) }
    }

    /// A call with that key is about to be sent.
    pub(super) async fn note(&self, key: Fingerprint) {
        let now = self.clock.now();
        let made = CallsMade { key, until: later(now, self.counts_for), calls: 1 };
        match timeout(self.patience, self.store.note_calls(made, now)).await {
            Ok(Ok(())) => {}
            // The store itself tells loudly that it cannot be written.
            Ok(Err(error)) => tracing::debug!(%error, "a call is not written down"),
            Err(_late) => tracing::debug!("a call is made before it is written down: the store is slow"),
        }
    }

    /// What was made with which keys before the restart, and may still count.
    pub(super) async fn recall(&self) -> Vec<(Fingerprint, Made)> {
        let now = self.clock.now();
        let rows = match self.store.calls_made(now).await {
            Ok(rows) => rows,
            Err(error) => {
                tracing::warn!(%error, "calls made before the restart cannot be read: Aurora may refuse some of the next");
                return Vec::new();
            }
        };
        let made = |row: CallsMade| (row.key, Made { calls: row.calls, counts_for: between(now, row.until) });
        rows.into_iter().map(made).collect()
    }

    /// The process is about to end: what counts is written down as it stands.
    pub(super) async fn settle(&self, quotas: &Arc<Quotas>) {
        let (quotas, clock) = (Arc::clone(quotas), self.clock.clone());
        let all = move || {
            let now = clock.now();
            let row = |(key, made): (_, Made)| CallsMade {
                key,
                until: later(now, made.counts_for),
                calls: made.calls,
            };
            quotas.made().into_iter().map(row).collect()
        };
        match timeout(LAST_WORDS, self.store.replace_calls(all)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "calls stay written down as when they were begun"),
            Err(_late) => {
                tracing::debug!("calls may stay written down as when they were begun: the store is slow");
            }
        }
    }
}
