//! Designs, their summaries, and the roofs beneath them.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::super::answer::{Answer, Complaint, Refusal, wrapped};
use super::super::world::{Shared, Source};
use super::unwrapped;

pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Path((tenant, project)): Path<(String, String)>,
) -> Answer {
    let designs = shared.with(|world, _| {
        let designs = world.list_designs(&tenant, &project)?;
        Ok::<_, Refusal>(designs.into_iter().map(|it| it.list_item()).collect::<Vec<_>>())
    })?;
    Ok(wrapped("designs", json!(designs)))
}

pub(super) async fn create(
    State(shared): State<Arc<Shared>>,
    Path(tenant): Path<String>,
    body: Bytes,
) -> Answer {
    let body = unwrapped(&body, &["design"])?;
    let project = body.get("project_id").and_then(Value::as_str);
    let missing = || Refusal::invalid(vec![Complaint::new("project_id", "must be a string")]);
    let project = project.ok_or_else(missing)?;
    let made = shared.with(|world, now| {
        let id = world.create_design(&tenant, project, &body, Source::Api, None, now)?;
        world.design(&tenant, &id).map(|it| it.json())
    })?;
    Ok(wrapped("design", made))
}

pub(super) async fn get(
    State(shared): State<Arc<Shared>>,
    Path((tenant, id)): Path<(String, String)>,
) -> Answer {
    let shown = shared.with(|world, _| world.design(&tenant, &id).map(|it| it.json()))?;
    Ok(wrapped("design", shown))
}

pub(super) async fn summary(
    State(shared): State<Arc<Shared>>,
    Path((tenant, id)): Path<(String, String)>,
) -> Answer {
    let summary = shared.with(|world, _| world.summary(&tenant, &id))?;
    Ok(wrapped("design", summary))
}

/// Bare, without a wrapper: the one exception among Aurora's answers.
pub(super) async fn roof_summary(
    State(shared): State<Arc<Shared>>,
    Path((tenant, id)): Path<(String, String)>,
) -> Answer {
    let roofs = shared.with(|world, _| world.roof_summary(&tenant, &id))?;
    Ok(Json(roofs).into_response())
}
