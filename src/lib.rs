//! heliograph: a GraphQL gateway over Aurora Solar for CRM software.
//!
//! The map, in reading order. Data moves one way; `tests/it/tidy.rs` holds the arrows.

pub mod cache;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod sandbox;
