//! `Tenant` and `Viewer`.

use async_graphql::{Context, ID, Object};

use super::{Fallible, context::Reach, global_id::GlobalId, scalar::Id};
use crate::domain::{Scope, TenantId, viewer::Tenants};

/// The root fields of this noun.
#[derive(Default)]
pub struct TenantQuery;

#[Object]
impl TenantQuery {
    /// Who asks: the credential of this request. Costs no call to Aurora.
    async fn viewer(&self) -> Viewer {
        Viewer
    }

    /// A tenant of Aurora that the credential reaches. Null with an error `NOT_FOUND` for any other. Costs no call to
    /// Aurora.
    async fn tenant(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Aurora's id of the tenant. May be left out where the credential reaches only one."
        )]
        tenant_id: Option<ID>,
    ) -> Fallible<Tenant> {
        Some(ctx.asked().tenant(tenant_id.as_ref()).map(Tenant).map_err(Into::into))
    }
}

/// The credential of a request.
pub struct Viewer;

/// The credential of a request: what it is called, what it may do, and which tenants it reaches.
#[Object]
impl Viewer {
    /// The name that the operator gave the credential.
    async fn name<'a>(&self, ctx: &'a Context<'_>) -> &'a str {
        ctx.asked().viewer.name()
    }

    /// What it may do: `read` (queries and subscriptions), `write` (mutations), `admin` (the operator's fields).
    async fn scopes(&self, ctx: &Context<'_>) -> Vec<&'static str> {
        let viewer = &ctx.asked().viewer;
        Scope::ALL.into_iter().filter(|scope| viewer.may(*scope)).map(Scope::name).collect()
    }

    /// The tenants it reaches. For a credential that reaches every tenant, those that the configuration names.
    async fn tenants(&self, ctx: &Context<'_>) -> Vec<Tenant> {
        let tenants = match ctx.asked().viewer.tenants() {
            Tenants::All => &ctx.parts().tenants,
            Tenants::Only(these) => these,
        };
        tenants.iter().cloned().map(Tenant).collect()
    }
}

/// A tenant.
pub struct Tenant(pub TenantId);

/// A tenant: one customer of Aurora. Everything else belongs to exactly one tenant.
#[Object]
impl Tenant {
    /// The global id.
    pub async fn id(&self) -> ID {
        GlobalId::Tenant(self.0.clone()).seal().into()
    }

    /// Aurora's id of the tenant.
    async fn tenant_id(&self) -> Id<'_> {
        Id(self.0.as_str())
    }
}
