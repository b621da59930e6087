//! What one request cost: calls to Aurora, and calls that were spared.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::plan::{Memory, Planning};
use crate::{
    aurora::{Lane, Meter},
    cache::Source,
};

/// Counts for one request; shared by all its resolvers.
#[derive(Debug, Default)]
pub struct Usage {
    meter: Meter,
    hits: AtomicU32,
    coalesced: AtomicU32,
    planning: Option<Planning>,
}

impl Usage {
    /// Of a request that is planned and costs nothing, with memory taken to hold this.
    #[must_use]
    pub fn of_plan(memory: Memory) -> Self {
        Self { planning: Some(Planning::new(memory)), ..Self::default() }
    }

    /// What is planned, where the request is not to be run.
    #[must_use]
    pub fn planning(&self) -> Option<&Planning> {
        self.planning.as_ref()
    }

    /// Counts for a request whose calls to Aurora are made in that lane. The default's are interactive.
    #[must_use]
    pub fn in_lane(lane: Lane) -> Self {
        Self { meter: Meter::in_lane(lane), ..Self::default() }
    }

    /// Where the client counts the calls it makes for this request.
    #[must_use]
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    pub(super) fn count(&self, source: Source) {
        match source {
            Source::Memory => self.hits.fetch_add(1, Ordering::Relaxed),
            Source::Shared => self.coalesced.fetch_add(1, Ordering::Relaxed),
            Source::Fetched => 0,
        };
    }

    /// Requests made to Aurora, key exchanges included.
    #[must_use]
    pub fn calls(&self) -> u32 {
        self.meter.calls()
    }

    /// Reads answered from memory.
    #[must_use]
    pub fn hits(&self) -> u32 {
        self.hits.load(Ordering::Relaxed)
    }

    /// Reads answered by another caller's request.
    #[must_use]
    pub fn coalesced(&self) -> u32 {
        self.coalesced.load(Ordering::Relaxed)
    }
}

/// On whose account something is done that nobody waits for: on nobody's, and behind everybody else.
pub(super) fn background() -> Usage {
    Usage::in_lane(Lane::Refresh)
}

/// What a look into memory gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Something fresh.
    Hit,
    /// Nothing.
    Miss,
    /// Something old, since Aurora was out.
    Stale,
    /// Another caller's fetch.
    Coalesced,
}

impl Look {
    /// Everything that a look can give.
    pub const ALL: [Self; 4] = [Self::Hit, Self::Miss, Self::Stale, Self::Coalesced];

    /// What it is called in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Stale => "stale",
            Self::Coalesced => "coalesced",
        }
    }

    pub(super) fn of(source: Source) -> Self {
        match source {
            Source::Memory => Self::Hit,
            Source::Shared => Self::Coalesced,
            Source::Fetched => Self::Miss,
        }
    }
}

/// Counts for the whole catalog since the start.
#[derive(Debug, Default)]
pub(super) struct Looks([AtomicU64; 4]);

impl Looks {
    pub(super) fn count(&self, look: Look) {
        self.0[look as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn total(&self, look: Look) -> u64 {
        self.0[look as usize].load(Ordering::Relaxed)
    }
}
