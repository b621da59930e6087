//! The schema, and the doorway through which every transport reaches it.
//!
//! One noun a file: its types and its root fields. Invariants: a resolver asks the catalog, the journal or the feed,
//! never Aurora; a field that needs Aurora is nullable and fails alone; what leaves has a code of the closed list.

pub mod admin;
pub mod answer;
pub mod connect;
pub mod connection;
pub mod context;
pub mod create;
pub mod design;
pub mod doorway;
pub mod engine;
pub mod error;
pub mod event;
mod fanout;
pub mod global_id;
pub mod health;
mod judge;
mod limit;
pub mod loader;
mod merge;
pub mod node;
pub mod persisted;
pub mod place;
mod prepared;
pub mod project;
pub mod rules;
pub mod scalar;
pub mod summary;
pub mod target;
pub mod tenant;
mod types;

use std::sync::Arc;

use async_graphql::{MergedObject, MergedSubscription, SDLExportOptions, Schema, SchemaBuilder};

pub use answer::{Answer, Frame, Refused, Reply};
pub use context::{Links, Parts, Told};
pub use doorway::Doorway;
pub use engine::{Call, Engine, Explain, Kind, Operation};
pub use error::{Code, Failure};
pub use limit::{Introspection, Limits};
pub use persisted::Persisted;
pub use place::{Place, Reached};

use crate::domain::TenantId;

/// A nullable field that can fail. The engine takes down the *parent* of a `Result<Option<T>>` that fails; of this, only
/// the field itself becomes null.
type Fallible<T> = Option<async_graphql::Result<T>>;

/// Everything that can be read. A field that needs Aurora says what it costs; a field that fails is null with an error, and its
/// siblings arrive.
#[derive(MergedObject, Default)]
#[graphql(name = "Query")]
pub struct Queries(
    node::NodeQuery,
    tenant::TenantQuery,
    project::ProjectQuery,
    design::DesignQuery,
    summary::SummaryQuery,
    event::EventQuery,
    admin::AdminQuery,
    health::HealthQuery,
    target::TargetQuery,
);

/// Everything that can be changed.
#[derive(MergedObject, Default)]
#[graphql(name = "Mutation")]
pub struct Mutations(create::ProjectMutation, connect::TenantMutation, target::TargetMutation);

/// Everything that can be listened to. Each event carries a cursor; a subscription that begins `after` it misses nothing and
/// repeats nothing.
#[derive(MergedSubscription, Default)]
#[graphql(name = "Subscription")]
pub struct Subscriptions(event::EventSubscription);

/// The doorway to the schema, over the parts of the gateway.
///
/// # Errors
/// When a trusted document does not fit the schema or the limits.
pub fn doorway(parts: Parts, limits: Limits, persisted: Persisted) -> Result<Doorway, String> {
    let engine = Engine::new(builder).with_parts(Arc::new(parts)).with_limits(limits);
    engine.with_persisted(persisted).map(Doorway::new)
}

/// Sees whether every trusted document fits the schema and the limits.
///
/// # Errors
/// When one does not.
pub fn check_trusted(persisted: Persisted, limits: Limits) -> Result<(), String> {
    Engine::new(builder).with_limits(limits).with_persisted(persisted).map(drop)
}

fn builder() -> SchemaBuilder<Queries, Mutations, Subscriptions> {
    Schema::build(Queries::default(), Mutations::default(), Subscriptions::default())
        .register_output_type::<node::Node>()
        .register_output_type::<event::Event>()
        .register_output_type::<scalar::LengthUnit>()
        .register_output_type::<scalar::AreaUnit>()
}

/// The global id of an event, for whoever tells of it past the schema.
#[must_use]
pub fn event_id(tenant: &TenantId, cursor: &str) -> String {
    global_id::GlobalId::Event(tenant.clone(), cursor.to_owned()).seal()
}

/// The schema as text, as `schema.graphql` has it.
#[must_use]
pub fn sdl() -> String {
    let mut text = builder().finish().sdl_with_options(SDLExportOptions::new().include_specified_by());
    while text.ends_with("\n\n") {
        text.pop();
    }
    text
}
