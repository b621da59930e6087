//! Operations speak in turn: one answer each, then the next.
//!
//! Invariant: an operation with something to say waits for at most one answer of each other operation, however much
//! those have to say. Not here: whether an answer is still wanted.

use std::{
    collections::VecDeque,
    task::{Context, Poll},
};

use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::protocol::{Name, Serial};

/// A piece of what an operation says.
#[derive(Debug)]
pub(super) enum Piece {
    /// One of several answers.
    Answer(String),
    /// The last word.
    End(String),
}

/// An operation that runs: its task, which ends when this is dropped, and what it has said so far.
pub(super) struct Running {
    pub(super) name: Name,
    pub(super) said: mpsc::Receiver<Piece>,
    pub(super) _task: AbortOnDropHandle<()>,
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

    /// The next piece and who says it; no piece where an operation ended without a last word.
    pub(super) async fn next(&mut self) -> (Name, Option<Piece>) {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<(Name, Option<Piece>)> {
        for _ in 0..self.0.len() {
            let Some(mut running) = self.0.pop_front() else { break };
            match running.said.poll_recv(context) {
                Poll::Pending => self.0.push_back(running),
                Poll::Ready(Some(piece @ Piece::Answer(_))) => {
                    let name = running.name.clone();
                    self.0.push_back(running);
                    return Poll::Ready((name, Some(piece)));
                }
                Poll::Ready(last) => return Poll::Ready((running.name, last)),
            }
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::websocket::{
        message::Dialect,
        protocol::{Action, Machine},
    };

    fn running(machine: &mut Machine, id: &str, answers: usize) -> Running {
        let text = format!(r#"{{"type":"subscribe","id":"{id}","payload":{{"query":"{{a}}"}}}}"#);
        let Action::Start(name, _) = machine.receive(&text) else { panic!() };
        let (say, said) = mpsc::channel(answers + 1);
        for _ in 0..answers {
            say.try_send(Piece::Answer(String::new())).unwrap();
        }
        say.try_send(Piece::End(String::new())).unwrap();
        Running { name, said, _task: AbortOnDropHandle::new(tokio::spawn(async {})) }
    }

    fn machine() -> Machine {
        let mut machine = Machine::new(Dialect::Current, 100);
        machine.receive(r#"{"type":"connection_init"}"#);
        machine.admit(true);
        machine
    }

    #[tokio::test]
    async fn a_talkative_operation_does_not_keep_others_from_speaking() {
        let (mut machine, mut turns) = (machine(), Turns::default());
        for (id, answers) in [("loud", 100), ("a", 1), ("b", 1)] {
            turns.push(running(&mut machine, id, answers));
        }
        let mut order = Vec::new();
        for _ in 0..8 {
            order.push(turns.next().await.0.id.to_string());
        }
        assert_eq!(order, ["loud", "a", "b", "loud", "a", "b", "loud", "loud"]);
    }

    #[tokio::test]
    async fn an_operation_that_was_removed_says_no_more() {
        let (mut machine, mut turns) = (machine(), Turns::default());
        let one = running(&mut machine, "1", 5);
        let serial = one.name.serial;
        turns.push(one);
        turns.push(running(&mut machine, "2", 0));
        turns.remove(serial);
        let (name, piece) = turns.next().await;
        assert!(&*name.id == "2" && matches!(piece, Some(Piece::End(_))));
    }
}
