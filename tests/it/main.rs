//! The one integration test binary: the gateway through its outermost edges, against the sandbox.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod caching;
mod commands;
mod creates;
mod credentials;
mod crowd;
mod design;
mod disk;
mod documents;
mod events;
mod explain;
mod fanout;
mod governor;
mod health;
mod keys;
#[path = "../load/load.rs"]
mod load;
mod matrix;
mod metrics;
mod order;
mod outbound;
mod pages;
mod preload;
mod project;
mod reconcile;
mod relay;
mod resilience;
mod resume;
mod schema;
mod storm;
mod streams;
mod subscription;
mod summary;
mod threats;
mod tidy;
mod tokens;
mod webhook;
mod world;
