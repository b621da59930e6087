//! Looking for creations whose outcome is open: at once while the caller waits, and then behind everybody's back.
//!
//! Aurora can search for nothing, so the newest projects are read, page by page, as far back as the oldest open
//! creation. Invariants: nothing is sent again before it was looked for; what is found belongs to one creation. Not
//! here: what a look means for each of them, which is [`verdict`](super::verdict)'s to say.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use futures_util::StreamExt;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{
    Unsettled,
    desk::Round,
    verdict::{EARLIER, MOST_READ, Sight, Verdict, in_time, verdict},
};
use crate::{
    aurora::{self, Meter, Page},
    catalog::{Catalog, Error, Usage, note, usage::background},
    clock::{between, earlier},
    domain::{Fingerprint, Project, ProjectId, ProjectKey, TenantId, trace::Likeness},
    store::{Open, Origin, Standing},
};

/// Projects in one page of a look: the most that Aurora gives.
const PAGE_SIZE: u32 = 250;

/// Pages of one look. Who makes more projects in the minutes in question imports them, and the next look sees further
/// ones of them settled.
const MOST_PAGES: u32 = 4;

/// How long a caller waits for a look: about what a read may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Tenants that are looked for at a time behind everybody's back.
const AT_ONCE: usize = 4;

/// What has been open for longer is looked for only when somebody asks for it.
const GIVEN_UP: Duration = Duration::from_secs(24 * 60 * 60);

/// What a look settled of one creation.
pub(super) enum Settled {
    /// It gave this project.
    Found(ProjectId),
    /// It did not happen: its key is free.
    Absent,
    /// Still open.
    Open(Unsettled),
}

impl Catalog {
    /// Takes over what a process of before has left open. To be called before anything begins.
    ///
    /// # Errors
    /// When the store cannot tell.
    pub async fn adopt_creates(&self) -> Result<(), Error> {
        for tenant in self.0.store.adopt_creates(self.0.clock.now()).await? {
            self.0.desk.round(&tenant, true);
        }
        Ok(())
    }

    /// Looks for open creations until it is told to stop.
    pub async fn settle_creates(&self, stop: CancellationToken) {
        let work = async {
            loop {
                let due = self.0.desk.due(tokio::time::Instant::now());
                futures_util::stream::iter(due)
                    .for_each_concurrent(AT_ONCE, |(tenant, round)| self.background_look(tenant, round))
                    .await;
                match self.0.desk.next() {
                    Some(next) => {
                        let _woken = tokio::time::timeout_at(next, self.0.desk.wake.notified()).await;
                    }
                    None => self.0.desk.wake.notified().await,
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = work => {}
        }
    }

    async fn background_look(&self, tenant: TenantId, round: Arc<Round>) {
        let _turn = round.turn.lock().await;
        let arrivals = round.begin(self.0.clock.now());
        match self.look(&tenant, &round, background().meter()).await {
            Ok(0) => self.0.desk.leave(&tenant, arrivals),
            Ok(_) => {}
            Err(error) => {
                tracing::info!(error = %error, "creates of unknown outcome could not be looked for")
            }
        }
    }

    /// Looks for one creation while its caller waits, or lets a look serve that has begun since. What was lost just
    /// now is looked for in any case.
    pub(super) async fn look_for(
        &self,
        tenant: &TenantId,
        key: Fingerprint,
        new: bool,
        usage: &Usage,
    ) -> Result<Settled, Error> {
        let round = self.0.desk.round(tenant, new);
        let before = round.begun();
        let looking = async {
            let _turn = round.turn.lock().await;
            if round.begun() == before && (new || !round.has_just_looked(self.0.clock.now())) {
                round.begin(self.0.clock.now());
                if let Err(error) = self.look(tenant, &round, usage.meter()).await {
                    tracing::info!(error = %error, "a create of unknown outcome could not be looked for");
                }
            }
        };
        // What was begun is done again by whoever asks next; each step is whole in itself.
        let _late = tokio::time::timeout(PATIENCE, looking).await;
        Ok(match self.0.store.create_standing(tenant, key).await? {
            Standing::Finished(project) => Settled::Found(project),
            Standing::Unheard => Settled::Absent,
            Standing::Open => Settled::Open(round.why(&key)),
        })
    }

    /// One look for everything that a tenant has open. Gives the number of those that another look may settle.
    async fn look(&self, tenant: &TenantId, round: &Round, meter: &Meter) -> Result<usize, Error> {
        let open = self.0.store.open_creates(tenant).await?;
        let Some(oldest) = open.iter().map(|it| it.since).min() else { return Ok(0) };
        let at = self.0.clock.now();
        let seen = self.newest(tenant, earlier(oldest, EARLIER), meter).await;
        let (listed, complete) = match seen {
            Ok(seen) => seen,
            Err(error) => {
                let why = match &error {
                    aurora::Error::Forbidden => Unsettled::NoList,
                    aurora::Error::RateLimited { retry_after }
                    | aurora::Error::LeftAlone { retry_after, .. } => {
                        Unsettled::Looking { again: round.again().max(*retry_after) }
                    }
                    _ => Unsettled::Looking { again: round.again() },
                };
                round.end(open.iter().map(|it| (it.key, why)).collect());
                // A key that may not list may be given the right to, but not within minutes.
                return if why == Unsettled::NoList { Ok(0) } else { Err(error.into()) };
            }
        };
        let mut projects = self.unclaimed(tenant, &open, listed).await?;
        let (mut left, mut reasons) = (0, HashMap::new());
        for one in &open {
            let sight = Sight { projects: &projects, complete, at };
            let twins = open.iter().filter(|it| it.input == one.input && it.key != one.key).count();
            let outcome = self.judge(one, &sight, twins + 1, tenant, meter).await?;
            match outcome {
                Verdict::Found(id) => {
                    let found = projects.iter().position(|it| it.id == id).map(|it| projects.remove(it));
                    self.found(tenant, one, &id, found).await?;
                }
                Verdict::Absent => self.0.store.give_up_create(tenant, one.key, one.since).await?,
                Verdict::NotYet => {
                    if complete {
                        self.0.store.count_look(tenant, one.key).await?;
                    }
                    left += usize::from(between(one.since, at) < GIVEN_UP);
                    reasons.insert(one.key, Unsettled::Looking { again: round.again() });
                }
                Verdict::Unclear => {
                    reasons.insert(one.key, Unsettled::Unclear);
                }
            }
        }
        round.end(reasons);
        Ok(left)
    }

    /// The newest projects down to a time, as Aurora has them now, and whether those are all.
    async fn newest(
        &self,
        tenant: &TenantId,
        back_to: Timestamp,
        meter: &Meter,
    ) -> Result<(Vec<Project>, bool), aurora::Error> {
        let (mut projects, mut gaps) = (Vec::<Project>::new(), false);
        for number in 1..=MOST_PAGES {
            let page = Page { number, size: PAGE_SIZE };
            let listed = self.0.aurora.projects(tenant, page, meter).await?;
            let end =
                !listed.full || listed.projects.iter().filter_map(|it| it.created_at).any(|at| at < back_to);
            projects.extend(listed.projects);
            gaps |= listed.gaps;
            if end {
                // What cannot be read may be what is looked for.
                return Ok((projects, !gaps));
            }
        }
        Ok((projects, false))
    }

    /// Those that may be what is looked for: made in time, and nobody's yet.
    async fn unclaimed(
        &self,
        tenant: &TenantId,
        open: &[Open],
        listed: Vec<Project>,
    ) -> Result<Vec<Project>, Error> {
        let timely = |it: &Project| open.iter().any(|one| in_time(it, one.since));
        let mut projects: Vec<_> = listed.into_iter().filter(timely).collect();
        projects.sort_by(|a, b| a.id.cmp(&b.id));
        // A list that grew while it was read shows some of it twice.
        projects.dedup_by(|a, b| a.id == b.id);
        let ids = projects.iter().map(|it| it.id.clone()).collect();
        let claimed = self.0.store.claimed(tenant, ids).await?;
        projects.retain(|it| !claimed.contains(&it.id));
        Ok(projects)
    }

    /// What the sight says of one creation, where need be after reading what the list does not show clearly.
    async fn judge(
        &self,
        one: &Open,
        sight: &Sight<'_>,
        twins: usize,
        tenant: &TenantId,
        meter: &Meter,
    ) -> Result<Verdict, Error> {
        // Begun by version 0.1, which kept nothing to recognise it by: the next call with its key brings that along.
        let Some(trace) = &one.trace else { return Ok(Verdict::Unclear) };
        let mut projects = sight.projects.to_vec();
        let mut whole = HashSet::new();
        let unsure = |it: &Project| {
            in_time(it, one.since)
                && match trace.likeness(it, false, &one.key) {
                    Likeness::Same => it.created_at.is_none(),
                    Likeness::Close => true,
                    Likeness::Other => false,
                }
        };
        for project in sight.projects.iter().filter(|it| unsure(it)).take(MOST_READ) {
            let key = ProjectKey { tenant: tenant.clone(), project: project.id.clone() };
            match self.0.aurora.project(&key, meter).await {
                Ok(read) => {
                    whole.insert(read.id.clone());
                    projects.retain(|it| it.id != read.id);
                    projects.push(read);
                }
                Err(aurora::Error::NotFound) => projects.retain(|it| it.id != key.project),
                Err(error) if error.is_outage() => return Ok(Verdict::NotYet),
                // It may be it, and cannot be read: that stays open.
                Err(_) => {}
            }
        }
        let sight = Sight { projects: &projects, complete: sight.complete, at: sight.at };
        Ok(verdict(one, &sight, twins, |it| trace.likeness(it, whole.contains(&it.id), &one.key)))
    }

    async fn found(
        &self,
        tenant: &TenantId,
        one: &Open,
        id: &ProjectId,
        project: Option<Project>,
    ) -> Result<(), Error> {
        if !self.0.store.settle_create(tenant, one.key, id).await? {
            return Ok(());
        }
        tracing::info!(project.id = %id, "a create whose outcome was unknown had made project {id}");
        self.forget_lists(tenant);
        let Some(external_id) = project.and_then(|it| it.external_provider_id) else { return Ok(()) };
        let pair = vec![(external_id, id.clone())];
        note(
            "the CRM's id of a project that was found",
            self.0.store.remember_external_ids(tenant, pair, Origin::Created),
        )
        .await;
        Ok(())
    }
}
