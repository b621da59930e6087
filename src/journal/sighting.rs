//! What somebody saw of a design without having been told to look, for comparing it with what was announced.

use jiff::Timestamp;

use crate::domain::{DesignKey, Fingerprint, ProjectId, Seq};

/// A design's summary as Aurora has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// Which design.
    pub design: DesignKey,
    /// The project it belongs to.
    pub project: ProjectId,
    /// What its summary says.
    pub summary: Fingerprint,
    /// Whether it is complete: a performance simulation knows the latest layout.
    pub complete: bool,
    /// When the design was made, as far as Aurora says.
    pub made_at: Option<Timestamp>,
    /// When it was looked at.
    pub at: Timestamp,
}

/// What comparing brought to light.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    /// Its completion was missed; it waits at this place to be announced.
    Missed(Seq),
    /// Nothing that anybody would have to be told.
    Known,
}
