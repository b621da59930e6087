//! A GraphQL gateway over Aurora Solar.

pub mod sandbox;
