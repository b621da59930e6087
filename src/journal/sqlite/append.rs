//! Keeping a delivery unless it is a repeat.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{super::Appended, row, tally, whose};
use crate::{
    clock,
    domain::{
        Delivery, Fingerprint, Seq, TenantId,
        event::{Repeat, Source},
    },
};

pub(super) fn append(
    connection: &Connection,
    mut delivery: Delivery,
    now: Timestamp,
) -> rusqlite::Result<Appended> {
    if delivery.tenant.is_none() {
        // In the same transaction, so that what becomes known meanwhile is either seen here or claims it later.
        delivery.tenant = whose::of(connection, delivery.design.as_ref(), delivery.project.as_ref())?;
    }
    keep(connection, &delivery, now)
}

/// Takes back what was set aside, if its tenant is known by now: it is appended as if it came now, but for when it came.
pub(super) fn claim(connection: &Connection, seq: Seq, now: Timestamp) -> rusqlite::Result<Option<Appended>> {
    let Some(mut delivery) = whose::set_aside(connection, seq)? else { return Ok(None) };
    delivery.tenant = whose::of(connection, delivery.design.as_ref(), delivery.project.as_ref())?;
    if delivery.tenant.is_none() {
        // Another tenant has been shown the same meanwhile: it stays where it is.
        return Ok(None);
    }
    whose::take_out(connection, seq)?;
    keep(connection, &delivery, now).map(Some)
}

/// The same for one whose tenant is looked for no further.
pub(super) fn keep(
    connection: &Connection,
    delivery: &Delivery,
    now: Timestamp,
) -> rusqlite::Result<Appended> {
    if is_repeat(connection, delivery)? {
        return Ok(Appended::Repeat);
    }
    if delivery.source == Source::Webhook {
        tally::received(connection, delivery)?;
    }
    forget_what_it_undoes(connection, delivery)?;
    // What nobody can be told of is settled as soon as it is kept.
    let aside = delivery.tenant.is_none();
    let parameters = row::parameters(delivery)?;
    connection
        .prepare_cached(
            "INSERT INTO deliveries
                 (name, tenant, design, project, job, status, parameters, received_at, aside, settled_at,
                  source, sum)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            delivery.name,
            delivery.tenant.as_ref().map(TenantId::as_str),
            delivery.design.as_ref().map(|id| id.as_str()),
            delivery.project.as_ref().map(|id| id.as_str()),
            delivery.job.as_ref().map(|id| id.as_str()),
            delivery.status,
            parameters,
            delivery.received_at.as_microsecond(),
            aside,
            aside.then(|| now.as_microsecond()),
            row::source(delivery.source),
            row::delivery_sum(delivery, &parameters, None),
        ])?;
    let seq = row::place(connection.last_insert_rowid());
    Ok(if aside { Appended::Aside(seq) } else { Appended::New(seq) })
}

fn is_repeat(connection: &Connection, delivery: &Delivery) -> rusqlite::Result<bool> {
    match delivery.repeat() {
        Repeat::Within(fingerprint, window) => came_within(connection, delivery, fingerprint, window),
        Repeat::ByRereading(..) => Ok(false),
    }
}

/// After "off" and "on" another "off" is news again.
fn forget_what_it_undoes(connection: &Connection, delivery: &Delivery) -> rusqlite::Result<()> {
    let Some(undone) = delivery.undone() else { return Ok(()) };
    let (Repeat::Within(content, _) | Repeat::ByRereading(content, _)) = undone.repeat();
    connection.prepare_cached("DELETE FROM repeats WHERE fingerprint = ?1")?.execute([content.0]).map(drop)
}

/// Whether an equal delivery came within the window; if not, this is the one that later ones repeat.
pub(super) fn came_within(
    connection: &Connection,
    delivery: &Delivery,
    fingerprint: Fingerprint,
    window: Duration,
) -> rusqlite::Result<bool> {
    let until: Option<i64> = connection
        .prepare_cached("SELECT expires_at FROM repeats WHERE fingerprint = ?1")?
        .query_row([fingerprint.0], |row| row.get(0))
        .optional()?;
    if until.is_some_and(|until| delivery.received_at.as_microsecond() < until) {
        return Ok(true);
    }
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO repeats (fingerprint, tenant, expires_at) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![
            fingerprint.0,
            delivery.tenant.as_ref().map(TenantId::as_str),
            clock::later(delivery.received_at, window).as_microsecond(),
        ])?;
    Ok(false)
}
