//! An Aurora of our own: for the demo, for every test, and for CRM teams' CI.
//!
//! [`Sandbox::start`] serves the part of Aurora Solar's REST API that a CRM application uses, over
//! real HTTP: keys and their exchange, projects, designs and their summaries, webhooks with
//! retries, the rate limit, and every oddity and failure seen in the wild. A [`Handle`] does in
//! process what people do in Aurora's app, and plays faults; the control routes under
//! `/_sandbox/` do the same by HTTP (`GET /` lists them, `docs/sandbox.md` shows them at work).
//!
//! Invariants: it shares no type and no line with the gateway, so that one mistake is never on both
//! sides; the same seed and the same calls give the same ids and figures; everything it keeps
//! has a limit; no key and no session token appears in a log.
//! Not here: any promise about the real Aurora. What is guessed is said where it is guessed.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

mod agenda;
mod answer;
mod calls;
mod clock;
mod config;
mod control;
mod deliver;
mod design;
mod dice;
mod fault;
mod gate;
mod handle;
mod keys;
mod limit;
mod patch;
mod place;
mod project;
mod roof;
mod routes;
mod serve;
mod summary;
#[cfg(test)]
mod tests;
mod webhook;
mod world;

pub use calls::{CALLS_KEPT, Call};
pub use config::{APPLICATION_ID, APPLICATION_KEY, SECOND_TENANT, TENANT, TENANT_KEY};
pub use config::{Config, ErrorShape, ProjectShape, RetryAfterForm, SessionTokens, Tenant, Units};
pub use deliver::{Attempt, DELIVERIES_KEPT};
pub use fault::{Fault, FaultRule};
pub use handle::{DesignState, Error, Handle};
pub use keys::KeyKind;
pub use patch::Patch;
pub use summary::Oddity;

use world::Shared;

/// A running sandbox. Dropping it ends it at once.
#[derive(Debug)]
pub struct Sandbox {
    addr: SocketAddr,
    handle: Handle,
    stop: CancellationToken,
    server: JoinHandle<()>,
    agenda: JoinHandle<()>,
}

impl Sandbox {
    /// Binds and serves.
    ///
    /// # Errors
    /// When the address cannot be bound, or no HTTP client for webhooks can be made.
    pub async fn start(config: Config) -> io::Result<Self> {
        let listener = TcpListener::bind(config.listen).await?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared::new(config, client()?));
        let handle = Handle { shared: Arc::clone(&shared) };
        let router = routes::router(&shared);
        let stop = CancellationToken::new();
        let router = control::router(handle.clone()).fallback_service(router);
        let server = tokio::spawn(serve::accept(listener, router, stop.clone()));
        let agenda = tokio::spawn(agenda::run(shared));
        Ok(Self { addr, handle, stop, server, agenda })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What a client takes for Aurora's host.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The hold on it that tests use.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Ends it: answers under way get a moment, webhook calls do not.
    pub async fn stop(mut self) {
        self.stop.cancel();
        self.agenda.abort();
        // Both end: the one was told to, the other was aborted. How is of no interest.
        let _ended = (&mut self.server).await;
        let _ended = (&mut self.agenda).await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.server.abort();
        self.agenda.abort();
    }
}

/// Calls webhooks: no redirects, no proxy. On a machine without certificates it can still call
/// plain HTTP, which is what a container on a test network has.
fn client() -> io::Result<reqwest::Client> {
    let builder = || {
        reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent("Aurora-Sandbox-Webhooks")
    };
    let client = builder().build().or_else(|_| builder().tls_certs_only([]).build());
    client.map_err(io::Error::other)
}
