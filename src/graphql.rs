//! The schema, and the doorway through which every transport reaches it.

pub mod doorway;
pub mod engine;
pub mod error;
pub mod rules;

pub use doorway::Doorway;
pub use engine::{Answer, Call, Kind, Operation};
pub use error::{Code, Failure};

use async_graphql::{Context, Object, Schema, Subscription};
use futures_util::{Stream, StreamExt};

use crate::domain::Viewer;

/// The root of queries.
pub struct Query;

#[Object]
impl Query {
    /// The name of the credential.
    async fn name<'a>(&self, ctx: &'a Context<'_>) -> &'a str {
        ctx.data::<Viewer>().map_or("", Viewer::name)
    }
}

/// The root of mutations.
pub struct Mutation;

#[Object]
impl Mutation {
    /// Adds one.
    async fn increment(&self, by: i32) -> i32 {
        by + 1
    }
}

/// The root of subscriptions.
pub struct Subscriptions;

#[Subscription]
impl Subscriptions {
    /// Counts.
    async fn count(&self, until: i32) -> impl Stream<Item = i32> {
        futures_util::stream::iter(0..until).then(|i| async move {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            i
        })
    }
}

/// The engine of this product's schema.
pub type Engine = engine::Engine<Query, Mutation, Subscriptions>;

/// The schema.
#[must_use]
pub fn engine() -> Engine {
    engine::Engine::new(Schema::new(Query, Mutation, Subscriptions))
}
