//! What cached things hang on beyond their own keys, and what is outdated when something happens.
//!
//! A summary repeats facts of its project (the CRM's id, the offset against its consumption), so news of the project
//! outdate the summaries of all its designs, though the news name none of them.

use super::{Catalog, project::KeptPage};
use crate::{
    aurora,
    cache::{self, Absence, Hangs},
    domain::{Design, DesignKey, Project, ProjectId, ProjectKey, Summary, TenantId},
};

/// The news of the catalog.
pub(super) type News = cache::News<Scope>;

/// What has news that outdate more than one key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everything of a tenant.
    Tenant(TenantId),
    /// The lists of a tenant's projects.
    Lists(TenantId),
    /// Whatever repeats facts of a project.
    Project(ProjectKey),
}

impl DesignKey {
    fn hangs_on_project(&self, project: Option<&ProjectId>) -> [Option<Scope>; 2] {
        let tenant = self.tenant.clone();
        let project = project.map(|it| ProjectKey { tenant: tenant.clone(), project: it.clone() });
        [Some(Scope::Tenant(tenant)), project.map(Scope::Project)]
    }
}

impl Hangs<Summary> for DesignKey {
    type On = Scope;

    fn hangs_on(&self, value: Option<&Summary>) -> [Option<Scope>; 2] {
        self.hangs_on_project(value.and_then(|it| it.project.as_ref()))
    }
}

impl Hangs<Design> for DesignKey {
    type On = Scope;

    fn hangs_on(&self, value: Option<&Design>) -> [Option<Scope>; 2] {
        self.hangs_on_project(value.and_then(|it| it.project.as_ref()))
    }
}

impl Hangs<Project> for ProjectKey {
    type On = Scope;

    /// On its own project too, so that the answer to a create, which is under way without a flight, is told from newer news.
    fn hangs_on(&self, _: Option<&Project>) -> [Option<Scope>; 2] {
        [Some(Scope::Tenant(self.tenant.clone())), Some(Scope::Project(self.clone()))]
    }
}

impl Hangs<Vec<std::sync::Arc<Design>>> for ProjectKey {
    type On = Scope;

    fn hangs_on(&self, _: Option<&Vec<std::sync::Arc<Design>>>) -> [Option<Scope>; 2] {
        [Some(Scope::Tenant(self.tenant.clone())), None]
    }
}

impl Hangs<KeptPage> for (TenantId, u32) {
    type On = Scope;

    fn hangs_on(&self, _: Option<&KeptPage>) -> [Option<Scope>; 2] {
        [Some(Scope::Tenant(self.0.clone())), Some(Scope::Lists(self.0.clone()))]
    }
}

impl Absence for aurora::Error {
    fn is_absence(&self) -> bool {
        matches!(self, Self::NotFound)
    }

    fn is_outage(&self) -> bool {
        self.is_outage()
    }
}

impl Catalog {
    /// Forgets what is known of a design, because something happened to it.
    pub fn forget_design(&self, key: &DesignKey) {
        self.0.summaries.forget(key);
        self.0.designs.forget(key);
    }

    /// Forgets what is known of a project and of its designs, because something happened to it.
    pub fn forget_project(&self, key: &ProjectKey) {
        self.0.projects.forget(key);
        self.0.designs_of.forget(key);
        self.tell(Scope::Project(key.clone()));
        self.forget_lists(&key.tenant);
    }

    /// Forgets everything that is known of a tenant, because it may see something else now.
    pub fn forget_tenant(&self, tenant: &TenantId) {
        self.tell(Scope::Tenant(tenant.clone()));
    }

    /// Forgets the lists of a tenant's projects.
    pub(super) fn forget_lists(&self, tenant: &TenantId) {
        self.tell(Scope::Lists(tenant.clone()));
    }

    fn tell(&self, about: Scope) {
        self.0.news.tell(about, self.0.clock.now());
    }
}
