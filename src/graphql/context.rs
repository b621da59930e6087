//! What resolvers can reach: the parts of the gateway, and what belongs to one request.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, atomic::AtomicU64};

use async_graphql::{Context, ID};

use super::{
    engine::Kind,
    error::{Code, Failure},
    loader::Loaders,
};
use crate::{
    catalog::{Catalog, Error, Lane, Memory, Usage},
    deliver::Outbound,
    domain::{Design, DesignKey, Fetched, Project, ProjectKey, Scope, Summary, TenantId, Viewer},
    journal::{Cursors, Journal},
    registration::Registrations,
    relay::{Feed, Standing},
};

/// The parts of the gateway that the schema stands on.
pub struct Parts {
    /// Reads and writes.
    pub catalog: Catalog,
    /// What was announced.
    pub journal: Arc<dyn Journal>,
    /// What is announced from now on.
    pub feed: Feed,
    /// Who has switched the application off.
    pub standing: Standing,
    /// What Aurora holds of the gateway's webhooks.
    pub registrations: Registrations,
    /// Whom events are delivered to.
    pub outbound: Outbound,
    /// Answers that wait in memory for one subscriber. What comes behind them waits in the journal.
    pub backlog: usize,
    /// What subscribers were told.
    pub told: Arc<Told>,
    /// Writes and reads cursors.
    pub cursors: Cursors,
    /// The tenants that the configuration names: what an unbound credential is shown.
    pub tenants: Vec<TenantId>,
    /// Aurora's own pages.
    pub links: Links,
    /// Items in the largest page of a list.
    pub page_size: u32,
}

/// How much subscribers were told.
#[derive(Debug, Default)]
pub struct Told {
    /// Events that were executed: once for all subscribers of the same operation.
    pub executions: AtomicU64,
    /// Answers that were handed to subscribers.
    pub answers: AtomicU64,
}

/// Where Aurora's application shows things to people.
#[derive(Debug, Clone)]
pub struct Links {
    /// Such as `https://v2.aurorasolar.com`, without a slash at its end.
    pub app: String,
}

impl Links {
    /// The page of a project.
    #[must_use]
    pub fn project(&self, key: &ProjectKey) -> String {
        format!("{}/projects/{}", self.app, segment(key.project.as_str()))
    }

    /// A design in Design Mode; without its project Aurora's search is all that can be linked to.
    #[must_use]
    pub fn design(&self, key: &DesignKey, project: Option<&ProjectKey>) -> String {
        let design = segment(key.design.as_str());
        match project {
            Some(project) => format!("{}/designs/{design}/cad", self.project(project)),
            None => format!("{}/designs/{design}", self.app),
        }
    }
}

fn segment(id: &str) -> String {
    url::form_urlencoded::byte_serialize(id.as_bytes()).collect::<String>().replace('+', "%20")
}

/// What belongs to one request.
pub struct Asked {
    /// Who asks.
    pub viewer: Viewer,
    /// What it cost so far.
    pub usage: Arc<Usage>,
    parts: Arc<Parts>,
    loaders: OnceLock<Loaders>,
    lasting: bool,
    concerned: Mutex<Vec<TenantId>>,
}

impl Asked {
    /// A request of a viewer. A subscription lives for hours and reads little at a time, and a loader keeps a note of each
    /// key that it was ever asked for: so it has none.
    #[must_use]
    pub fn new(kind: Kind, viewer: Viewer, parts: Arc<Parts>) -> Self {
        Self {
            viewer,
            usage: Arc::new(Usage::in_lane(lane(kind))),
            parts,
            loaders: OnceLock::new(),
            lasting: kind == Kind::Subscription,
            concerned: Mutex::default(),
        }
    }

    /// A request of a viewer that is planned and not run, with memory taken to hold this.
    #[must_use]
    pub fn planning(kind: Kind, viewer: Viewer, parts: Arc<Parts>, memory: Memory) -> Self {
        Self { usage: Arc::new(Usage::of_plan(memory)), ..Self::new(kind, viewer, parts) }
    }

    /// The loaders of this request; made when first needed, which a cached answer does not.
    fn loaders(&self) -> Option<&Loaders> {
        (!self.lasting).then(|| self.loaders.get_or_init(|| Loaders::new(&self.parts.catalog, &self.usage)))
    }

    /// A summary: at once where it is at hand, else together with its siblings.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn summary(&self, key: &DesignKey) -> Result<Fetched<Summary>, Error> {
        let catalog = &self.parts.catalog;
        match (catalog.summary_at_hand(key, &self.usage), self.loaders()) {
            (Some(known), _) => Ok(known),
            (None, Some(loaders)) => loaders.summaries.load(key).await,
            (None, None) => catalog.summary(key, &self.usage).await,
        }
    }

    /// A design, likewise.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn design(&self, key: &DesignKey) -> Result<Fetched<Design>, Error> {
        let catalog = &self.parts.catalog;
        match (catalog.design_at_hand(key, &self.usage), self.loaders()) {
            (Some(known), _) => Ok(known),
            (None, Some(loaders)) => loaders.designs.load(key).await,
            (None, None) => catalog.design(key, &self.usage).await,
        }
    }

    /// A project, likewise.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn project(&self, key: &ProjectKey) -> Result<Fetched<Project>, Error> {
        let catalog = &self.parts.catalog;
        match (catalog.project_at_hand(key, &self.usage), self.loaders()) {
            (Some(known), _) => Ok(known),
            (None, Some(loaders)) => loaders.projects.load(key).await,
            (None, None) => catalog.project(key, &self.usage).await,
        }
    }

    /// The designs of a project, likewise.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn designs_of(&self, key: &ProjectKey) -> Result<Fetched<Vec<Arc<Design>>>, Error> {
        match self.loaders() {
            Some(loaders) => loaders.designs_of.load(key).await,
            None => self.parts.catalog.designs_of(key, &self.usage).await,
        }
    }

    /// The parts of the gateway, for what outlives the resolver that asks.
    #[must_use]
    pub fn parts_arc(&self) -> Arc<Parts> {
        Arc::clone(&self.parts)
    }

    /// The one tenant that the request concerned, if it was one.
    #[must_use]
    pub fn sole_concern(&self) -> Option<TenantId> {
        match self.concerned.lock().unwrap_or_else(PoisonError::into_inner).as_slice() {
            [tenant] => Some(tenant.clone()),
            _ => None,
        }
    }

    fn concerns(&self, tenant: &TenantId) {
        let mut concerned = self.concerned.lock().unwrap_or_else(PoisonError::into_inner);
        if !concerned.contains(tenant) {
            concerned.push(tenant.clone());
        }
    }

    /// The tenant that an argument names, or the only one of the credential.
    ///
    /// # Errors
    /// `NOT_FOUND` for a tenant that the viewer may not see, as if there were none.
    pub fn tenant(&self, named: Option<&ID>) -> Result<TenantId, Failure> {
        let tenant = match named {
            Some(id) => TenantId::parse(id.as_str())
                .map_err(|why| Failure::new(Code::BadUserInput, format!("tenantId {why}")))?,
            None => self.viewer.sole_tenant().cloned().ok_or_else(|| {
                Failure::new(
                    Code::BadUserInput,
                    "this credential reaches several tenants: say which one with tenantId",
                )
            })?,
        };
        self.sees(&tenant)?;
        Ok(tenant)
    }

    /// Checks that the viewer may know of a tenant.
    ///
    /// # Errors
    /// `NOT_FOUND`, as if there were no such tenant.
    pub fn sees(&self, tenant: &TenantId) -> Result<(), Failure> {
        if !self.viewer.sees(tenant) {
            return Err(not_found("tenant"));
        }
        self.concerns(tenant);
        Ok(())
    }

    /// Checks that the viewer may do something.
    ///
    /// # Errors
    /// `FORBIDDEN`, naming the scope that is missing.
    pub fn may(&self, scope: Scope) -> Result<(), Failure> {
        if self.viewer.may(scope) {
            return Ok(());
        }
        Err(Failure::new(
            Code::Forbidden,
            format!("this needs a credential with the scope \"{}\"", scope.name()),
        ))
    }
}

/// A mutation's own reads are part of what its caller waits for; what a subscription reads belongs to an event.
fn lane(kind: Kind) -> Lane {
    match kind {
        Kind::Mutation => Lane::Mutation,
        Kind::Query => Lane::Interactive,
        Kind::Subscription => Lane::Enrichment,
    }
}

/// There is no such thing, or it is another tenant's: both read the same.
#[must_use]
pub fn not_found(what: &str) -> Failure {
    Failure::new(Code::NotFound, format!("there is no such {what}"))
}

/// Short ways to what [`Context`] holds.
pub trait Reach {
    /// The parts of the gateway.
    fn parts(&self) -> &Parts;
    /// What belongs to this request.
    fn asked(&self) -> &Asked;
}

impl Reach for Context<'_> {
    fn parts(&self) -> &Parts {
        &self.asked().parts
    }

    fn asked(&self) -> &Asked {
        self.data_unchecked::<Arc<Asked>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{DesignId, ProjectId};

    #[test]
    fn an_id_stays_in_its_segment_of_a_link() {
        let links = Links { app: "https://v2.aurorasolar.com".into() };
        let tenant = TenantId::parse("t").unwrap();
        let project = ProjectKey { tenant: tenant.clone(), project: ProjectId::parse("a b?c#d").unwrap() };
        assert_eq!(links.project(&project), "https://v2.aurorasolar.com/projects/a%20b%3Fc%23d");
        let design = DesignKey { tenant, design: DesignId::parse("d1").unwrap() };
        assert!(links.design(&design, Some(&project)).ends_with("/designs/d1/cad"));
    }
}
