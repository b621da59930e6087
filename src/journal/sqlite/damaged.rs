//! Deliveries that a disk has changed: taken out of the way, so that nothing waits for them.
//!
//! Invariants: one is taken out only where the writer cannot read it either; it stays in the file, for whoever can mend it,
//! as long as anything that was settled then. One that an index does not know any more cannot be taken out: it waits for
//! ever, and whoever reads what waits passes it over. Not here: events that cannot be read, which stand in nobody's way.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, ffi::SQLITE_CORRUPT_INDEX, params};

use super::row;
use crate::domain::Seq;

/// `aside` of a delivery that cannot be read.
const DAMAGED: u8 = 2;

/// Takes out those that wait or are set aside and are not what was written.
pub(super) fn take_out(
    connection: &Connection,
    mut suspects: impl Iterator<Item = Seq>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    suspects.try_for_each(|seq| take_out_one(connection, seq, now).map(drop))
}

/// The same of one. Says whether it is not what was written.
pub(super) fn take_out_one(connection: &Connection, seq: Seq, now: Timestamp) -> rusqlite::Result<bool> {
    let columns = row::DELIVERY;
    let read = connection
        .prepare_cached(&format!(
            "SELECT {columns} FROM deliveries d WHERE d.seq = ?1 AND (d.settled_at IS NULL OR d.aside = 1)"
        ))?
        .query_row([row::number(seq)], |row| Ok(row::delivery(row, 0)))
        .optional()?;
    let damaged = matches!(read, Some(Err(error)) if row::is_damage(&error));
    if damaged {
        mark(connection, seq, now)?;
    }
    Ok(damaged)
}

/// Some of the indexes may have let it go before the one that does not know it, so nothing less than a savepoint will do.
fn mark(connection: &Connection, seq: Seq, now: Timestamp) -> rusqlite::Result<()> {
    let tell = |sql: &str| connection.prepare_cached(sql)?.execute([]).map(drop);
    tell("SAVEPOINT taking_out")?;
    let marked = connection
        .prepare_cached(
            "UPDATE deliveries SET aside = ?2, settled_at = coalesce(settled_at, ?3) WHERE seq = ?1",
        )?
        .execute(params![row::number(seq), DAMAGED, now.as_microsecond()]);
    match marked {
        Err(rusqlite::Error::SqliteFailure(error, _)) if error.extended_code == SQLITE_CORRUPT_INDEX => {
            tracing::error!(
                seq = seq.0,
                "an index does not know the delivery any more; it stays where it is, and is passed over \
                 (docs/disk-trouble.md)"
            );
            tell("ROLLBACK TO taking_out")?;
        }
        marked => drop(marked?),
    }
    tell("RELEASE taking_out")
}

/// Those that were taken out and are still in the file, at most so many. The words stand as they do in the index.
pub(super) fn taken_out(connection: &Connection, limit: usize) -> rusqlite::Result<BTreeSet<Seq>> {
    connection
        .prepare("SELECT seq FROM deliveries WHERE aside = 2 ORDER BY seq LIMIT ?1")?
        .query_map([row::count(limit)], |row| row::seq(row, 0))?
        .collect()
}
