//! Follows the journal: forget, read again, then announce. The board decides who is next, this loop acts.
//!
//! Invariants: what a delivery concerns is forgotten before its event is announced, so nobody who hears of a change
//! can read the old value; deliveries of one design are announced in the order in which they were journalled; a
//! delivery leaves the list of waiting ones only in the transaction that announces it, so a crash repeats nothing
//! and loses nothing. Not here: what subscribers see, which [`Feed`] reads from the journal.

mod board;
mod feed;
mod hub;
mod lane;
mod pace;
mod standing;
#[cfg(test)]
mod tests;

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use board::{AHEAD, Board, Turn};
pub use feed::{Feed, Full, Seat};
use futures_util::FutureExt;
pub use hub::{Interest, Listener, Registration};
use lane::Rereader;
pub use pace::{LAGS, Lags, Pace};
pub use standing::Standing;
use tokio::{
    sync::{Notify, broadcast::error::RecvError, mpsc},
    task::JoinSet,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    catalog::Catalog,
    clock::Clock,
    domain::{DesignKey, LaneKey, ProjectKey, Seq, TenantId, event::Switch},
    intake::SessionGrant,
    journal::{Error, Journal, Waiting},
};

/// Deliveries read from the journal in one go.
const PAGE: usize = 256;

/// How long the relay waits before it asks a journal that failed again.
const JOURNAL_PAUSE: Duration = Duration::from_secs(1);

/// A lane's turn, and how it ended: without an end where it panicked.
type Ended = (LaneKey, Option<Turn>);

/// Carries deliveries from the journal to the announced events.
pub struct Relay {
    journal: Arc<dyn Journal>,
    catalog: Catalog,
    clock: Clock,
    grants: mpsc::Receiver<SessionGrant>,
    standing: Standing,
    retention: Duration,
    board: Board,
    pace: Arc<Pace>,
    running: JoinSet<Ended>,
}

impl Relay {
    /// A relay over a journal that keeps events for `retention`. It hands on session tokens as they come.
    #[must_use]
    pub fn new(
        journal: Arc<dyn Journal>,
        catalog: Catalog,
        clock: Clock,
        grants: mpsc::Receiver<SessionGrant>,
        standing: Standing,
        retention: Duration,
    ) -> Self {
        let (board, pace, running) = (Board::default(), Arc::default(), JoinSet::new());
        Self { journal, catalog, clock, grants, standing, retention, board, pace, running }
    }

    /// How it keeps pace with what comes.
    #[must_use]
    pub fn pace(&self) -> &Arc<Pace> {
        &self.pace
    }

    /// Runs until it is told to stop. What is under way then is done again after the next start.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut heads = self.journal.heads();
        let mut grants_open = true;
        let mut connected = self.catalog.connected();
        let claiming = claim_what_is_learnt(Arc::clone(&self.journal), self.catalog.learnt());
        let _claiming = AbortOnDropHandle::new(tokio::spawn(claiming));
        loop {
            // A delivery's token was handed over before the delivery was journalled, so it is here when the delivery is.
            while let Ok(grant) = self.grants.try_recv() {
                self.hand_on(grant);
            }
            let head = heads.borrow_and_update().deliveries;
            let mut wake = None;
            if let Err(error) = self.load(head).await {
                tracing::error!(error = %error, "the journal cannot be read; the relay tries again");
                wake = Some(self.clock.instant() + JOURNAL_PAUSE);
            }
            self.start();
            self.pace.stands(self.board.waiting());
            let wake = wake.into_iter().chain(self.board.next_wake()).min();
            tokio::select! {
                () = stop.cancelled() => return,
                changed = heads.changed() => if changed.is_err() { return },
                Some(ended) = self.running.join_next(), if !self.running.is_empty() => self.ended(ended),
                () = self.clock.wake_at(wake) => {}
                grant = self.grants.recv(), if grants_open => match grant {
                    Some(grant) => self.hand_on(grant),
                    None => grants_open = false,
                },
                key = connected.recv() => match key {
                    Ok(tenant) => self.connected(&tenant).await,
                    Err(RecvError::Lagged(_)) => self.board.wake_all(),
                    // The catalog is here, and with it whoever tells.
                    Err(RecvError::Closed) => {}
                },
            }
        }
    }

    fn hand_on(&mut self, grant: SessionGrant) {
        self.catalog.offer_session_token(&grant.tenant, grant.token);
        self.board.wake(&grant.tenant);
    }

    /// A key came for a tenant. Aurora gives none for an application that is switched off, so it is not.
    async fn connected(&mut self, tenant: &TenantId) {
        if !self.catalog.has_key(tenant) {
            // It was given up since: the news is older than the switch.
            return;
        }
        if self.standing.set(tenant, Switch::On) {
            tracing::info!(tenant.id = %tenant, "tenant {tenant} has the application switched on again");
            if let Err(error) = self.journal.switch(tenant, Switch::On, self.clock.now()).await {
                tracing::warn!(error = %error, "that the application is on again cannot be kept");
            }
        }
        self.board.wake(tenant);
    }

    /// As soon as it is heard of, not in its turn: nothing more may reach anybody. A delivery may be late and its word
    /// old; then the next key sets it right.
    fn switch(&mut self, tenant: &TenantId, switch: Switch) {
        let changed = self.standing.set(tenant, switch);
        match switch {
            Switch::Off => {
                if changed {
                    tracing::warn!(tenant.id = %tenant, "tenant {tenant} has switched the application off");
                }
                self.catalog.disconnect(tenant);
            }
            Switch::On => {
                self.catalog.welcome(tenant);
                self.board.wake(tenant);
            }
        }
    }

    /// Everybody's new deliveries up to `head`, then those of tenants who had been full.
    async fn load(&mut self, head: Seq) -> Result<(), Error> {
        while self.board.seen < head {
            let waiting = self.journal.waiting(self.board.seen, PAGE).await?;
            // Less than a page is all there was, at least up to the head.
            let last = waiting.last().map_or(head, |it| it.seq);
            self.board.seen = if waiting.len() < PAGE { last.max(head) } else { last };
            for delivery in waiting {
                if let (Some(switch), Some(tenant)) = (delivery.switch(), &delivery.delivery.tenant) {
                    self.switch(tenant, switch);
                }
                let concerns = Concerns::of(&delivery);
                if self.board.add(delivery) {
                    concerns.forget(&self.catalog);
                }
            }
        }
        while let Some((tenant, after, room)) = self.board.lacking() {
            let mut waiting = self.journal.waiting_of(&tenant, after, room).await?;
            // What lies behind comes in by the loop above, where a switch is heard of before its turn.
            waiting.retain(|it| it.seq <= self.board.seen);
            waiting.iter().for_each(|it| Concerns::of(it).forget(&self.catalog));
            self.board.catch_up(&tenant, waiting, room);
        }
        while let Some((tenant, after)) = self.board.blocked() {
            let mut waiting = self.journal.waiting_apart(&tenant, after, AHEAD).await?;
            waiting.retain(|it| it.seq <= self.board.seen);
            waiting.iter().for_each(|it| Concerns::of(it).forget(&self.catalog));
            self.board.take_ahead(&tenant, waiting);
        }
        Ok(())
    }

    fn start(&mut self) {
        while let Some(work) = self.board.next(self.clock.instant()) {
            let reader = Rereader {
                journal: Arc::clone(&self.journal),
                catalog: self.catalog.clone(),
                clock: self.clock.clone(),
                standing: self.standing.clone(),
                pace: Arc::clone(&self.pace),
                patience_for_key: self.retention,
            };
            self.running.spawn(async move {
                let turn = AssertUnwindSafe(reader.turn(&work)).catch_unwind().await;
                (work.lane, turn.ok())
            });
        }
    }

    fn ended(&mut self, ended: Result<Ended, tokio::task::JoinError>) {
        match ended {
            Ok((lane, turn)) => {
                if turn.is_none() {
                    tracing::error!(?lane, "a lane of the relay broke off; it is tried again");
                }
                self.board.finished(&lane, turn, self.clock.instant());
            }
            // Lanes catch their panics, so this is one that was cancelled: the relay is ending.
            Err(error) => tracing::error!(error = %error, "a lane of the relay was cancelled"),
        }
    }
}

/// Takes back what was set aside, whenever it is learnt whose a design or a project is.
async fn claim_what_is_learnt(journal: Arc<dyn Journal>, learnt: Arc<Notify>) {
    loop {
        match journal.claim().await {
            Ok(0) => {}
            Ok(claimed) => tracing::info!(claimed, "deliveries that were set aside have found their tenants"),
            Err(error) => tracing::warn!(error = %error, "what was set aside cannot be taken back now"),
        }
        learnt.notified().await;
    }
}

/// What is forgotten as soon as a delivery is held: whatever is read from then on is newer than the delivery.
struct Concerns {
    design: Option<DesignKey>,
    project: Option<ProjectKey>,
}

impl Concerns {
    fn of(waiting: &Waiting) -> Self {
        let delivery = &waiting.delivery;
        let tenant = delivery.tenant.as_ref();
        let design = delivery.design.clone().zip(tenant.cloned());
        let project = delivery.project.clone().zip(tenant.cloned());
        Self {
            design: design.map(|(design, tenant)| DesignKey { tenant, design }),
            project: project.map(|(project, tenant)| ProjectKey { tenant, project }),
        }
    }

    fn forget(&self, catalog: &Catalog) {
        if let Some(design) = &self.design {
            catalog.forget_design(design);
        }
        if let Some(project) = &self.project {
            catalog.forget_project(project);
        }
    }
}
