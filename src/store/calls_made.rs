//! How many calls of Aurora's were made with which keys in the last minutes, the keys as digests.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, params};

use crate::{clock::earlier, domain::Fingerprint};

/// Longer than any call counts: a minute, and the longest that one may take.
const KEPT: Duration = Duration::from_secs(3 * 60);

/// Calls that were made with one key within a few seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallsMade {
    /// Stands for the key.
    pub key: Fingerprint,
    /// None of them was begun later.
    pub at: Timestamp,
    /// How many.
    pub calls: u32,
}

/// Adds them to those of the same key and time, and throws away those of the key that count no longer.
pub(super) fn note(connection: &Connection, made: CallsMade) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO calls_made (key, at, calls) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET calls = calls + excluded.calls",
        )?
        .execute(params![made.key.0, made.at.as_second(), made.calls])?;
    connection
        .prepare_cached("DELETE FROM calls_made WHERE key = ?1 AND at < ?2")?
        .execute(params![made.key.0, kept_from(made.at)])
        .map(drop)
}

/// Those that may still count.
pub(super) fn all(connection: &Connection, now: Timestamp) -> rusqlite::Result<Vec<CallsMade>> {
    let mut statement = connection.prepare("SELECT key, at, calls FROM calls_made WHERE at >= ?1")?;
    let rows = statement.query_map([kept_from(now)], |row| {
        let at = Timestamp::from_second(row.get(1)?).unwrap_or(now);
        Ok(CallsMade { key: Fingerprint(row.get(0)?), at, calls: row.get(2)? })
    })?;
    rows.collect()
}

/// Throws away those that count no longer, and those of a time that has not come: a clock was set back since.
pub(super) fn prune(connection: &Connection, now: Timestamp, latest: Timestamp) -> rusqlite::Result<usize> {
    let bounds = [kept_from(now), latest.as_second()];
    connection.execute("DELETE FROM calls_made WHERE at < ?1 OR at > ?2", bounds)
}

fn kept_from(now: Timestamp) -> i64 {
    earlier(now, KEPT).as_second()
}
