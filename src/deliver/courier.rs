//! One target's courier: takes in what was announced, sends what is due, and writes down what became of it.
//!
//! Invariants: what is taken in is written down before it is sent, and what was sent before more is; a crash repeats at
//! most what was under way. Rests follow the clock, for they last for hours and over restarts; the clock is looked at again
//! and again, so that one that was moved is noticed.

mod report;
mod taking;
mod turn;

use std::{sync::Arc, time::Duration};

pub(super) use report::Command;
pub use report::{Report, State};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use turn::Post;

use super::{
    BuildError, Config, From, Means,
    desk::{Desk, Ended, Health, Limits, Noted},
    progress::Progress,
    sender::Sender,
    tally::{Outcome, Tally},
};
use crate::{
    clock,
    domain::{Event, LaneKey, MessageType, Seq, viewer::Tenants},
    journal::{self, Heads},
};

/// How often the clock is looked at while something rests: a computer's clock is set, and sleeps.
const LOOK_AT_CLOCK: Duration = Duration::from_millis(500);

/// How long a courier waits before it asks a disk that failed again.
const DISK_PAUSE: Duration = Duration::from_secs(1);

/// Events that were none of a target's are written down as scanned only now and then; more of them are scanned again
/// after a crash, which costs a moment.
const SAVE_SCANNED_EVERY: Duration = Duration::from_secs(60);

/// How long a message that is under way may take to its end when the gateway stops. Cut off, it is sent again.
const LAST_TRIES: Duration = Duration::from_secs(3);

pub(super) struct Courier {
    name: String,
    tenants: Tenants,
    types: Vec<MessageType>,
    means: Means,
    post: Arc<Post>,
    desk: Desk,
    progress: Progress,
    tally: Arc<Tally>,
    commands: mpsc::Receiver<Command>,
    heads: watch::Receiver<Heads>,
    running: JoinSet<(LaneKey, turn::Done)>,
    saved_at: Instant,
    saved_scanned: Seq,
}

impl Courier {
    /// A courier who goes on where it was left, or begins where its target wants it to.
    pub(super) async fn open(
        config: Config,
        sender: Sender,
        means: Means,
        progress: Progress,
        tally: Arc<Tally>,
        commands: mpsc::Receiver<Command>,
    ) -> Result<Self, BuildError> {
        let limits = Limits {
            at_once: config.at_once,
            retry_for: config.retry_for,
            disable_after: config.disable_after,
        };
        let heads = means.journal.heads();
        let desk = match progress.load(&config.name, limits, means.clock.now()).await? {
            Some(mut desk) => {
                // The configuration may have changed: what it no longer allows is not sent for having waited.
                desk.keep_only(&config.tenants);
                desk
            }
            None => {
                let scanned = begin(&config, &means, heads.borrow().events).await?;
                let mut desk = Desk::new(scanned, Health::default(), limits);
                desk.unsaved.target = true;
                progress.save(&config.name, &mut desk).await?;
                desk
            }
        };
        let (name, types, saved_at) = (config.name, config.types, means.clock.instant());
        Ok(Self {
            post: Arc::new(Post { target: name.clone(), types: types.clone(), means: means.clone(), sender }),
            saved_scanned: desk.scanned,
            name,
            tenants: config.tenants,
            types,
            means,
            desk,
            progress,
            tally,
            commands,
            heads,
            running: JoinSet::new(),
            saved_at,
        })
    }

    /// Carries until it is told to stop.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        loop {
            let wake = self.work().await;
            let (pending, _) = self.desk.pending();
            self.tally.stands(pending, self.desk.health.disabled.is_some());
            tokio::select! {
                () = stop.cancelled() => break,
                changed = self.heads.changed() => if changed.is_err() { break },
                Some(ended) = self.running.join_next(), if !self.running.is_empty() => {
                    self.ended(ended);
                    // What has ended meanwhile is written down in the same go.
                    while let Some(ended) = self.running.try_join_next() {
                        self.ended(ended);
                    }
                }
                Some(command) = self.commands.recv() => self.obey(command).await,
                () = self.means.clock.wake_at(wake) => {}
            }
        }
        self.end().await;
    }

    /// Takes in, writes down, sends. Says when to come again, if something is left to do.
    async fn work(&mut self) -> Option<Instant> {
        let instant = self.means.clock.instant();
        let again = match self.take_in().await {
            Ok(true) => Some(instant),
            Ok(false) => None,
            Err(error) => {
                tracing::error!(target.name = self.name, error = %error, "the journal cannot be read");
                Some(instant + DISK_PAUSE)
            }
        };
        if !self.save().await {
            // Nothing else can be done before: what is due stays due.
            return Some(self.means.clock.instant() + DISK_PAUSE);
        }
        while let Some(turn) = self.desk.next(self.means.clock.now()) {
            let (post, key) = (Arc::clone(&self.post), turn.lane.clone());
            self.running.spawn(async move { (key, post.take(turn).await) });
        }
        again.into_iter().chain(self.rests()).min()
    }

    /// Writes down what has changed. Says whether that worked: if not, nothing more is to be sent.
    async fn save(&mut self) -> bool {
        if self.desk.scanned > self.saved_scanned
            && self.means.clock.instant() >= self.saved_at + SAVE_SCANNED_EVERY
        {
            self.desk.unsaved.target = true;
        }
        if self.desk.unsaved.is_empty() {
            return true;
        }
        let saved = self.progress.save(&self.name, &mut self.desk).await;
        self.tally.stalls(saved.is_err());
        match saved {
            Ok(()) => {
                (self.saved_scanned, self.saved_at) = (self.desk.scanned, self.means.clock.instant());
                true
            }
            Err(error) => {
                tracing::error!(target.name = self.name, error = %error, "progress cannot be written down");
                false
            }
        }
    }

    /// When to look at the clock again, or to write down what was scanned.
    fn rests(&self) -> Option<Instant> {
        let (now, instant) = (self.means.clock.now(), self.means.clock.instant());
        let look = self.desk.next_wake().map(|at| instant + clock::between(now, at).min(LOOK_AT_CLOCK));
        let save = (self.desk.scanned > self.saved_scanned).then(|| self.saved_at + SAVE_SCANNED_EVERY);
        look.into_iter().chain(save).min()
    }

    fn ended(&mut self, ended: Result<(LaneKey, turn::Done), tokio::task::JoinError>) {
        // Turns catch their panics, so this is one that was cancelled: the courier is ending.
        let Ok((key, done)) = ended else { return };
        let now = self.means.clock.now();
        match &done.how {
            Ended::Delivered(_) => self.tally.count(Outcome::Delivered),
            Ended::Rejected(_, rejected) => self.tally.count(rejected.failure.into()),
            Ended::Empty(_) | Ended::Unread => {}
        }
        if done.gone > 0 {
            tracing::error!(
                target.name = self.name,
                done.gone,
                "events waited for longer than they are kept"
            );
            self.desk.lost(&key, done.gone);
            self.desk.found_gap(now);
        }
        let front = match &done.how {
            Ended::Rejected(event, rejected) => Some((Arc::clone(event), rejected.failure.code())),
            _ => None,
        };
        let noted = self.desk.ended(&key, done.how, now, rand::random());
        self.tell(noted, front);
    }

    fn tell(&self, noted: Noted, front: Option<(Arc<Event>, String)>) {
        let (target, code) = (&self.name, front.as_ref().map_or("", |(_, code)| code));
        match noted {
            Noted::Nothing => {}
            Noted::Recovered => tracing::info!(target.name = target, "the target takes messages again"),
            Noted::BeganToFail => {
                tracing::warn!(target.name = target, code, "a message was not taken; it is tried again");
            }
            Noted::Disabled(why) => {
                let why = why.word();
                tracing::error!(target.name = target, code, why, "the target is disabled");
            }
            Noted::GaveUp => {
                self.tally.count(Outcome::GivenUp);
                let cursor = front.as_ref().map(|(it, _)| self.means.cursors.seal(&it.tenant, it.seq));
                let cursor = cursor.unwrap_or_default();
                tracing::error!(target.name = target, code, cursor, "a message is given up");
            }
        }
    }

    /// Lets what is under way come to its end, and writes down where it is.
    async fn end(&mut self) {
        let deadline = Instant::now() + LAST_TRIES;
        while let Ok(Some(ended)) = tokio::time::timeout_at(deadline, self.running.join_next()).await {
            self.ended(ended);
        }
        self.desk.unsaved.target = true;
        self.save().await;
    }
}

/// Where a target begins that was never seen.
async fn begin(config: &Config, means: &Means, head: Seq) -> Result<Seq, journal::Error> {
    if config.from == From::Now {
        return Ok(head);
    }
    // Before the oldest, so that what is gone already is not taken for missed.
    let oldest = means.journal.stretch(&config.tenants, Seq(0), 1).await?.events;
    Ok(oldest.first().map_or(head, |event| Seq(event.seq.0.saturating_sub(1))))
}
