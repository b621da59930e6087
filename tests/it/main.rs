//! The one integration test binary: the gateway through its outermost edges, against the sandbox.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod caching;
mod commands;
mod creates;
mod credentials;
mod design;
mod documents;
mod explain;
mod governor;
mod health;
mod keys;
mod metrics;
mod outbound;
mod pages;
mod project;
mod reconcile;
mod relay;
mod resilience;
mod schema;
mod streams;
mod subscription;
mod summary;
mod threats;
mod tidy;
mod tokens;
mod webhook;
mod world;
