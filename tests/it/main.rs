//! The one integration test binary: the gateway through its outermost edges, against the sandbox.

mod credentials;
mod design;
mod project;
mod resilience;
mod schema;
mod subscription;
mod summary;
mod tidy;
mod webhook;
mod world;
