//! Subscriptions of the partner application and of tenants: the same calls in two wrappers.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::super::answer::{Answer, wrapped};
use super::super::webhook::Owner;
use super::super::world::Shared;
use super::unwrapped;

type App = State<Arc<Shared>>;
type Pair = Path<(String, String)>;

/// How the partner application's subscriptions are wrapped; the second is an older spelling.
const PARTNER: [&str; 2] = ["partner_application_webhook", "application_partner_webhook"];
const TENANT: [&str; 1] = ["webhook"];

pub(super) async fn partner_create(shared: App, Path(_): Path<String>, body: Bytes) -> Answer {
    created(&shared, Owner::Partner, &PARTNER, &body)
}

pub(super) async fn create(shared: App, Path(tenant): Path<String>, body: Bytes) -> Answer {
    created(&shared, Owner::Tenant(tenant), &TENANT, &body)
}

pub(super) async fn partner_list(shared: App, Path(_): Path<String>) -> Answer {
    listed(&shared, &Owner::Partner, "partner_application_webhooks")
}

pub(super) async fn list(shared: App, Path(tenant): Path<String>) -> Answer {
    listed(&shared, &Owner::Tenant(tenant), "webhooks")
}

pub(super) async fn partner_get(shared: App, Path((_, id)): Pair) -> Answer {
    found(&shared, &Owner::Partner, &PARTNER, &id)
}

pub(super) async fn get(shared: App, Path((tenant, id)): Pair) -> Answer {
    found(&shared, &Owner::Tenant(tenant), &TENANT, &id)
}

pub(super) async fn partner_update(shared: App, Path((_, id)): Pair, body: Bytes) -> Answer {
    updated(&shared, &Owner::Partner, &PARTNER, &id, &body)
}

pub(super) async fn update(shared: App, Path((tenant, id)): Pair, body: Bytes) -> Answer {
    updated(&shared, &Owner::Tenant(tenant), &TENANT, &id, &body)
}

pub(super) async fn partner_delete(shared: App, Path((_, id)): Pair) -> Answer {
    deleted(&shared, &Owner::Partner, &id)
}

pub(super) async fn delete(shared: App, Path((tenant, id)): Pair) -> Answer {
    deleted(&shared, &Owner::Tenant(tenant), &id)
}

pub(super) async fn partner_trigger(shared: App, Path((_, id)): Pair, body: Bytes) -> Answer {
    triggered(&shared, &Owner::Partner, &PARTNER, &id, &body)
}

pub(super) async fn trigger(shared: App, Path((tenant, id)): Pair, body: Bytes) -> Answer {
    triggered(&shared, &Owner::Tenant(tenant), &TENANT, &id, &body)
}

fn created(shared: &Shared, owner: Owner, wrappers: &[&str], body: &Bytes) -> Answer {
    let body = unwrapped(body, wrappers)?;
    let made = shared.with(|world, now| world.webhooks.create(owner, &body, &world.config, now))?;
    Ok(wrapped(wrappers[0], made))
}

fn listed(shared: &Shared, owner: &Owner, wrapper: &str) -> Answer {
    Ok(wrapped(wrapper, json!(shared.with(|world, _| world.webhooks.list(owner)))))
}

fn found(shared: &Shared, owner: &Owner, wrappers: &[&str], id: &str) -> Answer {
    let shown = shared.with(|world, _| world.webhooks.find(owner, id).map(|it| it.json()))?;
    Ok(wrapped(wrappers[0], shown))
}

fn updated(shared: &Shared, owner: &Owner, wrappers: &[&str], id: &str, body: &Bytes) -> Answer {
    let body = unwrapped(body, wrappers)?;
    let shown = shared.with(|world, _| world.webhooks.update(owner, id, &body, &world.config))?;
    Ok(wrapped(wrappers[0], shown))
}

fn deleted(shared: &Shared, owner: &Owner, id: &str) -> Answer {
    Ok(shared.with(|world, _| world.webhooks.delete(owner, id))?.into_response())
}

/// Calls a subscription once with made-up parameters, whatever happened.
fn triggered(shared: &Shared, owner: &Owner, wrappers: &[&str], id: &str, body: &Bytes) -> Answer {
    let body = unwrapped(body, wrappers)?;
    let given: Vec<Value> = body.get("url_parameters").and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |it: &Value, name: &str| it[name].as_str().unwrap_or_default().to_owned();
    let given: Vec<(String, String)> = given
        .iter()
        .map(|it| (text(it, "name").trim_matches(['<', '>']).to_owned(), text(it, "value")))
        .collect();
    let shown = shared.with(|world, now| world.trigger(owner, id, &given, now))?;
    Ok(wrapped(wrappers[0], shown))
}
