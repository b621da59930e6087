//! The operator's routes: alive, ready, and how busy.
//!
//! Invariant: these answer without a credential and say nothing about callers or tenants, so they stand on a port of
//! their own. Not here: what makes the gateway ready. The application knows, and is asked each time.

use std::{fmt, sync::Arc};

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
};

use crate::telemetry::Metrics;

/// Says whether the gateway wants traffic, or in a few words why not.
pub type Ready = Box<dyn Fn() -> Result<(), &'static str> + Send + Sync>;

/// What the operator's routes may use.
pub struct Admin {
    /// What `/metrics` shows.
    pub metrics: Arc<Metrics>,
    /// What `/readyz` asks: not while draining, and only while the store can be written.
    pub ready: Ready,
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").finish_non_exhaustive()
    }
}

/// The process is there and its runtime turns.
pub(super) async fn live() -> &'static str {
    "ok\n"
}

/// Whether to send traffic here.
pub(super) async fn ready(State(admin): State<Arc<Admin>>) -> Response {
    match (admin.ready)() {
        Ok(()) => "ready\n".into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")).into_response(),
    }
}

/// Every metric, as text: OpenMetrics where the scraper asks for it, else what every scraper reads.
pub(super) async fn metrics(State(admin): State<Arc<Admin>>, headers: HeaderMap) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|it| it.to_str().ok());
    let (kind, page) = if accepted.into_iter().any(|it| it.contains("application/openmetrics-text")) {
        (OPEN_METRICS, admin.metrics.page())
    } else {
        (PLAIN, admin.metrics.plain_page())
    };
    match page {
        Ok(page) => ([(CONTENT_TYPE, kind)], page).into_response(),
        Err(_unwritable) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
