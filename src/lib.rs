//! heliograph: a GraphQL gateway over Aurora Solar for CRM software.
//!
//! The map, in reading order. Data moves one way; `tests/it/tidy.rs` holds the arrows.

pub mod cli;
pub mod config;
pub mod lifecycle;

pub mod app;

pub mod http;
pub mod telemetry;

pub mod graphql;

pub mod deliver;
pub mod intake;
pub mod reconcile;
pub mod registration;
pub mod relay;

pub mod catalog;
pub mod journal;

pub mod aurora;
pub mod cache;
pub mod sqlite;
pub mod store;

pub mod clock;
pub mod domain;

pub mod sandbox;
