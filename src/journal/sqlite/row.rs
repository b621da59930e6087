//! Deliveries and times as the tables hold them, and the sums that tell what was written from what a disk made of it.

use rusqlite::Row;

use super::super::Replay;
use crate::{
    domain::{
        Delivery, DesignId, Fingerprint, InvalidId, JobId, ProjectId, Seq, TenantId, event::Source,
        fingerprint::Fingerprinter,
    },
    sqlite::{
        self,
        row::{maybe_parsed, unreadable},
    },
};

pub(super) use crate::sqlite::row::{maybe_time, time, total};

/// The columns of a [`delivery`], in its order, of a table named `d`.
pub(super) const DELIVERY: &str =
    "d.name, d.tenant, d.design, d.project, d.job, d.status, d.parameters, d.received_at, d.source,
     d.replay_of, d.replay_at, d.sum";

/// How many columns [`DELIVERY`] has.
pub(super) const DELIVERY_WIDTH: usize = 12;

/// A row does not say what was written into it.
#[derive(Debug, thiserror::Error)]
#[error("the row is not what was written: the file is damaged")]
struct Damaged;

/// The delivery in the columns from `at` on.
pub(super) fn delivery(row: &Row<'_>, at: usize) -> rusqlite::Result<Delivery> {
    let parameters: String = row.get(at + 6)?;
    let delivery = Delivery {
        name: row.get(at)?,
        tenant: id(row, at + 1, TenantId::parse)?,
        design: id(row, at + 2, DesignId::parse)?,
        project: id(row, at + 3, ProjectId::parse)?,
        job: id(row, at + 4, JobId::parse)?,
        status: row.get(at + 5)?,
        parameters: serde_json::from_str(&parameters).map_err(|e| unreadable(at + 6, e))?,
        received_at: time(row, at + 7)?,
        source: match row.get(at + 8)? {
            RECONCILED => Source::Reconciled,
            _ => Source::Webhook,
        },
    };
    check(row, at + 11, delivery_sum(&delivery, &parameters, replay(row, at)?))?;
    Ok(delivery)
}

/// What the delivery in the columns from `at` on tells again.
pub(super) fn replay(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Replay>> {
    let Some(of) = maybe_seq(row, at + 9)? else { return Ok(None) };
    // Nobody noted it before there was a column for it.
    let asked_at = maybe_time(row, at + 10)?.map_or_else(|| time(row, at + 7), Ok)?;
    Ok(Some(Replay { of, asked_at }))
}

/// Whether an error says that a row is not what was written, and not that it could not be read now.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error};
    matches!(
        error,
        FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) | Utf8Error(..)
    )
}

/// A delivery's parameters as they are written.
pub(super) fn parameters(delivery: &Delivery) -> rusqlite::Result<String> {
    serde_json::to_string(&delivery.parameters)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// What a delivery's row sums up to; `parameters` as they are written.
pub(super) fn delivery_sum(delivery: &Delivery, parameters: &str, replay: Option<Replay>) -> i64 {
    let mut sum = Fingerprinter::new("row of a delivery")
        .text(&delivery.name)
        .maybe(delivery.tenant.as_ref().map(TenantId::as_str))
        .maybe(delivery.design.as_ref().map(DesignId::as_str))
        .maybe(delivery.project.as_ref().map(ProjectId::as_str))
        .maybe(delivery.job.as_ref().map(JobId::as_str))
        .maybe(delivery.status.as_deref())
        .text(parameters)
        .bytes(&delivery.received_at.as_microsecond().to_be_bytes())
        .bytes(&source(delivery.source).to_be_bytes());
    if let Some(Replay { of, asked_at }) = replay {
        sum = sum.bytes(&of.0.to_be_bytes()).bytes(&asked_at.as_microsecond().to_be_bytes());
    }
    short(sum.finish())
}

/// What an event's row sums up to, beyond what it repeats of its delivery.
pub(super) fn event_sum(delivery: Seq, project: Option<&ProjectId>, summary_read: bool) -> i64 {
    let sum = Fingerprinter::new("row of an event")
        .bytes(&delivery.0.to_be_bytes())
        .maybe(project.map(ProjectId::as_str))
        .bytes(&[u8::from(summary_read)]);
    short(sum.finish())
}

/// Compares with the sum in a column. Rows of older versions have none.
pub(super) fn check(row: &Row<'_>, at: usize, sum: i64) -> rusqlite::Result<()> {
    let written: Option<i64> = row.get(at)?;
    if written.is_some_and(|written| written != sum) { Err(damaged(at)) } else { Ok(()) }
}

/// A column is not what was written into it, though it reads well.
pub(super) fn damaged(at: usize) -> rusqlite::Error {
    unreadable(at, Damaged)
}

/// Eight bytes are enough against chance.
fn short(Fingerprint(bytes): Fingerprint) -> i64 {
    i64::from_be_bytes(std::array::from_fn(|at| bytes[at]))
}

const RECONCILED: i64 = 1;

/// A source as the file has it.
pub(super) fn source(source: Source) -> i64 {
    match source {
        Source::Webhook => 0,
        Source::Reconciled => RECONCILED,
    }
}

/// The id in a column that may be empty.
pub(super) fn id<T>(
    row: &Row<'_>,
    at: usize,
    parse: fn(&str) -> Result<T, InvalidId>,
) -> rusqlite::Result<Option<T>> {
    maybe_parsed(row, at, parse)
}

/// The place in a column.
pub(super) fn seq(row: &Row<'_>, at: usize) -> rusqlite::Result<Seq> {
    total(row, at).map(Seq)
}

/// The place in a column that may be empty.
pub(super) fn maybe_seq(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Seq>> {
    Ok(row.get::<_, Option<i64>>(at)?.map(place))
}

/// A number of the file's as a place. The file counts from one.
pub(super) fn place(number: i64) -> Seq {
    Seq(u64::try_from(number).unwrap_or_default())
}

/// A place as a number of the file's. A place beyond what it can count is behind everything.
pub(super) fn number(seq: Seq) -> i64 {
    sqlite::row::number(seq.0)
}

/// A limit as a number of the file's.
pub(super) fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
