//! What a message says: the event, and of a completed design the figures of its summary.
//!
//! Quantities are in canonical units with the unit in the name: a receiver cannot choose one by an argument. A figure that
//! Aurora did not give is null, and so is a summary that could not be read, with a note that says why.

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use crate::{
    catalog::{self, Catalog, Lane, Upstream, Usage},
    domain::{DesignKey, Event, Fetched, JobStatus, MessageType, Summary},
};

/// How long a message waits for its figures. Where Aurora's allowance is spent, as after a redelivery of many, it goes
/// without: whoever waits for it would rather know that there is something to ask for.
const PATIENCE: Duration = Duration::from_secs(10);

/// An event and what it is called outside.
pub(super) struct Told<'a> {
    pub(super) event: &'a Event,
    pub(super) cursor: &'a str,
    /// The cursor of the event that this one tells again.
    pub(super) replay_of: Option<&'a str>,
    /// The global id, as GraphQL has it.
    pub(super) id: &'a str,
}

#[derive(Serialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: String,
    data: Data<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    id: &'a str,
    cursor: &'a str,
    tenant_id: &'a str,
    name: &'a str,
    design_id: Option<&'a str>,
    project_id: Option<&'a str>,
    job_id: Option<&'a str>,
    status: Option<&'static str>,
    status_text: Option<&'a str>,
    received_at: String,
    replay_of: Option<&'a str>,
    parameters: Vec<Parameter<'a>>,
    summary: Option<Figures>,
    summary_note: Option<&'static str>,
}

#[derive(Serialize)]
struct Parameter<'a> {
    name: &'a str,
    value: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Figures {
    system_size_stc_watts: Option<f64>,
    system_size_ptc_watts: Option<f64>,
    system_size_ac_watts: Option<f64>,
    module_count: Option<i32>,
    energy_production: Option<Energy>,
    fetched_at: String,
    stale: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Energy {
    up_to_date: Option<bool>,
    annual_kilowatt_hours: Option<f64>,
    monthly_kilowatt_hours: Option<Vec<f64>>,
    annual_offset_percent: Option<f64>,
}

/// The message as it is sent. Asks the catalog for the summary of a completed design.
///
/// # Errors
/// When the event cannot be written as JSON.
pub(super) async fn body(told: &Told<'_>, catalog: &Catalog) -> Result<Bytes, serde_json::Error> {
    let (event, delivery) = (told.event, &told.event.delivery);
    let kind = MessageType::of(delivery);
    let design = delivery.design.clone().filter(|_| kind == MessageType::DesignCompleted);
    let read = match design {
        Some(design) => Some(read(catalog, DesignKey { tenant: event.tenant.clone(), design }).await),
        None => None,
    };
    let data = Data {
        id: told.id,
        cursor: told.cursor,
        tenant_id: event.tenant.as_str(),
        name: &delivery.name,
        design_id: delivery.design.as_ref().map(|it| it.as_str()),
        project_id: event.project.as_ref().map(|it| it.as_str()),
        job_id: delivery.job.as_ref().map(|it| it.as_str()),
        status: status(kind, delivery.job_status()),
        status_text: delivery.status.as_deref(),
        received_at: delivery.received_at.to_string(),
        replay_of: told.replay_of,
        parameters: delivery.parameters.iter().map(|(name, value)| Parameter { name, value }).collect(),
        summary: read.as_ref().and_then(|it| it.as_ref().ok()).map(figures),
        summary_note: read.and_then(Result::err).map(|error| note(&error)),
    };
    let message = Message { kind: kind.name(), timestamp: delivery.received_at.to_string(), data };
    serde_json::to_vec(&message).map(Bytes::from)
}

/// The figures of a design. The relay has just read them, so this seldom waits.
async fn read(catalog: &Catalog, key: DesignKey) -> Result<Fetched<Summary>, catalog::Error> {
    let usage = Usage::in_lane(Lane::Enrichment);
    let reading = catalog.summary(&key, &usage);
    tokio::time::timeout(PATIENCE, reading).await.unwrap_or(Err(Upstream::Timeout.into()))
}

/// How a job ended, in the words of GraphQL's `JobStatus`; what is no job has none.
fn status(kind: MessageType, status: JobStatus) -> Option<&'static str> {
    match kind {
        MessageType::DesignCompleted | MessageType::SimulationEnded => Some(match status {
            JobStatus::Succeeded => "SUCCEEDED",
            JobStatus::Failed => "FAILED",
            JobStatus::Other => "OTHER",
        }),
        _ => None,
    }
}

fn figures(read: &Fetched<Summary>) -> Figures {
    let summary = &read.value;
    Figures {
        system_size_stc_watts: summary.size_stc.map(|it| it.get()),
        system_size_ptc_watts: summary.size_ptc.map(|it| it.get()),
        system_size_ac_watts: summary.size_ac.map(|it| it.get()),
        module_count: summary.module_count(),
        energy_production: summary.energy_production.as_ref().map(|it| Energy {
            up_to_date: it.up_to_date,
            annual_kilowatt_hours: it.annual.map(|it| it.get()),
            monthly_kilowatt_hours: it.monthly.clone(),
            annual_offset_percent: it.annual_offset.map(|it| it.get()),
        }),
        fetched_at: read.at.to_string(),
        stale: read.stale,
    }
}

/// Why there is no summary, by the error code that GraphQL has for the same.
fn note(error: &catalog::Error) -> &'static str {
    match error {
        catalog::Error::Aurora(Upstream::NotFound) => "NOT_FOUND",
        catalog::Error::Aurora(Upstream::NotConnected { .. }) => "TENANT_NOT_CONNECTED",
        catalog::Error::Aurora(Upstream::Forbidden | Upstream::ApplicationRefused) => "UPSTREAM_FORBIDDEN",
        catalog::Error::Aurora(Upstream::Rejected { .. }) => "UPSTREAM_REJECTED",
        catalog::Error::Aurora(Upstream::RateLimited { .. }) => "UPSTREAM_RATE_LIMITED",
        catalog::Error::Aurora(Upstream::Timeout) => "UPSTREAM_TIMEOUT",
        catalog::Error::Aurora(Upstream::InvalidResponse(_)) => "UPSTREAM_INVALID_RESPONSE",
        catalog::Error::Aurora(_) | catalog::Error::Overtaken => "UPSTREAM_UNAVAILABLE",
        _ => "INTERNAL",
    }
}
