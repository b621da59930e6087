//! Connections: accepted one by one, watched, and let go in order.
//!
//! Invariants: a connection that sends nothing, or sends slowly, is closed; there are never more than the limit, and
//! who comes then waits at the door; a stop lets what runs finish, up to a deadline. Not here: what a request is
//! answered.

mod files;
mod heard;
mod watch;

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use http::Request;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    select,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{self, Instant},
};
use tokio_util::sync::CancellationToken;
use tower::Service;

use self::{
    heard::Heard,
    watch::{Busy, Patience, Verdict, Watch, Watched},
};

/// What connections may cost.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at once, sockets among them. Each may cost some 100 KiB, so this bounds memory. There are never more than
    /// the process may have files for.
    pub connections: u32,
    /// Files that connections leave to the rest: to calls, the store and whatever else the process opens.
    pub files_kept: u32,
    /// From a connection's first moment to the end of its first request's head. A later head has up to twice as long from
    /// its first byte.
    pub head: Duration,
    /// How long a connection may stay without a request. Longer than most clients keep a connection, so that it is they
    /// who close it.
    pub idle: Duration,
    /// Bytes of a request's head: a document of 16 KiB fits into a URL, even with every byte escaped.
    pub head_bytes: usize,
    /// Requests at once on one HTTP/2 connection.
    pub streams: u32,
    /// Bytes of an answer that the system may hold for a reader. Left to itself it takes megabytes for one that does not
    /// read, who is then noticed late; this is enough for 10 Mbit/s around half the world.
    pub send_bytes: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 16_384,
            files_kept: 384,
            head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            head_bytes: 64 * 1024,
            streams: 100,
            send_bytes: 128 * 1024,
        }
    }
}

/// Connections that the system holds at the door: what comes at once after a restart.
const PENDING: u32 = 1024;

/// How long a connection that was asked to end may take.
const FAREWELL: Duration = Duration::from_secs(5);

/// How long to wait where the system has no more files: others may close theirs meanwhile.
const OUT_OF_FILES: Duration = Duration::from_millis(100);

/// A port that listens.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    limits: Limits,
}

/// How a stop went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were cut off because they did not end in time.
    pub cut_off: usize,
}

impl Server {
    /// Listens on an address. Port 0 takes a free one.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn bind(address: SocketAddr, limits: Limits) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // A gateway that starts again must not wait for the connections of the one before to be forgotten.
        socket.set_reuseaddr(true)?;
        // Connections have it from the port that they came to.
        socket.set_send_buffer_size(limits.send_bytes)?;
        socket.bind(address)?;
        let listener = socket.listen(PENDING)?;
        let address = listener.local_addr()?;
        let connections = limits.connections.min(files::for_connections(limits.files_kept));
        if connections < limits.connections {
            tracing::warn!(
                %address,
                connections,
                wanted = limits.connections,
                "fewer connections are let in at once than the settings allow: the process may open no more files"
            );
        }
        Ok(Self { listener, address, limits: Limits { connections, ..limits } })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is cancelled, then waits up to `drain` for what still runs.
    pub async fn serve(self, router: Router, shutdown: CancellationToken, drain: Duration) -> Drained {
        let most = self.limits.connections;
        let seats = Arc::new(Semaphore::new(usize::try_from(most).unwrap_or(Semaphore::MAX_PERMITS)));
        // Cancelled when this future ends, however it ends: no connection outlives its server.
        let cut = CancellationToken::new();
        let _cut_at_the_end = cut.clone().drop_guard();
        let service = Shared {
            router: router.with_state(()),
            limits: Arc::new(self.limits),
            shutdown: shutdown.clone(),
            cut: cut.clone(),
        };
        select! {
            () = shutdown.cancelled() => {}
            () = accept(self.listener, &seats, &service) => {}
        }
        let all_gone = time::timeout(drain, seats.acquire_many(most)).await.is_ok();
        let free = seats.available_permits();
        let cut_off = if all_gone { 0 } else { usize::try_from(most).unwrap_or(free).saturating_sub(free) };
        Drained { cut_off }
    }
}

#[derive(Clone)]
struct Shared {
    router: Router,
    limits: Arc<Limits>,
    shutdown: CancellationToken,
    cut: CancellationToken,
}

/// Accepts for ever. Where all seats are taken, the next caller waits in the system's own queue.
async fn accept(listener: TcpListener, seats: &Arc<Semaphore>, shared: &Shared) {
    loop {
        let Ok(seat) = Arc::clone(seats).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _peer)) => {
                let seat = Seat { _permit: Arc::new(seat), hang_up: shared.cut.child_token() };
                tokio::spawn(connection(stream, seat, shared.clone()));
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "No connection can be accepted; tries again");
                time::sleep(OUT_OF_FILES).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// A connection's place among those that are allowed. A socket keeps it after its request was answered.
#[derive(Debug, Clone)]
pub(super) struct Seat {
    _permit: Arc<OwnedSemaphorePermit>,
    hang_up: CancellationToken,
}

impl Seat {
    /// Closes the connection, whatever it is at.
    pub(super) fn hang_up(&self) {
        self.hang_up.cancel();
    }
}

async fn connection(stream: TcpStream, seat: Seat, shared: Shared) {
    // Without it, small answers wait for the previous one's receipt.
    let _best_effort = stream.set_nodelay(true);
    let watch = Arc::new(Watch::new());
    let service = {
        let (watch, router, seat) = (Arc::clone(&watch), shared.router.clone(), seat.clone());
        hyper::service::service_fn(move |request: Request<Incoming>| {
            let busy = Busy::begin(&watch, request.version());
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(seat.clone());
            let answer = router.clone().call(request);
            async move {
                let response = answer.await?;
                Ok::<_, Infallible>(response.map(|body| Watched::new(body, busy)))
            }
        })
    };
    let builder = builder(&shared.limits);
    let connection =
        builder.serve_connection_with_upgrades(TokioIo::new(Heard::new(stream, Arc::clone(&watch))), service);
    tokio::pin!(connection);

    let patience = Patience { idle: shared.limits.idle, head: shared.limits.head };
    let next_look = time::sleep(shared.limits.head);
    tokio::pin!(next_look);
    let mut ending = false;
    loop {
        select! {
            // What went wrong on a connection is its client's affair.
            _ended = connection.as_mut() => return,
            () = seat.hang_up.cancelled() => return,
            () = shared.shutdown.cancelled(), if !ending => {
                ending = true;
                connection.as_mut().graceful_shutdown();
                if !watch.has_begun() { return }
                // What runs now may take as long as the server lets it.
                next_look.as_mut().reset(Instant::now() + patience.idle);
            }
            () = next_look.as_mut() => match watch.verdict(&patience) {
                Verdict::Wait(until) => next_look.as_mut().reset(until),
                Verdict::End if !ending => {
                    ending = true;
                    connection.as_mut().graceful_shutdown();
                    next_look.as_mut().reset(Instant::now() + FAREWELL);
                }
                Verdict::End | Verdict::Cut => return,
            },
        }
    }
}

fn builder(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // Counted from the last answer, so this is no limit for a head alone: see `Watch`.
        .header_read_timeout(limits.idle)
        .max_buf_size(limits.head_bytes)
        .pipeline_flush(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}
