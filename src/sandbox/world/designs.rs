//! What happens to designs, most of it in Aurora's app and so through the control routes.

use serde_json::{Map, Value};

use super::super::agenda::Task;
use super::super::answer::{Complaint, Refusal};
use super::super::clock::Moment;
use super::super::config::Units;
use super::super::design::layout::Site;
use super::super::design::{Design, Milestone, Simulation};
use super::super::dice::Dice;
use super::super::roof;
use super::super::summary::{self, Oddity};
use super::projects::Source;
use super::{OBJECTS_KEPT, World};

/// The one status of a job that means it worked.
pub(in crate::sandbox) const SUCCEEDED: &str = "succeeded";

impl World {
    /// A new design, without a simulation; one will follow if the sandbox finishes designs itself.
    pub(in crate::sandbox) fn create_design(
        &mut self,
        tenant: &str,
        project: &str,
        body: &Map<String, Value>,
        source: Source,
        id: Option<&str>,
        now: Moment,
    ) -> Result<String, Refusal> {
        if self.account(tenant)?.designs.len() >= OBJECTS_KEPT {
            return Err(Refusal::malformed("This sandbox holds no more designs for the tenant"));
        }
        let name = text(body, "name")?;
        let external_id = text(body, "external_provider_id")?;
        let nth = self.account(tenant)?.designs.iter().filter(|it| it.project_id == project).count() + 1;
        let owner = self.project(tenant, project)?;
        // The CRM's id, or else the address, so that a house is the same in every run.
        let house = owner.external_provider_id().unwrap_or(&owner.place.address);
        let site = Site {
            key: format!("{}/{tenant}/{house}/{nth}", self.config.seed),
            latitude: owner.place.latitude,
        };
        let inherited = owner.external_provider_id().map(str::to_owned);
        let opaque = self.config.opaque_ids;
        let id = id.map_or_else(
            || Dice::of(&["design", tenant, project, &nth.to_string()]).id(opaque),
            str::to_owned,
        );
        let design = Design {
            id: id.clone(),
            project_id: project.to_owned(),
            name: name.unwrap_or_else(|| format!("Design {nth}")),
            external_provider_id: external_id.or(inherited),
            created_at: now,
            site,
            revision: 0,
            simulation: None,
            milestone: None,
            oddities: Vec::new(),
            runs: 0,
        };
        self.account_mut(tenant)?.designs.push(design);
        let created =
            [("PROJECT_ID", project.to_owned()), ("DESIGN_ID", id.clone()), ("SOURCE", source.word())];
        self.announce(tenant, "design_created", &created, now);
        if let Some(delay) = self.config.design_delay {
            let task = Task::Simulate { tenant: tenant.to_owned(), design: id.clone() };
            self.agenda.plan(now.plus(delay), task);
        }
        Ok(id)
    }

    pub(in crate::sandbox) fn design(&self, tenant: &str, id: &str) -> Result<&Design, Refusal> {
        self.account(tenant)?.designs.iter().find(|it| it.id == id).ok_or_else(Refusal::not_found)
    }

    fn design_mut(&mut self, tenant: &str, id: &str) -> Result<&mut Design, Refusal> {
        let mut designs = self.account_mut(tenant)?.designs.iter_mut();
        designs.find(|it| it.id == id).ok_or_else(Refusal::not_found)
    }

    pub(in crate::sandbox) fn list_designs(
        &self,
        tenant: &str,
        project: &str,
    ) -> Result<Vec<&Design>, Refusal> {
        self.project(tenant, project)?;
        Ok(self.account(tenant)?.designs.iter().filter(|it| it.project_id == project).collect())
    }

    /// The summary, with the oddities of all designs and of this one.
    pub(in crate::sandbox) fn summary(&mut self, tenant: &str, id: &str) -> Result<Value, Refusal> {
        self.reads += 1;
        let design = self.design(tenant, id)?;
        let mut object = summary::json(design, self.config.opaque_ids);
        let oddities = [&self.config.oddities[..], &design.oddities[..]].concat();
        summary::apply(&mut object, &oddities, self.reads);
        Ok(object)
    }

    pub(in crate::sandbox) fn roof_summary(&self, tenant: &str, id: &str) -> Result<Value, Refusal> {
        let units: Units = self.account(tenant)?.units;
        Ok(roof::json(&self.design(tenant, id)?.layout(), units))
    }

    /// Runs the performance simulation, well or badly, and tells of it; the job's id.
    pub(in crate::sandbox) fn simulate(
        &mut self,
        tenant: &str,
        id: &str,
        status: &str,
        now: Moment,
    ) -> Result<String, Refusal> {
        let opaque = self.config.opaque_ids;
        let design = self.design_mut(tenant, id)?;
        let job_id = design.next_job(opaque);
        if status == SUCCEEDED {
            design.simulation = Some(Simulation { revision: design.revision, job_id: job_id.clone() });
        }
        let project = design.project_id.clone();
        let completed = [
            ("DESIGN_ID", id.to_owned()),
            ("JOB_ID", job_id.clone()),
            ("STATUS", status.to_owned()),
            ("PROJECT_ID", project),
        ];
        self.announce(tenant, "performance_simulation_job_completed", &completed, now);
        Ok(job_id)
    }

    /// The simulation that comes by itself, unless somebody was quicker.
    pub(in crate::sandbox) fn simulate_if_pending(&mut self, tenant: &str, id: &str, now: Moment) {
        if self.design(tenant, id).is_ok_and(|it| it.simulation.is_none()) {
            // It was found a line ago, and nobody else holds the lock.
            let _job = self.simulate(tenant, id, SUCCEEDED, now);
        }
    }

    /// Somebody puts other modules on the roof; figures of an earlier simulation go stale.
    pub(in crate::sandbox) fn edit_design(&mut self, tenant: &str, id: &str) -> Result<(), Refusal> {
        self.design_mut(tenant, id)?.revision += 1;
        Ok(())
    }

    pub(in crate::sandbox) fn set_oddities(
        &mut self,
        tenant: &str,
        id: &str,
        oddities: Vec<Oddity>,
    ) -> Result<(), Refusal> {
        self.design_mut(tenant, id)?.oddities = oddities;
        Ok(())
    }

    pub(in crate::sandbox) fn set_milestone(
        &mut self,
        tenant: &str,
        id: &str,
        name: Option<&str>,
        now: Moment,
    ) -> Result<(), Refusal> {
        let milestone_id = self.new_id("milestone");
        let design = self.design_mut(tenant, id)?;
        design.milestone =
            name.map(|name| Milestone { id: milestone_id, name: name.to_owned(), recorded_at: now });
        let project = design.project_id.clone();
        if name.is_some() {
            let created = [("PROJECT_ID", project), ("DESIGN_ID", id.to_owned())];
            self.announce(tenant, "milestone_created", &created, now);
        }
        Ok(())
    }

    /// The tenant that a design belongs to, for control routes that name the design alone.
    pub(in crate::sandbox) fn tenant_of_design(&self, id: &str) -> Result<String, Refusal> {
        let owner = self.tenants.iter().find(|(_, it)| it.designs.iter().any(|design| design.id == id));
        owner.map(|(tenant, _)| tenant.clone()).ok_or_else(Refusal::not_found)
    }
}

fn text(body: &Map<String, Value>, name: &str) -> Result<Option<String>, Refusal> {
    match body.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Refusal::invalid(vec![Complaint::new(name, "must be a string")])),
    }
}
