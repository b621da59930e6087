//! How many calls were made with which of Aurora's keys that still count, the keys as digests.
//!
//! A row names no tenant, and wiping a tenant leaves it: a key may be many tenants', its digest says nothing, and the row
//! goes by itself within minutes.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, params};

use crate::{clock::later, domain::Fingerprint};

/// No call counts longer from when it is made: a minute, and the longest that one may take.
const LONGEST: Duration = Duration::from_secs(3 * 60);

/// Calls that were made with one key and count equally long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallsMade {
    /// Stands for the key.
    pub key: Fingerprint,
    /// From then on none of them counts. Kept in whole seconds, the next one up.
    pub until: Timestamp,
    /// How many.
    pub calls: u32,
}

/// Adds them to those of the same key that count as long, and throws away those of the key that count no longer.
pub(super) fn note(connection: &Connection, made: CallsMade, now: Timestamp) -> rusqlite::Result<()> {
    add(connection, made)?;
    connection
        .prepare_cached("DELETE FROM calls_made WHERE key = ?1 AND at <= ?2")?
        .execute(params![made.key.0, now.as_second()])
        .map(drop)
}

/// Puts these in the place of all that are there.
pub(super) fn replace(connection: &Connection, all: Vec<CallsMade>) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM calls_made", [])?;
    all.into_iter().try_for_each(|made| add(connection, made))
}

fn add(connection: &Connection, made: CallsMade) -> rusqlite::Result<()> {
    let second = made.until.as_second() + i64::from(made.until.subsec_nanosecond() > 0);
    connection
        .prepare_cached(
            "INSERT INTO calls_made (key, at, calls) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET calls = calls + excluded.calls",
        )?
        .execute(params![made.key.0, second, made.calls])
        .map(drop)
}

/// Those that still count.
pub(super) fn all(connection: &Connection, now: Timestamp) -> rusqlite::Result<Vec<CallsMade>> {
    let mut statement = connection.prepare("SELECT key, at, calls FROM calls_made WHERE at > ?1")?;
    let rows = statement.query_map([now.as_second()], |row| {
        let until = Timestamp::from_second(row.get(1)?).unwrap_or(Timestamp::MAX);
        Ok(CallsMade { key: Fingerprint(row.get(0)?), until, calls: row.get(2)? })
    })?;
    rows.collect()
}

/// Throws away those that count no longer, and those that count longer than any can: a clock was set back since.
pub(super) fn prune(connection: &Connection, now: Timestamp) -> rusqlite::Result<usize> {
    let bounds = [now.as_second(), later(now, LONGEST).as_second()];
    connection.execute("DELETE FROM calls_made WHERE at <= ?1 OR at > ?2", bounds)
}
