//! Throwing away: what is old, and what somebody wants forgotten.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{super::Pruned, row};
use crate::clock;
use crate::domain::{Fingerprint, Seq, TenantId, fingerprint::Fingerprinter};

/// Rows of a kind per transaction: some ten milliseconds of work, so that deliveries are not kept waiting.
const BATCH: i64 = 100;

/// How long the summary that was last announced for a design is kept to compare with. Aurora's repeats end after a
/// day, so what is older only costs room.
const COMPLETIONS_KEPT: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// How long it is remembered that a tenant once got an event. The names of events are whatever Aurora sends, so they go
/// some day.
const TALLIES_KEPT: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// What one transaction threw away.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) pruned: Pruned,
    /// The last event that went.
    pub(super) through: Seq,
    /// The deliveries that went.
    pub(super) gone: Vec<Seq>,
    /// Nothing is left to throw away.
    pub(super) last: bool,
}

/// Throws away what was settled before `before`, and the marks that are past their window at `now`.
pub(super) fn prune(connection: &Connection, before: Timestamp, now: Timestamp) -> rusqlite::Result<Batch> {
    let old = settled_before(connection, before)?;
    let mut batch = Batch::default();
    for Old { delivery, event } in &old {
        if let Some((seq, tenant)) = event {
            raise_floor(connection, tenant, *seq)?;
            connection.prepare_cached("DELETE FROM events WHERE seq = ?1")?.execute([row::number(*seq)])?;
            batch.pruned.events += 1;
            batch.through = batch.through.max(*seq);
        }
        connection.prepare_cached("DELETE FROM deliveries WHERE seq = ?1")?.execute([delivery])?;
        batch.pruned.deliveries += 1;
        batch.gone.push(row::place(*delivery));
    }
    let repeats = connection
        .prepare_cached(
            "DELETE FROM repeats WHERE fingerprint IN
                 (SELECT fingerprint FROM repeats WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
        )?
        .execute([now.as_microsecond(), BATCH])?;
    batch.pruned.repeats = repeats as u64;
    let completions = connection
        .prepare_cached(
            "DELETE FROM completions WHERE (tenant, design) IN
                 (SELECT tenant, design FROM completions WHERE at < ?1 ORDER BY at LIMIT ?2)",
        )?
        .execute([clock::earlier(now, COMPLETIONS_KEPT).as_microsecond(), BATCH])?;
    batch.pruned.completions = completions as u64;
    let looks = connection
        .prepare_cached(
            "DELETE FROM looks WHERE (tenant, design) IN
                 (SELECT tenant, design FROM looks WHERE at < ?1 ORDER BY at LIMIT ?2)",
        )?
        .execute([clock::earlier(now, COMPLETIONS_KEPT).as_microsecond(), BATCH])?;
    // Few rows, and none at all in most rounds: an event that a tenant hears no more of.
    connection
        .prepare_cached("DELETE FROM tallies WHERE max(received_at, ifnull(announced_at, 0)) < ?1")?
        .execute([clock::earlier(now, TALLIES_KEPT).as_microsecond()])?;
    batch.last = [old.len(), repeats, completions, looks].into_iter().all(|gone| row::count(gone) < BATCH);
    Ok(batch)
}

struct Old {
    delivery: i64,
    event: Option<(Seq, TenantId)>,
}

fn settled_before(connection: &Connection, before: Timestamp) -> rusqlite::Result<Vec<Old>> {
    connection
        .prepare_cached(
            "SELECT d.seq, e.seq, e.tenant FROM deliveries d LEFT JOIN events e ON e.delivery = d.seq
             WHERE d.settled_at IS NOT NULL AND d.settled_at < ?1 ORDER BY d.settled_at LIMIT ?2",
        )?
        .query_map([before.as_microsecond(), BATCH], |row| {
            let event: Option<i64> = row.get(1)?;
            let tenant = row::id(row, 2, TenantId::parse)?;
            Ok(Old { delivery: row.get(0)?, event: event.map(row::place).zip(tenant) })
        })?
        .collect()
}

/// Forgets everything of a tenant but how far its events are gone, so that an old cursor says so.
pub(super) fn erase(connection: &Connection, tenant: &TenantId) -> rusqlite::Result<()> {
    let last: Option<i64> =
        connection.query_row("SELECT max(seq) FROM events WHERE tenant = ?1", [tenant.as_str()], |row| {
            row.get(0)
        })?;
    if let Some(last) = last {
        raise_floor(connection, tenant, row::place(last))?;
    }
    for table in
        ["events", "deliveries", "repeats", "completions", "tallies", "looks", "watched", "switched_off"]
    {
        connection.execute(&format!("DELETE FROM {table} WHERE tenant = ?1"), [tenant.as_str()])?;
    }
    Ok(())
}

/// Those of these deliveries that are in the file no more.
pub(super) fn gone(connection: &Connection, these: BTreeSet<Seq>) -> rusqlite::Result<Vec<Seq>> {
    let mut kept = connection.prepare_cached("SELECT 1 FROM deliveries WHERE seq = ?1")?;
    these
        .into_iter()
        .filter_map(|seq| kept.exists([row::number(seq)]).map(|kept| (!kept).then_some(seq)).transpose())
        .collect()
}

/// The last place from which an event of the tenant is gone.
pub(super) fn floor(connection: &Connection, tenant: &TenantId) -> rusqlite::Result<Seq> {
    let floor = connection
        .prepare_cached("SELECT seq FROM pruned WHERE tenant = ?1")?
        .query_row([digest(tenant).0], |row| row::seq(row, 0))
        .optional()?;
    Ok(floor.unwrap_or_default())
}

fn raise_floor(connection: &Connection, tenant: &TenantId, seq: Seq) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO pruned (tenant, seq) VALUES (?1, ?2)
             ON CONFLICT (tenant) DO UPDATE SET seq = max(seq, excluded.seq)",
        )?
        .execute(params![digest(tenant).0, row::number(seq)])
        .map(drop)
}

fn digest(tenant: &TenantId) -> Fingerprint {
    Fingerprinter::new("tenant of pruned events").text(tenant.as_str()).finish()
}
