//! One round over one tenant: its active projects, their designs, the designs' summaries.

use std::{collections::HashSet, sync::Arc, time::Duration};

use jiff::Timestamp;

use super::Pace;
use crate::{
    catalog::{Catalog, Error, Lane, Upstream, Usage},
    clock::Clock,
    domain::{Design, DesignKey, Project, ProjectId, ProjectKey, TenantId},
    journal::{self, Compared, Journal, Sighting},
};

/// Projects in one round. More than this were active in a week only of the largest tenants, whose next round goes on with
/// whatever is newest then.
const PROJECTS: usize = 2_000;

/// How often one thing is asked for while Aurora is in trouble.
const TRIES: usize = 3;

/// How long it waits between those.
const TROUBLE_PAUSE: Duration = Duration::from_secs(30);

/// How a round ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// Everything was looked at, or nothing can be.
    Complete,
    /// Aurora or the journal was in trouble.
    Early,
}

/// Why a round cannot go on.
enum Stop {
    /// There is no key for the tenant; the next round may have one.
    NoKey,
    Trouble,
}

impl From<journal::Error> for Stop {
    fn from(error: journal::Error) -> Self {
        tracing::warn!(error = %error, "the reconciler cannot use the journal");
        Self::Trouble
    }
}

/// A project to be looked at, and when it was made where that is known.
struct Active {
    project: ProjectId,
    made_at: Option<Timestamp>,
}

pub(super) struct Round {
    pub(super) journal: Arc<dyn Journal>,
    pub(super) catalog: Catalog,
    pub(super) clock: Clock,
    pub(super) tenant: TenantId,
    /// What was not heard of since is not looked at.
    pub(super) since: Timestamp,
    pub(super) pace: Pace,
}

impl Round {
    pub(super) async fn run(mut self) -> Ended {
        match self.look_at_all().await {
            Ok(missed) => {
                if missed > 0 {
                    tracing::warn!(tenant.id = %self.tenant, missed, "Aurora never delivered some completions");
                }
                Ended::Complete
            }
            Err(Stop::NoKey) => Ended::Complete,
            Err(Stop::Trouble) => Ended::Early,
        }
    }

    async fn look_at_all(&mut self) -> Result<usize, Stop> {
        let mut missed = 0;
        for active in self.active().await? {
            let ask = |catalog: Catalog, tenant, usage: Arc<Usage>| {
                let key = ProjectKey { tenant, project: active.project.clone() };
                async move { catalog.designs_of_now(&key, &usage).await }
            };
            let Some(designs) = self.ask(ask).await? else { continue };
            for design in designs {
                missed += usize::from(self.look_at(&active, &design).await?);
            }
        }
        self.journal.passed(&self.tenant).await?;
        Ok(missed)
    }

    /// Projects of which anything was heard, and those that Aurora says are new: their news may all have been lost.
    async fn active(&mut self) -> Result<Vec<Active>, Stop> {
        let known = self.journal.active_projects(&self.tenant, self.since, PROJECTS).await?;
        let made = self.made_lately().await?;
        let made_at =
            |project: &ProjectId| made.iter().find(|it| it.id == *project).and_then(|it| it.created_at);
        let all = known.iter().chain(made.iter().map(|it| &it.id));
        let mut seen = HashSet::new();
        Ok(all
            .filter(|project| seen.insert(*project))
            .take(PROJECTS)
            .map(|project| Active { project: project.clone(), made_at: made_at(project) })
            .collect())
    }

    async fn made_lately(&mut self) -> Result<Vec<Project>, Stop> {
        let mut made = Vec::new();
        for number in 0.. {
            let ask = |catalog: Catalog, tenant, usage: Arc<Usage>| async move {
                catalog.page_now(&tenant, number, &usage).await
            };
            // A key that may not list sees what was heard of.
            let Some((page, more)) = self.ask(ask).await? else { break };
            let before = made.len();
            made.extend(page.into_iter().filter(|it| it.created_at >= Some(self.since)));
            // The list is the newest first: a page without new ones is behind all of them.
            if !more || made.len() == before || made.len() >= PROJECTS {
                break;
            }
        }
        Ok(made)
    }

    /// Asks Aurora, past memory: what is in memory may be from before what is looked for, and would be made newer on nobody's
    /// account. Nothing where Aurora refuses.
    async fn ask<T, F>(
        &mut self,
        read: impl Fn(Catalog, TenantId, Arc<Usage>) -> F,
    ) -> Result<Option<T>, Stop>
    where
        F: Future<Output = Result<T, Error>>,
    {
        for _ in 0..TRIES {
            self.turn().await;
            let usage = Arc::new(Usage::in_lane(Lane::Refresh));
            let read = read(self.catalog.clone(), self.tenant.clone(), Arc::clone(&usage)).await;
            self.pace.spent(usage.calls());
            if let Some(settled) = self.settled(read)? {
                return Ok(settled);
            }
        }
        Err(Stop::Trouble)
    }

    async fn turn(&mut self) {
        let (catalog, tenant) = (self.catalog.clone(), self.tenant.clone());
        self.pace.turn(|| catalog.budget(&tenant)).await;
    }

    /// What came of asking: an answer, a refusal to be passed over, or nothing yet.
    fn settled<T>(&mut self, asked: Result<T, Error>) -> Result<Option<Option<T>>, Stop> {
        let error = match asked {
            Ok(answer) => return Ok(Some(Some(answer))),
            Err(error) => error,
        };
        match error {
            Error::Aurora(Upstream::NotConnected { .. } | Upstream::ApplicationRefused) => Err(Stop::NoKey),
            Error::Aurora(
                Upstream::RateLimited { retry_after } | Upstream::LeftAlone { retry_after, .. },
            ) => {
                self.pace.pause(retry_after);
                Ok(None)
            }
            Error::Aurora(error) if !error.is_outage() => Ok(Some(None)),
            _ => {
                self.pace.pause(TROUBLE_PAUSE);
                Ok(None)
            }
        }
    }

    /// Says whether its completion was missed.
    async fn look_at(&mut self, active: &Active, design: &Design) -> Result<bool, Stop> {
        let key = DesignKey { tenant: self.tenant.clone(), design: design.id.clone() };
        let ask = |catalog: Catalog, _, usage: Arc<Usage>| {
            let key = key.clone();
            async move { catalog.summary_now(&key, &usage).await }
        };
        let Some(summary) = self.ask(ask).await? else { return Ok(false) };
        let sighting = Sighting {
            summary: summary.fingerprint(),
            complete: summary.energy_production.as_ref().is_some_and(|it| it.up_to_date == Some(true)),
            made_at: summary.created_at.or(design.created_at).or(active.made_at),
            design: key,
            project: active.project.clone(),
            at: self.clock.now(),
        };
        let missed = matches!(self.journal.compare(sighting).await?, Compared::Missed(_));
        // The relay reads it once more before it is announced, and that is on this account.
        self.pace.spent(u32::from(missed));
        Ok(missed)
    }
}
