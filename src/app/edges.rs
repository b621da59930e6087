//! What requests meet: the schema behind its limits, and the public routes before it.

use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::settings;
use crate::{
    config::Config,
    graphql::{self, Doorway, Parts},
    http::{self, Credentials, Site, page},
    intake::Intake,
    telemetry::Metrics,
};

/// What is behind the routes. Only the manifest of documents can be wrong with it.
pub(super) fn doorway(config: &Config, parts: Parts) -> anyhow::Result<Doorway> {
    graphql::doorway(parts, settings::limits(config), settings::persisted(config)?)
        .map_err(anyhow::Error::msg)
        .context("limits.documents_manifest")
}

/// The public routes; `sockets` ends sockets and streams.
pub(super) fn router(
    config: &Config,
    demo: Option<page::Demo>,
    credentials: &Credentials,
    doorway: &Doorway,
    intake: Intake,
    metrics: &Arc<Metrics>,
    sockets: &CancellationToken,
) -> anyhow::Result<axum::Router> {
    Ok(http::router(http::State {
        config: settings::edges(config)?,
        credentials: credentials.clone(),
        rate: settings::rate(config),
        doorway: doorway.clone(),
        intake,
        metrics: Arc::clone(metrics),
        site: Site { demo, graphiql: config.server.graphiql, sdl: Bytes::from(graphql::sdl()) },
        shutdown: sockets.clone(),
    }))
}
