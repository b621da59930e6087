//! The rows of creations, as SQL.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Begin, Open, Request, Standing};
use crate::domain::{Fingerprint, ProjectId, TenantId, Trace};

const STARTED: u8 = 0;
const FINISHED: u8 = 1;
const UNKNOWN: u8 = 2;

/// As many open creations of a tenant as are looked for at a time: more were lost in one outage only by a bulk import,
/// and the next ones come when these are settled.
const MOST_OPEN: u32 = 500;

pub(super) fn begin(connection: &Connection, request: &Request, now: Timestamp) -> rusqlite::Result<Begin> {
    let (tenant, key) = (request.tenant.as_str(), request.key.0);
    let trace = request.trace.to_bytes();
    let started = connection
        .prepare_cached(
            "INSERT INTO creates (tenant, key, input, state, since, trace) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![tenant, key, request.input.canonical.0, STARTED, now.as_microsecond(), trace])?;
    if started == 1 {
        return Ok(Begin::Go);
    }
    let found = preview(connection, request)?;
    if matches!(found, Begin::Unsettled { .. }) {
        connection
            .prepare_cached(
                "UPDATE creates SET state = ?3, trace = coalesce(trace, ?4), lost_at = coalesce(lost_at, ?5)
                 WHERE tenant = ?1 AND key = ?2 AND (state <> ?3 OR trace IS NULL)",
            )?
            .execute(params![tenant, key, UNKNOWN, trace, now.as_microsecond()])?;
    }
    Ok(found)
}

pub(super) fn preview(connection: &Connection, request: &Request) -> rusqlite::Result<Begin> {
    let input = request.input;
    let known = connection
        .prepare_cached("SELECT input, since, project FROM creates WHERE tenant = ?1 AND key = ?2")?
        .query_row(params![request.tenant.as_str(), request.key.0], |row| {
            let kept: [u8; 32] = row.get(0)?;
            Ok(match (kept == input.canonical.0 || kept == input.written.0, project(row, 2)?) {
                (false, _) => Begin::Conflict,
                (true, Some(project)) => Begin::Replay(project),
                (true, None) => Begin::Unsettled { since: time(row, 1)? },
            })
        });
    Ok(known.optional()?.unwrap_or(Begin::Go))
}

pub(super) fn standing(
    connection: &Connection,
    tenant: &TenantId,
    key: Fingerprint,
) -> rusqlite::Result<Standing> {
    let known = connection
        .prepare_cached("SELECT project FROM creates WHERE tenant = ?1 AND key = ?2")?
        .query_row(params![tenant.as_str(), key.0], |row| project(row, 0))
        .optional()?;
    Ok(match known {
        None => Standing::Unheard,
        Some(Some(project)) => Standing::Finished(project),
        Some(None) => Standing::Open,
    })
}

pub(super) fn finish(
    connection: &Connection,
    tenant: &TenantId,
    key: Fingerprint,
    project: &ProjectId,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE creates SET state = ?3, project = ?4, trace = NULL
             WHERE tenant = ?1 AND key = ?2 AND state <> ?3",
        )?
        .execute(params![tenant.as_str(), key.0, FINISHED, project.as_str()])
        .map(drop)
}

pub(super) fn abandon(connection: &Connection, tenant: &TenantId, key: Fingerprint) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM creates WHERE tenant = ?1 AND key = ?2 AND state <> ?3")?
        .execute(params![tenant.as_str(), key.0, FINISHED])
        .map(drop)
}

pub(super) fn unsettle(
    connection: &Connection,
    tenant: &TenantId,
    key: Fingerprint,
    now: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE creates SET state = ?3, lost_at = ?5 WHERE tenant = ?1 AND key = ?2 AND state = ?4",
        )?
        .execute(params![tenant.as_str(), key.0, UNKNOWN, STARTED, now.as_microsecond()])
        .map(drop)
}

pub(super) fn claim(
    connection: &Connection,
    tenant: &TenantId,
    key: Fingerprint,
    project: &ProjectId,
    now: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO creates (tenant, key, input, state, since, project) VALUES (?1, ?2, ?2, ?3, ?4, ?5)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![tenant.as_str(), key.0, FINISHED, now.as_microsecond(), project.as_str()])
        .map(drop)
}

pub(super) fn adopt(connection: &Connection, now: Timestamp) -> rusqlite::Result<Vec<TenantId>> {
    connection.execute(
        "UPDATE creates SET state = ?1, lost_at = ?3 WHERE state = ?2",
        params![UNKNOWN, STARTED, now.as_microsecond()],
    )?;
    let mut statement = connection.prepare("SELECT DISTINCT tenant FROM creates WHERE state <> 1")?;
    let tenants = statement.query_map([], |row| row.get::<_, String>(0))?;
    // Only what was an id once has a row.
    tenants.filter_map(|it| it.map(|text| TenantId::parse(&text).ok()).transpose()).collect()
}

pub(super) fn open(connection: &Connection, tenant: &TenantId) -> rusqlite::Result<Vec<Open>> {
    let mut statement = connection.prepare_cached(
        // `state <> 1` is the condition of the index for them, which SQLite does not see in a parameter.
        "SELECT key, input, since, trace, looks, coalesce(lost_at, since) FROM creates
         WHERE tenant = ?1 AND state <> 1 AND state = ?2 ORDER BY since LIMIT ?3",
    )?;
    let rows = statement.query_map(params![tenant.as_str(), UNKNOWN, MOST_OPEN], |row| {
        let trace: Option<Vec<u8>> = row.get(3)?;
        Ok(Open {
            key: Fingerprint(row.get(0)?),
            input: Fingerprint(row.get(1)?),
            since: time(row, 2)?,
            trace: trace.as_deref().and_then(Trace::from_bytes),
            looks: row.get(4)?,
            lost_at: time(row, 5)?,
        })
    })?;
    rows.collect()
}

pub(super) fn claimed(
    connection: &Connection,
    tenant: &TenantId,
    projects: Vec<ProjectId>,
) -> rusqlite::Result<Vec<ProjectId>> {
    let mut statement =
        connection.prepare_cached("SELECT 1 FROM creates WHERE tenant = ?1 AND project = ?2")?;
    let mut claimed = Vec::new();
    for project in projects {
        if statement.exists([tenant.as_str(), project.as_str()])? {
            claimed.push(project);
        }
    }
    Ok(claimed)
}

pub(super) fn settle(
    connection: &Connection,
    tenant: &TenantId,
    key: Fingerprint,
    project: &ProjectId,
) -> rusqlite::Result<bool> {
    let settled = connection
        .prepare_cached(
            "UPDATE creates SET state = ?3, project = ?4, trace = NULL
             WHERE tenant = ?1 AND key = ?2 AND state = ?5
             AND NOT EXISTS (SELECT 1 FROM creates WHERE tenant = ?1 AND project = ?4)",
        )?
        .execute(params![tenant.as_str(), key.0, FINISHED, project.as_str(), UNKNOWN])?;
    Ok(settled == 1)
}

pub(super) fn give_up(
    connection: &Connection,
    tenant: &TenantId,
    key: Fingerprint,
    since: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM creates WHERE tenant = ?1 AND key = ?2 AND state = ?3 AND since = ?4")?
        .execute(params![tenant.as_str(), key.0, UNKNOWN, since.as_microsecond()])
        .map(drop)
}

pub(super) fn count_look(
    connection: &Connection,
    tenant: &TenantId,
    key: Fingerprint,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE creates SET looks = looks + 1 WHERE tenant = ?1 AND key = ?2 AND state = ?3")?
        .execute(params![tenant.as_str(), key.0, UNKNOWN])
        .map(drop)
}

pub(in crate::store) fn wipe(connection: &Connection, tenant: &TenantId) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM creates WHERE tenant = ?1", [tenant.as_str()]).map(drop)
}

fn project(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<ProjectId>> {
    let text: Option<String> = row.get(column)?;
    Ok(text.and_then(|text| ProjectId::parse(&text).ok()))
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    Ok(Timestamp::from_microsecond(row.get(column)?).unwrap_or(Timestamp::MIN))
}
