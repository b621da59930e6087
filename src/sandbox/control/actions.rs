//! The control routes that change something.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::fault::FaultRule;
use super::super::handle::Handle;
use super::super::summary::Oddity;
use super::{Outcome, Rejected, parsed};

pub(super) async fn fail(State(handle): State<Handle>, body: Bytes) -> Outcome {
    let rule: FaultRule = parsed(&body)?;
    handle.fail(rule)?;
    Ok((StatusCode::CREATED, Json(json!({ "faults": handle.faults() }))).into_response())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance_ms: u64,
}

pub(super) async fn move_clock(State(handle): State<Handle>, body: Bytes) -> Outcome {
    let advance: Advance = parsed(&body)?;
    handle.move_clock(Duration::from_millis(advance.advance_ms));
    Ok(Json(json!({ "now": handle.now() })).into_response())
}

pub(super) async fn configure(State(handle): State<Handle>, body: Bytes) -> Outcome {
    handle.configure(parsed(&body)?);
    Ok(Json(json!(handle.settings())).into_response())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewProject {
    tenant: String,
    /// The API's body, for a project like any other.
    project: Option<Value>,
    /// With `design_id`, for one that is there already under ids the caller chose.
    project_id: Option<String>,
    design_id: Option<String>,
}

pub(super) async fn create_project(State(handle): State<Handle>, body: Bytes) -> Outcome {
    let new: NewProject = parsed(&body)?;
    let id = match (new.project, new.project_id, new.design_id) {
        (Some(project), None, None) => handle.create_project(&new.tenant, &project)?,
        (None, Some(project), Some(design)) => {
            handle.plant(&new.tenant, &project, &design)?;
            project
        }
        _ => {
            let message = "give either project, or project_id and design_id".to_owned();
            return Err(Rejected(StatusCode::BAD_REQUEST, message));
        }
    };
    let designs: Vec<_> = handle.designs(&new.tenant).into_iter().filter(|it| it.project_id == id).collect();
    Ok((StatusCode::CREATED, Json(json!({ "project_id": id, "designs": designs }))).into_response())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewEvent {
    tenant: String,
    event: String,
    #[serde(default)]
    params: BTreeMap<String, String>,
}

pub(super) async fn deliver(State(handle): State<Handle>, body: Bytes) -> Outcome {
    let new: NewEvent = parsed(&body)?;
    let params: Vec<(&str, &str)> = new.params.iter().map(|(name, it)| (&**name, &**it)).collect();
    let calls = handle.deliver(&new.tenant, &new.event, &params)?;
    Ok(Json(json!({ "deliveries": calls })).into_response())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Finish {
    status: Option<String>,
}

pub(super) async fn finish_design(
    State(handle): State<Handle>,
    Path(design): Path<String>,
    body: Bytes,
) -> Outcome {
    let finish: Finish = parsed(&body)?;
    let tenant = handle.tenant_of_design(&design)?;
    let job = match finish.status {
        Some(status) => handle.finish_design_as(&tenant, &design, &status)?,
        None => handle.finish_design(&tenant, &design)?,
    };
    Ok(Json(json!({ "job_id": job })).into_response())
}

pub(super) async fn change_design(State(handle): State<Handle>, Path(design): Path<String>) -> Outcome {
    let tenant = handle.tenant_of_design(&design)?;
    let job = handle.change_design(&tenant, &design)?;
    Ok(Json(json!({ "job_id": job })).into_response())
}

pub(super) async fn edit_design(State(handle): State<Handle>, Path(design): Path<String>) -> Outcome {
    let tenant = handle.tenant_of_design(&design)?;
    handle.edit_design(&tenant, &design)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Oddities {
    oddities: Vec<Oddity>,
}

pub(super) async fn set_oddities(
    State(handle): State<Handle>,
    Path(design): Path<String>,
    body: Bytes,
) -> Outcome {
    let new: Oddities = parsed(&body)?;
    let tenant = handle.tenant_of_design(&design)?;
    handle.set_oddities(&tenant, &design, &new.oddities)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewMilestone {
    milestone: Option<String>,
}

pub(super) async fn set_milestone(
    State(handle): State<Handle>,
    Path(design): Path<String>,
    body: Bytes,
) -> Outcome {
    let new: NewMilestone = parsed(&body)?;
    let tenant = handle.tenant_of_design(&design)?;
    handle.set_milestone(&tenant, &design, new.milestone.as_deref())?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn issue_session_token(State(handle): State<Handle>, Path(tenant): Path<String>) -> Outcome {
    let token = handle.issue_session_token(&tenant)?;
    Ok((StatusCode::CREATED, Json(json!({ "session_token": token }))).into_response())
}

pub(super) async fn disable_app(State(handle): State<Handle>, Path(tenant): Path<String>) -> Outcome {
    handle.disable_app(&tenant)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn enable_app(State(handle): State<Handle>, Path(tenant): Path<String>) -> Outcome {
    handle.enable_app(&tenant)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn revoke_keys(State(handle): State<Handle>, Path(tenant): Path<String>) -> Outcome {
    Ok(Json(json!({ "revoked": handle.revoke_keys(&tenant) })).into_response())
}
