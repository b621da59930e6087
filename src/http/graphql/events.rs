//! Answers as server-sent events: GraphQL over SSE, in its distinct connections mode.
//!
//! Invariants: what waits for the reader is bounded; a reader that takes nothing for too long is hung up on, and a
//! stop ends the stream, whereupon clients come again. Not here: requests whose form is wrong. They are refused with
//! a status, before any stream begins.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{
    HeaderName, HeaderValue,
    header::{CONTENT_TYPE, VARY},
};
use tokio::{select, sync::mpsc, time};
use tokio_util::task::AbortOnDropHandle;

use super::{counter, outcome};
use crate::{
    graphql::{Answer, Operation},
    http::{Admission, RequestId, State, server::Seat},
    telemetry::metrics::{Held, Outcome},
};

/// Between two signs of life. Proxies commonly give up on a connection that is silent for longer than half a minute.
const BEAT: Duration = Duration::from_secs(12);

/// A comment, which readers pass over.
const SIGN_OF_LIFE: Bytes = Bytes::from_static(b":\n\n");

const COMPLETE: Bytes = Bytes::from_static(b"event: complete\ndata:\n\n");

/// Begins an operation, and answers with the stream of what comes of it.
pub(super) fn stream(
    state: &Arc<State>,
    id: &RequestId,
    admission: Admission,
    operation: Operation,
    seat: Option<Seat>,
) -> Response {
    let (say, said) = mpsc::channel(state.config.socket.backlog);
    let feed = feed(Arc::clone(state), id.clone(), admission, operation, Say { say, seat });
    let task = AbortOnDropHandle::new(tokio::spawn(feed));
    let events = stream::unfold((said, task), |(mut said, task)| async move {
        let event: Bytes = said.recv().await?;
        Some((Ok::<_, Infallible>(event), (said, task)))
    });
    let mut response = Response::new(Body::from_stream(events));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    headers.insert(VARY, HeaderValue::from_static("accept, authorization, origin"));
    response
}

async fn feed(state: Arc<State>, id: RequestId, admission: Admission, operation: Operation, mut say: Say) {
    let _running = Held::raise(&state.metrics.operations_running);
    let counter = counter(&state, operation.kind());
    let limits = &state.config.socket;
    let life = time::sleep_until(admission.ends(limits.life));
    let mut answers = state.doorway.answers(operation, admission.viewer, id.as_str());
    let mut ended = Outcome::Ok;
    tokio::pin!(life);
    loop {
        let event = select! {
            biased;
            // First, so that nothing is told to a credential that has ended.
            () = &mut life => return counter.count(ended),
            () = state.shutdown.cancelled() => return counter.count(ended),
            answer = answers.next() => match answer {
                Some(answer) => {
                    ended = outcome(&answer);
                    next(&answer)
                }
                None => break,
            },
            () = time::sleep(BEAT) => SIGN_OF_LIFE,
        };
        if !say.event(event, limits.write_timeout).await {
            return counter.count(ended);
        }
    }
    counter.count(ended);
    // Whoever has left needs no goodbye.
    let _left = say.event(COMPLETE, limits.write_timeout).await;
}

/// One answer. JSON as it is written here holds no line break, so one line of data holds it all.
fn next(answer: &Answer) -> Bytes {
    let mut event = b"event: next\ndata: ".to_vec();
    event.extend_from_slice(&answer.to_json());
    event.extend_from_slice(b"\n\n");
    event.into()
}

struct Say {
    say: mpsc::Sender<Bytes>,
    seat: Option<Seat>,
}

impl Say {
    /// False when nobody reads any more.
    async fn event(&mut self, event: Bytes, patience: Duration) -> bool {
        match time::timeout(patience, self.say.send(event)).await {
            Ok(sent) => sent.is_ok(),
            Err(_too_slow) => {
                if let Some(seat) = &self.seat {
                    seat.hang_up();
                }
                false
            }
        }
    }
}
