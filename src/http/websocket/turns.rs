//! Operations speak in turn: one answer each, then the next.
//!
//! They run in the socket's own task: an answer costs the socket one wake-up and no queue. Invariant: an operation with
//! something to say waits for at most one answer of each other operation, however much those have to say. Not here:
//! whether an answer is still wanted.

use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll},
};

use super::protocol::{Name, Serial};
use crate::http::graphql::stream::{Said, Stream};

/// An operation that runs.
pub(super) struct Running {
    name: Name,
    stream: Stream,
    /// The place of what it said last.
    cursor: Option<Arc<str>>,
}

impl Running {
    /// One that has said nothing yet.
    pub(super) fn new(name: Name, stream: Stream) -> Self {
        Self { name, stream, cursor: None }
    }
}

/// The operations of one socket.
#[derive(Default)]
pub(super) struct Turns(VecDeque<Running>);

impl Turns {
    /// One more. It speaks after all others.
    pub(super) fn push(&mut self, running: Running) {
        self.0.push_back(running);
    }

    /// Ends an operation.
    pub(super) fn remove(&mut self, serial: Serial) {
        self.0.retain(|it| it.name.serial != serial);
    }

    /// What an operation said last is not handed on: its reader has not heard of that place.
    pub(super) fn unsay(&mut self, serial: Serial) {
        self.0.iter_mut().filter(|it| it.name.serial == serial).for_each(|it| it.cursor = None);
    }

    /// Where the socket's reader can resume, if it listens to one thing and has heard of it.
    pub(super) fn cursor(&self) -> Option<&str> {
        match self.0.iter().collect::<Vec<_>>().as_slice() {
            [only] => only.cursor.as_deref(),
            _ => None,
        }
    }

    /// What is said next and by whom. Whoever has said its last word is gone by then, with all that it held.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<(Name, Said)> {
        for _ in 0..self.0.len() {
            let Some(mut running) = self.0.pop_front() else { break };
            let said = running.stream.poll_next(context);
            let name = running.name.clone();
            match &said {
                Poll::Ready(Said::End(_)) => drop(running),
                Poll::Ready(Said::Answer(frame)) => {
                    running.cursor = frame.cursor().cloned();
                    self.0.push_back(running);
                }
                Poll::Ready(Said::Silence) | Poll::Pending => self.0.push_back(running),
            }
            if let Poll::Ready(said) = said {
                return Poll::Ready((name, said));
            }
        }
        Poll::Pending
    }
}
