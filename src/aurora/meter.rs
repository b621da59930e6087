//! Counts what somebody's request costs Aurora, and says how urgent it is.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use super::Lane;

/// HTTP calls made to Aurora on somebody's behalf, repeats and key exchanges included, and the lane in which they
/// are made. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    calls: Arc<AtomicU32>,
    lane: Lane,
}

impl Meter {
    /// A meter for calls of that lane.
    #[must_use]
    pub fn in_lane(lane: Lane) -> Self {
        Self { calls: Arc::default(), lane }
    }

    /// How urgent its calls are.
    #[must_use]
    pub fn lane(&self) -> Lane {
        self.lane
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
