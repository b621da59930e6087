//! One operation as a stream: what it answers, in order, and why it says no more. Every transport is fed from here.
//!
//! Invariants: an operation has begun when [`Stream::begin`] returns, so that its reader, once told so, misses nothing;
//! nothing is said to a credential that has ended; an operation that ended is counted once. Not here: bytes, and how
//! long a reader may take.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{StreamExt, stream::BoxStream};
use tokio::{
    select,
    time::{self, Instant, Sleep},
};

use super::counter;
use crate::{
    domain::Viewer,
    graphql::{Answer, Frame, Kind, Operation, Reply},
    http::{RequestId, State},
    telemetry::metrics::{Held, Outcome},
};

/// What comes of an operation, piece by piece.
#[derive(Debug)]
pub(in crate::http) enum Said {
    /// One answer, which others may have got too.
    Answer(Arc<Frame>),
    /// Nothing, for so long that the reader may wonder.
    Silence,
    /// The last of it.
    End(End),
}

/// Why an operation says no more.
#[derive(Debug)]
pub(in crate::http) enum End {
    /// It said all it had to say.
    Completed,
    /// It was refused, or broke off.
    Refused(Box<Answer>),
    /// The credential has to be shown anew.
    Expired,
    /// The gateway restarts.
    Restarting,
}

/// How long a stream lasts that has a connection for itself. On a socket, all of this is the socket's.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Span {
    /// To this moment at the longest.
    pub(in crate::http) until: Instant,
    /// How long it may be silent.
    pub(in crate::http) silence: Duration,
}

/// An operation that runs.
pub(in crate::http) struct Stream {
    state: Arc<State>,
    kind: Kind,
    answers: BoxStream<'static, Reply>,
    /// What was there at the first look, if anything was.
    first: Option<Option<Reply>>,
    timers: Option<Timers>,
    /// How the last answer counts.
    last: Option<Outcome>,
    _running: Held,
}

struct Timers {
    life: Pin<Box<Sleep>>,
    silence: Duration,
}

impl Stream {
    /// Begins an operation. It is looked at once, and not waited for: a subscription has its place in the order of events
    /// by then.
    pub(in crate::http) async fn begin(
        state: &Arc<State>,
        id: &RequestId,
        viewer: Viewer,
        operation: Operation,
        span: Option<Span>,
    ) -> Self {
        let running = Held::raise(&state.metrics.operations_running);
        let kind = operation.kind();
        let answers = state.doorway.answers(operation, viewer, id.as_str());
        let timers =
            span.map(|it| Timers { life: Box::pin(time::sleep_until(it.until)), silence: it.silence });
        let state = Arc::clone(state);
        let mut this = Self { state, kind, answers, first: None, timers, last: None, _running: running };
        let look = poll_fn(|context| Poll::Ready(this.answers.poll_next_unpin(context)));
        if let Poll::Ready(first) = look.await {
            this.first = Some(first);
        }
        this
    }

    /// What comes next. Nothing comes after the end.
    pub(in crate::http) async fn next(&mut self) -> Said {
        let Self { state, first, answers, timers, .. } = self;
        let mut answer = poll_fn(|context| poll(first, answers, context));
        let answer = match timers {
            None => answer.await,
            Some(timers) => select! {
                biased;
                // First, so that nothing is told to a credential that has ended.
                () = &mut timers.life => return Said::End(End::Expired),
                () = state.shutdown.cancelled() => return Said::End(End::Restarting),
                answer = &mut answer => answer,
                () = time::sleep(timers.silence) => return Said::Silence,
            },
        };
        self.said(answer)
    }

    /// The same for whoever looks after the time by itself.
    pub(in crate::http) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Said> {
        poll(&mut self.first, &mut self.answers, context).map(|it| self.said(it))
    }

    fn said(&mut self, reply: Option<Reply>) -> Said {
        match reply {
            None => Said::End(End::Completed),
            Some(Ok(frame)) => {
                self.last = Some(if frame.failed() { Outcome::Errors } else { Outcome::Ok });
                Said::Answer(frame)
            }
            Some(Err(refused)) => {
                self.last = Some(Outcome::Refused);
                Said::End(End::Refused(refused))
            }
        }
    }
}

fn poll(
    first: &mut Option<Option<Reply>>,
    rest: &mut BoxStream<'static, Reply>,
    context: &mut Context<'_>,
) -> Poll<Option<Reply>> {
    match first.take() {
        Some(reply) => Poll::Ready(reply),
        None => rest.poll_next_unpin(context),
    }
}

impl Drop for Stream {
    /// However it ended, and whoever ended it. What was given up before it answered has no outcome, but a subscription
    /// may well end without one.
    fn drop(&mut self) {
        let quiet = (self.kind == Kind::Subscription).then_some(Outcome::Ok);
        if let Some(ended) = self.last.or(quiet) {
            counter(&self.state, self.kind).count(ended);
        }
    }
}
