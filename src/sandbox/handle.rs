//! What a test may do to the sandbox from outside the API: look, break, finish, push the clock.
//!
//! [`Handle`] is the in-process twin of the control routes; every route calls one method here.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};
use thiserror::Error;

use super::answer::Refusal;
use super::calls::Call;
use super::deliver::Attempt;
use super::design::Design;
use super::fault::FaultRule;
use super::patch::Patch;
use super::summary::Oddity;
use super::world::{SUCCEEDED, Shared, Source};

/// Why the sandbox did not do it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// No such tenant, project or design.
    #[error("the sandbox has no such tenant, project or design")]
    NotFound,
    /// Aurora would not have taken it either.
    #[error("refused with status {0}")]
    Refused(u16),
    /// There are as many fault rules as the sandbox keeps.
    #[error("too many fault rules; clear them first")]
    TooManyFaults,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal.status.as_u16() {
            404 => Self::NotFound,
            status => Self::Refused(status),
        }
    }
}

/// How far a design is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DesignState {
    /// Its id.
    pub id: String,
    /// Its project's id.
    pub project_id: String,
    /// How often its layout was changed.
    pub revision: u32,
    /// The job of its last successful simulation.
    pub job_id: Option<String>,
    /// Whether that simulation knows the latest layout.
    pub up_to_date: bool,
}

impl DesignState {
    fn of(design: &Design) -> Self {
        Self {
            id: design.id.clone(),
            project_id: design.project_id.clone(),
            revision: design.revision,
            job_id: design.simulation.as_ref().map(|it| it.job_id.clone()),
            up_to_date: design.is_up_to_date(),
        }
    }
}

/// A hold on a running sandbox. Clones hold the same one.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(super) shared: Arc<Shared>,
}

/// Looking.
impl Handle {
    /// The requests to the API so far, oldest first.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.shared.with(|world, _| world.calls.all())
    }

    /// How many requests fit a method and a path; `*` stands for any method and for one segment,
    /// a closing `**` for all that follow.
    #[must_use]
    pub fn calls_to(&self, method: &str, path: &str) -> usize {
        self.shared.with(|world, _| world.calls.count(method, path))
    }

    /// Empties the log of requests.
    pub fn clear_calls(&self) {
        self.shared.with(|world, _| world.calls.clear());
    }

    /// A tenant's projects as the API shows them, oldest first; none for an unknown tenant.
    #[must_use]
    pub fn projects(&self, tenant: &str) -> Vec<Value> {
        self.shared.with(|world, _| {
            let shape = world.config.project_shape;
            let account = world.account(tenant).ok();
            account.map(|it| it.projects.iter().map(|it| it.json(shape)).collect()).unwrap_or_default()
        })
    }

    /// A tenant's designs, oldest first; none for an unknown tenant.
    #[must_use]
    pub fn designs(&self, tenant: &str) -> Vec<DesignState> {
        self.shared.with(|world, _| {
            let account = world.account(tenant).ok();
            account.map(|it| it.designs.iter().map(DesignState::of).collect()).unwrap_or_default()
        })
    }

    /// The calls of webhooks so far, oldest first.
    #[must_use]
    pub fn deliveries(&self) -> Vec<Attempt> {
        self.shared.with(|world, _| world.deliveries.all())
    }

    /// Empties the log of webhook calls.
    pub fn clear_deliveries(&self) {
        self.shared.with(|world, _| world.deliveries.clear());
    }

    /// Every tenant with its designs, and what is still planned.
    #[must_use]
    pub fn state(&self) -> Value {
        self.shared.with(|world, now| {
            let tenants: Map<String, Value> = world
                .tenants()
                .map(|(id, it)| {
                    let designs: Vec<DesignState> = it.designs.iter().map(DesignState::of).collect();
                    let account = json!({
                        "units": it.units,
                        "app_enabled": it.app_enabled,
                        "projects": it.projects.len(),
                        "designs": designs,
                    });
                    (id.clone(), account)
                })
                .collect();
            json!({ "now": now.iso(), "tenants": tenants, "planned": world.agenda.len() })
        })
    }
}

/// Breaking.
impl Handle {
    /// Adds a fault rule behind those there are.
    ///
    /// # Errors
    /// When there are too many already.
    pub fn fail(&self, rule: FaultRule) -> Result<(), Error> {
        let added = self.shared.with(|world, _| world.faults.add(rule));
        if added { Ok(()) } else { Err(Error::TooManyFaults) }
    }

    /// The rules that wait, with what is left of their counts.
    #[must_use]
    pub fn faults(&self) -> Vec<FaultRule> {
        self.shared.with(|world, _| world.faults.all())
    }

    /// Forgets every fault rule.
    pub fn clear_faults(&self) {
        self.shared.with(|world, _| world.faults.clear());
    }

    /// Ends a tenant's temporary keys at once; how many there were.
    pub fn revoke_keys(&self, tenant: &str) -> usize {
        self.shared.with(|world, _| world.keys.revoke(tenant))
    }

    /// The tenant switches the partner application off.
    ///
    /// # Errors
    /// For an unknown tenant.
    pub fn disable_app(&self, tenant: &str) -> Result<(), Error> {
        Ok(self.shared.with(|world, now| world.set_app(tenant, false, now))?)
    }

    /// The tenant switches the partner application on again.
    ///
    /// # Errors
    /// For an unknown tenant.
    pub fn enable_app(&self, tenant: &str) -> Result<(), Error> {
        Ok(self.shared.with(|world, now| world.set_app(tenant, true, now))?)
    }

    /// How many further copies of every delivery are sent from now on.
    pub fn set_duplicates(&self, copies: u32) {
        self.shared.with(|world, _| world.config.duplicates = copies);
    }

    /// Whether every second delivery is held back from now on.
    pub fn set_reorder(&self, reorder: bool) {
        self.shared.with(|world, _| world.config.reorder = reorder);
    }
}

/// What people do in Aurora's app.
impl Handle {
    /// A person creates a project: the body is that of the API, without its wrapper. Its id.
    ///
    /// # Errors
    /// For an unknown tenant, or a body the API would refuse.
    pub fn create_project(&self, tenant: &str, body: &Value) -> Result<String, Error> {
        let body = body.as_object().cloned().unwrap_or_default();
        let made =
            self.shared.with(|world, now| world.create_project(tenant, &body, Source::App, None, now))?;
        Ok(made["id"].as_str().unwrap_or_default().to_owned())
    }

    /// Puts a project and a finished design there under ids a test chose.
    ///
    /// # Errors
    /// For an unknown tenant.
    pub fn plant(&self, tenant: &str, project: &str, design: &str) -> Result<(), Error> {
        self.shared.with(|world, now| {
            let auto_design = std::mem::take(&mut world.config.auto_design);
            let body = planted(project);
            let made = world.create_project(tenant, &body, Source::App, Some(project), now);
            world.config.auto_design = auto_design;
            made?;
            world.create_design(tenant, project, &Map::new(), Source::App, Some(design), now)?;
            world.simulate(tenant, design, SUCCEEDED, now)?;
            Ok(())
        })
    }

    /// The performance simulation of a design runs and succeeds. Its job's id.
    ///
    /// # Errors
    /// For an unknown tenant or design.
    pub fn finish_design(&self, tenant: &str, design: &str) -> Result<String, Error> {
        self.finish_design_as(tenant, design, SUCCEEDED)
    }

    /// The simulation ends with a status of any name; only `succeeded` gives figures. Its job's id.
    ///
    /// # Errors
    /// For an unknown tenant or design.
    pub fn finish_design_as(&self, tenant: &str, design: &str, status: &str) -> Result<String, Error> {
        Ok(self.shared.with(|world, now| world.simulate(tenant, design, status, now))?)
    }

    /// The layout changes and is simulated anew: other figures, another job. Its id.
    ///
    /// # Errors
    /// For an unknown tenant or design.
    pub fn change_design(&self, tenant: &str, design: &str) -> Result<String, Error> {
        Ok(self.shared.with(|world, now| {
            world.edit_design(tenant, design)?;
            world.simulate(tenant, design, SUCCEEDED, now)
        })?)
    }

    /// The layout changes and is not simulated: the production shown is out of date.
    ///
    /// # Errors
    /// For an unknown tenant or design.
    pub fn edit_design(&self, tenant: &str, design: &str) -> Result<(), Error> {
        Ok(self.shared.with(|world, _| world.edit_design(tenant, design))?)
    }

    /// What is odd about this design's summary from now on.
    ///
    /// # Errors
    /// For an unknown tenant or design.
    pub fn set_oddities(&self, tenant: &str, design: &str, oddities: &[Oddity]) -> Result<(), Error> {
        Ok(self.shared.with(|world, _| world.set_oddities(tenant, design, oddities.to_vec()))?)
    }

    /// A sale reaches a milestone such as `sold`, or with `None` is taken back.
    ///
    /// # Errors
    /// For an unknown tenant or design.
    pub fn set_milestone(&self, tenant: &str, design: &str, name: Option<&str>) -> Result<(), Error> {
        Ok(self.shared.with(|world, now| world.set_milestone(tenant, design, name, now))?)
    }

    /// The tenant whose design this is.
    ///
    /// # Errors
    /// When it is nobody's.
    pub fn tenant_of_design(&self, design: &str) -> Result<String, Error> {
        Ok(self.shared.with(|world, _| world.tenant_of_design(design))?)
    }

    /// Something happens: any event with any parameters, such as `agreement_status_changed` with
    /// `STATUS`. How many calls of webhooks follow.
    ///
    /// # Errors
    /// For an unknown tenant.
    pub fn deliver(&self, tenant: &str, event: &str, params: &[(&str, &str)]) -> Result<usize, Error> {
        let params: Vec<(&str, String)> =
            params.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Ok(self.shared.with(|world, now| {
            world.account(tenant)?;
            Ok::<_, Refusal>(world.announce(tenant, event, &params, now))
        })?)
    }

    /// A person opens the application inside Aurora: a session token, good for one exchange.
    ///
    /// # Errors
    /// For an unknown tenant.
    pub fn issue_session_token(&self, tenant: &str) -> Result<String, Error> {
        Ok(self.shared.with(|world, now| {
            world.account(tenant)?;
            let lifetime = world.config.session_token_lifetime;
            Ok::<_, Refusal>(world.keys.issue_session(tenant, now, lifetime))
        })?)
    }
}

/// Time, settings, and starting over.
impl Handle {
    /// Pushes the sandbox's clock: keys expire, rate windows empty, retries fall due.
    pub fn move_clock(&self, by: Duration) {
        self.shared.advance(by);
    }

    /// The sandbox's time, ISO 8601.
    #[must_use]
    pub fn now(&self) -> String {
        self.shared.with(|_, now| now.iso())
    }

    /// Changes settings while running.
    pub fn configure(&self, patch: Patch) {
        self.shared.with(|world, _| patch.apply(&mut world.config));
    }

    /// The settings as they stand.
    #[must_use]
    pub fn settings(&self) -> Patch {
        self.shared.with(|world, _| Patch::of(&world.config))
    }

    /// Everything as at the start, except for the time and the numbers of calls.
    pub fn reset(&self) {
        self.shared.reset();
    }
}

fn planted(project: &str) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("name".to_owned(), json!(project));
    body.insert("external_provider_id".to_owned(), json!(project));
    body.insert(
        "location".to_owned(),
        json!({ "property_address": "434 Brannan St, San Francisco, CA, 94107" }),
    );
    body
}
