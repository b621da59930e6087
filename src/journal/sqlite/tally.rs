//! Counting what comes and what is announced, in the transactions that do so; and telling how that fares.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    super::{Health, Tally},
    row,
};
use crate::domain::{Delivery, TenantId};

/// Counts a delivery that is kept. One that is nobody's is counted where it is set aside.
pub(super) fn received(connection: &Connection, delivery: &Delivery) -> rusqlite::Result<()> {
    let Some(tenant) = &delivery.tenant else { return Ok(()) };
    connection
        .prepare_cached(
            "INSERT INTO tallies (tenant, name, first_at, received_at, received) VALUES (?1, ?2, ?3, ?3, 1)
             ON CONFLICT (tenant, name) DO UPDATE SET
                 received_at = max(received_at, excluded.received_at), received = received + 1",
        )?
        .execute(params![tenant.as_str(), delivery.name, delivery.received_at.as_microsecond()])
        .map(drop)
}

/// Counts an event; `found` if it is news that was found, where Aurora's delivery never came.
pub(super) fn announced(
    connection: &Connection,
    tenant: &TenantId,
    delivery: &Delivery,
    found: bool,
    now: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO tallies (tenant, name, first_at, received_at, announced_at, announced, reconciled)
             VALUES (?1, ?2, ?3, 0, ?3, 1, ?4)
             ON CONFLICT (tenant, name) DO UPDATE SET announced_at = excluded.announced_at,
                 announced = announced + 1, reconciled = reconciled + excluded.reconciled",
        )?
        .execute(params![tenant.as_str(), delivery.name, now.as_microsecond(), found])
        .map(drop)
}

/// The tenants of which anything came, the busiest of late first.
pub(super) fn tenants(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<TenantId>> {
    let names = connection
        .prepare_cached("SELECT tenant FROM tallies GROUP BY tenant ORDER BY max(received_at) DESC LIMIT ?1")?
        .query_map([row::count(limit)], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<String>>>()?;
    Ok(names.iter().filter_map(|name| TenantId::parse(name).ok()).collect())
}

/// Repeats by tenant and event: how many since the start, and when the last one came.
pub(super) type Repeats = HashMap<(TenantId, String), (u64, Timestamp)>;

pub(super) fn health(
    connection: &Connection,
    tenant: &TenantId,
    repeats: &Repeats,
) -> rusqlite::Result<Health> {
    let mut tallies = counted(connection, tenant)?;
    for (name, count, since) in waiting(connection, tenant)? {
        let tally = tallies.entry(name.clone()).or_insert_with(|| nothing(name));
        (tally.waiting, tally.waiting_since) = (count, since);
    }
    for ((_, name), (count, last)) in repeats.iter().filter(|((whose, _), _)| whose == tenant) {
        let tally = tallies.entry(name.clone()).or_insert_with(|| nothing(name.clone()));
        tally.repeats = *count;
        tally.received_at = tally.received_at.max(Some(*last));
    }
    let time = |sql: &str| -> rusqlite::Result<Option<Timestamp>> {
        let found =
            connection.prepare_cached(sql)?.query_row([tenant.as_str()], |row| row::maybe_time(row, 0));
        found.optional().map(Option::flatten)
    };
    Ok(Health {
        switched_off: time("SELECT since FROM switched_off WHERE tenant = ?1")?,
        reconciled_at: time("SELECT passed_at FROM watched WHERE tenant = ?1")?,
        events: tallies.into_values().collect(),
        tenant: tenant.clone(),
    })
}

fn counted(connection: &Connection, tenant: &TenantId) -> rusqlite::Result<BTreeMap<String, Tally>> {
    connection
        .prepare_cached(
            "SELECT name, nullif(received_at, 0), announced_at, received, announced, reconciled
             FROM tallies WHERE tenant = ?1",
        )?
        .query_map([tenant.as_str()], |row| {
            let tally = Tally {
                received_at: row::maybe_time(row, 1)?,
                announced_at: row::maybe_time(row, 2)?,
                received: row::total(row, 3)?,
                announced: row::total(row, 4)?,
                reconciled: row::total(row, 5)?,
                ..nothing(row.get(0)?)
            };
            Ok((tally.name.clone(), tally))
        })?
        .collect()
}

/// What is to be told again waits too, but not since it first came.
fn waiting(
    connection: &Connection,
    tenant: &TenantId,
) -> rusqlite::Result<Vec<(String, u64, Option<Timestamp>)>> {
    connection
        .prepare_cached(
            "SELECT name, count(*), min(iif(replay_of IS NULL, received_at, NULL)) FROM deliveries
             WHERE tenant = ?1 AND settled_at IS NULL GROUP BY name",
        )?
        .query_map([tenant.as_str()], |row| Ok((row.get(0)?, row::total(row, 1)?, row::maybe_time(row, 2)?)))?
        .collect()
}

fn nothing(name: String) -> Tally {
    Tally {
        name,
        received_at: None,
        announced_at: None,
        received: 0,
        announced: 0,
        reconciled: 0,
        repeats: 0,
        waiting: 0,
        waiting_since: None,
    }
}
