//! One turn of one lane: finds its first event, says what it is, and sends it once.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;

use super::super::{
    Means,
    desk::{Ended, Stretch, Stretches, Turn},
    payload::{self, Told},
    sender::Sender,
};
use crate::{
    domain::{Event, LaneKey, LaneOf, MessageType, Seq},
    journal::{self, Filter},
};

/// Events read from the journal in one go, to find the first of a lane: its filter lets few others through.
const PAGE: usize = 16;

/// How a turn ended, and how many events of its lane were found to be gone.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) how: Ended,
    pub(super) gone: u64,
}

/// What was found in the journal of that which waits in a lane: the first, and how many, as far as they were looked for.
#[derive(Debug, Default)]
struct Found {
    first: Option<Arc<Event>>,
    count: u64,
}

/// What a turn needs.
pub(super) struct Post {
    pub(super) target: String,
    pub(super) types: Vec<MessageType>,
    pub(super) means: Means,
    pub(super) sender: Sender,
}

impl Post {
    /// Sends the first event of a lane. A panic is a turn that came to nothing.
    pub(super) async fn take(&self, turn: Turn) -> Done {
        let done = AssertUnwindSafe(self.turn(turn)).catch_unwind().await;
        done.unwrap_or_else(|_panic| {
            tracing::error!(target.name = self.target, "a turn broke off; it is taken again");
            Done { how: Ended::Unread, gone: 0 }
        })
    }

    async fn turn(&self, turn: Turn) -> Done {
        let found = match turn.head.clone() {
            Some(head) => Ok((Some(head), 0)),
            None => self.first(&turn).await,
        };
        match found {
            Ok((Some(event), gone)) => Done { how: self.send(event).await, gone },
            Ok((None, gone)) => Done { how: Ended::Empty(turn.through), gone },
            Err(error) => {
                tracing::error!(target.name = self.target, error = %error, "the journal cannot be read");
                Done { how: Ended::Unread, gone: 0 }
            }
        }
    }

    /// The first event of a lane's first stretch; and how many of all that wait in the lane are gone.
    async fn first(&self, turn: &Turn) -> Result<(Option<Arc<Event>>, u64), journal::Error> {
        let first = Stretches::kept([Stretch { after: turn.after, through: turn.through }]);
        match self.search(&turn.lane, &first, Some(turn.after), 1).await {
            // Some of the tenant's are gone; whether they were this lane's is seen by counting.
            Err(journal::Error::Expired { .. }) => {
                let found = self.search(&turn.lane, &turn.stretches, None, turn.events).await?;
                let gone = turn.events.saturating_sub(found.count);
                Ok((found.first.filter(|it| it.seq <= turn.through), gone))
            }
            found => Ok((found?.first, 0)),
        }
    }

    /// Looks for what waits in a lane, until so many are found.
    async fn search(
        &self,
        lane: &LaneKey,
        stretches: &Stretches,
        mut after: Option<Seq>,
        wanted: u64,
    ) -> Result<Found, journal::Error> {
        let (filter, mut found) = (filter(lane), Found::default());
        let waits = |it: &Event| {
            LaneKey::of(it) == *lane
                && self.types.contains(&MessageType::of(&it.delivery))
                && stretches.hold(it.seq)
        };
        loop {
            let slice = self.means.journal.events(&lane.tenant, &filter, after, PAGE).await?;
            let last = slice.events.last().map(|it| it.seq);
            for event in slice.events.into_iter().filter(|it| waits(it)) {
                found.first.get_or_insert(event);
                found.count += 1;
                if found.count >= wanted {
                    return Ok(found);
                }
            }
            if !slice.more || last.is_none_or(|it| it >= stretches.end()) {
                return Ok(found);
            }
            after = last;
        }
    }

    async fn send(&self, event: Arc<Event>) -> Ended {
        let means = &self.means;
        let cursor = means.cursors.seal(&event.tenant, event.seq);
        let id = (means.event_id)(&event.tenant, &cursor);
        let replay_of = event.replay_of.map(|it| means.cursors.seal(&event.tenant, it));
        let told = Told { event: &event, cursor: &cursor, replay_of: replay_of.as_deref(), id: &id };
        let body = match payload::body(&told, &means.catalog).await {
            Ok(body) => body,
            Err(error) => {
                tracing::error!(target.name = self.target, error = %error, "an event cannot be written as JSON");
                return Ended::Unread;
            }
        };
        // The cursor is one for ever and another for each event, and so is this.
        match self.sender.send(&format!("evt_{cursor}"), body, means.clock.now()).await {
            Ok(()) => Ended::Delivered(event),
            Err(rejected) => {
                tracing::debug!(target.name = self.target, code = rejected.failure.code(), "not taken");
                Ended::Rejected(event, rejected)
            }
        }
    }
}

/// What narrows the journal down to a lane. Events of others may still be among what it lets through.
fn filter(lane: &LaneKey) -> Filter {
    match &lane.of {
        LaneOf::Design(design) => Filter { design: Some(design.clone()), ..Filter::default() },
        LaneOf::Project(project) => Filter { project: Some(project.clone()), ..Filter::default() },
        LaneOf::Tenant => Filter::default(),
    }
}
