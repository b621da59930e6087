//! Secrets that are made once and then kept.

use rusqlite::{Connection, OptionalExtension, params};

/// The secret of that name; `fresh` if there was none.
pub(super) fn get_or_keep(
    connection: &Connection,
    name: &str,
    fresh: [u8; 32],
) -> rusqlite::Result<[u8; 32]> {
    connection.execute(
        "INSERT INTO secrets (name, bytes) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        params![name, fresh],
    )?;
    connection.query_row("SELECT bytes FROM secrets WHERE name = ?1", [name], |row| row.get(0))
}

/// The secret of that name, if there is one.
pub(super) fn get(connection: &Connection, name: &str) -> rusqlite::Result<Option<[u8; 32]>> {
    connection.query_row("SELECT bytes FROM secrets WHERE name = ?1", [name], |row| row.get(0)).optional()
}
