//! The edges as a client sees them: real sockets, and a schema of their own that is no bigger than they need.

mod client;
mod connections;
mod deliveries;
mod events;
mod floods;
mod frames;
mod graphql;
mod internal;
mod mutated;
mod pages;
mod parts;
mod smuggling;
mod sockets;
mod world;
