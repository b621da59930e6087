//! Every delivery, in the order in which it reached us, on disk before Aurora hears "ok"; and every event, in the
//! order in which it was announced.
//!
//! There are two orders, because a delivery may have to wait until Aurora can be asked about it. An event gets
//! its [`Seq`] when it is announced, so one that waited never appears behind a cursor already handed out.
//! [`Journal`] is what may be asked; [`sqlite`] keeps the promise, and `contract` tests every keeper alike.
//!
//! Invariants: a `Seq` is never reused; an event, once announced, never changes; a repeat is recognised after a
//! restart too; a reader is told of what is gone instead of being led past it.
//! Not here: what an event sets in motion, which is the relay's; where deliveries come from, which is
//! [`intake`](crate::intake)'s; session tokens, which never come this far.

pub mod archive;
#[cfg(test)]
mod contract;
pub mod cursor;
mod filter;
mod health;
mod ring;
mod sighting;
pub mod sqlite;

use std::{error, sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::watch;

pub use archive::{Again, Archive};
pub use cursor::{Cursors, InvalidCursor};
pub use filter::Filter;
pub use health::{Health, Tally};
pub use sighting::{Compared, Sighting};
pub use sqlite::SqliteJournal;

use crate::domain::{Delivery, Event, Fingerprint, ProjectId, Seq, TenantId, event::Switch, viewer::Tenants};

/// Why the journal did not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It can take or give nothing now, and has kept nothing: try again later.
    #[error("the journal is not available")]
    Unavailable(#[source] Arc<dyn error::Error + Send + Sync>),
    /// Events after the place asked for are no longer kept: start anew.
    #[error("events after this place are no longer kept")]
    Expired {
        /// The tenant's oldest event that is still kept.
        oldest: Option<Seq>,
    },
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It waits at this place to be announced.
    New(Seq),
    /// It had come before; nothing was kept.
    Repeat,
    /// Nobody knows whose it is yet; it is kept at this place, and announced if that is learnt.
    Aside(Seq),
}

/// A delivery that has not been announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its place.
    pub seq: Seq,
    /// What came.
    pub delivery: Delivery,
    /// What it tells again, because an operator wanted it told again.
    pub replay: Option<Replay>,
}

/// Which event is told again, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replay {
    /// The place of the event.
    pub of: Seq,
    /// When the operator asked for it.
    pub asked_at: Timestamp,
}

impl Waiting {
    /// What the tenant has done to the application, if this is the news of that. Told again, it is none.
    #[must_use]
    pub fn switch(&self) -> Option<Switch> {
        self.delivery.switch().filter(|_| self.replay.is_none())
    }

    /// Since when it waits.
    #[must_use]
    pub fn since(&self) -> Timestamp {
        self.replay.map_or(self.delivery.received_at, |it| it.asked_at)
    }
}

/// What asking Aurora about a delivery brought to light.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The project it concerns, where the delivery named only a design.
    pub project: Option<ProjectId>,
    /// What the re-read summary said; nothing where it could not be read.
    pub reread: Option<Fingerprint>,
}

/// What became of an announcement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Announced {
    /// It is an event now.
    Event(Arc<Event>),
    /// The re-read summary is the one last announced for this design: no news.
    Repeat,
    /// It was settled before, or has been erased since.
    Already,
}

/// Events in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Slice {
    /// Those that were asked for, the oldest first.
    pub events: Vec<Arc<Event>>,
    /// Whether there are more behind them.
    pub more: bool,
}

/// Events of several tenants in their one order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stretch {
    /// Those that are kept, the oldest first.
    pub events: Vec<Arc<Event>>,
    /// The last place before the end of them from which an event of these tenants is gone.
    pub gone: Option<Seq>,
}

/// The last places of both orders.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heads {
    /// Of the deliveries.
    pub deliveries: Seq,
    /// Of the events.
    pub events: Seq,
}

/// Deliveries whose tenant nobody knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Aside {
    /// How many are kept.
    pub total: u64,
    /// The newest of them, the newest first.
    pub newest: Vec<Waiting>,
}

/// What was thrown away for its age.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Events.
    pub events: u64,
    /// Deliveries that were settled or set aside.
    pub deliveries: u64,
    /// Marks by which repeats are recognised.
    pub repeats: u64,
    /// Summaries that were announced for designs, kept to compare with.
    pub completions: u64,
}

/// The two orders and what is promised of them.
#[async_trait]
pub trait Journal: Send + Sync + 'static {
    /// Keeps a delivery unless it is a repeat. It is durable when this returns.
    ///
    /// # Errors
    /// When nothing was kept.
    async fn append(&self, delivery: Delivery) -> Result<Appended, Error>;

    /// The deliveries behind `after` that are to be announced, the oldest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    async fn waiting(&self, after: Seq, limit: usize) -> Result<Vec<Waiting>, Error>;

    /// The same of one tenant.
    ///
    /// # Errors
    /// When the journal cannot be read.
    async fn waiting_of(&self, tenant: &TenantId, after: Seq, limit: usize) -> Result<Vec<Waiting>, Error>;

    /// Those of a tenant that are no completions and come behind no other delivery of their design that waits.
    ///
    /// # Errors
    /// When the journal cannot be read.
    async fn waiting_apart(&self, tenant: &TenantId, after: Seq, limit: usize)
    -> Result<Vec<Waiting>, Error>;

    /// How many deliveries and events cannot be read, and are passed over. One that was to be announced is out of the way
    /// of all others for good.
    fn unreadable(&self) -> usize;

    /// Settles a delivery: it becomes an event, or turns out to be a repeat. Doing it again changes nothing.
    ///
    /// # Errors
    /// When it was not settled.
    async fn announce(&self, seq: Seq, outcome: Outcome) -> Result<Announced, Error>;

    /// A tenant's events behind `after`, or from the oldest that is kept.
    ///
    /// # Errors
    /// [`Error::Expired`] when an event of the tenant behind `after` is gone, or `after` was never reached.
    async fn events(
        &self,
        tenant: &TenantId,
        filter: &Filter,
        after: Option<Seq>,
        limit: usize,
    ) -> Result<Slice, Error>;

    /// The events of all these tenants behind `after`. What is gone is passed over, and said.
    ///
    /// # Errors
    /// When the journal cannot be read.
    async fn stretch(&self, of: &Tenants, after: Seq, limit: usize) -> Result<Stretch, Error>;
    /// Everybody's events behind `after`, the oldest first, where all of them are at hand without asking the file.
    fn recent(&self, after: Seq) -> Option<Vec<Arc<Event>>>;

    /// The last places, and a sign whenever they move. A place that shows here can be read.
    fn heads(&self) -> watch::Receiver<Heads>;

    /// Looks whether somebody else has added deliveries, and moves the heads if so.
    ///
    /// # Errors
    /// When the journal cannot be read.
    async fn look(&self) -> Result<(), Error>;

    /// The deliveries whose tenant nobody knows. Those that cannot be read are counted until they are out of the way, and
    /// never among the newest.
    ///
    /// # Errors
    /// When the journal cannot be read.
    async fn aside(&self, limit: usize) -> Result<Aside, Error>;

    /// The one tenant that a delivery which names none can be of: Aurora has shown the design or the project that it
    /// names to this tenant, and to no other.
    ///
    /// # Errors
    /// When the journal cannot be read.
    async fn whose(&self, delivery: &Delivery) -> Result<Option<TenantId>, Error>;

    /// Takes back what was set aside and whose tenant has become known since: it waits to be announced then, at a place
    /// of now. Answers how many there were.
    ///
    /// # Errors
    /// When not all of it was taken back.
    async fn claim(&self) -> Result<usize, Error>;

    /// Compares what was seen of a design with what was announced of it. A completion that nobody was told of is kept,
    /// as a delivery that waits.
    ///
    /// # Errors
    /// When nothing was kept.
    async fn compare(&self, sighting: Sighting) -> Result<Compared, Error>;

    /// Since when a tenant is watched: from now on, unless something of it is known already.
    ///
    /// # Errors
    /// When it cannot be kept.
    async fn watch(&self, tenant: &TenantId) -> Result<Timestamp, Error>;

    /// Notes that all of a tenant's recent work has been compared.
    ///
    /// # Errors
    /// When it cannot be kept.
    async fn passed(&self, tenant: &TenantId) -> Result<(), Error>;

    /// Projects of a tenant of which something was announced, or that were created here, since `since`: the latest
    /// first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    async fn active_projects(
        &self,
        tenant: &TenantId,
        since: Timestamp,
        limit: usize,
    ) -> Result<Vec<ProjectId>, Error>;

    /// The tenants of which anything was ever delivered, as far as it is remembered.
    ///
    /// # Errors
    /// When the journal cannot be read.
    async fn tenants(&self, limit: usize) -> Result<Vec<TenantId>, Error>;

    /// Notes that a tenant has switched the application off, or on again.
    ///
    /// # Errors
    /// When it cannot be kept.
    async fn switch(&self, tenant: &TenantId, switch: Switch, at: Timestamp) -> Result<(), Error>;

    /// The tenants that have the application switched off.
    ///
    /// # Errors
    /// When the journal cannot be read.
    async fn switched_off(&self) -> Result<Vec<TenantId>, Error>;

    /// How the deliveries of these tenants fare.
    ///
    /// # Errors
    /// When the journal cannot be read.
    async fn health(&self, tenants: Vec<TenantId>) -> Result<Vec<Health>, Error>;

    /// Throws away what was settled longer ago than `retention`, and marks of repeats past their window. What
    /// still waits to be announced stays.
    ///
    /// # Errors
    /// When the journal cannot be written. What was thrown away until then is gone.
    async fn prune(&self, now: Timestamp, retention: Duration) -> Result<Pruned, Error>;

    /// Forgets everything of a tenant.
    ///
    /// # Errors
    /// When nothing was forgotten.
    async fn erase(&self, tenant: &TenantId) -> Result<(), Error>;

    /// Why deliveries cannot be kept now, in a few words.
    fn trouble(&self) -> Option<&'static str>;

    /// Whether deliveries can be kept.
    fn writable(&self) -> bool {
        self.trouble().is_none()
    }
}
