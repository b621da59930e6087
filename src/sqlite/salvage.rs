//! What can still be had of a damaged file.
//!
//! Each table is read from its beginning until it can be read no further, then from its end, so that one bad page
//! costs what is on it. Nothing is written into the damaged file. Not here: rows that can be read and are not what was
//! written; whoever reads them tells them by their sums.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params_from_iter, types::Value};

use super::{
    check,
    open::{self, OpenError},
};

/// What was had of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Salvaged {
    /// Its name.
    pub table: String,
    /// Rows that are in the new file.
    pub rows: u64,
    /// Whether all of it could be read.
    pub whole: bool,
}

/// Whether a file that nobody has open passes the full check.
///
/// # Errors
/// When it is not there, is not ours, or cannot be read at all.
pub fn is_sound(path: &Path) -> Result<bool, OpenError> {
    let connection = damaged(path)?;
    // Damage may be so bad that the check itself cannot be done.
    Ok(check::full(&connection).is_ok_and(|verdict| verdict == "ok"))
}

/// Copies everything that can be read into a new file. It begins as the version that the damaged one has, and is brought up
/// to date with the rows in it, as the damaged one would have been.
///
/// # Errors
/// When the new file is there already or cannot be written, or the damaged one cannot be read at all.
pub fn salvage(from: &Path, to: &Path) -> Result<Vec<Salvaged>, OpenError> {
    if to.exists() {
        return Err(OpenError::Exists(to.to_owned()));
    }
    let old = damaged(from)?;
    let version = version(&old).map_err(|source| open::opening(from, source))?;
    let (mut new, _lock) = open::create(to, version)?;
    let told = |source| open::opening(to, source);
    new.pragma_update(None, "foreign_keys", false).map_err(told)?;
    let mut salvaged = Vec::new();
    for table in tables(&new).map_err(told)? {
        salvaged.push(copy(&old, &new, table).map_err(told)?);
    }
    finish(&old, &new)
        .and_then(|()| open::migrate(&mut new, version, open::MIGRATIONS.len()))
        .map_err(told)?;
    Ok(salvaged)
}

/// How many migrations the damaged file has seen: as many as made what its tables have. The number that it bears itself may
/// be what is damaged, and counts only where not even the first can be found.
fn version(old: &Connection) -> rusqlite::Result<usize> {
    let known = open::MIGRATIONS.len();
    let model = Connection::open_in_memory()?;
    let mut seen = 0;
    for (done, migration) in open::MIGRATIONS.iter().enumerate() {
        model.execute_batch(migration)?;
        if has_all(old, &model)? {
            seen = done + 1;
        }
    }
    if seen > 0 {
        return Ok(seen);
    }
    let said: i64 = old.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    Ok(usize::try_from(said).ok().filter(|said| (1..known).contains(said)).unwrap_or(known))
}

/// Whether the damaged file has every table of a model, with every column.
fn has_all(old: &Connection, model: &Connection) -> rusqlite::Result<bool> {
    for table in tables(model)? {
        // What cannot be read is not there.
        let found = columns(old, &table).map(|(names, _)| names).unwrap_or_default();
        if columns(model, &table)?.0.iter().any(|name| !found.contains(name)) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn tables(new: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
    new.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}

fn damaged(path: &Path) -> Result<Connection, OpenError> {
    if !path.is_file() {
        return Err(OpenError::Missing(path.to_owned()));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|e| open::opening(path, e))?;
    connection.busy_timeout(open::BUSY_TIMEOUT).map_err(|e| open::opening(path, e))?;
    Ok(connection)
}

fn copy(old: &Connection, new: &Connection, table: String) -> rusqlite::Result<Salvaged> {
    let (names, key) = columns(new, &table)?;
    let marks = vec!["?"; names.len()].join(", ");
    let insert = format!("INSERT OR IGNORE INTO {table} ({}) VALUES ({marks})", names.join(", "));
    let transaction = new.unchecked_transaction()?;
    let mut rows = 0;
    let mut whole = false;
    for direction in ["ASC", "DESC"] {
        let order: Vec<_> = key.iter().map(|column| format!("{column} {direction}")).collect();
        let select = format!("SELECT {} FROM {table} ORDER BY {}", names.join(", "), order.join(", "));
        let mut keep = new.prepare_cached(&insert)?;
        let mut take = |row: &Row<'_>| -> rusqlite::Result<()> {
            let values = (0..names.len()).map(|at| row.get::<_, Value>(at)).collect::<Result<Vec<_>, _>>()?;
            // A value that no longer fits its column is damage too.
            rows += keep.execute(params_from_iter(values)).unwrap_or(0) as u64;
            Ok(())
        };
        let read = old.prepare(&select).and_then(|mut statement| {
            let mut found = statement.query([])?;
            while let Some(row) = found.next()? {
                take(row)?;
            }
            Ok(())
        });
        whole |= read.is_ok();
        if whole {
            break;
        }
    }
    transaction.commit()?;
    Ok(Salvaged { table, rows, whole })
}

/// A table's columns, and those of its key.
fn columns(connection: &Connection, table: &str) -> rusqlite::Result<(Vec<String>, Vec<String>)> {
    let mut statement = connection.prepare("SELECT name, pk FROM pragma_table_info(?1)")?;
    let all: Vec<(String, i64)> =
        statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let mut key: Vec<_> = all.iter().filter(|(_, place)| *place > 0).collect();
    key.sort_by_key(|(_, place)| *place);
    let key: Vec<String> = key.into_iter().map(|(name, _)| name.clone()).collect();
    let key = if key.is_empty() { vec!["rowid".to_owned()] } else { key };
    Ok((all.into_iter().map(|(name, _)| name).collect(), key))
}

/// No event without its delivery, and no place that was ever given out is given out again.
fn finish(old: &Connection, new: &Connection) -> rusqlite::Result<()> {
    new.execute("DELETE FROM events WHERE delivery NOT IN (SELECT seq FROM deliveries)", [])?;
    for table in ["deliveries", "events"] {
        let last: rusqlite::Result<Option<i64>> = old
            .query_row("SELECT seq FROM sqlite_sequence WHERE name = ?1", [table], |row| row.get(0))
            .optional();
        let last = last.ok().flatten().unwrap_or(0);
        let known = "UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1";
        if new.execute(known, rusqlite::params![table, last])? == 0 {
            new.execute(
                "INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)",
                rusqlite::params![table, last],
            )?;
        }
    }
    Ok(())
}
