//! Looking for news that Aurora never delivered: it gives a delivery up after a day, and tells nobody.
//!
//! Every so often the designs of a tenant's recently active projects are read, and each is compared with what was
//! announced of it. What was missed goes into the journal as a delivery of its own source, and from there the way of any
//! other: into its lane, read again, announced.
//!
//! Invariants: no more than the named share of a key's calls is spent on this, and none while less than half of them is
//! left for those who wait; a round that is broken off loses nothing, for what was found is on disk. Not here: what
//! counts as missed, which the journal decides in the transaction that keeps it.

mod pace;
mod round;

use std::{
    collections::{HashMap, HashSet},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use futures_util::FutureExt;
use jiff::Timestamp;
use tokio::{task::JoinSet, time};
use tokio_util::sync::CancellationToken;

use pace::Pace;
use round::{Ended, Round};

use crate::{
    catalog::Catalog,
    clock::{self, Clock},
    domain::TenantId,
    journal::{Error, Journal},
};

/// How often it is seen whether a round is due. Rounds go by the clock, which may be moved.
const TICK: Duration = Duration::from_secs(1);

/// From the start, or a tenant's first sign of life, to its first round: a gateway that has just come up has other things
/// to do.
const FIRST_AFTER: Duration = Duration::from_secs(60);

/// A round that Aurora's trouble ended is begun again so much later, and not only when the next is due.
const AGAIN_AFTER: Duration = Duration::from_secs(5 * 60);

/// How often tenants are looked for that have shown a sign of life.
const NEW_TENANTS_EVERY: Duration = Duration::from_secs(60);

/// Tenants that are looked after: as many as keys are kept for.
const MOST_TENANTS: usize = 10_000;

/// Rounds at the same time. Each waits nearly all the time, for its tenant's share.
const ROUNDS: usize = 256;

/// How much is spent, and on what.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Calls of one key in a minute. With none, nothing is looked for.
    pub calls_per_minute: f64,
    /// From the beginning of one round to that of the next.
    pub every: Duration,
    /// How long ago the last sign of a project may be for its designs to be looked at.
    pub window: Duration,
}

/// Looks for what was missed.
pub struct Reconciler {
    journal: Arc<dyn Journal>,
    catalog: Catalog,
    clock: Clock,
    configured: Vec<TenantId>,
    rules: Rules,
    /// When tenants were last looked for, at first when it was made. The first round of a new one counts from then.
    looked_at: Timestamp,
    /// When each tenant's next round is due.
    due: HashMap<TenantId, Timestamp>,
    busy: HashSet<TenantId>,
    rounds: JoinSet<(TenantId, Option<Ended>)>,
}

impl Reconciler {
    /// Over these tenants, and any of which something comes.
    #[must_use]
    pub fn new(
        journal: Arc<dyn Journal>,
        catalog: Catalog,
        clock: Clock,
        configured: Vec<TenantId>,
        rules: Rules,
    ) -> Self {
        let (due, busy, rounds) = (HashMap::new(), HashSet::new(), JoinSet::new());
        let looked_at = clock.now();
        Self { journal, catalog, clock, configured, rules, looked_at, due, busy, rounds }
    }

    /// Runs until it is told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        if self.rules.calls_per_minute <= 0.0 {
            return stop.cancelled().await;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.go_on() => {}
        }
    }

    async fn go_on(&mut self) {
        let mut ticks = time::interval(TICK);
        ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        let mut look_for_tenants = Timestamp::MIN;
        loop {
            ticks.tick().await;
            while let Some(ended) = self.rounds.try_join_next() {
                self.ended(ended);
            }
            let now = self.clock.now();
            if look_for_tenants <= now {
                if let Err(error) = self.find_tenants(now).await {
                    tracing::warn!(error = %error, "the reconciler cannot ask the journal for tenants");
                }
                look_for_tenants = clock::later(now, NEW_TENANTS_EVERY);
            }
            self.begin(now);
        }
    }

    /// Watches whoever is new: what they complete from now on is news.
    async fn find_tenants(&mut self, now: Timestamp) -> Result<(), Error> {
        let known = self.journal.tenants(MOST_TENANTS).await?;
        let first = self.looked_at;
        for tenant in self.configured.iter().cloned().chain(known) {
            if self.due.len() < MOST_TENANTS && !self.due.contains_key(&tenant) {
                self.journal.watch(&tenant).await?;
                self.due.insert(tenant, clock::later(first, FIRST_AFTER));
            }
        }
        self.looked_at = now;
        Ok(())
    }

    fn begin(&mut self, now: Timestamp) {
        let room = ROUNDS.saturating_sub(self.rounds.len());
        let due = self.due.iter_mut().filter(|(tenant, due)| **due <= now && !self.busy.contains(*tenant));
        let mut begun = Vec::new();
        for (tenant, due) in due.take(room) {
            *due = clock::later(now, self.rules.every);
            begun.push(tenant.clone());
            let round = Round {
                journal: Arc::clone(&self.journal),
                catalog: self.catalog.clone(),
                clock: self.clock.clone(),
                tenant: tenant.clone(),
                since: clock::earlier(now, self.rules.window),
                pace: Pace::new(self.rules.calls_per_minute),
            };
            let tenant = tenant.clone();
            self.rounds.spawn(async move {
                let ended = AssertUnwindSafe(round.run()).catch_unwind().await;
                (tenant, ended.ok())
            });
        }
        self.busy.extend(begun);
    }

    fn ended(&mut self, ended: Result<(TenantId, Option<Ended>), tokio::task::JoinError>) {
        // Rounds catch their panics, so one that is lost was cancelled: the reconciler is ending.
        let Ok((tenant, ended)) = ended else { return };
        self.busy.remove(&tenant);
        if ended.is_none() {
            tracing::error!(tenant.id = %tenant, "a round of the reconciler broke off");
        }
        if ended != Some(Ended::Complete) {
            let again = clock::later(self.clock.now(), AGAIN_AFTER);
            self.due.entry(tenant).and_modify(|due| *due = again.min(*due));
        }
    }
}
