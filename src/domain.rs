//! What the gateway talks about: pure values, checked once, then trusted.
//!
//! Invariants: no I/O, no async, no serde and no GraphQL in here. Aurora's words end in `aurora::wire`, the
//! schema's words begin in `graphql`; between the two there are only these types.

pub mod design;
pub mod event;
pub mod fetched;
pub mod fingerprint;
pub mod id;
pub mod lane;
pub mod message;
pub mod project;
pub mod summary;
pub mod trace;
pub mod units;
pub mod viewer;

pub use design::Design;
pub use event::{Delivery, Event, EventKind, JobStatus, Seq};
pub use fetched::Fetched;
pub use fingerprint::Fingerprint;
pub use id::{DesignId, DesignKey, InvalidId, JobId, ProjectId, ProjectKey, TenantId};
pub use lane::{LaneKey, LaneOf};
pub use message::MessageType;
pub use project::{NewProject, Project};
pub use summary::Summary;
pub use trace::Trace;
pub use viewer::{Scope, Viewer};
