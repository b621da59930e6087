//! The key exchange, and the tenant itself.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use serde_json::json;

use super::super::answer::{Answer, wrapped};
use super::super::world::Shared;

pub(super) async fn create(
    State(shared): State<Arc<Shared>>,
    Path((_application, tenant)): Path<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    // An empty token is what a template leaves behind that had none: the same as none.
    let session = query.get("session_token").map(String::as_str).filter(|it| !it.is_empty());
    let (key, expires) = shared.with(|world, now| world.create_token(&tenant, session, now))?;
    Ok(wrapped("token", json!({ "bearer_token": key, "expires_at": expires.spaced() })))
}

pub(super) async fn tenant(State(shared): State<Arc<Shared>>, Path(tenant): Path<String>) -> Answer {
    shared.with(|world, _| world.account(&tenant).map(|_| ()))?;
    Ok(wrapped("tenant", json!({ "id": tenant, "name": format!("Sandbox tenant {tenant}") })))
}
