//! One turn of one lane: the deliveries of one design (or project), one after the other.

use std::{sync::Arc, time::Duration};

use super::board::{Kind, Turn, Work};
use crate::{
    catalog::{self, Catalog, Lane, Upstream, Usage},
    clock::{self, Clock},
    domain::{DesignId, DesignKey, Fingerprint, ProjectId, TenantId},
    journal::{Announced, Error, Journal, Outcome, Waiting},
};

/// Deliveries that must keep their order share a lane.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct LaneKey {
    pub(super) tenant: TenantId,
    of: Of,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Of {
    Design(DesignId),
    Project(ProjectId),
    /// Events that name neither.
    Tenant,
}

impl LaneKey {
    /// The lane of a delivery. One without a tenant has none: the journal never tells of it.
    pub(super) fn of(waiting: &Waiting) -> Option<Self> {
        let delivery = &waiting.delivery;
        let of = match (&delivery.design, &delivery.project) {
            (Some(design), _) => Of::Design(design.clone()),
            (None, Some(project)) => Of::Project(project.clone()),
            (None, None) => Of::Tenant,
        };
        Some(Self { tenant: delivery.tenant.clone()?, of })
    }
}

/// How long an event waits for its summary, counted from when it reached us. Then it is announced without, so that
/// people hear of it; the field `summary` asks Aurora again when it is read.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long an event waits while Aurora is out and nobody knows its project: without it, those who follow the project
/// would never hear. Aurora's own retries end after a day too.
const PATIENCE_FOR_PROJECT: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a lane waits before it asks a journal that failed again.
const JOURNAL_PAUSE: Duration = Duration::from_secs(1);

/// Reads again what a delivery concerns, and announces it.
pub(super) struct Rereader {
    pub(super) journal: Arc<dyn Journal>,
    pub(super) catalog: Catalog,
    pub(super) clock: Clock,
}

/// What the second look found.
#[derive(Debug, Default)]
struct Found {
    project: Option<ProjectId>,
    reread: Option<Fingerprint>,
}

/// What became of the second look.
enum Look {
    Found(Found),
    /// Aurora cannot tell now: to be asked again, at the earliest after this.
    Later(Duration),
}

impl Rereader {
    /// All of a batch had arrived, and was forgotten, before the second look begins, so one look serves all: a burst of
    /// deliveries costs Aurora one call.
    pub(super) async fn turn(&self, work: &Work) -> Turn {
        let first = work.batch.iter().find(|it| it.delivery.is_completion());
        let (Kind::Look, Some(first)) = (work.kind, first) else {
            return self.announce_all(&work.batch, &Found::default()).await;
        };
        let Some(design) = &first.delivery.design else {
            return self.announce_all(&work.batch, &Found::default()).await;
        };
        let key = DesignKey { tenant: work.lane.tenant.clone(), design: design.clone() };
        let waited = clock::between(first.delivery.received_at, self.clock.now());
        match self.look_again(&key, waited).await {
            Look::Found(found) => self.announce_all(&work.batch, &found).await,
            Look::Later(wait) => Turn { settled: 0, wait: Some(wait) },
        }
    }

    /// Reads a completed design again, for its project and for telling a repeat.
    async fn look_again(&self, key: &DesignKey, waited: Duration) -> Look {
        let usage = Usage::in_lane(Lane::Enrichment);
        match self.catalog.summary(key, &usage).await {
            Ok(summary) if !summary.stale => {
                let reread = Some(summary.value.fingerprint());
                if let Some(project) = summary.value.project.clone() {
                    return Look::Found(Found { project: Some(project), reread });
                }
                self.look_for_project(key, reread, waited).await
            }
            Err(error) if !may_pass(&error) => {
                tracing::warn!(design.id = %key.design, error = %error, "a completed design cannot be read");
                self.look_for_project(key, None, waited).await
            }
            Ok(_) if waited < PATIENCE => Look::Later(Duration::ZERO),
            Err(error) if waited < PATIENCE => Look::Later(asked_pause(&error)),
            Ok(_) | Err(_) => {
                tracing::warn!(design.id = %key.design, "a design's news goes out without its summary");
                self.look_for_project(key, None, waited).await
            }
        }
    }

    /// The project by another way than the summary. Only a final refusal, or a very long outage, leaves it out.
    async fn look_for_project(&self, key: &DesignKey, reread: Option<Fingerprint>, waited: Duration) -> Look {
        match self.catalog.project_of(key, &Usage::in_lane(Lane::Enrichment)).await {
            Ok(project) => Look::Found(Found { project, reread }),
            Err(error) if may_pass(&error) && waited < patience_for_project(&error) => {
                Look::Later(asked_pause(&error))
            }
            Err(_) => Look::Found(Found { project: None, reread }),
        }
    }

    async fn announce_all(&self, batch: &[Arc<Waiting>], found: &Found) -> Turn {
        for (settled, waiting) in batch.iter().enumerate() {
            if let Err(error) = self.announce(waiting, found).await {
                tracing::error!(error = %error, "an event cannot be announced; trying again");
                return Turn { settled, wait: Some(JOURNAL_PAUSE) };
            }
        }
        Turn { settled: batch.len(), wait: None }
    }

    async fn announce(&self, waiting: &Waiting, found: &Found) -> Result<(), Error> {
        let completed = waiting.delivery.is_completion();
        let outcome = Outcome {
            project: waiting.delivery.project.clone().or_else(|| found.project.clone()),
            reread: found.reread.filter(|_| completed),
        };
        if let Announced::Event(event) = self.journal.announce(waiting.seq, outcome).await? {
            tracing::info!(seq = event.seq.0, event = %event.delivery.name, "announced");
        }
        Ok(())
    }
}

/// Whether waiting can help: Aurora is out, or the tenant's key may still come.
fn may_pass(error: &catalog::Error) -> bool {
    match error {
        catalog::Error::Aurora(error) => error.is_outage() || matches!(error, Upstream::NotConnected { .. }),
        catalog::Error::Overtaken | catalog::Error::Store(_) => true,
        _ => false,
    }
}

/// How long Aurora itself wants to be left alone.
fn asked_pause(error: &catalog::Error) -> Duration {
    match error {
        catalog::Error::Aurora(
            Upstream::RateLimited { retry_after } | Upstream::LeftAlone { retry_after, .. },
        ) => *retry_after,
        _ => Duration::ZERO,
    }
}

/// An outage ends; but a tenant who is not connected may stay so, and its people are to hear all the same.
fn patience_for_project(error: &catalog::Error) -> Duration {
    match error {
        catalog::Error::Aurora(Upstream::NotConnected { .. }) => PATIENCE,
        _ => PATIENCE_FOR_PROJECT,
    }
}
