//! An answer that goes on: one response whose body is fed by a [`Stream`] until that ends.
//!
//! [`Framing`] is how its pieces are written, in [`events`](super::events) and in [`parts`](super::parts). Invariants:
//! the head and the first bytes leave at once; what waits for the reader is bounded; a reader that takes nothing for too
//! long loses its own stream and nothing else. Not here: requests whose form is wrong. They are refused with a status,
//! before any stream begins.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderName, HeaderValue, header::CONTENT_TYPE};
use tokio::{sync::mpsc, time};
use tokio_util::task::AbortOnDropHandle;

use super::stream::{End, Said, Span, Stream};
use crate::{
    graphql::{Frame, Operation},
    http::{Admission, RequestId, State, server::Seat},
};

/// How the pieces of an answer that goes on are written.
pub(super) trait Framing: 'static {
    /// As it stands in `Content-Type`.
    const MEDIA: &'static str;
    /// What comes before everything else. Some browsers show nothing of a response before its first byte.
    const OPENING: &'static [u8];

    /// A sign of life, which readers pass over.
    fn sign_of_life() -> Bytes;

    /// One answer.
    fn answer(answer: &Frame) -> Bytes;

    /// The last word to that request, where there is one.
    fn end(end: &End, id: &RequestId) -> Option<Bytes>;
}

/// Begins an operation, and answers with the stream of what comes of it.
pub(super) async fn respond<F: Framing>(
    state: &Arc<State>,
    id: &RequestId,
    admission: Admission,
    operation: Operation,
    seat: Option<Seat>,
) -> Response {
    let limits = &state.config.socket;
    let span = Span { until: admission.ends(limits.life), silence: state.config.keep_alive };
    let stream = Stream::begin(state, id, admission.viewer, operation, Some(span)).await;
    let (say, said) = mpsc::channel(limits.backlog);
    let line = Line { say, patience: limits.write_timeout, seat };
    let task = AbortOnDropHandle::new(tokio::spawn(feed::<F>(stream, line, id.clone())));
    let pieces = stream::unfold((said, task), |(mut said, task)| async move {
        let piece: Bytes = said.recv().await?;
        Some((piece, (said, task)))
    });
    let opening = stream::once(async { Bytes::from_static(F::OPENING) });
    let mut response = Response::new(Body::from_stream(opening.chain(pieces).map(Ok::<_, Infallible>)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(F::MEDIA));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

async fn feed<F: Framing>(mut stream: Stream, line: Line, id: RequestId) {
    loop {
        let piece = match stream.next().await {
            Said::Answer(answer) => F::answer(&answer),
            Said::Silence => F::sign_of_life(),
            Said::End(end) => {
                // What it held is free before its reader has taken the last word.
                drop(stream);
                if let Some(last) = F::end(&end, &id) {
                    line.say(last).await;
                }
                return;
            }
        };
        if !line.say(piece).await {
            return;
        }
    }
}

/// The way to one reader.
struct Line {
    say: mpsc::Sender<Bytes>,
    patience: Duration,
    /// The connection, where the stream has it for itself.
    seat: Option<Seat>,
}

impl Line {
    /// False when nobody reads any more.
    async fn say(&self, piece: Bytes) -> bool {
        match time::timeout(self.patience, self.say.send(piece)).await {
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
