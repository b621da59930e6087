//! One lane: the deliveries of one design (or project), one after the other.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use crate::{
    catalog::{self, Catalog, Upstream, Usage},
    domain::{Delivery, DesignId, DesignKey, Fingerprint, ProjectId, ProjectKey, TenantId},
    journal::{Announced, Journal, Outcome, Waiting},
};

/// Deliveries that must keep their order share a lane.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum LaneKey {
    Design(TenantId, DesignId),
    Project(TenantId, ProjectId),
    /// Events that name neither; of a delivery without a tenant the journal never tells.
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
    /// Announces what came for one design or project, in its order. All of it had arrived before the second look begins,
    /// so one look serves all: a burst of deliveries costs Aurora one call.
    pub(super) async fn announce_all(&self, batch: VecDeque<Waiting>) {
        let mut found = None;
        for Waiting { delivery, .. } in &batch {
            let Some(tenant) = &delivery.tenant else { continue };
            self.forget(tenant, delivery);
        }
        for waiting in &batch {
            let Delivery { tenant: Some(tenant), design: Some(design), .. } = &waiting.delivery else {
                continue;
            };
            if found.is_none() && waiting.delivery.is_completion() {
                let key = DesignKey { tenant: tenant.clone(), design: design.clone() };
                found = Some(self.look_again(key).await);
            }
        }
        let found = found.unwrap_or_default();
        for waiting in &batch {
            self.announce(waiting, &found).await;
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

    /// Reads a completed design again, for its project and for telling a repeat. What cannot be read is announced
    /// without.
    async fn look_again(&self, key: DesignKey) -> Found {
        let usage = Usage::default();
        let begun = tokio::time::Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            match self.catalog.summary(&key, &usage).await {
                Ok(summary) if !summary.stale => {
                    let summary = &summary.value;
                    return Found { project: summary.project.clone(), reread: Some(summary.fingerprint()) };
                }
                Err(error) if !may_pass(&error) => {
                    tracing::warn!(design.id = %key.design, error = %error, "a completed design cannot be read");
                    return Found::default();
                }
                Ok(_) | Err(_) if begun.elapsed() + pause > PATIENCE => {
                    tracing::warn!(design.id = %key.design, "a design is announced without its summary");
                    return Found::default();
                }
                Ok(_) | Err(_) => {}
            }
            tokio::time::sleep(pause).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    async fn announce(&self, waiting: &Waiting, found: &Found) {
        let completed = waiting.delivery.is_completion();
        let outcome = Outcome {
            project: waiting.delivery.project.clone().or_else(|| found.project.clone()),
            reread: found.reread.filter(|_| completed),
        };
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
        catalog::Error::Aurora(error) => error.is_outage() || matches!(error, Upstream::NotConnected { .. }),
        catalog::Error::Overtaken => true,
        _ => false,
    }
}
