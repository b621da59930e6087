//! Whether a connection is at work, idle, or has never said anything.
//!
//! Invariant: a request costs a few atomic writes and no timer. Not here: what follows from it.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use http::Version;
use hyper::body::{Frame, SizeHint};
use tokio::time::Instant;

/// What a connection has been doing.
pub(super) struct Watch {
    born: Instant,
    requests: AtomicU64,
    running: AtomicU64,
    last_active_ms: AtomicU64,
    /// When the first byte of a request was heard that has not begun; zero where there is none.
    heard_ms: AtomicU64,
    /// Whether bytes between requests are no beginning of one: over HTTP/2 they may be signs of life.
    many_streams: AtomicBool,
}

/// How long a connection may do what.
pub(super) struct Patience {
    /// Be without a request.
    pub(super) idle: Duration,
    /// Take for a request's head.
    pub(super) head: Duration,
}

/// What becomes of a connection whose patience ran out.
pub(super) enum Verdict {
    /// It is at work, or was until shortly: ask again then.
    Wait(Instant),
    /// It was idle long enough.
    End,
    /// It did not send a whole request's head in time.
    Cut,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self {
            born: Instant::now(),
            requests: AtomicU64::new(0),
            running: AtomicU64::new(0),
            last_active_ms: AtomicU64::new(0),
            heard_ms: AtomicU64::new(0),
            many_streams: AtomicBool::new(false),
        }
    }

    pub(super) fn has_begun(&self) -> bool {
        self.requests.load(Relaxed) > 0
    }

    fn lived_ms(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Bytes came.
    pub(super) fn hears(&self) {
        if self.running.load(Relaxed) == 0 && self.heard_ms.load(Relaxed) == 0 {
            self.heard_ms.store(self.lived_ms().max(1), Relaxed);
        }
    }

    pub(super) fn verdict(&self, patience: &Patience) -> Verdict {
        if !self.has_begun() {
            return Verdict::Cut;
        }
        let now = Instant::now();
        // Looked at that often: what begins to be heard meanwhile wakes nobody.
        let soon = now + patience.head;
        let at = |ms: u64| self.born + Duration::from_millis(ms);
        if self.running.load(Relaxed) > 0 {
            return Verdict::Wait(soon);
        }
        let heard =
            Some(self.heard_ms.load(Relaxed)).filter(|it| *it > 0 && !self.many_streams.load(Relaxed));
        if heard.is_some_and(|it| at(it) + patience.head <= now) {
            return Verdict::Cut;
        }
        let until = at(self.last_active_ms.load(Relaxed)) + patience.idle;
        if until > now { Verdict::Wait(until.min(soon)) } else { Verdict::End }
    }
}

/// A request that runs, until the last of its answer was handed over.
pub(super) struct Busy(Arc<Watch>);

impl Busy {
    pub(super) fn begin(watch: &Arc<Watch>, version: Version) -> Self {
        watch.requests.fetch_add(1, Relaxed);
        watch.running.fetch_add(1, Relaxed);
        watch.heard_ms.store(0, Relaxed);
        watch.many_streams.store(version == Version::HTTP_2, Relaxed);
        Self(Arc::clone(watch))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.last_active_ms.store(self.0.lived_ms(), Relaxed);
        self.0.running.fetch_sub(1, Relaxed);
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
