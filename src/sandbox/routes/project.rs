//! Projects.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::json;

use super::super::answer::{Answer, wrapped};
use super::super::world::{Shared, Source};
use super::unwrapped;

/// Aurora's page, unless asked for another, …
const PER_PAGE: usize = 100;
/// … and the largest it gives.
const LARGEST_PAGE: usize = 250;

pub(super) async fn create(
    State(shared): State<Arc<Shared>>,
    Path(tenant): Path<String>,
    body: Bytes,
) -> Answer {
    let body = unwrapped(&body, &["project"])?;
    let made = shared.with(|world, now| world.create_project(&tenant, &body, Source::Api, None, now))?;
    Ok(wrapped("project", made))
}

pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Path(tenant): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    let number = |name: &str, usual: usize| {
        query.get(name).and_then(|it| it.parse().ok()).filter(|it| *it > 0).unwrap_or(usual)
    };
    let per_page = number("per_page", PER_PAGE).min(LARGEST_PAGE);
    let page = shared.with(|world, _| world.list_projects(&tenant, number("page", 1), per_page))?;
    Ok(wrapped("projects", json!(page)))
}

pub(super) async fn get(
    State(shared): State<Arc<Shared>>,
    Path((tenant, id)): Path<(String, String)>,
) -> Answer {
    let shown = shared.with(|world, _| {
        let shape = world.config.project_shape;
        world.project(&tenant, &id).map(|it| it.json(shape))
    })?;
    Ok(wrapped("project", shown))
}

pub(super) async fn update(
    State(shared): State<Arc<Shared>>,
    Path((tenant, id)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    let body = unwrapped(&body, &["project"])?;
    let shown = shared.with(|world, now| world.update_project(&tenant, &id, &body, now))?;
    Ok(wrapped("project", shown))
}

pub(super) async fn delete(
    State(shared): State<Arc<Shared>>,
    Path((tenant, id)): Path<(String, String)>,
) -> Answer {
    shared.with(|world, now| world.delete_project(&tenant, &id, now))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
