//! The edges: every route, and what each may cost.
//!
//! Data comes in here as bytes and leaves as bytes; between the two it goes through [`graphql`](crate::graphql).
//! Invariants: every answer has a request id; nothing that a caller sent is logged but the request's own name; a
//! limit is a field of [`Config`]. Not here: what an operation means, and who constructs all this.

pub mod auth;
mod edge;
mod graphql;
pub mod health;
pub mod origin;
pub mod page;
pub mod rate;
mod request_id;
pub mod server;
mod webhook;
pub mod websocket;

use std::{sync::Arc, time::Duration};

use axum::{Router, routing::get};
use tokio_util::sync::CancellationToken;

pub use self::{
    auth::{Admission, ApiKey, Credentials, jwt::Tokens},
    health::Admin,
    origin::Origin,
    page::Site,
    rate::Rate,
    request_id::RequestId,
    server::{Drained, Server},
};
use crate::{graphql::Doorway, intake::Intake, telemetry::Metrics};

/// What a caller may cost, and who may call from a web page.
#[derive(Debug, Clone)]
pub struct Config {
    /// Web pages, besides the gateway's own, that may send requests and open sockets.
    pub allowed_origins: Vec<Origin>,
    /// Bytes of a request's body, and of a socket's message. The largest real one, a mutation with every field
    /// filled in, is a tenth of that.
    pub body_bytes: usize,
    /// How long a body may take to arrive: a phone on a bad line sends 128 KiB in less.
    pub body_timeout: Duration,
    /// Bytes of a document. Parsing costs some 90 µs per KiB, so this bounds what a stranger to the cache costs.
    pub document_bytes: usize,
    /// Tokens of a document, for the same reason: small tokens cost most per byte.
    pub document_tokens: usize,
    /// Operations of one request. With one, batches are refused.
    pub batch: usize,
    /// How long a subscription over HTTP may be silent before it gives a sign of life. Proxies commonly give up on a
    /// connection that is silent for longer than half a minute.
    pub keep_alive: Duration,
    /// What one WebSocket may cost.
    pub socket: websocket::Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            allowed_origins: Vec::new(),
            body_bytes: 128 * 1024,
            body_timeout: Duration::from_secs(10),
            document_bytes: 16 * 1024,
            document_tokens: 1000,
            batch: 1,
            keep_alive: Duration::from_secs(12),
            socket: websocket::Limits::default(),
        }
    }
}

/// What every route may use.
#[derive(Debug)]
pub struct State {
    /// The limits.
    pub config: Config,
    /// Who may call.
    pub credentials: Credentials,
    /// How often each of them may ask.
    pub rate: Rate,
    /// The way to the schema.
    pub doorway: Doorway,
    /// Takes Aurora's deliveries in.
    pub intake: Intake,
    /// Where requests are counted.
    pub metrics: Arc<Metrics>,
    /// The pages and what they are told.
    pub site: Site,
    /// Cancelled when the process stops: open sockets are then closed.
    pub shutdown: CancellationToken,
}

/// Where Aurora delivers.
const DELIVERIES: &str = "/webhooks/aurora/{event}";

/// The public routes.
pub fn router(state: State) -> Router {
    let state = &Arc::new(state);
    Router::new()
        .route("/graphql", edge::route(state, "/graphql", graphql::handle))
        .route(DELIVERIES, edge::route(state, DELIVERIES, webhook::aurora))
        .merge(pages(state))
        .fallback_service(edge::route(state, "(none)", page::not_found))
}

/// What people read.
fn pages(state: &Arc<State>) -> Router {
    let explorer = Router::new().route("/graphiql", edge::route(state, "/graphiql", page::graphiql));
    Router::new()
        .merge(if state.site.graphiql { explorer } else { Router::new() })
        .route("/", edge::route(state, "/", page::index))
        // The front page reads it too.
        .route("/graphiql/config.json", edge::route(state, "/graphiql/config.json", page::config))
        .route("/schema.graphql", edge::route(state, "/schema.graphql", page::schema))
        .route("/assets/{*path}", edge::route(state, "/assets/{*path}", page::asset))
}

/// The operator's routes.
pub fn admin_router(admin: Admin) -> Router {
    Router::new()
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .with_state(Arc::new(admin))
        .layer(axum::middleware::from_fn(request_id::name))
}

#[cfg(test)]
mod tests;
