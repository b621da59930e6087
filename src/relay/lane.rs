//! One turn of one lane: the deliveries of one design (or project), one after the other.

use std::{sync::Arc, time::Duration};

use super::{
    board::{Kind, Turn, Wait, Work},
    pace::Pace,
    standing::Standing,
};
use crate::{
    catalog::{self, Catalog, Lane, NotConnected, Upstream, Usage},
    clock::{self, Clock},
    domain::{DesignKey, Fingerprint, ProjectId, event::Switch},
    journal::{Announced, Error, Journal, Outcome, Waiting},
};

/// How long an event waits for its summary, counted from when it reached us or was to be told again. Then it is announced
/// without, so that people hear of it; the field `summary` asks Aurora again when it is read.
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
    pub(super) standing: Standing,
    pub(super) pace: Arc<Pace>,
    /// How long an event waits for its tenant to be connected: as long as events are kept. Then it is announced without
    /// its summary, so that nothing that was acknowledged is lost.
    pub(super) patience_for_key: Duration,
}

/// The design of a batch that is to be looked at again.
struct Case {
    key: DesignKey,
    /// Since the oldest of its completions came, or was to be told again.
    waited: Duration,
    /// Whether each of its completions names its project, as those do that are told again or were found.
    names_project: bool,
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
    /// Aurora cannot tell, and those that have waited for so long do not wait any longer.
    GaveUp(Found, Duration),
    /// Aurora cannot tell now: to be asked again.
    Later(Wait),
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
        let now = self.clock.now();
        let waited = |waiting: &Waiting| clock::between(waiting.since(), now);
        let mut completions = work.batch.iter().map(|it| &it.delivery).filter(|it| it.is_completion());
        let case = Case {
            key: DesignKey { tenant: work.lane.tenant.clone(), design: design.clone() },
            waited: waited(first),
            names_project: completions.all(|it| it.project.is_some()),
        };
        match self.look_again(&case).await {
            Look::Found(found) => self.announce_all(&work.batch, &found).await,
            Look::GaveUp(found, patience) => {
                let young = |it: &Arc<Waiting>| it.delivery.is_completion() && waited(it) < patience;
                let old = work.batch.iter().position(young).unwrap_or(work.batch.len());
                self.announce_all(&work.batch[..old], &found).await
            }
            Look::Later(wait) => Turn { settled: 0, wait: Some(wait) },
        }
    }

    /// Reads a completed design again, for its project and for telling a repeat.
    async fn look_again(&self, case: &Case) -> Look {
        let usage = Usage::in_lane(Lane::Enrichment);
        match self.catalog.summary(&case.key, &usage).await {
            Ok(summary) if !summary.stale => {
                let reread = Some(summary.value.fingerprint());
                if let Some(project) = summary.value.project.clone() {
                    return Look::Found(Found { project: Some(project), reread });
                }
                self.look_for_project(case, reread).await
            }
            Err(error) if !may_pass(&error) => {
                tracing::warn!(design.id = %case.key.design, error = %error, "a completed design cannot be read");
                self.look_for_project(case, None).await
            }
            Ok(_) if case.waited < PATIENCE => Look::Later(Wait::AtLeast(Duration::ZERO)),
            Ok(_) => self.give_up(case, PATIENCE).await,
            Err(error) if case.waited < self.patience(&error) => Look::Later(pause(&error)),
            Err(error) => self.give_up(case, self.patience(&error)).await,
        }
    }

    async fn give_up(&self, case: &Case, patience: Duration) -> Look {
        tracing::warn!(design.id = %case.key.design, "a design's news goes out without its summary");
        match self.look_for_project(case, None).await {
            Look::Found(found) => Look::GaveUp(found, patience),
            other => other,
        }
    }

    /// The project by another way than the summary. Only a final refusal, or a very long outage, leaves it out.
    async fn look_for_project(&self, case: &Case, reread: Option<Fingerprint>) -> Look {
        if case.names_project {
            return Look::Found(Found { project: None, reread });
        }
        match self.catalog.project_of(&case.key, &Usage::in_lane(Lane::Enrichment)).await {
            Ok(project) => Look::Found(Found { project, reread }),
            Err(error) if may_pass(&error) && case.waited < self.patience_for_project(&error) => {
                Look::Later(pause(&error))
            }
            Err(_) => Look::Found(Found { project: None, reread }),
        }
    }

    fn patience(&self, error: &catalog::Error) -> Duration {
        if waits_for_key(error) { self.patience_for_key } else { PATIENCE }
    }

    fn patience_for_project(&self, error: &catalog::Error) -> Duration {
        match error {
            // No application and no key: nothing ends that but another configuration.
            catalog::Error::Aurora(Upstream::NotConnected { .. }) => self.patience(error),
            _ => PATIENCE_FOR_PROJECT,
        }
    }

    async fn announce_all(&self, batch: &[Arc<Waiting>], found: &Found) -> Turn {
        for (settled, waiting) in batch.iter().enumerate() {
            if let Err(error) = self.announce(waiting, found).await {
                tracing::error!(error = %error, "an event cannot be announced; trying again");
                return Turn { settled, wait: Some(Wait::AtLeast(JOURNAL_PAUSE)) };
            }
        }
        Turn { settled: batch.len(), wait: None }
    }

    async fn announce(&self, waiting: &Waiting, found: &Found) -> Result<(), Error> {
        if let (Some(switch), Some(tenant)) = (waiting.switch(), &waiting.delivery.tenant) {
            // It took effect when the relay first saw it. From here on it does after a restart too.
            if self.standing.is_off(tenant) == (switch == Switch::Off) {
                self.journal.switch(tenant, switch, waiting.delivery.received_at).await?;
            }
        }
        let completed = waiting.delivery.is_completion();
        let outcome = Outcome {
            project: waiting.delivery.project.clone().or_else(|| found.project.clone()),
            reread: found.reread.filter(|_| completed),
        };
        if let Announced::Event(event) = self.journal.announce(waiting.seq, outcome).await? {
            tracing::info!(seq = event.seq.0, event = %event.delivery.name, "announced");
            // What is told again came long ago, and is not late.
            if event.replay_of.is_none() {
                self.pace.announced(clock::between(event.delivery.received_at, self.clock.now()));
            }
        }
        Ok(())
    }
}

/// Whether waiting can help.
fn may_pass(error: &catalog::Error) -> bool {
    match error {
        // The application's key is corrected by its operator; a tenant's may still come.
        catalog::Error::Aurora(Upstream::NotConnected { .. } | Upstream::ApplicationRefused) => true,
        catalog::Error::Aurora(error) => error.is_outage(),
        catalog::Error::Overtaken | catalog::Error::Store(_) => true,
        _ => false,
    }
}

/// What to wait for: a key, or as long as Aurora itself wants to be left alone.
fn pause(error: &catalog::Error) -> Wait {
    match error {
        catalog::Error::Aurora(
            Upstream::RateLimited { retry_after } | Upstream::LeftAlone { retry_after, .. },
        ) => Wait::AtLeast(*retry_after),
        error if waits_for_key(error) => Wait::Key,
        _ => Wait::AtLeast(Duration::ZERO),
    }
}

/// Whether a key for the tenant may still come: from a person who connects it, or with a later delivery. Where there is
/// no application, none can.
fn waits_for_key(error: &catalog::Error) -> bool {
    matches!(
        error,
        catalog::Error::Aurora(Upstream::NotConnected { reason }) if *reason != NotConnected::NoApplication
    )
}
