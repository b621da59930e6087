//! One operation on a socket, from its `subscribe` to its last word.
//!
//! Invariant: it never has more answers waiting than its backlog; where that is full it waits itself, and whoever
//! feeds it notices. Not here: the order in which operations may speak.

use std::{future::pending, sync::Arc};

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
        graphql::{
            prepare,
            stream::{End, Said, Stream},
        },
    },
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
    let operation = match prepare(&state, call, &viewer) {
        Ok(operation) => operation,
        Err(refused) => {
            let refused = Answer::refused(refused).named(request_id.as_str());
            let refused = message::error(dialect, &id, &refused);
            // Nobody listens any more where the socket is closed.
            let _closed = say.send(Piece::End(refused)).await;
            return;
        }
    };
    let mut stream = Stream::begin(&state, &request_id, viewer, operation, None).await;
    let last = loop {
        match stream.next().await {
            Said::Answer(answer) => {
                if say.send(Piece::Answer(message::next(dialect, &id, &answer))).await.is_err() {
                    return;
                }
            }
            Said::End(End::Completed) => break message::complete(&id),
            Said::End(End::Refused(answer)) => break message::error(dialect, &id, &answer),
            // What else ends it is the socket's affair, which closes with a code then; and it pings by itself.
            Said::End(End::Expired | End::Restarting) => return pending().await,
            Said::Silence => {}
        }
    };
    // What it held is free before its reader has the last word.
    drop(stream);
    let _closed = say.send(Piece::End(last)).await;
}
