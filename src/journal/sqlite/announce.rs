//! Turning a delivery into an event, or finding that it is none.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    super::{Announced, Outcome, Replay},
    append, row, tally, whose,
};
use crate::{
    clock,
    domain::{
        Delivery, DesignId, Event, Fingerprint, Seq, TenantId,
        event::{REPEAT_WINDOW, Repeat, Source},
    },
};

pub(super) fn announce(
    connection: &Connection,
    seq: Seq,
    outcome: Outcome,
    now: Timestamp,
) -> rusqlite::Result<Announced> {
    let Some((delivery, replay)) = unsettled(connection, seq)? else { return Ok(Announced::Already) };
    let replay_of = replay.map(|it| it.of);
    let Some(tenant) = delivery.tenant.clone() else { return Ok(Announced::Already) };
    settle(connection, seq, now)?;
    // What an operator wants told again is no news, and is told all the same.
    if replay_of.is_none() && !is_news(connection, &tenant, &delivery, outcome.reread, now)? {
        return Ok(Announced::Repeat);
    }
    let project = outcome.project.or_else(|| delivery.project.clone());
    let project = match (project, &delivery.design) {
        (None, Some(design)) => whose::project(connection, &tenant, design)?,
        (project, _) => project,
    };
    let summary_read = outcome.reread.is_some();
    let found = delivery.source == Source::Reconciled && replay_of.is_none();
    tally::announced(connection, &tenant, &delivery, found, now)?;
    connection
        .prepare_cached(
            "INSERT INTO events (delivery, tenant, name, status, design, project, summary_read, sum)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            row::number(seq),
            tenant.as_str(),
            delivery.name,
            delivery.status,
            delivery.design.as_ref().map(DesignId::as_str),
            project.as_ref().map(|id| id.as_str()),
            summary_read,
            row::event_sum(seq, project.as_ref(), summary_read),
        ])?;
    let seq = row::place(connection.last_insert_rowid());
    Ok(Announced::Event(Arc::new(Event { seq, tenant, project, delivery, summary_read, replay_of })))
}

fn unsettled(connection: &Connection, seq: Seq) -> rusqlite::Result<Option<(Delivery, Option<Replay>)>> {
    let columns = row::DELIVERY;
    connection
        .prepare_cached(&format!(
            "SELECT {columns} FROM deliveries d WHERE d.seq = ?1 AND d.settled_at IS NULL"
        ))?
        .query_row([row::number(seq)], |row| Ok((row::delivery(row, 0)?, row::replay(row, 0)?)))
        .optional()
}

fn settle(connection: &Connection, seq: Seq, now: Timestamp) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE deliveries SET settled_at = ?2 WHERE seq = ?1")?
        .execute([row::number(seq), now.as_microsecond()])
        .map(drop)
}

/// Whether subscribers are to hear of it; remembers what they will have heard.
fn is_news(
    connection: &Connection,
    tenant: &TenantId,
    delivery: &Delivery,
    reread: Option<Fingerprint>,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let (Some(design), true) = (&delivery.design, delivery.is_completion()) else { return Ok(true) };
    let repeat = delivery.repeat();
    let Some(reread) = reread else {
        return match repeat {
            Repeat::ByRereading(content, window) => {
                Ok(!append::came_within(connection, delivery, content, window)?)
            }
            Repeat::Within(..) => Ok(true),
        };
    };
    let last = last(connection, tenant, design)?;
    if let Some(last) = last.filter(|it| it.summary == reread) {
        let stands_in = last.stands_in(now);
        if stands_in && matches!(repeat, Repeat::Within(..)) {
            // What was found stands in for one delivery that comes late, and no more.
            stands_in_no_more(connection, tenant, design)?;
        }
        return Ok(!stands_in && matches!(repeat, Repeat::Within(..)));
    }
    if let Repeat::ByRereading(content, _) = repeat {
        // What was announced unread is read now: the next one that cannot be read may be news again.
        connection.prepare_cached("DELETE FROM repeats WHERE fingerprint = ?1")?.execute([content.0])?;
    }
    remember(connection, tenant, design, reread, delivery.source, now)?;
    Ok(true)
}

/// What was last announced of a design.
pub(super) struct Last {
    pub(super) summary: Fingerprint,
    at: Timestamp,
    source: Source,
}

impl Last {
    /// Whether it was found before its delivery came, which may still come.
    fn stands_in(&self, now: Timestamp) -> bool {
        self.source == Source::Reconciled && clock::between(self.at, now) < REPEAT_WINDOW
    }
}

pub(super) fn last(
    connection: &Connection,
    tenant: &TenantId,
    design: &DesignId,
) -> rusqlite::Result<Option<Last>> {
    connection
        .prepare_cached(
            "SELECT fingerprint, at, reconciled FROM completions WHERE tenant = ?1 AND design = ?2",
        )?
        .query_row([tenant.as_str(), design.as_str()], |row| {
            let source = if row.get(2)? { Source::Reconciled } else { Source::Webhook };
            Ok(Last { summary: Fingerprint(row.get(0)?), at: row::time(row, 1)?, source })
        })
        .optional()
}

pub(super) fn remember(
    connection: &Connection,
    tenant: &TenantId,
    design: &DesignId,
    summary: Fingerprint,
    source: Source,
    now: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO completions (tenant, design, fingerprint, at, reconciled)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            tenant.as_str(),
            design.as_str(),
            summary.0,
            now.as_microsecond(),
            source == Source::Reconciled
        ])
        .map(drop)
}

fn stands_in_no_more(connection: &Connection, tenant: &TenantId, design: &DesignId) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE completions SET reconciled = 0 WHERE tenant = ?1 AND design = ?2")?
        .execute([tenant.as_str(), design.as_str()])
        .map(drop)
}
