//! Follows the journal: forget, read again, then announce.
//!
//! Invariants: what a delivery concerns is forgotten before its event is announced, so nobody who hears of a change
//! can read the old value; deliveries of one design are announced in the order in which they were journalled; a
//! delivery leaves the list of waiting ones only in the transaction that announces it, so a crash repeats nothing
//! and loses nothing. Not here: what subscribers see, which [`Feed`] reads from the journal.

mod feed;
mod lane;

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

pub use feed::{Feed, Full};
use lane::{LaneKey, Rereader};
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    catalog::Catalog,
    domain::Seq,
    intake::SessionGrant,
    journal::{Journal, Waiting},
};

/// Deliveries held in memory between the journal and their announcement. The rest waits on disk.
const WINDOW: usize = 1024;

/// Designs that are read again at the same time. Aurora's allowance is about 90 calls a minute, so more would only
/// queue in the client.
const LANES: usize = 16;

/// How long the relay waits before it asks a journal that failed again.
const JOURNAL_PAUSE: Duration = Duration::from_secs(1);

/// Carries deliveries from the journal to the announced events.
pub struct Relay {
    journal: Arc<dyn Journal>,
    catalog: Catalog,
    grants: mpsc::Receiver<SessionGrant>,
}

impl Relay {
    /// A relay over a journal, which hands on session tokens as they come.
    #[must_use]
    pub fn new(journal: Arc<dyn Journal>, catalog: Catalog, grants: mpsc::Receiver<SessionGrant>) -> Self {
        Self { journal, catalog, grants }
    }

    /// Runs until it is told to stop. What is under way then is done again after the next start.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut heads = self.journal.heads();
        let mut board = Board::default();
        let mut grants_open = true;
        loop {
            self.hand_on_grants();
            if let Err(error) = self.load(&mut board).await {
                tracing::error!(error = %error, "the journal cannot be read; the relay tries again");
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(JOURNAL_PAUSE) => continue,
                }
            }
            board.start(&self.journal, &self.catalog);
            tokio::select! {
                () = stop.cancelled() => return,
                changed = heads.changed() => if changed.is_err() { return },
                Some(done) = board.running.join_next(), if !board.running.is_empty() => board.finished(done),
                grant = self.grants.recv(), if grants_open => match grant {
                    Some(grant) => self.catalog.offer_session_token(&grant.tenant, grant.token),
                    None => grants_open = false,
                },
            }
        }
    }

    /// A delivery's token was handed over before the delivery was journalled, so it is here when the delivery is.
    fn hand_on_grants(&mut self) {
        while let Ok(grant) = self.grants.try_recv() {
            self.catalog.offer_session_token(&grant.tenant, grant.token);
        }
    }

    async fn load(&self, board: &mut Board) -> Result<(), crate::journal::Error> {
        while board.held < WINDOW {
            let waiting = self.journal.waiting(board.loaded, WINDOW - board.held).await?;
            if waiting.is_empty() {
                return Ok(());
            }
            for delivery in waiting {
                board.add(delivery);
            }
        }
        Ok(())
    }
}

/// What is held, by lane, and what is running.
#[derive(Default)]
struct Board {
    loaded: Seq,
    held: usize,
    lanes: HashMap<LaneKey, VecDeque<Waiting>>,
    /// Lanes with something to do and nobody doing it, first come first served.
    ready: VecDeque<LaneKey>,
    running: JoinSet<(LaneKey, usize)>,
}

impl Board {
    fn add(&mut self, delivery: Waiting) {
        self.loaded = delivery.seq;
        self.held += 1;
        let key = LaneKey::of(&delivery);
        let queue = self.lanes.entry(key.clone()).or_insert_with(|| {
            self.ready.push_back(key);
            VecDeque::new()
        });
        queue.push_back(delivery);
    }

    fn start(&mut self, journal: &Arc<dyn Journal>, catalog: &Catalog) {
        while self.running.len() < LANES {
            let Some(key) = self.ready.pop_front() else { return };
            let Some(queue) = self.lanes.get_mut(&key) else { continue };
            let batch = std::mem::take(queue);
            let reader = Rereader { journal: Arc::clone(journal), catalog: catalog.clone() };
            self.running.spawn(async move {
                let count = batch.len();
                reader.announce_all(batch).await;
                (key, count)
            });
        }
    }

    /// A lane ended; if more came for it meanwhile it queues up again.
    fn finished(&mut self, done: Result<(LaneKey, usize), tokio::task::JoinError>) {
        match done {
            Ok((key, count)) => {
                self.held = self.held.saturating_sub(count);
                if self.lanes.get(&key).is_some_and(VecDeque::is_empty) {
                    self.lanes.remove(&key);
                } else {
                    self.ready.push_back(key);
                }
            }
            // A lane that panicked keeps its deliveries waiting in the journal; the next start takes them up.
            Err(error) => tracing::error!(error = %error, "a lane of the relay broke off"),
        }
    }
}
