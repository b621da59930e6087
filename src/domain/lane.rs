//! Which events keep their order among each other: those of a design, of a project, or of neither.
//!
//! Not here: who waits for whom in a lane. The relay announces lane by lane, and what is delivered to a target goes lane by
//! lane too; each keeps its own.

use super::{Delivery, DesignId, Event, ProjectId, TenantId};

/// What the events of a lane have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneKey {
    /// Whose events they are.
    pub tenant: TenantId,
    /// What they are of.
    pub of: LaneOf,
}

/// What a lane's events are of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LaneOf {
    /// One design.
    Design(DesignId),
    /// One project, and no design.
    Project(ProjectId),
    /// Neither.
    Tenant,
}

impl LaneKey {
    /// The lane of an event: its design's where it has one.
    #[must_use]
    pub fn of(event: &Event) -> Self {
        let of = LaneOf::of(event.delivery.design.as_ref(), event.project.as_ref());
        Self { tenant: event.tenant.clone(), of }
    }

    /// The lane of a delivery that is no event yet, by what it names itself. One without a tenant has none.
    #[must_use]
    pub fn of_delivery(delivery: &Delivery) -> Option<Self> {
        let of = LaneOf::of(delivery.design.as_ref(), delivery.project.as_ref());
        Some(Self { tenant: delivery.tenant.clone()?, of })
    }
}

impl LaneOf {
    fn of(design: Option<&DesignId>, project: Option<&ProjectId>) -> Self {
        match (design, project) {
            (Some(design), _) => Self::Design(design.clone()),
            (None, Some(project)) => Self::Project(project.clone()),
            (None, None) => Self::Tenant,
        }
    }
}
