//! The sandbox's own HTTP server, for one reason: it can break connections.
//!
//! A [`Cut`] rides along with every request and lets whoever answers it tear the socket away
//! instead, in good order or with a TCP reset. Invariants: a connection that is cut gets no further
//! byte; after [`accept`] was told to stop, none outlives [`STOP_GRACE`]; dropping it drops them all.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::Layer;

/// Connections at once; beyond it, new ones wait in the kernel's queue.
const CONNECTIONS: usize = 1_024;

/// How long answers under way may take after a stop. A call that hangs on purpose never ends.
const STOP_GRACE: Duration = Duration::from_millis(500);

/// Out of file descriptors, accepting again at once would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Ends one connection from inside a request.
#[derive(Debug, Clone, Default)]
pub(super) struct Cut {
    gone: CancellationToken,
    reset: Arc<AtomicBool>,
}

impl Cut {
    /// Closes the connection in good order. Never resolves: whoever waits goes with it.
    pub(super) async fn close<T>(&self) -> T {
        self.gone.cancel();
        std::future::pending().await
    }

    /// Tears the connection down with a TCP reset. Never resolves.
    pub(super) async fn reset<T>(&self) -> T {
        self.reset.store(true, Ordering::Relaxed);
        self.close().await
    }
}

/// Serves every connection until told to stop.
pub(super) async fn accept(listener: TcpListener, router: Router, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, router.clone(), stop.clone()));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
    drop(listener);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    // Whatever hangs beyond the grace is dropped with the set.
    let _in_time = tokio::time::timeout(STOP_GRACE, all_ended).await;
}

async fn serve(stream: TcpStream, router: Router, stop: CancellationToken) {
    // A failure only makes small answers a little later.
    let _set = stream.set_nodelay(true);
    let cut = Cut::default();
    let service = TowerToHyperService::new(Extension(cut.clone()).layer(router));
    let builder = Builder::new(TokioExecutor::new()).http1_only();
    let wire = TokioIo::new(Wire { stream, reset: Arc::clone(&cut.reset) });
    let mut connection = pin!(builder.serve_connection(wire, service));
    let mut stopping = false;
    loop {
        tokio::select! {
            biased;
            () = cut.gone.cancelled() => return,
            // Broken connections are this server's trade; there is nobody to tell.
            _ended = connection.as_mut() => return,
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// A socket that can end in a reset.
#[derive(Debug)]
struct Wire {
    stream: TcpStream,
    reset: Arc<AtomicBool>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.reset.load(Ordering::Relaxed) {
            // Closing with no time to linger is what makes the kernel send RST.
            let _set = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
