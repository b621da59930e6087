//! `Design`.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};

use super::{
    Fallible,
    context::Reach,
    error::{self, Code, Failure},
    global_id::GlobalId,
    project::{self, Project},
    scalar::{DateTime, Id},
    summary::DesignSummary,
};
use crate::domain::{self, DesignId, DesignKey, ProjectKey};

/// The root fields of this noun.
#[derive(Default)]
pub struct DesignQuery;

#[Object]
impl DesignQuery {
    /// A design. Null with an error `NOT_FOUND` where there is none of that id. Costs at most one call to Aurora.
    async fn design(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Aurora's id of the tenant. May be left out where the credential reaches only one."
        )]
        tenant_id: Option<ID>,
        #[graphql(desc = "Aurora's id of the design.")] design_id: ID,
    ) -> Fallible<Design> {
        match key(ctx, tenant_id.as_ref(), &design_id) {
            Ok(key) => load(ctx, key).await,
            Err(failure) => Some(Err(failure.into())),
        }
    }
}

/// The key that a root field's arguments name.
///
/// # Errors
/// When an id cannot be one, or the tenant is not the viewer's.
pub fn key(ctx: &Context<'_>, tenant: Option<&ID>, design: &ID) -> Result<DesignKey, Failure> {
    let tenant = ctx.asked().tenant(tenant)?;
    let design = DesignId::parse(design.as_str())
        .map_err(|why| Failure::new(Code::BadUserInput, format!("designId {why}")))?;
    Ok(DesignKey { tenant, design })
}

/// Reads a design: at once where it is at hand, else together with its siblings.
pub async fn load(ctx: &Context<'_>, key: DesignKey) -> Fallible<Design> {
    let read = ctx.asked().design(&key).await;
    Some(read.map(|read| Design(read.value)).map_err(|error| error::public("design", &error).into()))
}

/// A design.
pub struct Design(pub Arc<domain::Design>);

impl Design {
    fn key(&self) -> DesignKey {
        DesignKey { tenant: self.0.tenant.clone(), design: self.0.id.clone() }
    }

    fn project_key(&self) -> Option<ProjectKey> {
        Some(ProjectKey { tenant: self.0.tenant.clone(), project: self.0.project.clone()? })
    }
}

/// A design: one proposed solar system on a project. Its figures are in `summary`.
#[Object]
impl Design {
    /// The global id.
    pub async fn id(&self) -> ID {
        GlobalId::Design(self.key()).seal().into()
    }

    /// Aurora's id of the design.
    async fn design_id(&self) -> Id<'_> {
        Id(self.0.id.as_str())
    }

    /// Aurora's id of the tenant.
    async fn tenant_id(&self) -> Id<'_> {
        Id(self.0.tenant.as_str())
    }

    /// The project that the design belongs to. Costs a call to Aurora where it is not in the cache.
    async fn project(&self, ctx: &Context<'_>) -> Fallible<Project> {
        project::load(ctx, self.project_key()?).await
    }

    /// The design's name in Aurora.
    async fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// When the design was made.
    async fn created_at(&self) -> Option<DateTime> {
        self.0.created_at.map(DateTime)
    }

    /// What the design is made of and what it would produce. Costs a call to Aurora where it is not in the cache.
    async fn summary(&self, ctx: &Context<'_>) -> Fallible<DesignSummary> {
        DesignSummary::load(ctx, self.key()).await
    }

    /// The page in Aurora's application where people work on the design.
    async fn aurora_url(&self, ctx: &Context<'_>) -> String {
        ctx.parts().links.design(&self.key(), self.project_key().as_ref())
    }
}
