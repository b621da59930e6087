//! heliograph: a GraphQL gateway over Aurora Solar for CRM software.
//!
//! The map, in reading order. Data moves one way; `tests/it/tidy.rs` holds the arrows.

pub mod clock;
pub mod domain;
pub mod graphql;
pub mod http;
pub mod telemetry;
