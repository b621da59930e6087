//! Every route of the emulated Aurora on one screen.
//!
//! Handlers take a path and a body apart, ask the world, and wrap its answer. They check no key:
//! the [`gate`] has done that. Version headers are ignored, as Aurora ignores
//! those it does not know.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use serde_json::{Map, Value};

use super::answer::Refusal;
use super::gate;
use super::world::Shared;

mod design;
mod project;
mod token;
mod webhook;

/// The whole API.
pub(super) fn router(shared: &Arc<Shared>) -> Router {
    Router::new()
        .route("/partner_applications/{application}/tenants/{tenant}/create_token", post(token::create))
        .route(
            "/partner_applications/{application}/webhooks",
            get(webhook::partner_list).post(webhook::partner_create),
        )
        .route(
            "/partner_applications/{application}/webhooks/{id}",
            get(webhook::partner_get).put(webhook::partner_update).delete(webhook::partner_delete),
        )
        .route("/partner_applications/{application}/webhooks/{id}/trigger", post(webhook::partner_trigger))
        // The spelling of Aurora's older page.
        .route("/application_partners/{application}/webhooks/{id}/trigger", post(webhook::partner_trigger))
        .route("/tenants/{tenant}", get(token::tenant))
        .route("/tenants/{tenant}/projects", get(project::list).post(project::create))
        .route(
            "/tenants/{tenant}/projects/{id}",
            get(project::get).put(project::update).delete(project::delete),
        )
        .route("/tenants/{tenant}/projects/{id}/designs", get(design::list))
        .route("/tenants/{tenant}/designs", post(design::create))
        .route("/tenants/{tenant}/designs/{id}", get(design::get))
        .route("/tenants/{tenant}/designs/{id}/summary", get(design::summary))
        .route("/tenants/{tenant}/designs/{id}/roof_summary", get(design::roof_summary))
        .route("/tenants/{tenant}/webhooks", get(webhook::list).post(webhook::create))
        .route(
            "/tenants/{tenant}/webhooks/{id}",
            get(webhook::get).put(webhook::update).delete(webhook::delete),
        )
        .route("/tenants/{tenant}/webhooks/{id}/trigger", post(webhook::trigger))
        .route_layer(from_fn_with_state(Arc::clone(shared), gate::admit))
        .method_not_allowed_fallback(wrong_method)
        .fallback(nowhere)
        .layer(from_fn_with_state(Arc::clone(shared), gate::log_and_play))
        .with_state(Arc::clone(shared))
}

async fn nowhere() -> Refusal {
    Refusal::not_found()
}

async fn wrong_method() -> Refusal {
    Refusal::new(axum::http::StatusCode::METHOD_NOT_ALLOWED, "Method not allowed")
}

/// The object inside a body's wrapper, under the first of these names that is there.
fn unwrapped(body: &Bytes, wrappers: &[&str]) -> Result<Map<String, Value>, Refusal> {
    let value: Value =
        serde_json::from_slice(body).map_err(|_| Refusal::malformed("The body is not valid JSON"))?;
    let inner = wrappers.iter().find_map(|it| value.get(it)).and_then(Value::as_object);
    inner.cloned().ok_or_else(|| {
        let wrapper = wrappers.first().copied().unwrap_or_default();
        Refusal::malformed(&format!("param is missing or the value is empty: {wrapper}"))
    })
}
