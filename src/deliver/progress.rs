//! How far each target has come, on disk.
//!
//! Invariant: what one call saves is one transaction, so that no event is between two chairs after a crash: it is behind
//! `scanned` in the journal, or waits in a lane. Not here: the events, which stay in the journal.

use std::num::ParseIntError;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    desk::{Desk, Disabled, Health, Lane, Limits, Replay, ReplayKey, Stretch, Stretches, Unsaved},
    sender::Failure,
};
use crate::{
    domain::{DesignId, LaneKey, LaneOf, ProjectId, Seq, TenantId},
    sqlite::{
        self, Db,
        row::{maybe_parsed, maybe_time, number, parsed, time, total},
    },
};

/// Keeps how far targets have come.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    db: Db,
}

/// What is written in one go.
struct Changes {
    scanned: Seq,
    health: Health,
    lanes: Vec<(LaneKey, Option<Lane>)>,
    replays: Vec<(ReplayKey, Option<Replay>)>,
}

impl Changes {
    fn of(desk: &Desk, unsaved: &Unsaved) -> Self {
        let lanes = unsaved.lanes.iter().map(|key| (key.clone(), desk.lane(key).cloned()));
        let replays = unsaved.replays.iter().map(|it| (it.clone(), desk.replays.get(it).copied()));
        Self {
            scanned: desk.scanned,
            health: desk.health.clone(),
            lanes: lanes.collect(),
            replays: replays.collect(),
        }
    }
}

impl Progress {
    pub(super) fn new(db: Db) -> Self {
        Self { db }
    }

    /// The desk of a target as it was left, or nothing where the target is new.
    pub(super) async fn load(
        &self,
        target: &str,
        limits: Limits,
        now: Timestamp,
    ) -> Result<Option<Desk>, sqlite::Error> {
        let target = target.to_owned();
        self.db.read(move |connection| load(connection, &target, limits, now)).await
    }

    /// Writes what has changed. It is on disk when this returns.
    pub(super) async fn save(&self, target: &str, desk: &mut Desk) -> Result<(), sqlite::Error> {
        if desk.unsaved.is_empty() {
            return Ok(());
        }
        let unsaved = std::mem::take(&mut desk.unsaved);
        let (target, changes) = (target.to_owned(), Changes::of(desk, &unsaved));
        let saved = self.db.write(move |connection| save(connection, &target, &changes)).await;
        if saved.is_err() {
            desk.unsaved.add(unsaved);
        }
        saved
    }
}

fn save(connection: &Connection, target: &str, changes: &Changes) -> rusqlite::Result<()> {
    save_target(connection, target, changes)?;
    for (key, lane) in &changes.lanes {
        save_lane(connection, target, key, lane.as_ref())?;
    }
    for ((tenant, through), replay) in &changes.replays {
        let (tenant, through) = (tenant.as_str(), number(through.0));
        match replay {
            Some(it) => connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO target_replays (target, tenant, after, through) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![target, tenant, number(it.after.0), through])?,
            None => connection
                .prepare_cached("DELETE FROM target_replays WHERE target = ?1 AND tenant = ?2 AND through = ?3")?
                .execute(params![target, tenant, through])?,
        };
    }
    Ok(())
}

fn save_target(connection: &Connection, target: &str, changes: &Changes) -> rusqlite::Result<()> {
    let health = &changes.health;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO targets (name, scanned, disabled_at, disabled, failing_since, failures,
                 last_success, last_failure, last_failure_code, hold_until, gap_at, given_up)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            target,
            number(changes.scanned.0),
            health.disabled.map(|(at, _)| at.as_microsecond()),
            health.disabled.map(|(_, why)| why.word()),
            health.failing_since.map(Timestamp::as_microsecond),
            health.failures,
            health.last_success.map(Timestamp::as_microsecond),
            health.last_failure.map(|(at, _)| at.as_microsecond()),
            health.last_failure.map(|(_, failure)| failure.code()),
            health.hold_until.map(Timestamp::as_microsecond),
            health.gap_at.map(Timestamp::as_microsecond),
            number(health.given_up),
        ])
        .map(drop)
}

fn save_lane(
    connection: &Connection,
    target: &str,
    key: &LaneKey,
    lane: Option<&Lane>,
) -> rusqlite::Result<()> {
    let (kind, id) = kind(&key.of);
    let tenant = key.tenant.as_str();
    let Some((lane, first)) = lane.and_then(|lane| Some((lane, lane.stretches.all().next()?))) else {
        return connection
            .prepare_cached(
                "DELETE FROM target_lanes WHERE target = ?1 AND tenant = ?2 AND kind = ?3 AND id = ?4",
            )?
            .execute(params![target, tenant, kind, id])
            .map(drop);
    };
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO target_lanes (target, tenant, kind, id, after, through, events, oldest,
                 failures, failing_since, next_at, further)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            target,
            tenant,
            kind,
            id,
            number(first.after.0),
            number(first.through.0),
            number(lane.events),
            lane.oldest.as_microsecond(),
            lane.failures,
            lane.failing_since.map(Timestamp::as_microsecond),
            lane.next_at.map(Timestamp::as_microsecond),
            written(&lane.stretches),
        ])
        .map(drop)
}

fn load(
    connection: &Connection,
    target: &str,
    limits: Limits,
    now: Timestamp,
) -> rusqlite::Result<Option<Desk>> {
    let kept = connection
        .prepare_cached(
            "SELECT scanned, disabled_at, disabled, failing_since, failures, last_success, last_failure,
                 last_failure_code, hold_until, gap_at, given_up FROM targets WHERE name = ?1",
        )?
        .query_row([target], |row| Ok((place(row, 0)?, health(row)?)))
        .optional()?;
    let Some((scanned, health)) = kept else { return Ok(None) };
    let mut desk = Desk::new(scanned, health, limits);
    let mut lanes = connection.prepare_cached(
        "SELECT tenant, kind, id, after, through, events, oldest, failures, failing_since, next_at,
             further
         FROM target_lanes WHERE target = ?1 ORDER BY after",
    )?;
    let mut rows = lanes.query([target])?;
    while let Some(row) = rows.next()? {
        let (key, lane) = lane(row)?;
        desk.restore(key, lane, now);
    }
    let mut replays =
        connection.prepare_cached("SELECT tenant, after, through FROM target_replays WHERE target = ?1")?;
    let mut rows = replays.query([target])?;
    while let Some(row) = rows.next()? {
        let key = (parsed(row, 0, TenantId::parse)?, place(row, 2)?);
        desk.replays.insert(key, Replay::new(place(row, 1)?));
    }
    Ok(Some(desk))
}

fn health(row: &Row<'_>) -> rusqlite::Result<Health> {
    let disabled: Option<String> = row.get(2)?;
    let code: Option<String> = row.get(7)?;
    Ok(Health {
        // A word of a newer version still means that nothing is to be sent.
        disabled: maybe_time(row, 1)?
            .zip(disabled.map(|word| Disabled::from_word(&word).unwrap_or(Disabled::ByHand))),
        failing_since: maybe_time(row, 3)?,
        failures: row.get(4)?,
        last_success: maybe_time(row, 5)?,
        last_failure: maybe_time(row, 6)?.zip(code.and_then(|code| Failure::from_code(&code))),
        hold_until: maybe_time(row, 8)?,
        gap_at: maybe_time(row, 9)?,
        given_up: total(row, 10)?,
    })
}

fn lane(row: &Row<'_>) -> rusqlite::Result<(LaneKey, Lane)> {
    let of = match row.get::<_, i64>(1)? {
        2 => LaneOf::Design(parsed(row, 2, DesignId::parse)?),
        1 => LaneOf::Project(parsed(row, 2, ProjectId::parse)?),
        _ => LaneOf::Tenant,
    };
    let first = Stretch { after: place(row, 3)?, through: place(row, 4)? };
    let further = maybe_parsed(row, 10, read)?.unwrap_or_default();
    let mut lane = Lane::kept(Stretches::kept([first].into_iter().chain(further)), time(row, 6)?);
    lane.events = total(row, 5)?;
    lane.failures = row.get(7)?;
    (lane.failing_since, lane.next_at) = (maybe_time(row, 8)?, maybe_time(row, 9)?);
    Ok((LaneKey { tenant: parsed(row, 0, TenantId::parse)?, of }, lane))
}

fn kind(of: &LaneOf) -> (i64, &str) {
    match of {
        LaneOf::Tenant => (0, ""),
        LaneOf::Project(id) => (1, id.as_str()),
        LaneOf::Design(id) => (2, id.as_str()),
    }
}

/// The stretches of a lane behind its first, as they are kept.
pub(super) fn written(stretches: &Stretches) -> Option<String> {
    let further = stretches.all().skip(1).map(|it| format!("{}-{}", it.after.0, it.through.0));
    Some(further.collect::<Vec<_>>().join(" ")).filter(|it| !it.is_empty())
}

/// Reads [`written`] back.
pub(super) fn read(text: &str) -> Result<Vec<Stretch>, ParseIntError> {
    let one = |pair: &str| {
        let (after, through) = pair.split_once('-').unwrap_or((pair, ""));
        Ok(Stretch { after: Seq(after.parse()?), through: Seq(through.parse()?) })
    };
    text.split(' ').map(one).collect()
}

fn place(row: &Row<'_>, at: usize) -> rusqlite::Result<Seq> {
    total(row, at).map(Seq)
}
