//! Asking for projects, and making them.

use super::{Aurora, Call, Error, Meter, call::Verb, wire};
use crate::domain::{NewProject, Project, ProjectKey, TenantId};

const ALL: &str = "/tenants/{tenant}/projects";

/// Aurora gives no more projects at a time, whatever is asked.
const LARGEST_PAGE: u32 = 250;

/// A page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Page {
    /// Which one; the first is 1.
    pub number: u32,
    /// How many at most; Aurora gives up to 250, whatever is asked. A shorter page is the last.
    pub size: u32,
}

/// What stands on a page.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its projects, as far as they can be referred to.
    pub projects: Vec<Project>,
    /// Whether it held as many entries as were asked for, readable or not: then another page may follow.
    pub full: bool,
    /// Whether it held entries that cannot be referred to, and are left out.
    pub gaps: bool,
}

impl Aurora {
    /// One project.
    ///
    /// # Errors
    /// When Aurora knows no such project for the tenant, or does not answer readably.
    pub async fn project(&self, key: &ProjectKey, meter: &Meter) -> Result<Project, Error> {
        let ids = [key.tenant.as_str(), key.project.as_str()];
        let call = Call::get("/tenants/{tenant}/projects/{project}", &ids);
        let answer = self.call(&key.tenant, &call, meter).await?;
        call.understood(wire::project(&answer.body, &key.tenant, Some(key)))
    }

    /// A page of the tenant's projects, newest first.
    ///
    /// # Errors
    /// When the tenant's key does not allow it, or Aurora does not answer readably.
    pub async fn projects(&self, tenant: &TenantId, page: Page, meter: &Meter) -> Result<Listed, Error> {
        let number = page.number.max(1).to_string();
        let most = page.size.clamp(1, LARGEST_PAGE);
        let size = most.to_string();
        let call =
            Call::get(ALL, &[tenant.as_str()]).with_query("page", &number).with_query("per_page", &size);
        let answer = self.call(tenant, &call, meter).await?;
        let (projects, entries) = call.understood(wire::projects(&answer.body, tenant))?;
        let gaps = projects.len() < entries;
        Ok(Listed { projects, full: entries >= most as usize, gaps })
    }

    /// Makes a project. Aurora makes another one each time this arrives.
    ///
    /// # Errors
    /// [`Error::OutcomeUnknown`] when it may have arrived and Aurora's verdict did not come back; any other
    /// error means that no project was made.
    pub async fn create_project(
        &self,
        tenant: &TenantId,
        new: &NewProject,
        meter: &Meter,
    ) -> Result<Project, Error> {
        let call =
            Call::new(Verb::Post, ALL, &[tenant.as_str()]).with_body(wire::new_project(new)?).creating();
        let answer = self.call(tenant, &call, meter).await?;
        call.understood(wire::project(&answer.body, tenant, None))
    }
}
