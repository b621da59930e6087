//! Telling a completion that was missed from one that was announced, and from one that is nobody's news.
//!
//! Invariants: what is announced, or waits to be, is never found again; what was complete before its tenant was watched
//! is no news; whether one was missed is decided in the transaction that keeps it.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    super::{Appended, Compared, Sighting},
    announce, append, tenants,
};
use crate::{
    clock,
    domain::{
        Delivery, DesignId, Fingerprint, TenantId,
        event::{COMPLETED, SUCCEEDED, Source},
    },
};

/// How much Aurora's clock may differ from ours. It writes some dates in whole seconds too.
const SKEW: Duration = Duration::from_secs(2 * 60);

/// A design older than this of which nothing is remembered is old work, not news: what was announced of it may have been
/// forgotten. Far below how long that is remembered.
const YOUNG: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How old what is remembered of a design may grow before a look at it that finds the same makes it young again.
const TOUCH_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn compare(
    connection: &Connection,
    seen: &Sighting,
    now: Timestamp,
) -> rusqlite::Result<Compared> {
    if is_missed(connection, seen)? {
        forget_look(connection, seen)?;
        if let Appended::New(seq) = append::keep(connection, &delivery(seen), now)? {
            return Ok(Compared::Missed(seq));
        }
    }
    Ok(Compared::Known)
}

fn is_missed(connection: &Connection, seen: &Sighting) -> rusqlite::Result<bool> {
    let (tenant, design) = (&seen.design.tenant, &seen.design.design);
    if waits(connection, tenant, design)? {
        return Ok(false);
    }
    if announced_unread(connection, tenant, design)? {
        // People were told to look; this is what they saw.
        announce::remember(connection, tenant, design, seen.summary, Source::Webhook, seen.at)?;
        return Ok(false);
    }
    if let Some(last) = announce::last(connection, tenant, design)? {
        if last.summary == seen.summary {
            touch(connection, "completions", seen)?;
        }
        return Ok(seen.complete && last.summary != seen.summary);
    }
    let missed = match look(connection, tenant, design)? {
        Some(known) => known != seen.summary,
        None => is_news_of_its_own(connection, seen)?,
    };
    if seen.complete && missed {
        return Ok(true);
    }
    remember_look(connection, seen)?;
    Ok(false)
}

/// Whether a design that nobody has seen before was made while its tenant was watched: then its completion is news.
fn is_news_of_its_own(connection: &Connection, seen: &Sighting) -> rusqlite::Result<bool> {
    let since = tenants::since(connection, &seen.design.tenant)?;
    let watched = since.unwrap_or(seen.at).max(clock::earlier(seen.at, YOUNG));
    Ok(seen.made_at.is_some_and(|made_at| clock::later(made_at, SKEW) >= watched))
}

/// A delivery as Aurora would have sent it, but for the job, which nobody knows.
fn delivery(seen: &Sighting) -> Delivery {
    let parameters = [
        ("tenant_id", seen.design.tenant.as_str()),
        ("design_id", seen.design.design.as_str()),
        ("project_id", seen.project.as_str()),
        ("status", SUCCEEDED),
    ];
    Delivery {
        name: COMPLETED.to_owned(),
        tenant: Some(seen.design.tenant.clone()),
        design: Some(seen.design.design.clone()),
        project: Some(seen.project.clone()),
        job: None,
        status: Some(SUCCEEDED.to_owned()),
        parameters: parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        received_at: seen.at,
        source: Source::Reconciled,
    }
}

/// Whether a completion of the design waits to be announced. One that is told again is no news.
fn waits(connection: &Connection, tenant: &TenantId, design: &DesignId) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT 1 FROM deliveries WHERE tenant = ?1 AND design = ?2 AND settled_at IS NULL
             AND name = ?3 AND status = ?4 AND replay_of IS NULL",
        )?
        .exists([tenant.as_str(), design.as_str(), COMPLETED, SUCCEEDED])
}

/// Whether the last completion of the design was announced without its summary, and nobody has read it since. What was only
/// told again made nobody look for anything new.
fn announced_unread(connection: &Connection, tenant: &TenantId, design: &DesignId) -> rusqlite::Result<bool> {
    let last: Option<(bool, i64)> = connection
        .prepare_cached(
            "SELECT e.summary_read, d.settled_at FROM events e JOIN deliveries d ON d.seq = e.delivery
             WHERE e.tenant = ?1 AND e.design = ?2 AND e.name = ?3 AND e.status = ?4 AND d.replay_of IS NULL
             ORDER BY e.seq DESC LIMIT 1",
        )?
        .query_row([tenant.as_str(), design.as_str(), COMPLETED, SUCCEEDED], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let Some((false, told_at)) = last else { return Ok(false) };
    let read_at: Option<i64> = connection
        .prepare_cached("SELECT at FROM completions WHERE tenant = ?1 AND design = ?2")?
        .query_row([tenant.as_str(), design.as_str()], |row| row.get(0))
        .optional()?;
    Ok(read_at.is_none_or(|read_at| read_at < told_at))
}

fn look(
    connection: &Connection,
    tenant: &TenantId,
    design: &DesignId,
) -> rusqlite::Result<Option<Fingerprint>> {
    connection
        .prepare_cached("SELECT fingerprint FROM looks WHERE tenant = ?1 AND design = ?2")?
        .query_row([tenant.as_str(), design.as_str()], |row| row.get(0).map(Fingerprint))
        .optional()
}

fn remember_look(connection: &Connection, seen: &Sighting) -> rusqlite::Result<()> {
    touch(connection, "looks", seen)?;
    connection
        .prepare_cached(
            "INSERT INTO looks (tenant, design, fingerprint, at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (tenant, design) DO UPDATE SET fingerprint = excluded.fingerprint, at = excluded.at
             WHERE excluded.fingerprint <> fingerprint",
        )?
        .execute(params![
            seen.design.tenant.as_str(),
            seen.design.design.as_str(),
            seen.summary.0,
            seen.at.as_microsecond()
        ])
        .map(drop)
}

fn forget_look(connection: &Connection, seen: &Sighting) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM looks WHERE tenant = ?1 AND design = ?2")?
        .execute([seen.design.tenant.as_str(), seen.design.design.as_str()])
        .map(drop)
}

/// Keeps what is remembered of a design that is still looked at from being forgotten for its age.
fn touch(connection: &Connection, table: &str, seen: &Sighting) -> rusqlite::Result<()> {
    let old = clock::earlier(seen.at, TOUCH_AFTER).as_microsecond();
    connection
        .prepare_cached(&format!("UPDATE {table} SET at = ?3 WHERE tenant = ?1 AND design = ?2 AND at < ?4"))?
        .execute(params![
            seen.design.tenant.as_str(),
            seen.design.design.as_str(),
            seen.at.as_microsecond(),
            old
        ])
        .map(drop)
}
