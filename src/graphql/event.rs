//! Events: one type for each that is known, all of one interface; live, replayed and listed.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Interface, Object, SimpleObject, Subscription};
use futures_util::{Stream, StreamExt};

use super::{
    Fallible,
    connection::{self, PageInfo},
    context::{Reach, not_found},
    design::{self, Design},
    error::{self, Code, Failure},
    global_id::GlobalId,
    project::{self, Project},
    scalar::{Cursor, DateTime, Id},
    summary::DesignSummary,
};
use crate::{
    domain::{self, DesignId, DesignKey, EventKind, ProjectId, ProjectKey, Seq, TenantId},
    journal::{self, Filter},
};

/// The root fields of this noun.
#[derive(Default)]
pub struct EventQuery;

#[Object]
impl EventQuery {
    /// What was announced, oldest first, as long as it is kept (7 days unless the operator says otherwise). Costs no call to
    /// Aurora.
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Aurora's id of the tenant. May be left out where the credential reaches only one."
        )]
        tenant_id: Option<ID>,
        #[graphql(desc = "Only events of these types.")] types: Option<Vec<EventType>>,
        #[graphql(
            desc = "How many at the most: 20 unless given, 100 at the most unless the operator says otherwise."
        )]
        first: Option<i32>,
        #[graphql(desc = "The cursor of an event: the answer begins behind it.")] after: Option<String>,
    ) -> async_graphql::Result<EventConnection> {
        let tenant = ctx.asked().tenant(tenant_id.as_ref())?;
        let first = connection::page_size(first, ctx.parts().page_size)?;
        let at = after.map(Cursor).map(|it| open(ctx, &tenant, &it)).transpose()?;
        let filter = Filter { kinds: kinds(types), ..Filter::default() };
        let slice = ctx
            .parts()
            .journal
            .events(&tenant, &filter, at, first as usize)
            .await
            .map_err(|error| refused(ctx, &tenant, &error))?;
        let edges = slice.events.into_iter().map(|event| EventEdge::new(ctx, event)).collect();
        Ok(EventConnection { edges, more: slice.more, later: at.is_some() })
    }
}

/// The subscriptions.
#[derive(Default)]
pub struct EventSubscription;

#[Subscription]
impl EventSubscription {
    /// Emits once for each completed performance simulation (status succeeded): the sign that a design is complete. With
    /// `after`, everything behind that cursor comes first, with no gap and no repeat between the replay and the live part;
    /// without, nothing that is announced after the subscription was accepted is missed.
    async fn design_completed(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Aurora's id of the tenant. May be left out where the credential reaches only one."
        )]
        tenant_id: Option<ID>,
        #[graphql(desc = "Only designs of this project.")] project_id: Option<ID>,
        #[graphql(desc = "Only this design.")] design_id: Option<ID>,
        #[graphql(desc = "The cursor of the last event that was seen.")] after: Option<Cursor>,
    ) -> async_graphql::Result<impl Stream<Item = async_graphql::Result<DesignCompletedEvent>> + use<>> {
        let tenant = ctx.asked().tenant(tenant_id.as_ref())?;
        let bad = |name: &str, why| Failure::new(Code::BadUserInput, format!("{name} {why}"));
        let project = project_id.map(|id| ProjectId::parse(&id)).transpose();
        let design = design_id.map(|id| DesignId::parse(&id)).transpose();
        let filter = Filter {
            project: project.map_err(|why| bad("projectId", why))?,
            design: design.map_err(|why| bad("designId", why))?,
            completions_only: true,
            ..Filter::default()
        };
        Ok(follow(ctx, tenant, filter, after)?.map(|event| event.map(DesignCompletedEvent)))
    }

    /// Emits every event of a tenant. `after` works as for `designCompleted`.
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Aurora's id of the tenant. May be left out where the credential reaches only one."
        )]
        tenant_id: Option<ID>,
        #[graphql(desc = "Only events of these types.")] types: Option<Vec<EventType>>,
        #[graphql(desc = "The cursor of the last event that was seen.")] after: Option<Cursor>,
    ) -> async_graphql::Result<impl Stream<Item = async_graphql::Result<Event>> + use<>> {
        let tenant = ctx.asked().tenant(tenant_id.as_ref())?;
        let filter = Filter { kinds: kinds(types), ..Filter::default() };
        Ok(follow(ctx, tenant, filter, after)?.map(|event| event.map(Event::from)))
    }
}

fn follow(
    ctx: &Context<'_>,
    tenant: TenantId,
    filter: Filter,
    after: Option<Cursor>,
) -> Result<impl Stream<Item = async_graphql::Result<Announced>> + use<>, Failure> {
    let parts = ctx.asked().parts_arc();
    let after = after.map(|cursor| open(ctx, &tenant, &cursor)).transpose()?;
    let events = parts.feed.follow(tenant.clone(), filter, after);
    let events = events.map_err(|full| Failure::new(Code::RateLimited, full.to_string()))?;
    Ok(events.map(move |event| match event {
        Ok(event) => Ok(Announced::new(&parts.cursors, event)),
        Err(error) => Err(error::journal(&parts.cursors, &tenant, &error).into()),
    }))
}

fn open(ctx: &Context<'_>, tenant: &TenantId, cursor: &Cursor) -> Result<Seq, Failure> {
    ctx.parts()
        .cursors
        .open(tenant, &cursor.0)
        .map_err(|_| Failure::new(Code::BadUserInput, "after is no cursor of this tenant's events"))
}

fn refused(ctx: &Context<'_>, tenant: &TenantId, error: &journal::Error) -> Failure {
    error::journal(&ctx.parts().cursors, tenant, error)
}

/// An event and the cursor behind it.
#[derive(Clone)]
pub struct Announced {
    event: Arc<domain::Event>,
    cursor: String,
}

impl Announced {
    /// Seals the event's place.
    #[must_use]
    pub fn new(cursors: &journal::Cursors, event: Arc<domain::Event>) -> Self {
        Self { cursor: cursors.seal(&event.tenant, event.seq), event }
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
    field(name = "received_at", ty = "DateTime", desc = "When Aurora's delivery reached this gateway.")
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

fn kinds(types: Option<Vec<EventType>>) -> Option<Vec<EventKind>> {
    types.map(|types| types.into_iter().map(Into::into).collect())
}

/// A parameter of a delivery.
#[derive(SimpleObject)]
pub struct EventParameter {
    /// Its name, in lower snake case.
    name: String,
    /// Its value, as it came.
    value: String,
}

pub(super) fn parameters(delivery: &domain::Delivery) -> Vec<EventParameter> {
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
        pub struct $name(Announced);

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

            /// When Aurora's delivery reached this gateway.
            pub async fn received_at(&self) -> DateTime {
                DateTime(self.0.event.delivery.received_at)
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

/// Reads one event by its place, for `node`.
pub async fn load(ctx: &Context<'_>, tenant: TenantId, cursor: &str) -> Result<Event, Failure> {
    let seq = ctx.parts().cursors.open(&tenant, cursor).map_err(|_| not_found("event"))?;
    let before = Seq(seq.0.saturating_sub(1));
    let read = ctx.parts().journal.events(&tenant, &Filter::default(), Some(before), 1).await;
    let slice = read.map_err(|error| match error {
        journal::Error::Expired { .. } => not_found("event"),
        other => refused(ctx, &tenant, &other),
    })?;
    let found = slice.events.into_iter().find(|event| event.seq == seq);
    let event = found.ok_or_else(|| not_found("event"))?;
    Ok(Announced::new(&ctx.parts().cursors, event).into())
}

/// A page of events.
pub struct EventConnection {
    edges: Vec<EventEdge>,
    more: bool,
    later: bool,
}

/// A page of events, oldest first.
#[Object]
impl EventConnection {
    /// The events with their places.
    async fn edges(&self) -> &[EventEdge] {
        &self.edges
    }

    /// The events.
    async fn nodes(&self) -> Vec<Event> {
        self.edges.iter().map(|edge| edge.announced.clone().into()).collect()
    }

    /// Where this page stands in the list.
    async fn page_info(&self) -> PageInfo {
        PageInfo {
            has_next_page: self.more,
            has_previous_page: self.later,
            start_cursor: self.edges.first().map(|edge| edge.announced.cursor.clone()),
            end_cursor: self.edges.last().map(|edge| edge.announced.cursor.clone()),
        }
    }
}

/// An event and its place.
pub struct EventEdge {
    announced: Announced,
}

impl EventEdge {
    fn new(ctx: &Context<'_>, event: Arc<domain::Event>) -> Self {
        Self { announced: Announced::new(&ctx.parts().cursors, event) }
    }
}

/// An event and its place in the list.
#[Object]
impl EventEdge {
    /// The event.
    async fn node(&self) -> Event {
        self.announced.clone().into()
    }

    /// Its place: the same as the event's own `cursor`.
    async fn cursor(&self) -> &str {
        &self.announced.cursor
    }
}
