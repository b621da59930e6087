//! Reading the events for a person, and adding deliveries that tell some of them again.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::{
    super::{
        Replay,
        archive::{Again, Page},
    },
    forget, read, row,
};
use crate::domain::{Delivery, DesignId, Event, JobId, ProjectId, Seq, TenantId};

pub(in crate::journal) fn tenants(connection: &Connection) -> rusqlite::Result<Vec<TenantId>> {
    let mut statement = connection.prepare("SELECT DISTINCT tenant FROM events ORDER BY tenant")?;
    let rows = statement.query_map([], |found| row::id(found, 0, TenantId::parse))?;
    rows.filter_map(Result::transpose).collect()
}

/// Nothing where events behind `after` are gone.
pub(in crate::journal) fn page(
    connection: &Connection,
    tenant: Option<&TenantId>,
    after: Option<Seq>,
    limit: usize,
) -> rusqlite::Result<Option<Page>> {
    if let (Some(tenant), Some(after)) = (tenant, after)
        && !is_kept(connection, tenant, after)?
    {
        return Ok(None);
    }
    let columns = read::EVENT;
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {columns} FROM events e JOIN deliveries d ON d.seq = e.delivery
         WHERE (?1 IS NULL OR e.tenant = ?1) AND e.seq > ?2 ORDER BY e.seq LIMIT ?3"
    ))?;
    let from = row::number(after.unwrap_or_default());
    let mut rows = statement.query(params![tenant.map(TenantId::as_str), from, row::count(limit)])?;
    let (mut page, mut read, mut last) = (Page::default(), 0, Seq(0));
    while let Some(found) = rows.next()? {
        read += 1;
        last = row::seq(found, row::DELIVERY_WIDTH)?;
        let whose = tenant.cloned().map_or_else(|| read::tenant_of(found), Ok);
        match whose.and_then(|whose| read::event(found, &whose)) {
            Ok(event) => page.events.push(event),
            Err(_) => page.unreadable += 1,
        }
    }
    page.next = (read == limit).then_some(last);
    Ok(Some(page))
}

fn is_kept(connection: &Connection, tenant: &TenantId, after: Seq) -> rusqlite::Result<bool> {
    Ok(after >= forget::floor(connection, tenant)? && after <= read::heads(connection)?.events)
}

/// What may be told again.
pub(in crate::journal) struct Candidates {
    pub(in crate::journal) again: Again,
    /// Up to the limit, and one more.
    pub(in crate::journal) events: Vec<Arc<Event>>,
}

/// Nothing where events behind `after` are gone.
pub(in crate::journal) fn candidates(
    connection: &Connection,
    tenant: &TenantId,
    after: Seq,
    limit: usize,
) -> rusqlite::Result<Option<Candidates>> {
    if !is_kept(connection, tenant, after)? {
        return Ok(None);
    }
    let columns = read::EVENT;
    let mut statement = connection.prepare(&format!(
        "SELECT {columns} FROM events e JOIN deliveries d ON d.seq = e.delivery
         WHERE e.tenant = ?1 AND e.seq > ?2 AND d.replay_of IS NULL AND NOT EXISTS ({WAITS})
         ORDER BY e.seq"
    ))?;
    let mut rows = statement.query(params![tenant.as_str(), row::number(after)])?;
    let (mut events, mut unreadable) = (Vec::new(), 0);
    while events.len() <= limit
        && let Some(found) = rows.next()?
    {
        match read::event(found, tenant) {
            Ok(event) => events.push(event),
            Err(_) => unreadable += 1,
        }
    }
    let waiting: i64 = connection
        .prepare(&format!(
            "SELECT count(*) FROM events e WHERE e.tenant = ?1 AND e.seq > ?2 AND EXISTS ({WAITS})"
        ))?
        .query_row(params![tenant.as_str(), row::number(after)], |found| found.get(0))?;
    let mut names = BTreeMap::new();
    for event in &events {
        *names.entry(event.delivery.name.clone()).or_insert(0) += 1;
    }
    let times = || events.iter().map(|event| event.delivery.received_at);
    let again = Again {
        by_name: names.into_iter().collect(),
        received: times().min().zip(times().max()),
        waiting: usize::try_from(waiting).unwrap_or_default(),
        unreadable,
    };
    Ok(Some(Candidates { again, events }))
}

/// A delivery that tells the event again, and has not been announced yet.
const WAITS: &str = "SELECT 1 FROM deliveries w WHERE w.replay_of = e.seq AND w.settled_at IS NULL";

/// Adds a delivery for each, as if it had come again.
pub(in crate::journal) fn add(
    connection: &Connection,
    events: &[Arc<Event>],
    asked_at: Timestamp,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(
        "INSERT INTO deliveries
             (name, tenant, design, project, job, status, parameters, received_at, aside, source, replay_of,
              replay_at, sum)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9, ?10, ?11, ?12)",
    )?;
    for event in events {
        // What was found out about the project need not be found out again.
        let delivery = Delivery { project: event.project.clone(), ..event.delivery.clone() };
        let parameters = row::parameters(&delivery)?;
        let replay = Replay { of: event.seq, asked_at };
        statement.execute(params![
            delivery.name,
            event.tenant.as_str(),
            delivery.design.as_ref().map(DesignId::as_str),
            delivery.project.as_ref().map(ProjectId::as_str),
            delivery.job.as_ref().map(JobId::as_str),
            delivery.status,
            parameters,
            delivery.received_at.as_microsecond(),
            row::source(delivery.source),
            row::number(replay.of),
            replay.asked_at.as_microsecond(),
            row::delivery_sum(&delivery, &parameters, Some(replay)),
        ])?;
    }
    Ok(())
}
