//! What happens to projects.

use serde_json::{Map, Value};

use super::super::agenda::Task;
use super::super::answer::Refusal;
use super::super::clock::Moment;
use super::super::dice::Dice;
use super::super::project::Project;
use super::{OBJECTS_KEPT, World};

/// Who did it, in the webhooks' word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox) enum Source {
    /// A client of the API.
    Api,
    /// A person in Aurora's app.
    App,
}

impl Source {
    pub(in crate::sandbox) fn word(self) -> String {
        match self {
            Self::Api => "api".to_owned(),
            Self::App => "app".to_owned(),
        }
    }
}

impl World {
    /// A new project, under a given id if a test wants one.
    pub(in crate::sandbox) fn create_project(
        &mut self,
        tenant: &str,
        body: &Map<String, Value>,
        source: Source,
        id: Option<&str>,
        now: Moment,
    ) -> Result<Value, Refusal> {
        if self.account(tenant)?.projects.len() >= OBJECTS_KEPT {
            return Err(Refusal::malformed("This sandbox holds no more projects for the tenant"));
        }
        let id = id.map_or_else(|| self.new_id("project"), str::to_owned);
        let shape = self.config.project_shape;
        let project = Project::new(id.clone(), body, shape, &mut self.gazetteer, now);
        let project = project.map_err(Refusal::invalid)?;
        let shown = project.json(shape);
        self.account_mut(tenant)?.projects.push(project);

        self.announce(
            tenant,
            "project_created",
            &[("PROJECT_ID", id.clone()), ("SOURCE", source.word())],
            now,
        );
        let task = Task::FindAhj { tenant: tenant.to_owned(), project: id.clone() };
        self.agenda.plan(now.plus(self.config.ahj_delay), task);
        if self.config.auto_design {
            self.create_design(tenant, &id, &Map::new(), Source::App, None, now)?;
        }
        Ok(shown)
    }

    pub(in crate::sandbox) fn project(&self, tenant: &str, id: &str) -> Result<&Project, Refusal> {
        self.account(tenant)?.projects.iter().find(|it| it.id == id).ok_or_else(Refusal::not_found)
    }

    fn project_mut(&mut self, tenant: &str, id: &str) -> Result<&mut Project, Refusal> {
        let mut projects = self.account_mut(tenant)?.projects.iter_mut();
        projects.find(|it| it.id == id).ok_or_else(Refusal::not_found)
    }

    /// Newest first, one page of them.
    pub(in crate::sandbox) fn list_projects(
        &self,
        tenant: &str,
        page: usize,
        per_page: usize,
    ) -> Result<Vec<Value>, Refusal> {
        let newest_first = self.account(tenant)?.projects.iter().rev();
        let page = newest_first.skip(page.saturating_sub(1).saturating_mul(per_page)).take(per_page);
        Ok(page.map(|it| it.json(self.config.project_shape)).collect())
    }

    pub(in crate::sandbox) fn update_project(
        &mut self,
        tenant: &str,
        id: &str,
        body: &Map<String, Value>,
        now: Moment,
    ) -> Result<Value, Refusal> {
        let shape = self.config.project_shape;
        let mut gazetteer = std::mem::take(&mut self.gazetteer);
        let outcome = self
            .project_mut(tenant, id)
            .and_then(|project| project.write(body, shape, &mut gazetteer).map_err(Refusal::invalid));
        self.gazetteer = gazetteer;
        let named = outcome?.join(",");

        let change = [("PROJECT_ID", id.to_owned()), ("SOURCE", Source::Api.word()), ("ATTRIBUTES", named)];
        self.announce(tenant, "project_changed", &change, now);
        if let Some(status) = body.get("status").and_then(Value::as_str) {
            let change = [("PROJECT_ID", id.to_owned()), ("STATUS", status.to_owned())];
            self.announce(tenant, "project_status_changed", &change, now);
        }
        Ok(self.project(tenant, id)?.json(shape))
    }

    /// Takes a project and its designs away.
    pub(in crate::sandbox) fn delete_project(
        &mut self,
        tenant: &str,
        id: &str,
        now: Moment,
    ) -> Result<(), Refusal> {
        self.project(tenant, id)?;
        let account = self.account_mut(tenant)?;
        account.projects.retain(|it| it.id != id);
        account.designs.retain(|it| it.project_id != id);
        self.announce(tenant, "project_deleted", &[("PROJECT_ID", id.to_owned())], now);
        Ok(())
    }

    /// The authority over a project's site is known at last. A project deleted meanwhile has none.
    pub(in crate::sandbox) fn find_ahj(&mut self, tenant: &str, id: &str, now: Moment) {
        let opaque = self.config.opaque_ids;
        let Ok(project) = self.project_mut(tenant, id) else { return };
        let ahj = Dice::of(&["ahj", &project.place.address]).id(opaque);
        project.ahj_id = Some(ahj.clone());
        let found = [("PROJECT_ID", id.to_owned()), ("AHJ_ID", ahj), ("STATUS", "succeeded".to_owned())];
        self.announce(tenant, "ahj_lookup_completed", &found, now);
    }
}
