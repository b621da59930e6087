//! Events that must keep their order share a lane: those of a design, of a project, or of neither.

use std::sync::Arc;

use jiff::Timestamp;

use crate::{
    domain::{DesignId, Event, ProjectId, Seq, TenantId},
    journal::Filter,
};

/// What the events of a lane have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::deliver) struct LaneKey {
    pub(in crate::deliver) tenant: TenantId,
    pub(in crate::deliver) of: Of,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::deliver) enum Of {
    Design(DesignId),
    Project(ProjectId),
    /// Events that name neither.
    Tenant,
}

impl LaneKey {
    /// The lane of an event: its design's where it has one.
    pub(in crate::deliver) fn of(event: &Event) -> Self {
        let of = match (&event.delivery.design, &event.project) {
            (Some(design), _) => Of::Design(design.clone()),
            (None, Some(project)) => Of::Project(project.clone()),
            (None, None) => Of::Tenant,
        };
        Self { tenant: event.tenant.clone(), of }
    }

    /// What narrows the journal down to this lane. Events of others may still be among what it lets through.
    pub(in crate::deliver) fn filter(&self) -> Filter {
        match &self.of {
            Of::Design(design) => Filter { design: Some(design.clone()), ..Filter::default() },
            Of::Project(project) => Filter { project: Some(project.clone()), ..Filter::default() },
            Of::Tenant => Filter::default(),
        }
    }
}

/// What waits in one lane: a stretch of the journal, of which at most the first event is held.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::deliver) struct Lane {
    /// Everything of this lane up to here is settled.
    pub(in crate::deliver) after: Seq,
    /// The last event that is known to wait.
    pub(in crate::deliver) through: Seq,
    /// How many wait, as counted when they were found.
    pub(in crate::deliver) events: u64,
    /// When the oldest of them reached the gateway, or one before it.
    pub(in crate::deliver) oldest: Timestamp,
    /// Failures in a row of the event in front.
    pub(in crate::deliver) failures: u32,
    /// Since when the event in front fails.
    pub(in crate::deliver) failing_since: Option<Timestamp>,
    /// Not to be tried before.
    pub(in crate::deliver) next_at: Option<Timestamp>,
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
    /// A lane in which one event waits.
    pub(super) fn of(event: &Arc<Event>) -> Self {
        let head = Some(Arc::clone(event));
        Self { head, ..Self::kept(Seq(event.seq.0.saturating_sub(1)), event.seq, event.delivery.received_at) }
    }

    /// A lane as it was kept, with nothing tried yet.
    pub(in crate::deliver) fn kept(after: Seq, through: Seq, oldest: Timestamp) -> Self {
        Self {
            after,
            through,
            events: 1,
            oldest,
            failures: 0,
            failing_since: None,
            next_at: None,
            state: State::Ready,
            head: None,
        }
    }

    /// The event in front is settled, one way or the other.
    pub(super) fn settle(&mut self, event: &Event) {
        self.after = self.after.max(event.seq);
        self.oldest = event.delivery.received_at;
        self.events = self.events.saturating_sub(1).max(1);
        (self.failures, self.failing_since, self.next_at, self.head) = (0, None, None, None);
    }

    /// Nothing up to there is left to be sent.
    pub(super) fn pass_over(&mut self, through: Seq) {
        self.after = self.after.max(through);
        (self.failures, self.failing_since, self.next_at, self.head) = (0, None, None, None);
    }

    pub(super) fn is_done(&self) -> bool {
        self.after >= self.through
    }
}
