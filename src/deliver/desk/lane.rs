//! What waits of the events that must keep their order: those of a design, of a project, or of neither.

use std::sync::Arc;

use jiff::Timestamp;

use super::stretches::Stretches;
use crate::domain::{Event, Seq};

/// What waits in one lane: stretches of the journal, of which at most the first event is held.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::deliver) struct Lane {
    pub(in crate::deliver) stretches: Stretches,
    /// How many events wait, as counted when they were found.
    pub(in crate::deliver) events: u64,
    /// When the oldest of them reached the gateway, or one before it.
    pub(in crate::deliver) oldest: Timestamp,
    /// Failures in a row of the event in front.
    pub(in crate::deliver) failures: u32,
    /// Since when the event in front fails.
    pub(in crate::deliver) failing_since: Option<Timestamp>,
    /// Not to be tried before.
    pub(in crate::deliver) next_at: Option<Timestamp>,
    /// It counts as opened for what is sent again.
    pub(super) again: bool,
    pub(super) state: State,
    pub(super) head: Option<Arc<Event>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Ready,
    Running,
    Resting(Timestamp),
}

impl Lane {
    /// A lane in which one event waits, which is new.
    pub(super) fn of(event: &Arc<Event>) -> Self {
        Self {
            head: Some(Arc::clone(event)),
            ..Self::kept(Stretches::new(event.seq), event.delivery.received_at)
        }
    }

    /// A lane in which nothing waits but an event that is sent once more.
    pub(super) fn again(event: &Arc<Event>, scanned: Seq) -> Self {
        let stretches = Stretches::again(event.seq, scanned);
        Self { stretches, again: true, ..Self::of(event) }
    }

    /// A lane as it was kept, with nothing tried yet.
    pub(in crate::deliver) fn kept(stretches: Stretches, oldest: Timestamp) -> Self {
        Self {
            stretches,
            events: 1,
            oldest,
            failures: 0,
            failing_since: None,
            next_at: None,
            again: false,
            state: State::Ready,
            head: None,
        }
    }

    /// Everything up to here is settled, where anything waits.
    pub(super) fn after(&self) -> Option<Seq> {
        self.stretches.first().map(|it| it.after)
    }

    /// The event in front is settled, one way or the other.
    pub(super) fn settle(&mut self, event: &Event) {
        self.oldest = event.delivery.received_at;
        self.events = self.events.saturating_sub(1).max(1);
        self.pass_over(event.seq);
    }

    /// Nothing up to there is left to be sent.
    pub(super) fn pass_over(&mut self, through: Seq) {
        self.stretches.settle(through);
        self.front_is(None);
    }

    /// Another event is in front now, and what the one before it went through says nothing of it.
    pub(super) fn front_is(&mut self, head: Option<Arc<Event>>) {
        (self.failures, self.failing_since, self.next_at, self.head) = (0, None, None, head);
    }

    pub(super) fn is_done(&self) -> bool {
        self.stretches.first().is_none()
    }
}
