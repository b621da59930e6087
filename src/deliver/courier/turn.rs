//! One turn of one lane: finds its first event, says what it is, and sends it once.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;

use super::super::{
    Means,
    desk::{Ended, Turn},
    payload::{self, Told},
    sender::Sender,
};
use crate::{
    domain::{Event, LaneKey, LaneOf, MessageType, Seq},
    journal::{self, Filter},
};

/// Events read from the journal in one go, to find the first of a lane: its filter lets few others through.
const PAGE: usize = 16;

/// How a turn ended, and whether events of its lane were found to be gone.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) how: Ended,
    pub(super) gap: bool,
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
            Done { how: Ended::Unread, gap: false }
        })
    }

    async fn turn(&self, turn: Turn) -> Done {
        let (found, gap) = match turn.head.clone() {
            Some(head) => (Ok(Some(head)), false),
            None => self.first(&turn).await,
        };
        let how = match found {
            Ok(Some(event)) => self.send(event).await,
            Ok(None) => Ended::Empty(turn.through),
            Err(error) => {
                tracing::error!(target.name = self.target, error = %error, "the journal cannot be read");
                Ended::Unread
            }
        };
        Done { how, gap }
    }

    /// The first event that waits in a lane; and whether what waited before it is gone.
    async fn first(&self, turn: &Turn) -> (Result<Option<Arc<Event>>, journal::Error>, bool) {
        let filter = filter(&turn.lane);
        match self.search(&turn.lane, &filter, Some(turn.after), turn.through).await {
            Err(journal::Error::Expired { .. }) => {
                (self.search(&turn.lane, &filter, None, turn.through).await, true)
            }
            found => (found, false),
        }
    }

    async fn search(
        &self,
        lane: &LaneKey,
        filter: &Filter,
        mut after: Option<Seq>,
        through: Seq,
    ) -> Result<Option<Arc<Event>>, journal::Error> {
        loop {
            let slice = self.means.journal.events(&lane.tenant, filter, after, PAGE).await?;
            let last = slice.events.last().map(|it| it.seq);
            let is_first = |it: &Arc<Event>| {
                LaneKey::of(it) == *lane && self.types.contains(&MessageType::of(&it.delivery))
            };
            let found = slice.events.into_iter().take_while(|it| it.seq <= through).find(is_first);
            if found.is_some() || !slice.more || last.is_none_or(|it| it >= through) {
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
