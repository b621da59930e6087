//! What stands in for a noun that is not in memory while an operation is planned.
//!
//! Invariant: a stand-in leads on wherever the real one might, so that a plan never costs less than the operation.

use std::sync::Arc;

use super::{Guess, Planning, Step, project_or_guess};
use crate::{
    catalog::project::KeptPage,
    domain::{
        Design, DesignId, DesignKey, Project, ProjectId, ProjectKey, Summary, TenantId, project::Customer,
    },
};

/// Designs that a project is taken to have where nobody knows: what the limits take too.
const DESIGNS_OF_A_PROJECT: usize = 5;

/// A noun that can be planned.
pub(in crate::catalog) trait Planned<K>: Sized {
    /// What reading it takes.
    fn step(key: &K) -> Step;

    /// The design that it is about, whose project the store may know.
    fn design(_: &K) -> Option<&DesignKey> {
        None
    }

    /// Something to go on with.
    fn stand_in(key: &K, project: Option<ProjectId>, planning: &Planning) -> Self;
}

impl Planned<DesignKey> for Summary {
    fn step(key: &DesignKey) -> Step {
        Step::Summary(key.clone())
    }

    fn design(key: &DesignKey) -> Option<&DesignKey> {
        Some(key)
    }

    fn stand_in(key: &DesignKey, project: Option<ProjectId>, planning: &Planning) -> Self {
        Self {
            design: key.design.clone(),
            project: project_or_guess(project, planning),
            design_request_id: None,
            external_provider_id: None,
            created_at: None,
            size_stc: None,
            size_ptc: None,
            size_ac: None,
            bill_of_materials: Vec::new(),
            arrays: Vec::new(),
            string_inverters: Vec::new(),
            storage_inverters: Vec::new(),
            batteries: Vec::new(),
            energy_production: None,
            storage_operating_mode: None,
        }
    }
}

impl Planned<DesignKey> for Design {
    fn step(key: &DesignKey) -> Step {
        Step::Design(key.clone())
    }

    fn design(key: &DesignKey) -> Option<&DesignKey> {
        Some(key)
    }

    fn stand_in(key: &DesignKey, project: Option<ProjectId>, planning: &Planning) -> Self {
        design(&key.tenant, key.design.clone(), project_or_guess(project, planning))
    }
}

impl Planned<ProjectKey> for Project {
    fn step(key: &ProjectKey) -> Step {
        Step::Project(key.clone())
    }

    fn stand_in(key: &ProjectKey, _: Option<ProjectId>, _: &Planning) -> Self {
        named(&key.tenant, key.project.clone())
    }
}

impl Planned<ProjectKey> for Vec<Arc<Design>> {
    fn step(key: &ProjectKey) -> Step {
        Step::DesignsOf(key.clone())
    }

    fn stand_in(key: &ProjectKey, _: Option<ProjectId>, planning: &Planning) -> Self {
        let ids = (0..DESIGNS_OF_A_PROJECT).map(|_| DesignId::unknown(planning.guess(Guess::OfMany)));
        ids.map(|id| Arc::new(design(&key.tenant, id, Some(key.project.clone())))).collect()
    }
}

impl Planned<(TenantId, u32)> for KeptPage {
    fn step((tenant, page): &(TenantId, u32)) -> Step {
        Step::Projects(tenant.clone(), *page)
    }

    fn stand_in((tenant, _): &(TenantId, u32), _: Option<ProjectId>, planning: &Planning) -> Self {
        planning.guess_page();
        Self::full_of(|| project(tenant, planning.guess(Guess::OfMany)))
    }
}

/// A project of which nothing is known but that there will be one.
pub(in crate::catalog) fn project(tenant: &TenantId, guess: usize) -> Project {
    named(tenant, ProjectId::unknown(guess))
}

fn named(tenant: &TenantId, id: ProjectId) -> Project {
    Project {
        tenant: tenant.clone(),
        id,
        external_provider_id: None,
        name: None,
        customer: Customer::default(),
        mailing_address: None,
        project_type: None,
        status: None,
        location: None,
        tags: Vec::new(),
        created_at: None,
    }
}

fn design(tenant: &TenantId, id: DesignId, project: Option<ProjectId>) -> Design {
    Design { tenant: tenant.clone(), id, project, name: None, created_at: None }
}
