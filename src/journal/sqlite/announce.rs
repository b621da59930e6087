//! Turning a delivery into an event, or finding that it is none.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    super::{Announced, Outcome},
    append, row,
};
use crate::domain::{Delivery, DesignId, Event, Fingerprint, Seq, TenantId, event::Repeat};

pub(super) fn announce(
    connection: &Connection,
    seq: Seq,
    outcome: Outcome,
    now: Timestamp,
) -> rusqlite::Result<Announced> {
    let Some((delivery, replay_of)) = unsettled(connection, seq)? else { return Ok(Announced::Already) };
    let Some(tenant) = delivery.tenant.clone() else { return Ok(Announced::Already) };
    settle(connection, seq, now)?;
    // What an operator wants told again is no news, and is told all the same.
    if replay_of.is_none() && !is_news(connection, &tenant, &delivery, outcome.reread, now)? {
        return Ok(Announced::Repeat);
    }
    let project = outcome.project.or_else(|| delivery.project.clone());
    connection
        .prepare_cached(
            "INSERT INTO events (delivery, tenant, name, status, design, project, sum)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            row::number(seq),
            tenant.as_str(),
            delivery.name,
            delivery.status,
            delivery.design.as_ref().map(DesignId::as_str),
            project.as_ref().map(|id| id.as_str()),
            row::event_sum(seq, project.as_ref()),
        ])?;
    let seq = row::place(connection.last_insert_rowid());
    Ok(Announced::Event(Arc::new(Event { seq, tenant, project, delivery, replay_of })))
}

fn unsettled(connection: &Connection, seq: Seq) -> rusqlite::Result<Option<(Delivery, Option<Seq>)>> {
    let columns = row::DELIVERY;
    connection
        .prepare_cached(&format!(
            "SELECT {columns}, d.replay_of FROM deliveries d WHERE d.seq = ?1 AND d.settled_at IS NULL"
        ))?
        .query_row([row::number(seq)], |row| {
            Ok((row::delivery(row, 0)?, row::maybe_seq(row, row::DELIVERY_WIDTH)?))
        })
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
    let last: Option<[u8; 32]> = connection
        .prepare_cached("SELECT fingerprint FROM completions WHERE tenant = ?1 AND design = ?2")?
        .query_row([tenant.as_str(), design.as_str()], |row| row.get(0))
        .optional()?;
    if last == Some(reread.0) {
        return Ok(matches!(repeat, Repeat::Within(..)));
    }
    if let Repeat::ByRereading(content, _) = repeat {
        // What was announced unread is read now: the next one that cannot be read may be news again.
        connection.prepare_cached("DELETE FROM repeats WHERE fingerprint = ?1")?.execute([content.0])?;
    }
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO completions (tenant, design, fingerprint, at) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![tenant.as_str(), design.as_str(), reread.0, now.as_microsecond()])?;
    Ok(true)
}
