//! One operation on a socket, from its `subscribe` to its last word.
//!
//! Invariant: it never has more answers waiting than its backlog; where that is full it waits itself, and whoever
//! feeds it notices. Not here: the order in which operations may speak.

use std::sync::Arc;

use futures_util::StreamExt;
use tokio::sync::mpsc;

use super::{
    message::{self, Dialect},
    turns::Piece,
};
use crate::{
    domain::Viewer,
    graphql::{Answer, Call},
    http::{
        RequestId, State,
        graphql::{counter, outcome, prepare},
    },
    telemetry::metrics::{Held, Outcome},
};

/// Runs an operation and says what comes of it.
pub(super) async fn run(
    state: Arc<State>,
    request_id: RequestId,
    viewer: Viewer,
    id: Arc<str>,
    dialect: Dialect,
    call: Call,
    say: mpsc::Sender<Piece>,
) {
    let _running = Held::raise(&state.metrics.operations_running);
    let operation = match prepare(&state, call, &viewer) {
        Ok(operation) => operation,
        Err(refused) => {
            let refused = message::error(dialect, &id, &Answer::refused(refused));
            // Nobody listens any more where the socket is closed.
            let _closed = say.send(Piece::End(refused)).await;
            return;
        }
    };
    let counter = counter(&state, operation.kind());
    let mut answers = state.doorway.answers(operation, viewer, request_id.as_str());
    let mut ended = Outcome::Ok;
    while let Some(answer) = answers.next().await {
        ended = outcome(&answer);
        if !answer.executed {
            counter.count(ended);
            let _closed = say.send(Piece::End(message::error(dialect, &id, &answer))).await;
            return;
        }
        if say.send(Piece::Answer(message::next(dialect, &id, &answer))).await.is_err() {
            break;
        }
    }
    counter.count(ended);
    let _closed = say.send(Piece::End(message::complete(&id))).await;
}
