//! One lane: the deliveries of one design (or project), one after the other.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use crate::{
    catalog::{self, Catalog, Usage},
    domain::{Delivery, DesignKey, Fingerprint, ProjectId, ProjectKey, TenantId},
    journal::{Announced, Journal, Outcome, Waiting},
};

/// Deliveries that must keep their order share a lane.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum LaneKey {
    Design(TenantId, crate::domain::DesignId),
    Project(TenantId, ProjectId),
    Tenant(Option<TenantId>),
}

impl LaneKey {
    pub(super) fn of(waiting: &Waiting) -> Self {
        let Delivery { tenant, design, project, .. } = &waiting.delivery;
        match (tenant, design, project) {
            (Some(tenant), Some(design), _) => Self::Design(tenant.clone(), design.clone()),
            (Some(tenant), None, Some(project)) => Self::Project(tenant.clone(), project.clone()),
            (tenant, _, _) => Self::Tenant(tenant.clone()),
        }
    }
}

/// How long an event waits for its summary. Then it is announced without, so that people hear of it; the field
/// `summary` asks Aurora again when it is read.
const PATIENCE: Duration = Duration::from_secs(120);

/// The first pause between two tries to read a summary; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// How long a lane waits before it asks a journal that failed again.
const JOURNAL_PAUSE: Duration = Duration::from_secs(1);

/// Reads again what a delivery concerns, and announces it.
pub(super) struct Rereader {
    pub(super) journal: Arc<dyn Journal>,
    pub(super) catalog: Catalog,
}

/// What the second look found.
#[derive(Debug, Default)]
struct Found {
    project: Option<ProjectId>,
    reread: Option<Fingerprint>,
}

impl Rereader {
    pub(super) async fn announce_all(&self, batch: VecDeque<Waiting>) {
        for waiting in batch {
            let Some(tenant) = waiting.delivery.tenant.clone() else { continue };
            self.forget(&tenant, &waiting.delivery);
            let found = self.look_again(&tenant, &waiting.delivery).await;
            self.announce(&waiting, found).await;
        }
    }

    fn forget(&self, tenant: &TenantId, delivery: &Delivery) {
        if let Some(design) = &delivery.design {
            self.catalog.forget_design(&DesignKey { tenant: tenant.clone(), design: design.clone() });
        }
        if let Some(project) = &delivery.project {
            self.catalog.forget_project(&ProjectKey { tenant: tenant.clone(), project: project.clone() });
        }
    }

    /// A completion is read again, for its project and for telling a repeat; other events name what they concern.
    async fn look_again(&self, tenant: &TenantId, delivery: &Delivery) -> Found {
        let known = Found { project: delivery.project.clone(), reread: None };
        let Some(design) = delivery.design.clone().filter(|_| delivery.is_completion()) else { return known };
        let key = DesignKey { tenant: tenant.clone(), design };
        let usage = Usage::default();
        let begun = tokio::time::Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            match self.catalog.summary(&key, &usage).await {
                Ok(summary) if !summary.stale => {
                    let summary = &summary.value;
                    return Found {
                        project: summary.project.clone().or(known.project),
                        reread: Some(summary.fingerprint()),
                    };
                }
                Err(error) if !may_pass(&error) => {
                    tracing::warn!(design.id = %key.design, error = %error, "a completed design cannot be read");
                    return known;
                }
                Ok(_) | Err(_) if begun.elapsed() + pause > PATIENCE => {
                    tracing::warn!(design.id = %key.design, "a design is announced without its summary");
                    return known;
                }
                Ok(_) | Err(_) => {}
            }
            tokio::time::sleep(pause).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    async fn announce(&self, waiting: &Waiting, found: Found) {
        let outcome = Outcome { project: found.project, reread: found.reread };
        loop {
            match self.journal.announce(waiting.seq, outcome.clone()).await {
                Ok(Announced::Event(event)) => {
                    tracing::info!(seq = event.seq.0, event = %event.delivery.name, "announced");
                    return;
                }
                Ok(Announced::Repeat | Announced::Already) => return,
                Err(error) => {
                    tracing::error!(error = %error, "an event cannot be announced; trying again");
                    tokio::time::sleep(JOURNAL_PAUSE).await;
                }
            }
        }
    }
}

/// Whether waiting can help: Aurora is out, or the tenant's key may still come.
fn may_pass(error: &catalog::Error) -> bool {
    match error {
        catalog::Error::Aurora(error) => {
            error.is_outage() || matches!(error, crate::aurora::Error::NotConnected { .. })
        }
        catalog::Error::Overtaken => true,
        _ => false,
    }
}
