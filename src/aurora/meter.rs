//! Counts what somebody's request costs Aurora.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// HTTP calls made to Aurora on somebody's behalf, repeats and key exchanges included. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<AtomicU32>);

impl Meter {
    /// The calls so far.
    #[must_use]
    pub fn calls(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
