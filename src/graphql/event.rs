//! Events: one type for each that is known, all of one interface; live, replayed and listed.

pub mod kind;
mod standing;

use std::sync::Arc;

use async_graphql::{Context, ID, Object, Subscription};
use futures_util::{Stream, StreamExt, stream};
use kind::Announced;
pub use kind::{
    AgreementStatusChangedEvent, DesignCompletedEvent, Event, EventParameter, EventSource, EventType,
    OtherEvent, ProjectChangedEvent, ProjectCreatedEvent,
};

use super::{
    connection::{self, PageInfo},
    context::{Reach, not_found},
    error::{self, Code, Failure},
    place::{Awaited, Place, Reached, Stopped},
    scalar::Cursor,
};
use crate::{
    domain::{self, DesignId, EventKind, ProjectId, Seq, TenantId},
    journal::{self, Filter},
    relay::Interest,
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
        let at = after.map(|it| open(ctx, &tenant, &it, "after")).transpose()?;
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

/// Asked, it says what it waits for and gives nothing; told, it gives what it is told of.
fn follow(
    ctx: &Context<'_>,
    tenant: TenantId,
    filter: Filter,
    after: Option<Cursor>,
) -> Result<impl Stream<Item = async_graphql::Result<Announced>> + use<>, Failure> {
    let parts = ctx.asked().parts_arc();
    let place = Arc::clone(ctx.data_unchecked::<Arc<Place>>());
    let told = match place.told() {
        Some(told) => told,
        None => {
            let after = match (place.after(), after) {
                (Some(seen), _) => Some(open(ctx, &tenant, seen, "Last-Event-ID")?),
                (None, Some(Cursor(argument))) => Some(open(ctx, &tenant, &argument, "after")?),
                (None, None) => None,
            };
            standing::connected(&parts.standing, &tenant)?;
            let seat = parts.feed.seat(&tenant);
            let seat = seat.map_err(|full| Failure::new(Code::RateLimited, full.to_string()))?;
            let interest = Interest { tenant: tenant.clone(), filter };
            let off = Box::pin(parts.standing.switched_off(tenant.clone()));
            place.wait(Awaited { interest, after, seat, off });
            Vec::new()
        }
    };
    Ok(stream::iter(told).map(move |item| match item {
        Ok(event) => {
            let seq = Some(event.seq);
            let announced = Announced::new(&parts.cursors, event);
            place.reach(Reached { seq, cursor: announced.cursor.clone() });
            Ok(announced)
        }
        Err(Stopped::Journal(error)) => Err(error::journal(&parts.cursors, &tenant, &error).into()),
        Err(Stopped::SwitchedOff) => Err(standing::switched_off().into()),
    }))
}

/// Reads a cursor that a caller gave by some name.
fn open(ctx: &Context<'_>, tenant: &TenantId, cursor: &str, name: &str) -> Result<Seq, Failure> {
    ctx.parts()
        .cursors
        .open(tenant, cursor)
        .map_err(|_| Failure::new(Code::BadUserInput, format!("{name} is no cursor of this tenant's events")))
}

fn refused(ctx: &Context<'_>, tenant: &TenantId, error: &journal::Error) -> Failure {
    error::journal(&ctx.parts().cursors, tenant, error)
}

fn kinds(types: Option<Vec<EventType>>) -> Option<Vec<EventKind>> {
    types.map(|types| types.into_iter().map(Into::into).collect())
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
