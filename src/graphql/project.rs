//! `Project`: one by one, by the CRM's own id, and as a list.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object};

use super::{
    Fallible,
    connection::{self, PageInfo},
    context::Reach,
    design::Design,
    error::{self, Code, Failure},
    global_id::GlobalId,
    scalar::{DateTime, Id},
};
use crate::{
    catalog::Position,
    domain::{self, ProjectId, ProjectKey, project as plain},
};

/// The root fields of this noun.
#[derive(Default)]
pub struct ProjectQuery;

#[Object]
impl ProjectQuery {
    /// A project. Null with an error `NOT_FOUND` where there is none of that id. Costs at most one call to Aurora.
    async fn project(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Aurora's id of the tenant. May be left out where the credential reaches only one."
        )]
        tenant_id: Option<ID>,
        #[graphql(desc = "Aurora's id of the project.")] project_id: ID,
    ) -> Fallible<Project> {
        match key(ctx, tenant_id.as_ref(), &project_id) {
            Ok(key) => load(ctx, key).await,
            Err(failure) => Some(Err(failure.into())),
        }
    }

    /// The project that carries the CRM's own id, among those that this gateway has made or seen: Aurora itself has no
    /// such search. Null where there is none. Costs at most one call to Aurora.
    async fn project_by_external_provider_id(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Aurora's id of the tenant. May be left out where the credential reaches only one."
        )]
        tenant_id: Option<ID>,
        #[graphql(desc = "The CRM's own id, as it was given when the project was created.")]
        external_provider_id: String,
    ) -> Fallible<Project> {
        let asked = ctx.asked();
        let tenant = match asked.tenant(tenant_id.as_ref()) {
            Ok(tenant) => tenant,
            Err(failure) => return Some(Err(failure.into())),
        };
        let catalog = &ctx.parts().catalog;
        match catalog.project_by_external_id(&tenant, external_provider_id.trim(), &asked.usage).await {
            Ok(found) => found.map(|read| Ok(Project(read.value))),
            Err(error) => Some(Err(error::public("project", &error).into())),
        }
    }

    /// The projects of a tenant, newest first. A page costs a call to Aurora for each hundred projects that it
    /// touches, and none while those are in the cache.
    async fn projects(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Aurora's id of the tenant. May be left out where the credential reaches only one."
        )]
        tenant_id: Option<ID>,
        #[graphql(
            desc = "How many at the most: 20 unless given, 100 at the most unless the operator says otherwise."
        )]
        first: Option<i32>,
        #[graphql(desc = "The `endCursor` of the page before.")] after: Option<String>,
    ) -> async_graphql::Result<ProjectConnection> {
        let asked = ctx.asked();
        let tenant = asked.tenant(tenant_id.as_ref())?;
        let first = connection::page_size(first, ctx.parts().page_size)?;
        let after = after.as_deref().map(open_position).transpose()?;
        let listing = ctx
            .parts()
            .catalog
            .projects(&tenant, first, after.as_ref(), &asked.usage)
            .await
            .map_err(|error| error::public("list of projects", &error))?;
        let edges = listing
            .projects
            .into_iter()
            .map(|(position, project)| ProjectEdge { cursor: seal_position(&position), node: project })
            .collect();
        Ok(ProjectConnection { edges, more: listing.more, later: after.is_some() })
    }
}

/// The key that a root field's arguments name.
fn key(ctx: &Context<'_>, tenant: Option<&ID>, project: &ID) -> Result<ProjectKey, Failure> {
    let tenant = ctx.asked().tenant(tenant)?;
    let project = ProjectId::parse(project.as_str())
        .map_err(|why| Failure::new(Code::BadUserInput, format!("projectId {why}")))?;
    Ok(ProjectKey { tenant, project })
}

/// Reads a project: at once where it is at hand, else together with its siblings.
pub async fn load(ctx: &Context<'_>, key: ProjectKey) -> Fallible<Project> {
    let read = ctx.asked().project(&key).await;
    Some(read.map(|read| Project(read.value)).map_err(|error| error::public("project", &error).into()))
}

fn seal_position(position: &Position) -> String {
    connection::seal(&[&position.index.to_string(), position.project.as_str()])
}

fn open_position(cursor: &str) -> Result<Position, Failure> {
    let refuse = || Failure::new(Code::BadUserInput, "after is no cursor of this list");
    let [index, project] = connection::open(cursor).ok_or_else(refuse)?;
    Ok(Position {
        index: index.parse().map_err(|_| refuse())?,
        project: ProjectId::parse(&project).map_err(|_| refuse())?,
    })
}

/// A project.
pub struct Project(pub Arc<domain::Project>);

impl Project {
    fn key(&self) -> ProjectKey {
        ProjectKey { tenant: self.0.tenant.clone(), project: self.0.id.clone() }
    }
}

/// A project: one property of one homeowner, as Aurora has it. Its address and coordinates may differ from what it was
/// created with, because Aurora snaps them.
#[Object]
impl Project {
    /// The global id.
    pub async fn id(&self) -> ID {
        GlobalId::Project(self.key()).seal().into()
    }

    /// Aurora's id of the project.
    async fn project_id(&self) -> Id<'_> {
        Id(self.0.id.as_str())
    }

    /// Aurora's id of the tenant.
    async fn tenant_id(&self) -> Id<'_> {
        Id(self.0.tenant.as_str())
    }

    /// The CRM's own id, as it was given to Aurora.
    async fn external_provider_id(&self) -> Option<&str> {
        self.0.external_provider_id.as_deref()
    }

    /// The project's name.
    async fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// The homeowner.
    async fn customer(&self) -> Customer<'_> {
        Customer(&self.0.customer)
    }

    /// Where the homeowner gets mail.
    async fn mailing_address(&self) -> Option<&str> {
        self.0.mailing_address.as_deref()
    }

    /// The kind of property.
    async fn project_type(&self) -> Option<ProjectType> {
        self.0.project_type.map(Into::into)
    }

    /// The status, from the tenant's own list.
    async fn status(&self) -> Option<&str> {
        self.0.status.as_deref()
    }

    /// Where the property is.
    async fn location(&self) -> Option<ProjectLocation<'_>> {
        self.0.location.as_ref().map(ProjectLocation)
    }

    /// Labels. At Aurora they can also limit what a restricted key sees.
    async fn tags(&self) -> &[String] {
        &self.0.tags
    }

    /// When the project was made.
    async fn created_at(&self) -> Option<DateTime> {
        self.0.created_at.map(DateTime)
    }

    /// The designs on the project, in no particular order; empty with an error where Aurora could not be asked. Costs a call
    /// to Aurora where they are not in the cache.
    async fn designs(&self, ctx: &Context<'_>) -> Vec<Design> {
        match ctx.asked().designs_of(&self.key()).await {
            Ok(designs) => designs.value.iter().cloned().map(Design).collect(),
            Err(error) => {
                // The type promises a list, and an error in its place would take down everything around it.
                ctx.add_error(ctx.set_error_path(error::public("project", &error).into()));
                Vec::new()
            }
        }
    }

    /// The page in Aurora's application where people work on the project.
    async fn aurora_url(&self, ctx: &Context<'_>) -> String {
        ctx.parts().links.project(&self.key())
    }
}

/// Kinds of property. `OTHER` stands for kinds that this gateway does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "plain::ProjectType")]
pub enum ProjectType {
    /// A home.
    Residential,
    /// A business.
    Commercial,
    /// Anything else. Not accepted when a project is created.
    Other,
}

/// The homeowner.
pub struct Customer<'a>(&'a plain::Customer);

/// The homeowner: a name and ways to reach them.
#[Object]
impl Customer<'_> {
    /// How to address them, such as `Ms.`
    async fn salutation(&self) -> Option<&str> {
        self.0.salutation.as_deref()
    }

    /// Given name.
    async fn first_name(&self) -> Option<&str> {
        self.0.first_name.as_deref()
    }

    /// Family name.
    async fn last_name(&self) -> Option<&str> {
        self.0.last_name.as_deref()
    }

    /// E-mail address.
    async fn email(&self) -> Option<&str> {
        self.0.email.as_deref()
    }

    /// Telephone number, as it was written.
    async fn phone(&self) -> Option<&str> {
        self.0.phone.as_deref()
    }
}

/// Where a property is.
pub struct ProjectLocation<'a>(&'a plain::Location);

/// Where a property is, as Aurora settled it.
#[Object]
impl ProjectLocation<'_> {
    /// The address in one line.
    async fn property_address(&self) -> Option<&str> {
        self.0.property_address.as_deref()
    }

    /// The address in its parts, where Aurora gives them.
    async fn components(&self) -> Option<AddressComponents<'_>> {
        self.0.components.as_ref().map(AddressComponents)
    }

    /// Degrees north of the equator (WGS 84).
    async fn latitude(&self) -> Option<f64> {
        self.0.latitude
    }

    /// Degrees east of Greenwich (WGS 84).
    async fn longitude(&self) -> Option<f64> {
        self.0.longitude
    }
}

/// An address in its parts.
pub struct AddressComponents<'a>(&'a plain::AddressComponents);

/// An address in its parts.
#[Object]
impl AddressComponents<'_> {
    /// House number and street.
    async fn street_address(&self) -> Option<&str> {
        self.0.street_address.as_deref()
    }

    /// Town.
    async fn city(&self) -> Option<&str> {
        self.0.city.as_deref()
    }

    /// State or province, as its code.
    async fn region(&self) -> Option<&str> {
        self.0.region.as_deref()
    }

    /// ZIP or postal code.
    async fn postal_code(&self) -> Option<&str> {
        self.0.postal_code.as_deref()
    }

    /// Country, by its full name.
    async fn country(&self) -> Option<&str> {
        self.0.country.as_deref()
    }
}

/// A page of projects.
pub struct ProjectConnection {
    edges: Vec<ProjectEdge>,
    more: bool,
    later: bool,
}

/// A page of projects, newest first.
#[Object]
impl ProjectConnection {
    /// The projects with their places.
    async fn edges(&self) -> &[ProjectEdge] {
        &self.edges
    }

    /// The projects.
    async fn nodes(&self) -> Vec<Project> {
        self.edges.iter().map(|edge| Project(Arc::clone(&edge.node))).collect()
    }

    /// Where this page stands in the list.
    async fn page_info(&self) -> PageInfo {
        PageInfo {
            has_next_page: self.more,
            has_previous_page: self.later,
            start_cursor: self.edges.first().map(|edge| edge.cursor.clone()),
            end_cursor: self.edges.last().map(|edge| edge.cursor.clone()),
        }
    }
}

/// A project and its place.
pub struct ProjectEdge {
    node: Arc<domain::Project>,
    cursor: String,
}

/// A project and its place in the list.
#[Object]
impl ProjectEdge {
    /// The project.
    async fn node(&self) -> Project {
        Project(Arc::clone(&self.node))
    }

    /// Its place, for `after`.
    async fn cursor(&self) -> &str {
        &self.cursor
    }
}
