//! `node` and `nodes`: anything by its global id.

use async_graphql::{Context, ID, Interface, Object};
use futures_util::future::join_all;

use super::{
    Fallible,
    context::Reach,
    design::{self, Design},
    error::{Code, Failure},
    event::{
        self, AgreementStatusChangedEvent, DesignCompletedEvent, Event, OtherEvent, ProjectChangedEvent,
        ProjectCreatedEvent,
    },
    global_id::GlobalId,
    project::{self, Project},
    summary::DesignSummary,
    tenant::Tenant,
};

/// The root fields of this noun.
#[derive(Default)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// Anything by its global id. Null with an error `NOT_FOUND` where there is nothing of that id.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The global id, as a field `id` gave it.")] id: ID,
    ) -> Fallible<Node> {
        load(ctx, &id).await
    }

    /// Several things by their global ids, in the order of the ids: null, with an error `NOT_FOUND`, in the place of each
    /// that is not there. At most 100.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The global ids, as fields `id` gave them.")] ids: Vec<ID>,
    ) -> async_graphql::Result<Vec<Fallible<Node>>> {
        if ids.len() > MOST_NODES {
            let message = format!("ids may hold {MOST_NODES} at the most");
            return Err(Failure::new(Code::BadUserInput, message).into());
        }
        Ok(join_all(ids.iter().map(|id| load(ctx, id))).await)
    }
}

/// The most nodes that one field gives: a page's worth.
const MOST_NODES: usize = 100;

/// Anything that has a global id.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "The global id: opaque, good for `node`."))]
pub enum Node {
    /// A tenant.
    Tenant(Tenant),
    /// A project.
    Project(Project),
    /// A design.
    Design(Design),
    /// A design's summary.
    DesignSummary(DesignSummary),
    /// A performance simulation ended.
    DesignCompletedEvent(DesignCompletedEvent),
    /// A project was made.
    ProjectCreatedEvent(ProjectCreatedEvent),
    /// A project was changed.
    ProjectChangedEvent(ProjectChangedEvent),
    /// An agreement has another status.
    AgreementStatusChangedEvent(AgreementStatusChangedEvent),
    /// Any other event.
    OtherEvent(OtherEvent),
}

impl From<Event> for Node {
    fn from(event: Event) -> Self {
        match event {
            Event::DesignCompleted(event) => Self::DesignCompletedEvent(event),
            Event::ProjectCreated(event) => Self::ProjectCreatedEvent(event),
            Event::ProjectChanged(event) => Self::ProjectChangedEvent(event),
            Event::AgreementStatusChanged(event) => Self::AgreementStatusChangedEvent(event),
            Event::Other(event) => Self::OtherEvent(event),
        }
    }
}

async fn load(ctx: &Context<'_>, id: &ID) -> Fallible<Node> {
    let opened = GlobalId::open(id.as_str())
        .map_err(|_| Failure::new(Code::BadUserInput, "id is no id of this schema"));
    let global = match opened.and_then(|global| ctx.asked().sees(global.tenant()).map(|()| global)) {
        Ok(global) => global,
        Err(failure) => return Some(Err(failure.into())),
    };
    match global {
        GlobalId::Tenant(tenant) => Some(Ok(Node::Tenant(Tenant(tenant)))),
        GlobalId::Project(key) => project::load(ctx, key).await.map(|read| read.map(Node::Project)),
        GlobalId::Design(key) => design::load(ctx, key).await.map(|read| read.map(Node::Design)),
        GlobalId::Summary(key) => {
            DesignSummary::load(ctx, key).await.map(|read| read.map(Node::DesignSummary))
        }
        GlobalId::Event(tenant, cursor) => {
            Some(event::load(ctx, tenant, &cursor).await.map(Into::into).map_err(Into::into))
        }
    }
}
