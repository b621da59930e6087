//! The types of events: one for each that is known, all of one interface.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Interface, Object, SimpleObject};

use crate::{
    domain::{self, DesignKey, EventKind, ProjectKey},
    graphql::{
        Fallible,
        design::{self, Design},
        global_id::GlobalId,
        project::{self, Project},
        scalar::{Cursor, DateTime, Id},
        summary::DesignSummary,
    },
    journal,
};

/// An event and the cursor behind it.
#[derive(Clone)]
pub struct Announced {
    pub(super) event: Arc<domain::Event>,
    pub(super) cursor: String,
    replay_of: Option<String>,
}

impl Announced {
    /// Seals the event's place.
    #[must_use]
    pub fn new(cursors: &journal::Cursors, event: Arc<domain::Event>) -> Self {
        let replay_of = event.replay_of.map(|it| cursors.seal(&event.tenant, it));
        Self { cursor: cursors.seal(&event.tenant, event.seq), replay_of, event }
    }

    fn id(&self) -> ID {
        GlobalId::Event(self.event.tenant.clone(), self.cursor.clone()).seal().into()
    }

    fn project_key(&self) -> Option<ProjectKey> {
        Some(ProjectKey { tenant: self.event.tenant.clone(), project: self.event.project.clone()? })
    }

    /// The design, or what a delivery that came without one says in its place.
    fn design_key(&self) -> Option<DesignKey> {
        Some(DesignKey { tenant: self.event.tenant.clone(), design: self.event.delivery.design.clone()? })
    }
}

/// Something that happened at Aurora, as this gateway heard of it.
#[derive(Interface)]
#[expect(
    clippy::duplicated_attributes,
    reason = "one `field` each; the lint mistakes their parts for repeats"
)]
#[graphql(
    field(name = "id", ty = "ID", desc = "The global id."),
    field(name = "cursor", ty = "Cursor", desc = "The place behind this event, for `after`."),
    field(name = "tenant_id", ty = "ID", desc = "Aurora's id of the tenant."),
    field(name = "type", method = "kind", ty = "EventType", desc = "What kind of event it is."),
    field(
        name = "received_at",
        ty = "DateTime",
        desc = "When Aurora's delivery reached this gateway, or when it was found that none came."
    ),
    field(name = "source", ty = "EventSource", desc = "How this gateway came to know of it."),
    field(
        name = "replay_of",
        ty = "Option<Cursor>",
        desc = "Where an operator had an event announced again: the cursor of the one that this repeats. Null for news."
    )
)]
pub enum Event {
    /// A performance simulation ended.
    DesignCompleted(DesignCompletedEvent),
    /// A project was made.
    ProjectCreated(ProjectCreatedEvent),
    /// A project was changed.
    ProjectChanged(ProjectChangedEvent),
    /// An agreement has another status.
    AgreementStatusChanged(AgreementStatusChangedEvent),
    /// Anything else.
    Other(OtherEvent),
}

impl From<Announced> for Event {
    fn from(announced: Announced) -> Self {
        match announced.event.kind() {
            EventKind::PerformanceSimulationJobCompleted => {
                Self::DesignCompleted(DesignCompletedEvent(announced))
            }
            EventKind::ProjectCreated => Self::ProjectCreated(ProjectCreatedEvent(announced)),
            EventKind::ProjectChanged => Self::ProjectChanged(ProjectChangedEvent(announced)),
            EventKind::AgreementStatusChanged => {
                Self::AgreementStatusChanged(AgreementStatusChangedEvent(announced))
            }
            EventKind::Other => Self::Other(OtherEvent(announced)),
        }
    }
}

/// Kinds of event. `OTHER` stands for every event of Aurora that has no type of its own here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "EventKind")]
pub enum EventType {
    /// A performance simulation ended: see `DesignCompletedEvent`.
    PerformanceSimulationJobCompleted,
    /// A project was made, through the API or by a person.
    ProjectCreated,
    /// A project was changed.
    ProjectChanged,
    /// An agreement was sent, viewed, signed, canceled …
    AgreementStatusChanged,
    /// Anything else: see `OtherEvent`.
    Other,
}

/// How this gateway came to know of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::event::Source")]
pub enum EventSource {
    /// Aurora's webhook told.
    Webhook,
    /// Aurora's webhook never came; this gateway looked, and found what nobody had been told of. Such an event has no job.
    Reconciled,
}

/// How a job ended. `OTHER` stands for words that this gateway does not know, with the word in `statusText`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::JobStatus")]
pub enum JobStatus {
    /// The job did its work.
    Succeeded,
    /// The job failed.
    Failed,
    /// Anything else. Never success.
    Other,
}

/// A parameter of a delivery.
#[derive(SimpleObject)]
pub struct EventParameter {
    /// Its name, in lower snake case.
    name: String,
    /// Its value, as it came.
    value: String,
}

pub(in crate::graphql) fn parameters(delivery: &domain::Delivery) -> Vec<EventParameter> {
    let pairs = delivery.parameters.iter().cloned();
    pairs.map(|(name, value)| EventParameter { name, value }).collect()
}

fn parameter<'a>(delivery: &'a domain::Delivery, wanted: &str) -> Option<&'a str> {
    let found = delivery.parameters.iter().find(|(name, value)| name == wanted && !value.is_empty());
    found.map(|(_, value)| value.as_str())
}

macro_rules! event_object {
    ($(#[$doc:meta])* $name:ident { $($own:tt)* }) => {
        $(#[$doc])*
        pub struct $name(pub(super) Announced);

        $(#[$doc])*
        #[Object]
        impl $name {
            /// The global id.
            pub async fn id(&self) -> ID {
                self.0.id()
            }

            /// The place behind this event, for `after`.
            pub async fn cursor(&self) -> Cursor {
                Cursor(self.0.cursor.clone())
            }

            /// Aurora's id of the tenant.
            pub async fn tenant_id(&self) -> ID {
                self.0.event.tenant.as_str().into()
            }

            /// What kind of event it is.
            #[graphql(name = "type")]
            pub async fn kind(&self) -> EventType {
                self.0.event.kind().into()
            }

            /// When Aurora's delivery reached this gateway, or when it was found that none came.
            pub async fn received_at(&self) -> DateTime {
                DateTime(self.0.event.delivery.received_at)
            }

            /// How this gateway came to know of it.
            pub async fn source(&self) -> EventSource {
                self.0.event.delivery.source.into()
            }

            /// Where an operator had an event announced again: the cursor of the one that this repeats. Null for news.
            pub async fn replay_of(&self) -> Option<Cursor> {
                self.0.replay_of.clone().map(Cursor)
            }

            $($own)*
        }
    };
}

event_object! {
    /// A performance simulation ended; with status `SUCCEEDED` it is the sign that a design is complete.
    DesignCompletedEvent {
        /// Aurora's id of the design.
        async fn design_id(&self) -> Id<'_> {
            Id(self.0.event.delivery.design.as_ref().map_or("", |it| it.as_str()))
        }

        /// Aurora's id of the project that the design belongs to, where it could be found out.
        async fn project_id(&self) -> Option<Id<'_>> {
            self.0.event.project.as_ref().map(|it| it.as_str()).map(Id)
        }

        /// Aurora's id of the job, where the delivery named it.
        async fn job_id(&self) -> Option<Id<'_>> {
            self.0.event.delivery.job.as_ref().map(|it| it.as_str()).map(Id)
        }

        /// How the job ended.
        async fn status(&self) -> JobStatus {
            self.0.event.delivery.job_status().into()
        }

        /// How the job ended, in Aurora's own word; empty where the delivery did not say.
        async fn status_text(&self) -> &str {
            self.0.event.delivery.status.as_deref().unwrap_or_default()
        }

        /// Whether the design's summary was read before this event was announced. False where Aurora could not be asked
        /// within two minutes, refused, or was never asked because the simulation did not succeed: then `projectId` may be
        /// missing, and `summary` asks Aurora when it is selected.
        async fn announced_with_summary(&self) -> bool {
            self.0.event.summary_read
        }

        /// The design. Costs a call to Aurora where it is not in the cache.
        async fn design(&self, ctx: &Context<'_>) -> Fallible<Design> {
            design::load(ctx, self.0.design_key()?).await
        }

        /// The design's summary as it is now: never older than this event.
        async fn summary(&self, ctx: &Context<'_>) -> Fallible<DesignSummary> {
            DesignSummary::load(ctx, self.0.design_key()?).await
        }
    }
}

event_object! {
    /// A project was made, through the API or by a person in Aurora's application.
    ProjectCreatedEvent {
        /// Aurora's id of the project.
        async fn project_id(&self) -> Option<Id<'_>> {
            self.0.event.project.as_ref().map(|it| it.as_str()).map(Id)
        }

        /// Who made it, in Aurora's own word: `api` (this gateway's own creates among them) or `app`.
        async fn source_text(&self) -> Option<&str> {
            parameter(&self.0.event.delivery, "source")
        }

        /// The project as it is now. Costs a call to Aurora where it is not in the cache.
        async fn project(&self, ctx: &Context<'_>) -> Fallible<Project> {
            project::load(ctx, self.0.project_key()?).await
        }
    }
}

event_object! {
    /// A project was changed.
    ProjectChangedEvent {
        /// Aurora's id of the project.
        async fn project_id(&self) -> Option<Id<'_>> {
            self.0.event.project.as_ref().map(|it| it.as_str()).map(Id)
        }

        /// Who changed it, in Aurora's own word: `api` or `app`.
        async fn source_text(&self) -> Option<&str> {
            parameter(&self.0.event.delivery, "source")
        }

        /// What was changed, in Aurora's own words.
        async fn attributes_text(&self) -> Option<&str> {
            parameter(&self.0.event.delivery, "attributes")
        }

        /// The project as it is now. Costs a call to Aurora where it is not in the cache.
        async fn project(&self, ctx: &Context<'_>) -> Fallible<Project> {
            project::load(ctx, self.0.project_key()?).await
        }
    }
}

event_object! {
    /// An agreement has another status. Aurora promises no order: `viewed` may come after `signed`.
    AgreementStatusChangedEvent {
        /// Aurora's id of the agreement.
        async fn agreement_id(&self) -> Option<Id<'_>> {
            parameter(&self.0.event.delivery, "agreement_id").map(Id)
        }

        /// Aurora's id of the project, where the delivery named it.
        async fn project_id(&self) -> Option<Id<'_>> {
            self.0.event.project.as_ref().map(|it| it.as_str()).map(Id)
        }

        /// Aurora's id of the design, where the delivery named it.
        async fn design_id(&self) -> Option<Id<'_>> {
            self.0.event.delivery.design.as_ref().map(|it| it.as_str()).map(Id)
        }

        /// The status in Aurora's own word: `sent`, `viewed`, `signed`, `cancel-pending`, `canceled`, `declined`, `error` …
        async fn status_text(&self) -> Option<&str> {
            self.0.event.delivery.status.as_deref()
        }

        /// The project as it is now. Costs a call to Aurora where it is not in the cache.
        async fn project(&self, ctx: &Context<'_>) -> Fallible<Project> {
            project::load(ctx, self.0.project_key()?).await
        }
    }
}

event_object! {
    /// An event of Aurora that has no type of its own here. Everything that Aurora sent is in `parameters`.
    OtherEvent {
        /// Aurora's name for the event, such as `design_created`.
        async fn name(&self) -> &str {
            &self.0.event.delivery.name
        }

        /// What the delivery said, in its order; Aurora's session token excepted.
        async fn parameters(&self) -> Vec<EventParameter> {
            parameters(&self.0.event.delivery)
        }
    }
}
