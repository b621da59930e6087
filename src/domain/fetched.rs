//! A value together with when Aurora gave it.

use std::sync::Arc;

use jiff::Timestamp;

/// Something read from Aurora, shared rather than copied.
#[derive(Debug)]
pub struct Fetched<T> {
    /// What Aurora said.
    pub value: Arc<T>,
    /// When Aurora said it.
    pub at: Timestamp,
    /// Served although it is no longer fresh, because Aurora could not answer.
    pub stale: bool,
}

impl<T> Fetched<T> {
    /// A value that has just arrived.
    #[must_use]
    pub fn new(value: Arc<T>, at: Timestamp) -> Self {
        Self { value, at, stale: false }
    }

    /// The same value, marked as served for want of a newer one.
    #[must_use]
    pub fn into_stale(self) -> Self {
        Self { stale: true, ..self }
    }
}

impl<T> Clone for Fetched<T> {
    fn clone(&self) -> Self {
        Self { value: Arc::clone(&self.value), at: self.at, stale: self.stale }
    }
}
