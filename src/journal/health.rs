//! What the journal can tell of itself: what came, what was announced, what waits, by tenant and event.

use jiff::Timestamp;

use crate::domain::TenantId;

/// How one tenant's deliveries fare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Whose.
    pub tenant: TenantId,
    /// Since when the tenant has had the application switched off.
    pub switched_off: Option<Timestamp>,
    /// When the reconciler last came to the end of its work for the tenant.
    pub reconciled_at: Option<Timestamp>,
    /// By event, in the order of their names.
    pub events: Vec<Tally>,
}

/// How one tenant's deliveries of one event fare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Aurora's name for the event.
    pub name: String,
    /// When Aurora last delivered it, repeats since the start included.
    pub received_at: Option<Timestamp>,
    /// When one was last announced.
    pub announced_at: Option<Timestamp>,
    /// Deliveries that were kept.
    pub received: u64,
    /// Events that were announced.
    pub announced: u64,
    /// Of those, events whose delivery never came.
    pub reconciled: u64,
    /// Deliveries since the start that had come before.
    pub repeats: u64,
    /// Deliveries that are kept and not announced yet.
    pub waiting: u64,
    /// When the oldest of those came.
    pub waiting_since: Option<Timestamp>,
}
