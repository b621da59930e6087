//! Which tenants are watched and since when, what is active of them, and which have switched the application off.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::row;
use crate::domain::{ProjectId, TenantId, event::Switch};

/// Since when a tenant is watched, if it is.
pub(super) fn since(connection: &Connection, tenant: &TenantId) -> rusqlite::Result<Option<Timestamp>> {
    connection
        .prepare_cached("SELECT since FROM watched WHERE tenant = ?1")?
        .query_row([tenant.as_str()], |row| row::time(row, 0))
        .optional()
}

/// Watches a tenant from its first sign of life on: a delivery, a project that was created here, or this.
pub(super) fn watch(
    connection: &Connection,
    tenant: &TenantId,
    now: Timestamp,
) -> rusqlite::Result<Timestamp> {
    if let Some(since) = since(connection, tenant)? {
        return Ok(since);
    }
    let first = |sql: &str| -> rusqlite::Result<Option<Timestamp>> {
        connection.prepare_cached(sql)?.query_row([tenant.as_str()], |row| row::maybe_time(row, 0))
    };
    let delivered = first("SELECT min(first_at) FROM tallies WHERE tenant = ?1")?;
    let created = first("SELECT min(since) FROM creates WHERE tenant = ?1")?;
    let since = [delivered, created].into_iter().flatten().fold(now, Timestamp::min);
    connection
        .prepare_cached("INSERT INTO watched (tenant, since) VALUES (?1, ?2)")?
        .execute(params![tenant.as_str(), since.as_microsecond()])?;
    Ok(since)
}

pub(super) fn passed(connection: &Connection, tenant: &TenantId, now: Timestamp) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE watched SET passed_at = ?2 WHERE tenant = ?1")?
        .execute(params![tenant.as_str(), now.as_microsecond()])
        .map(drop)
}

pub(super) fn active_projects(
    connection: &Connection,
    tenant: &TenantId,
    since: Timestamp,
    limit: usize,
) -> rusqlite::Result<Vec<ProjectId>> {
    let ids = connection
        .prepare_cached(
            "SELECT project, max(at) AS last FROM (
                 SELECT e.project AS project, max(d.received_at) AS at
                     FROM events e JOIN deliveries d ON d.seq = e.delivery
                     WHERE e.tenant = ?1 AND e.project IS NOT NULL GROUP BY e.project
                 UNION ALL
                 SELECT project, since FROM creates WHERE tenant = ?1 AND project IS NOT NULL)
             GROUP BY project HAVING last >= ?2 ORDER BY last DESC LIMIT ?3",
        )?
        .query_map(params![tenant.as_str(), since.as_microsecond(), row::count(limit)], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<String>>>()?;
    Ok(ids.iter().filter_map(|id| ProjectId::parse(id).ok()).collect())
}

pub(super) fn switch(
    connection: &Connection,
    tenant: &TenantId,
    switch: Switch,
    at: Timestamp,
) -> rusqlite::Result<()> {
    match switch {
        Switch::Off => connection
            .prepare_cached(
                "INSERT INTO switched_off (tenant, since) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            )?
            .execute(params![tenant.as_str(), at.as_microsecond()]),
        Switch::On => connection
            .prepare_cached("DELETE FROM switched_off WHERE tenant = ?1")?
            .execute([tenant.as_str()]),
    }
    .map(drop)
}

pub(super) fn switched_off(connection: &Connection) -> rusqlite::Result<Vec<TenantId>> {
    let names = connection
        .prepare_cached("SELECT tenant FROM switched_off")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<String>>>()?;
    Ok(names.iter().filter_map(|name| TenantId::parse(name).ok()).collect())
}
