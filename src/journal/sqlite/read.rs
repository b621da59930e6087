//! Reading both orders.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, Rows, params, params_from_iter, types::Value};

use super::{
    super::{Filter, Heads, Slice, Waiting},
    forget, row,
};
use crate::domain::{Event, EventKind, ProjectId, Seq, TenantId};

pub(super) fn heads(connection: &Connection) -> rusqlite::Result<Heads> {
    Ok(Heads { deliveries: head(connection, "deliveries")?, events: head(connection, "events")? })
}

/// The last place ever given out, also if what was there is gone.
fn head(connection: &Connection, table: &str) -> rusqlite::Result<Seq> {
    let sql = format!(
        "SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = '{table}'), 0),
                    coalesce((SELECT max(seq) FROM {table}), 0))"
    );
    connection.prepare_cached(&sql)?.query_row([], |row| row::seq(row, 0))
}

/// Deliveries that wait, and those among them that cannot be read.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) waiting: Vec<Waiting>,
    pub(super) unreadable: Vec<(Seq, rusqlite::Error)>,
}

pub(super) fn waiting(connection: &Connection, after: Seq, limit: usize) -> rusqlite::Result<Found> {
    let columns = row::DELIVERY;
    let sql = format!(
        "SELECT {columns}, d.seq FROM deliveries d WHERE d.settled_at IS NULL AND d.seq > ?1 ORDER BY d.seq"
    );
    collect(connection.prepare_cached(&sql)?.query([row::number(after)])?, limit)
}

pub(super) fn waiting_of(
    connection: &Connection,
    tenant: &TenantId,
    after: Seq,
    limit: usize,
) -> rusqlite::Result<Found> {
    let columns = row::DELIVERY;
    let sql = format!(
        "SELECT {columns}, d.seq FROM deliveries d
         WHERE d.settled_at IS NULL AND d.tenant = ?1 AND d.seq > ?2 ORDER BY d.seq"
    );
    collect(connection.prepare_cached(&sql)?.query(params![tenant.as_str(), row::number(after)])?, limit)
}

/// One whose project has an earlier one in another lane stays where it is: the board cannot see that it would overtake.
/// Those that name the project alone are of one lane, and are all found here or held already. The words stand as they do
/// in the indexes for them.
pub(super) fn waiting_apart(
    connection: &Connection,
    tenant: &TenantId,
    after: Seq,
    limit: usize,
) -> rusqlite::Result<Found> {
    let columns = row::DELIVERY;
    let sql = format!(
        "SELECT {columns}, d.seq FROM deliveries d INDEXED BY deliveries_waiting_plain
         WHERE d.settled_at IS NULL
           AND (d.name <> 'performance_simulation_job_completed' OR d.status IS NULL OR d.status <> 'succeeded')
           AND d.tenant = ?1 AND d.seq > ?2
           AND (d.design IS NULL OR NOT EXISTS (
               SELECT 1 FROM deliveries e WHERE e.tenant = d.tenant AND e.design = d.design
                   AND e.settled_at IS NULL AND e.seq < d.seq))
           AND (d.project IS NULL OR NOT EXISTS (
               SELECT 1 FROM deliveries e INDEXED BY deliveries_waiting_project
               WHERE e.tenant = d.tenant AND e.project = d.project AND e.settled_at IS NULL
                   AND (e.design IS NOT NULL OR e.name = 'performance_simulation_job_completed')
                   AND e.seq < d.seq))
         ORDER BY d.seq"
    );
    collect(connection.prepare_cached(&sql)?.query(params![tenant.as_str(), row::number(after)])?, limit)
}

/// Up to `limit` that can be read. One that cannot must not keep those behind it from being found.
pub(super) fn collect(mut rows: Rows<'_>, limit: usize) -> rusqlite::Result<Found> {
    let mut found = Found::default();
    while found.waiting.len() < limit
        && let Some(row) = rows.next()?
    {
        match waiting_row(row) {
            Ok(waiting) => found.waiting.push(waiting),
            Err(error) => found.unreadable.push((row::seq(row, row::DELIVERY_WIDTH)?, error)),
        }
    }
    Ok(found)
}

/// How many are set aside, and the newest of them that can be read.
pub(super) fn aside(connection: &Connection, limit: usize) -> rusqlite::Result<(u64, Found)> {
    let columns = row::DELIVERY;
    let total = connection
        .prepare_cached("SELECT count(*) FROM deliveries WHERE aside = 1")?
        .query_row([], |row| row::total(row, 0))?;
    let sql = format!("SELECT {columns}, d.seq FROM deliveries d WHERE d.aside = 1 ORDER BY d.seq DESC");
    Ok((total, collect(connection.prepare_cached(&sql)?.query([])?, limit)?))
}

fn waiting_row(row: &Row<'_>) -> rusqlite::Result<Waiting> {
    Ok(Waiting {
        seq: row::seq(row, row::DELIVERY_WIDTH)?,
        delivery: row::delivery(row, 0)?,
        replay: row::replay(row, 0)?,
    })
}

/// Events, and the deliveries of those that cannot be read.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) slice: Slice,
    pub(super) unreadable: Vec<(Seq, rusqlite::Error)>,
}

/// The events, or the oldest that is left if some behind `after` are gone.
pub(super) fn events(
    connection: &Connection,
    tenant: &TenantId,
    filter: &Filter,
    after: Option<Seq>,
    limit: usize,
) -> rusqlite::Result<Result<Read, Option<Seq>>> {
    if let Some(after) = after
        && (after < forget::floor(connection, tenant)? || after > head(connection, "events")?)
    {
        return oldest(connection, tenant).map(Err);
    }
    let (condition, mut values) = condition(tenant, filter);
    values.push(Value::Integer(row::number(after.unwrap_or_default())));
    let sql = format!(
        "SELECT {EVENT} FROM events e JOIN deliveries d ON d.seq = e.delivery
         WHERE {condition} AND e.seq > ? ORDER BY e.seq"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut read = Read::default();
    while let Some(row) = rows.next()? {
        match event(row, tenant) {
            Ok(_) if read.slice.events.len() == limit => {
                read.slice.more = true;
                break;
            }
            Ok(event) => read.slice.events.push(event),
            // One that cannot be read must not keep those behind it from being heard.
            Err(error) => read.unreadable.push((delivery_of(row)?, error)),
        }
    }
    Ok(Ok(read))
}

/// The columns of an [`event`], in its order, of tables named `d` and `e`.
pub(super) const EVENT: &str =
    "d.name, d.tenant, d.design, d.project, d.job, d.status, d.parameters, d.received_at, d.source,
     d.replay_of, d.replay_at, d.sum, e.seq, e.project, e.sum, e.delivery, e.summary_read, e.tenant";

/// The event in the first columns, which was looked for among this tenant's. A flipped bit in what it was found by must not
/// carry it to another: its delivery says whose it is, and the delivery's sum holds that.
pub(super) fn event(row: &Row<'_>, tenant: &TenantId) -> rusqlite::Result<Arc<Event>> {
    const AT: usize = row::DELIVERY_WIDTH;
    let project = row::id(row, AT + 1, ProjectId::parse)?;
    let summary_read = row.get(AT + 4)?;
    row::check(row, AT + 2, row::event_sum(delivery_of(row)?, project.as_ref(), summary_read))?;
    let delivery = row::delivery(row, 0)?;
    if delivery.tenant.as_ref() != Some(tenant) {
        return Err(row::damaged(1));
    }
    Ok(Arc::new(Event {
        seq: row::seq(row, AT)?,
        tenant: tenant.clone(),
        project,
        delivery,
        summary_read,
        replay_of: row::replay(row, 0)?.map(|it| it.of),
    }))
}

/// The tenant that an [`event`] itself names.
pub(super) fn tenant_of(row: &Row<'_>) -> rusqlite::Result<TenantId> {
    const AT: usize = row::DELIVERY_WIDTH + 5;
    row::id(row, AT, TenantId::parse)?.ok_or_else(|| row::damaged(AT))
}

/// The place of an [`event`]'s delivery.
pub(super) fn delivery_of(row: &Row<'_>) -> rusqlite::Result<Seq> {
    row::seq(row, row::DELIVERY_WIDTH + 3)
}

fn oldest(connection: &Connection, tenant: &TenantId) -> rusqlite::Result<Option<Seq>> {
    connection
        .prepare_cached("SELECT seq FROM events WHERE tenant = ?1 ORDER BY seq LIMIT 1")?
        .query_row([tenant.as_str()], |row| row::seq(row, 0))
        .optional()
}

/// [`Filter::matches`] in SQL; a property test holds the two equal. The words of a completion stand here as they
/// stand in the index for them.
fn condition(tenant: &TenantId, filter: &Filter) -> (String, Vec<Value>) {
    let mut sql = "e.tenant = ?".to_owned();
    let mut values = vec![Value::Text(tenant.to_string())];
    if filter.completions_only {
        sql.push_str(" AND e.name = 'performance_simulation_job_completed' AND e.status = 'succeeded'");
    }
    if let Some(design) = &filter.design {
        sql.push_str(" AND e.design = ?");
        values.push(Value::Text(design.to_string()));
    }
    if let Some(project) = &filter.project {
        sql.push_str(" AND e.project = ?");
        values.push(Value::Text(project.to_string()));
    }
    if let Some(kinds) = &filter.kinds {
        sql.push_str(" AND (0");
        for kind in ALL {
            if !kinds.contains(&kind) {
                continue;
            }
            match name(kind) {
                Some(name) => {
                    sql.push_str(" OR e.name = ?");
                    values.push(Value::Text(name.to_owned()));
                }
                None => {
                    let named = ALL.into_iter().filter_map(name);
                    let marks = vec!["?"; named.clone().count()].join(", ");
                    sql.push_str(&format!(" OR e.name NOT IN ({marks})"));
                    values.extend(named.map(|name| Value::Text(name.to_owned())));
                }
            }
        }
        sql.push(')');
    }
    (sql, values)
}

const ALL: [EventKind; 5] = [
    EventKind::PerformanceSimulationJobCompleted,
    EventKind::ProjectCreated,
    EventKind::ProjectChanged,
    EventKind::AgreementStatusChanged,
    EventKind::Other,
];

/// Aurora's name for the events of a kind, if they have one name.
fn name(kind: EventKind) -> Option<&'static str> {
    match kind {
        EventKind::PerformanceSimulationJobCompleted => Some("performance_simulation_job_completed"),
        EventKind::ProjectCreated => Some("project_created"),
        EventKind::ProjectChanged => Some("project_changed"),
        EventKind::AgreementStatusChanged => Some("agreement_status_changed"),
        EventKind::Other => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_searched_for_by_the_name_that_makes_it() {
        for kind in ALL {
            assert_eq!(EventKind::of(name(kind).unwrap_or("else")), kind);
        }
    }
}
