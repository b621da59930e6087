//! What is in the columns of a row, as more than one owner of tables reads it.
//!
//! Times are microseconds since 1970; counts and places are numbers that are never negative.

use std::error::Error;

use jiff::Timestamp;
use rusqlite::{Row, types::Type};

/// The time in a column.
///
/// # Errors
/// When it holds none.
pub fn time(row: &Row<'_>, at: usize) -> rusqlite::Result<Timestamp> {
    Timestamp::from_microsecond(row.get(at)?).map_err(|error| unreadable(at, error))
}

/// The time in a column that may be empty.
///
/// # Errors
/// When it holds something else.
pub fn maybe_time(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Timestamp>> {
    row.get::<_, Option<i64>>(at)?.map(|_| time(row, at)).transpose()
}

/// The count in a column.
///
/// # Errors
/// When it holds no number.
pub fn total(row: &Row<'_>, at: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(at).map(|it| u64::try_from(it).unwrap_or_default())
}

/// A count as a column takes it. What is beyond is as much as it can hold.
#[must_use]
pub fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// What a column's text says.
///
/// # Errors
/// When it says nothing of the kind.
pub fn parsed<T, E>(row: &Row<'_>, at: usize, parse: impl FnOnce(&str) -> Result<T, E>) -> rusqlite::Result<T>
where
    E: Error + Send + Sync + 'static,
{
    let text: String = row.get(at)?;
    parse(&text).map_err(|error| unreadable(at, error))
}

/// What the text of a column says that may be empty.
///
/// # Errors
/// When it says nothing of the kind.
pub fn maybe_parsed<T, E>(
    row: &Row<'_>,
    at: usize,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> rusqlite::Result<Option<T>>
where
    E: Error + Send + Sync + 'static,
{
    let text: Option<String> = row.get(at)?;
    text.map(|text| parse(&text)).transpose().map_err(|error| unreadable(at, error))
}

/// A column does not hold what was written into it.
pub fn unreadable(at: usize, error: impl Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(at, Type::Text, Box::new(error))
}
