//! The control routes under `/_sandbox/`: the [`Handle`] by HTTP, for tests in any language.
//!
//! They need no key, are not limited and stand in no log. A body is JSON whatever its content
//! type says, since that is how people use curl; an unknown member is refused.

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::handle::{Error, Handle};

mod actions;

/// The routes, and the index that lists them.
pub(super) fn router(handle: Handle) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/_sandbox", get(index))
        .route("/_sandbox/state", get(|State(it): State<Handle>| async move { Json(it.state()) }))
        .route("/_sandbox/calls", get(calls).delete(clear_calls))
        .route("/_sandbox/faults", get(faults).post(actions::fail).delete(clear_faults))
        .route("/_sandbox/deliveries", get(deliveries).delete(clear_deliveries))
        .route("/_sandbox/clock", get(clock).post(actions::move_clock))
        .route("/_sandbox/config", get(config).patch(actions::configure))
        .route("/_sandbox/reset", post(reset))
        .route("/_sandbox/projects", post(actions::create_project))
        .route("/_sandbox/events", post(actions::deliver))
        .route("/_sandbox/designs/{id}/finish", post(actions::finish_design))
        .route("/_sandbox/designs/{id}/change", post(actions::change_design))
        .route("/_sandbox/designs/{id}/edit", post(actions::edit_design))
        .route("/_sandbox/designs/{id}/oddities", put(actions::set_oddities))
        .route("/_sandbox/designs/{id}/milestone", put(actions::set_milestone))
        .route("/_sandbox/tenants/{tenant}/session_tokens", post(actions::issue_session_token))
        .route("/_sandbox/tenants/{tenant}/disable_app", post(actions::disable_app))
        .route("/_sandbox/tenants/{tenant}/enable_app", post(actions::enable_app))
        .route("/_sandbox/tenants/{tenant}/revoke_keys", post(actions::revoke_keys))
        .with_state(handle)
}

/// Why a control call did nothing, in words for the person who made it.
struct Rejected(StatusCode, String);

type Outcome = Result<Response, Rejected>;

impl IntoResponse for Rejected {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

impl From<Error> for Rejected {
    fn from(error: Error) -> Self {
        let status = match error {
            Error::NotFound => StatusCode::NOT_FOUND,
            Error::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Error::TooManyFaults => StatusCode::CONFLICT,
        };
        Self(status, error.to_string())
    }
}

/// Reads a body; an empty one is an object without members.
fn parsed<T: DeserializeOwned>(body: &Bytes) -> Result<T, Rejected> {
    let text: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(text).map_err(|it| Rejected(StatusCode::BAD_REQUEST, it.to_string()))
}

async fn index(State(handle): State<Handle>) -> Json<Value> {
    Json(json!({
        "what": "An emulator of the Aurora Solar API. Nothing here is real, and nothing is kept.",
        "now": handle.now(),
        "exchange_a_key": "POST /partner_applications/{application_id}/tenants/{tenant_id}/create_token",
        "control": {
            "state": "GET /_sandbox/state",
            "calls": "GET, DELETE /_sandbox/calls ?method=&path=/tenants/*/projects",
            "faults": "GET, POST, DELETE /_sandbox/faults",
            "deliveries": "GET, DELETE /_sandbox/deliveries",
            "clock": "GET, POST /_sandbox/clock {advance_ms}",
            "config": "GET, PATCH /_sandbox/config",
            "reset": "POST /_sandbox/reset",
            "projects": "POST /_sandbox/projects {tenant, project} or {tenant, project_id, design_id}",
            "events": "POST /_sandbox/events {tenant, event, params}",
            "finish": "POST /_sandbox/designs/{id}/finish {status}",
            "change": "POST /_sandbox/designs/{id}/change",
            "edit": "POST /_sandbox/designs/{id}/edit",
            "oddities": "PUT /_sandbox/designs/{id}/oddities {oddities}",
            "milestone": "PUT /_sandbox/designs/{id}/milestone {milestone}",
            "session_tokens": "POST /_sandbox/tenants/{id}/session_tokens",
            "app": "POST /_sandbox/tenants/{id}/disable_app, /enable_app",
            "keys": "POST /_sandbox/tenants/{id}/revoke_keys",
        },
    }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CallFilter {
    method: Option<String>,
    path: Option<String>,
}

async fn calls(State(handle): State<Handle>, Query(filter): Query<CallFilter>) -> Json<Value> {
    let method = filter.method.as_deref().unwrap_or("*");
    let path = filter.path.as_deref().unwrap_or("/**");
    let calls = handle.calls();
    let fit: Vec<_> = calls
        .iter()
        .filter(|it| super::fault::pattern::matches(method, path, &it.method, &it.path))
        .collect();
    Json(json!({ "count": fit.len(), "calls": fit }))
}

async fn clear_calls(State(handle): State<Handle>) -> StatusCode {
    handle.clear_calls();
    StatusCode::NO_CONTENT
}

async fn faults(State(handle): State<Handle>) -> Json<Value> {
    Json(json!({ "faults": handle.faults() }))
}

async fn clear_faults(State(handle): State<Handle>) -> StatusCode {
    handle.clear_faults();
    StatusCode::NO_CONTENT
}

async fn deliveries(State(handle): State<Handle>) -> Json<Value> {
    Json(json!({ "deliveries": handle.deliveries() }))
}

async fn clear_deliveries(State(handle): State<Handle>) -> StatusCode {
    handle.clear_deliveries();
    StatusCode::NO_CONTENT
}

async fn clock(State(handle): State<Handle>) -> Json<Value> {
    Json(json!({ "now": handle.now() }))
}

async fn config(State(handle): State<Handle>) -> Json<Value> {
    Json(json!(handle.settings()))
}

async fn reset(State(handle): State<Handle>) -> StatusCode {
    handle.reset();
    StatusCode::NO_CONTENT
}
