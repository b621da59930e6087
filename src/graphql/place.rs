//! What passes between a subscription's resolver and whoever carries its answers, past the engine.
//!
//! A resolver is *asked* once: it says what it waits for, and where from, and gives no answer. Then it is *told* of
//! events, a few at a time, and makes an answer of each; how often, and for how many subscribers at once, is not its
//! affair. A client need not select `cursor` to resume: the resolver says here which event comes next, and whoever
//! carries the answers reads it. Invariant: a place is told once, with the answer that it belongs to; the engine makes an
//! answer of one event before it asks for the next. Not here: what a cursor is made of.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;

use crate::{
    domain::{Event, Seq},
    journal,
    relay::{Interest, Seat},
};

/// What a resolver is told of: an event, or why there are no more.
pub type Item = Result<Arc<Event>, Stopped>;

/// Why there are no more events.
#[derive(Debug)]
pub enum Stopped {
    /// The journal has none to give.
    Journal(journal::Error),
    /// The tenant has switched the application off.
    SwitchedOff,
}

/// What a resolver says when it is asked.
pub struct Awaited {
    /// What it waits for.
    pub interest: Interest,
    /// Where it goes on; without a place, with what is announced from now on.
    pub after: Option<Seq>,
    /// Its seat among the tenant's subscribers.
    pub seat: Seat,
    /// Ends when the tenant switches the application off: nothing is told from then on.
    pub off: BoxFuture<'static, ()>,
}

/// The place of one answer in the order of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// The event's place, where it is one of the journal.
    pub seq: Option<Seq>,
    /// The cursor of it.
    pub cursor: String,
}

/// Between the two, for one execution.
#[derive(Default)]
pub struct Place {
    after: Option<String>,
    told: Option<Mutex<Vec<Item>>>,
    awaited: Mutex<Option<Awaited>>,
    reached: Mutex<Option<Reached>>,
}

impl Place {
    /// Asks a subscription that goes on behind a cursor, or from wherever its own arguments say.
    #[must_use]
    pub fn asking(after: Option<String>) -> Self {
        Self { after, ..Self::default() }
    }

    /// Tells a subscription of what happened.
    #[must_use]
    pub fn telling(items: Vec<Item>) -> Self {
        Self { told: Some(Mutex::new(items)), ..Self::default() }
    }

    /// The cursor of the last event that the transport's reader has seen. It counts for more than any argument: a reader
    /// that comes again by itself sends the document of its first time.
    #[must_use]
    pub fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// What happened, if this is told and not asked.
    #[must_use]
    pub fn told(&self) -> Option<Vec<Item>> {
        self.told.as_ref().map(|it| std::mem::take(&mut *lock(it)))
    }

    /// Says what the subscription waits for.
    pub fn wait(&self, awaited: Awaited) {
        *lock(&self.awaited) = Some(awaited);
    }

    /// What it said to wait for.
    #[must_use]
    pub fn awaited(&self) -> Option<Awaited> {
        lock(&self.awaited).take()
    }

    /// The next answer has this place.
    pub fn reach(&self, reached: Reached) {
        *lock(&self.reached) = Some(reached);
    }

    /// The place of the answer that was just made.
    #[must_use]
    pub fn take(&self) -> Option<Reached> {
        lock(&self.reached).take()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
