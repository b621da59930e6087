//! The announced events as a person at the command line asks for them, also while the gateway runs.
//!
//! Invariants: what is told again gets a place of its own, so every cursor still stands for one event; asking twice
//! while the first asking waits adds nothing. Not here: announcing. A delivery that is added here waits like any other,
//! and the relay of the gateway takes it up.

use std::{error, path::Path, sync::Arc};

use jiff::Timestamp;

use super::sqlite::again;
use crate::{
    domain::{Event, Seq, TenantId},
    sqlite::{Guest, OpenError},
};

/// The most that is told again at once: the owner of the file waits for some tenths of a second meanwhile.
pub const MOST_AT_ONCE: usize = 10_000;

/// Events read in one go.
const PAGE: usize = 500;

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file cannot be read or written.
    #[error("the store does not answer")]
    Store(#[source] Box<dyn error::Error + Send + Sync>),
    /// Something behind that place is gone.
    #[error("events behind this cursor are no longer kept: the retention is over, or it was never reached")]
    Expired,
    /// There are too many.
    #[error(
        "{found} events are behind this cursor, and {limit} were allowed: allow more with --limit, or begin later"
    )]
    TooMany {
        /// How many there are.
        found: usize,
        /// How many were allowed.
        limit: usize,
    },
}

impl From<rusqlite::Error> for ArchiveError {
    fn from(source: rusqlite::Error) -> Self {
        Self::Store(source.into())
    }
}

/// What a page of events gave.
#[derive(Debug, Default)]
pub struct Page {
    /// Those that could be read, the oldest first.
    pub events: Vec<Arc<Event>>,
    /// How many could not.
    pub unreadable: usize,
    /// Where the next page begins, if there is one.
    pub next: Option<Seq>,
}

/// What would be told again, or is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Again {
    /// How many, by Aurora's name for the event.
    pub by_name: Vec<(String, usize)>,
    /// When the first and the last of them came.
    pub received: Option<(Timestamp, Timestamp)>,
    /// How many were left out, because they wait to be told again already.
    pub waiting: usize,
    /// How many are left out, because a disk has changed them.
    pub unreadable: usize,
}

impl Again {
    /// How many in all.
    #[must_use]
    pub fn total(&self) -> usize {
        self.by_name.iter().map(|(_, count)| count).sum()
    }
}

/// The events of a file.
#[derive(Debug)]
pub struct Archive(Guest);

impl Archive {
    /// Opens a file beside the gateway that owns it.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Guest::open(path).map(Self)
    }

    /// The file, for what else is asked of it.
    #[must_use]
    pub fn guest(&self) -> &Guest {
        &self.0
    }

    /// Every tenant that has events.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn tenants(&self) -> Result<Vec<TenantId>, ArchiveError> {
        Ok(self.0.read(again::tenants)?)
    }

    /// The events behind a place, or from the oldest that is kept: of one tenant, or of all.
    ///
    /// # Errors
    /// When some of them are no longer kept, or they cannot be read.
    pub fn page(&self, tenant: Option<&TenantId>, after: Option<Seq>) -> Result<Page, ArchiveError> {
        self.0.read(|connection| again::page(connection, tenant, after, PAGE))?.ok_or(ArchiveError::Expired)
    }

    /// What would be told again: what was announced to a tenant behind a place, and was not itself told again.
    ///
    /// # Errors
    /// When some of it is no longer kept, or there is more than `limit`.
    pub fn would_tell_again(
        &self,
        tenant: &TenantId,
        after: Seq,
        limit: usize,
    ) -> Result<Again, ArchiveError> {
        let found = self.0.read(|connection| again::candidates(connection, tenant, after, limit))?;
        within(found.ok_or(ArchiveError::Expired)?.again, limit)
    }

    /// Has it told again.
    ///
    /// # Errors
    /// As for [`would_tell_again`](Self::would_tell_again); nothing is told again then.
    pub fn tell_again(
        &mut self,
        tenant: &TenantId,
        after: Seq,
        limit: usize,
        now: Timestamp,
    ) -> Result<Again, ArchiveError> {
        let told = self.0.write(|connection| {
            let found = again::candidates(connection, tenant, after, limit)?;
            if let Some(found) = found.as_ref().filter(|it| it.again.total() <= limit) {
                again::add(connection, &found.events, now)?;
            }
            Ok(found.map(|it| it.again))
        })?;
        within(told.ok_or(ArchiveError::Expired)?, limit)
    }
}

fn within(again: Again, limit: usize) -> Result<Again, ArchiveError> {
    match again.total() {
        found if found > limit => Err(ArchiveError::TooMany { found, limit }),
        _ => Ok(again),
    }
}
