//! Whether a file still says what was written into it.
//!
//! A quick check at every start reads each page once. The full one also compares every index with its table, and takes
//! some seconds for a million rows; so a large file is served while it runs. Where it finds damage, or a write does, a mark
//! is left beside the file, and no start passes that mark by before a full check is content.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    thread::JoinHandle,
};

use rusqlite::{Connection, ErrorCode, InterruptHandle, OpenFlags};

use super::{Health, State, open::OpenError};

/// Up to this size the full check is done before the file is served: about half a second.
const CHECKED_AT_ONCE_BYTES: u64 = 16 * 1024 * 1024;

/// Looks at the file before anybody uses it.
pub(super) fn at_start(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let mark = mark(path);
    let marked = mark.exists();
    let thorough = marked || is_small(path);
    let verdict = if thorough { full(connection) } else { quick(connection) };
    if verdict.map_err(|e| super::open::opening(path, e))? != "ok" {
        return Err(OpenError::Damaged(path.to_owned()));
    }
    if marked {
        tracing::info!(path = %path.display(), "the file is sound again");
        fs::remove_file(&mark).map_err(|source| OpenError::File { path: mark, source })?;
    }
    Ok(())
}

fn is_small(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|it| it.len() <= CHECKED_AT_ONCE_BYTES)
}

fn mark(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".damaged");
    name.into()
}

/// Makes the next start look at all of the file before it is served.
pub(super) fn leave_mark(path: &Path) {
    if let Err(error) = fs::write(mark(path), "") {
        tracing::error!(%error, "the mark of the damage cannot be left");
    }
}

fn quick(connection: &Connection) -> rusqlite::Result<String> {
    connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
}

/// The whole check.
pub(super) fn full(connection: &Connection) -> rusqlite::Result<String> {
    connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
}

/// A full check on a thread of its own.
pub(super) struct Check {
    thread: JoinHandle<()>,
    interrupt: InterruptHandle,
}

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Check").finish_non_exhaustive()
    }
}

impl Check {
    /// Begins one, unless [`at_start`] has done it.
    pub(super) fn begin(path: &Path, state: Arc<State>) -> Result<Option<Self>, OpenError> {
        if is_small(path) {
            return Ok(None);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            Connection::open_with_flags(path, flags).map_err(|e| super::open::opening(path, e))?;
        let interrupt = connection.get_interrupt_handle();
        let of = path.to_owned();
        let thread = std::thread::Builder::new()
            .name("sqlite-check".to_owned())
            .spawn(move || look(&connection, &of, &state))
            .map_err(|source| OpenError::File { path: path.to_owned(), source })?;
        Ok(Some(Self { thread, interrupt }))
    }

    /// Breaks it off.
    pub(super) fn end(self) {
        self.interrupt.interrupt();
        // A check that panicked has said so.
        let _ = self.thread.join();
    }
}

fn look(connection: &Connection, path: &Path, state: &State) {
    let code = |error: &rusqlite::Error| error.sqlite_error_code();
    match full(connection) {
        Ok(verdict) if verdict == "ok" => tracing::debug!("the database's full check found nothing"),
        Err(error) if code(&error) == Some(ErrorCode::OperationInterrupted) => {
            tracing::debug!("the database's full check was broken off");
        }
        // Some damage keeps the check from coming to its end.
        Err(error) if !matches!(code(&error), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)) => {
            tracing::warn!(%error, "the database's full check could not be done");
        }
        Ok(_) | Err(_) => {
            tracing::error!(
                path = %path.display(),
                "the database is damaged: it takes no more writes, and no start accepts it (docs/disk-trouble.md)"
            );
            leave_mark(path);
            state.set(Health::Broken);
        }
    }
}
