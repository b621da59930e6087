//! The edges as a client sees them: real sockets, and a schema of their own that is no bigger than they need.

mod connections;
mod deliveries;
mod events;
mod graphql;
mod pages;
mod parts;
mod sockets;
mod world;
