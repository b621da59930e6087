//! What passes from a socket's reading loop to its writing loop: replies, and operations that begin or end.
//!
//! Both loops are of one task, so this is a place and no channel: an idle socket keeps nothing in it. Invariants: replies
//! come before what operations say; of more than [`REPLIES`] the reading loop waits, so a client that sends faster than
//! it reads is read from no faster than it reads.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use axum::extract::ws::Message;

use super::{
    protocol::{Name, Serial},
    turns::{Running, Turns},
};
use crate::http::graphql::stream::Said;

/// Replies and pings that wait to be written.
const REPLIES: usize = 16;

/// The place between the two loops.
#[derive(Default)]
pub(super) struct Desk(Mutex<State>);

#[derive(Default)]
struct State {
    replies: VecDeque<Message>,
    turns: Turns,
    writer: Option<Waker>,
    reader: Option<Waker>,
}

/// What is to be written next.
pub(super) enum Next {
    /// As it is.
    Reply(Message),
    /// What an operation said.
    Said(Name, Said),
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a reply written, when there is room for it.
    pub(super) async fn reply(&self, message: Message) {
        poll_fn(|context| {
            let mut state = self.lock();
            if state.replies.len() < REPLIES {
                return Poll::Ready(());
            }
            state.reader = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
        // There is one reading loop, so the room is still there.
        let mut state = self.lock();
        state.replies.push_back(message);
        wake(state);
    }

    /// Lets an operation speak, after all others.
    pub(super) fn begin(&self, running: Running) {
        let mut state = self.lock();
        state.turns.push(running);
        wake(state);
    }

    /// Ends an operation.
    pub(super) fn end(&self, serial: Serial) {
        self.lock().turns.remove(serial);
    }

    /// What an operation said last is not written.
    pub(super) fn unsay(&self, serial: Serial) {
        self.lock().turns.unsay(serial);
    }

    /// Ends all of them, and says where the reader can resume if it listens to one thing.
    pub(super) fn clear(&self) -> Option<String> {
        let turns = std::mem::take(&mut self.lock().turns);
        turns.cursor().map(ToOwned::to_owned)
    }

    /// What is to be written next.
    pub(super) async fn next(&self) -> Next {
        poll_fn(|context| self.poll(context)).await
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<Next> {
        let mut state = self.lock();
        if let Some(message) = state.replies.pop_front() {
            let reader = state.reader.take();
            drop(state);
            if let Some(reader) = reader {
                reader.wake();
            }
            return Poll::Ready(Next::Reply(message));
        }
        let said = state.turns.poll(context);
        if said.is_pending() && state.writer.as_ref().is_none_or(|it| !it.will_wake(context.waker())) {
            state.writer = Some(context.waker().clone());
        }
        said.map(|(name, said)| Next::Said(name, said))
    }
}

fn wake(mut state: MutexGuard<'_, State>) {
    let writer = state.writer.take();
    drop(state);
    if let Some(writer) = writer {
        writer.wake();
    }
}
