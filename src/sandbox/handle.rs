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
use super::patch::Patch;
use super::world::Shared;

mod breaking;
mod people;

/// Why the sandbox did not do it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// No such tenant, project or design.
    #[error("the sandbox has no such tenant, project or design")]
    NotFound,
    /// Aurora would not have taken it either, and why.
    #[error("refused: {}", .0.join("; "))]
    Refused(Vec<String>),
    /// There are as many fault rules as the sandbox keeps.
    #[error("too many fault rules; clear them first")]
    TooManyFaults,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal.status.as_u16() {
            404 => Self::NotFound,
            _ => Self::Refused(refusal.reasons()),
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
