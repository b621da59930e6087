//! Which events a reader wants, of those of one tenant.

use crate::domain::{DesignId, Event, EventKind, ProjectId};

/// What an event must be to be wanted. The default wants every event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// One of these kinds.
    pub kinds: Option<Vec<EventKind>>,
    /// Of this design.
    pub design: Option<DesignId>,
    /// Of this project.
    pub project: Option<ProjectId>,
    /// A performance simulation that succeeded.
    pub completions_only: bool,
}

impl Filter {
    /// Whether the event is wanted.
    #[must_use]
    pub fn matches(&self, event: &Event) -> bool {
        self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&event.kind()))
            && self.design.as_ref().is_none_or(|design| event.delivery.design.as_ref() == Some(design))
            && self.project.as_ref().is_none_or(|project| event.project.as_ref() == Some(project))
            && (!self.completions_only || event.delivery.is_completion())
    }
}
