//! Whether a connection is at work, idle, or has never said anything.
//!
//! Invariant: a request costs a few atomic writes and no timer. Not here: what follows from it.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use hyper::body::{Frame, SizeHint};
use tokio::time::Instant;

/// What a connection has been doing.
pub(super) struct Watch {
    born: Instant,
    requests: AtomicU64,
    running: AtomicU64,
    last_active_ms: AtomicU64,
}

/// What becomes of a connection whose patience ran out.
pub(super) enum Verdict {
    /// It is at work, or was until shortly: ask again then.
    Wait(Instant),
    /// It was idle long enough.
    End,
    /// It never sent a whole request.
    Cut,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self {
            born: Instant::now(),
            requests: AtomicU64::new(0),
            running: AtomicU64::new(0),
            last_active_ms: AtomicU64::new(0),
        }
    }

    pub(super) fn has_begun(&self) -> bool {
        self.requests.load(Relaxed) > 0
    }

    fn touch(&self) {
        let lived = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_active_ms.store(lived, Relaxed);
    }

    pub(super) fn verdict(&self, idle: Duration) -> Verdict {
        if !self.has_begun() {
            return Verdict::Cut;
        }
        let now = Instant::now();
        if self.running.load(Relaxed) > 0 {
            return Verdict::Wait(now + idle);
        }
        let until = self.born + Duration::from_millis(self.last_active_ms.load(Relaxed)) + idle;
        if until > now { Verdict::Wait(until) } else { Verdict::End }
    }
}

/// A request that runs, until the last of its answer was handed over.
pub(super) struct Busy(Arc<Watch>);

impl Busy {
    pub(super) fn begin(watch: &Arc<Watch>) -> Self {
        watch.requests.fetch_add(1, Relaxed);
        watch.running.fetch_add(1, Relaxed);
        Self(Arc::clone(watch))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Relaxed);
        self.0.touch();
    }
}

/// An answer's body, which keeps its connection busy.
pub(super) struct Watched {
    body: Body,
    _busy: Busy,
}

impl Watched {
    pub(super) fn new(body: Body, busy: Busy) -> Self {
        Self { body, _busy: busy }
    }
}

impl hyper::body::Body for Watched {
    type Data = bytes::Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
