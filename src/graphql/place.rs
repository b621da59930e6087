//! Where a subscription stands in the order of events, told past its answers.
//!
//! A client need not select `cursor` to resume: the resolver's stream says here which event comes next, and whoever
//! carries the answers reads it. Invariant: a place is told once, with the answer that it belongs to; the engine makes
//! an answer of one event before it asks for the next. Not here: what a cursor is made of.

use std::sync::{Mutex, PoisonError};

/// The place of one subscription.
#[derive(Debug, Default)]
pub struct Place {
    after: Option<String>,
    reached: Mutex<Option<String>>,
}

impl Place {
    /// A subscription that goes on behind a cursor, or from wherever its own arguments say.
    #[must_use]
    pub fn new(after: Option<String>) -> Self {
        Self { after, reached: Mutex::default() }
    }

    /// The cursor of the last event that the transport's reader has seen. It counts for more than any argument: a reader
    /// that comes again by itself sends the document of its first time.
    #[must_use]
    pub fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// The next answer is the event with this cursor.
    pub fn reach(&self, cursor: &str) {
        *self.reached.lock().unwrap_or_else(PoisonError::into_inner) = Some(cursor.to_owned());
    }

    /// The cursor of the answer that was just made.
    #[must_use]
    pub fn take(&self) -> Option<String> {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
