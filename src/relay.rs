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

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use board::{Board, Turn};
pub use feed::{Feed, Full, Seat};
use futures_util::FutureExt;
pub use hub::{Interest, Listener, Registration};
use lane::{LaneKey, Rereader};
use tokio::{sync::mpsc, task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    catalog::Catalog,
    clock::Clock,
    domain::{DesignKey, ProjectKey, Seq},
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
    board: Board,
    running: JoinSet<Ended>,
}

impl Relay {
    /// A relay over a journal, which hands on session tokens as they come.
    #[must_use]
    pub fn new(
        journal: Arc<dyn Journal>,
        catalog: Catalog,
        clock: Clock,
        grants: mpsc::Receiver<SessionGrant>,
    ) -> Self {
        Self { journal, catalog, clock, grants, board: Board::default(), running: JoinSet::new() }
    }

    /// Runs until it is told to stop. What is under way then is done again after the next start.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut heads = self.journal.heads();
        let mut grants_open = true;
        loop {
            // A delivery's token was handed over before the delivery was journalled, so it is here when the delivery is.
            while let Ok(grant) = self.grants.try_recv() {
                self.hand_on(grant);
            }
            let head = heads.borrow_and_update().deliveries;
            let mut wake = None;
            if let Err(error) = self.load(head).await {
                tracing::error!(error = %error, "the journal cannot be read; the relay tries again");
                wake = Some(Instant::now() + JOURNAL_PAUSE);
            }
            self.start();
            let wake = wake.into_iter().chain(self.board.next_wake()).min();
            tokio::select! {
                () = stop.cancelled() => return,
                changed = heads.changed() => if changed.is_err() { return },
                Some(ended) = self.running.join_next(), if !self.running.is_empty() => self.ended(ended),
                () = sleep_until(wake), if wake.is_some() => {}
                grant = self.grants.recv(), if grants_open => match grant {
                    Some(grant) => self.hand_on(grant),
                    None => grants_open = false,
                },
            }
        }
    }

    fn hand_on(&mut self, grant: SessionGrant) {
        self.catalog.offer_session_token(&grant.tenant, grant.token);
        self.board.wake(&grant.tenant);
    }

    /// Everybody's new deliveries up to `head`, then those of tenants who had been full.
    async fn load(&mut self, head: Seq) -> Result<(), Error> {
        while self.board.seen < head {
            let waiting = self.journal.waiting(self.board.seen, PAGE).await?;
            // Less than a page is all there was, at least up to the head.
            let last = waiting.last().map_or(head, |it| it.seq);
            self.board.seen = if waiting.len() < PAGE { last.max(head) } else { last };
            for delivery in waiting {
                let concerns = Concerns::of(&delivery);
                if self.board.add(delivery) {
                    concerns.forget(&self.catalog);
                }
            }
        }
        while let Some((tenant, after, room)) = self.board.lacking() {
            let waiting = self.journal.waiting_of(&tenant, after, room).await?;
            waiting.iter().for_each(|it| Concerns::of(it).forget(&self.catalog));
            self.board.catch_up(&tenant, waiting, room);
        }
        Ok(())
    }

    fn start(&mut self) {
        while let Some(work) = self.board.next(Instant::now()) {
            let reader = Rereader {
                journal: Arc::clone(&self.journal),
                catalog: self.catalog.clone(),
                clock: self.clock.clone(),
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
                self.board.finished(&lane, turn, Instant::now());
            }
            // Lanes catch their panics, so this is one that was cancelled: the relay is ending.
            Err(error) => tracing::error!(error = %error, "a lane of the relay was cancelled"),
        }
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

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake).await,
        None => std::future::pending().await,
    }
}
