//! What an event is called where it is delivered by a webhook of our own.
//!
//! Finer than [`EventKind`] in one place: a simulation that succeeded is another thing than one that ended otherwise,
//! and a receiver that only wants designs must not have to look at a status.

use super::{Delivery, EventKind};

/// The types of messages, each event being of exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageType {
    /// A performance simulation succeeded: the design is complete.
    DesignCompleted,
    /// A performance simulation ended in any other way.
    SimulationEnded,
    /// A project was made.
    ProjectCreated,
    /// A project was changed.
    ProjectChanged,
    /// An agreement has another status.
    AgreementStatusChanged,
    /// Any other event of Aurora's.
    Other,
}

impl MessageType {
    /// Every type.
    pub const ALL: [Self; 6] = [
        Self::DesignCompleted,
        Self::SimulationEnded,
        Self::ProjectCreated,
        Self::ProjectChanged,
        Self::AgreementStatusChanged,
        Self::Other,
    ];

    /// The type of an event, by the delivery that told of it.
    #[must_use]
    pub fn of(delivery: &Delivery) -> Self {
        match delivery.kind() {
            EventKind::PerformanceSimulationJobCompleted if delivery.is_completion() => Self::DesignCompleted,
            EventKind::PerformanceSimulationJobCompleted => Self::SimulationEnded,
            EventKind::ProjectCreated => Self::ProjectCreated,
            EventKind::ProjectChanged => Self::ProjectChanged,
            EventKind::AgreementStatusChanged => Self::AgreementStatusChanged,
            EventKind::Other => Self::Other,
        }
    }

    /// Its name, with full stops as the Standard Webhooks specification has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::DesignCompleted => "design.completed",
            Self::SimulationEnded => "design.simulation_ended",
            Self::ProjectCreated => "project.created",
            Self::ProjectChanged => "project.changed",
            Self::AgreementStatusChanged => "agreement.status_changed",
            Self::Other => "other",
        }
    }
}
