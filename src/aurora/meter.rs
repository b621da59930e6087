//! Counts what somebody's request costs Aurora, and says how urgent it is.

use std::sync::{
    Arc,
    atomic::{AtomicU32, AtomicUsize, Ordering},
};

use tokio::sync::{Notify, futures::Notified};

use super::Lane;

/// HTTP calls made to Aurora on somebody's behalf, repeats and key exchanges included, and the lane in which they
/// are made. Clones count together and are urgent together.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    calls: Arc<AtomicU32>,
    urgency: Urgency,
}

impl Meter {
    /// A meter for calls of that lane.
    #[must_use]
    pub fn in_lane(lane: Lane) -> Self {
        Self { calls: Arc::default(), urgency: Urgency::new(lane) }
    }

    /// How urgent its calls are.
    #[must_use]
    pub fn lane(&self) -> Lane {
        self.urgency.lane()
    }

    /// The same count, for a read that others may join: who joins makes that read more urgent, and nothing else of
    /// this request.
    #[must_use]
    pub fn for_one_read(&self) -> Self {
        Self { calls: Arc::clone(&self.calls), urgency: Urgency::new(self.lane()) }
    }

    /// What makes its calls more urgent while they wait.
    #[must_use]
    pub fn urgency(&self) -> &Urgency {
        &self.urgency
    }

    /// The calls so far.
    #[must_use]
    pub fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }

    pub(super) fn add_one(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }
}

/// The lane of calls that may still be waiting for their turn. It only ever becomes more urgent.
#[derive(Debug, Clone, Default)]
pub struct Urgency(Arc<State>);

#[derive(Debug)]
struct State {
    lane: AtomicUsize,
    raised: Notify,
}

impl Default for State {
    fn default() -> Self {
        Self { lane: AtomicUsize::new(Lane::default().index()), raised: Notify::new() }
    }
}

impl Urgency {
    /// Of that lane, to begin with.
    #[must_use]
    pub fn new(lane: Lane) -> Self {
        Self(Arc::new(State { lane: AtomicUsize::new(lane.index()), raised: Notify::new() }))
    }

    /// The lane as it is now.
    #[must_use]
    pub fn lane(&self) -> Lane {
        Lane::ALL.get(self.0.lane.load(Ordering::Relaxed)).copied().unwrap_or_default()
    }

    /// Somebody of that lane waits for the same. Nothing changes where it is urgent enough already.
    pub fn raise(&self, lane: Lane) {
        if self.0.lane.fetch_min(lane.index(), Ordering::Relaxed) > lane.index() {
            self.0.raised.notify_waiters();
        }
    }

    /// Returns when it has become more urgent since this was called.
    pub(super) fn raised(&self) -> Notified<'_> {
        self.0.raised.notified()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_joins_makes_one_read_more_urgent_and_never_less() {
        let request = Meter::in_lane(Lane::Enrichment);
        let read = request.for_one_read();
        read.urgency().raise(Lane::Interactive);
        read.urgency().raise(Lane::Refresh);
        assert_eq!((read.lane(), request.lane()), (Lane::Interactive, Lane::Enrichment));
        read.add_one();
        assert_eq!(request.calls(), 1);
    }
}
