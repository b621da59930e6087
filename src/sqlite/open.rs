//! Opening the file: ours alone, sound, of a version we know, and set to survive a power cut.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::check;

/// Each brings the tables one version further; the file's `user_version` counts those that ran.
pub(super) const MIGRATIONS: [&str; 10] = [
    include_str!("0001_start.sql"),
    include_str!("0002_projects_of_designs.sql"),
    include_str!("0003_keys.sql"),
    include_str!("0004_health.sql"),
    include_str!("0005_deliver.sql"),
    include_str!("0006_creates.sql"),
    include_str!("0007_journal.sql"),
    include_str!("0008_calls.sql"),
    include_str!("0009_damaged.sql"),
    include_str!("0010_deliver.sql"),
];

/// "HELI": tells our files from those of other programs.
const APPLICATION_ID: i32 = 0x4845_4c49;

/// Only an operator's `sqlite3` can hold us up; two seconds of that are well within Aurora's patience of ten.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// Pages of write-ahead log kept on disk after a checkpoint, in bytes: enough to be reused, little to waste.
const WAL_KEPT_BYTES: i64 = 64 * 1024 * 1024;

/// Why the file cannot be used. Each text says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its directory is not there.
    #[error("{} does not exist: create the directory, or choose another store.path", .0.display())]
    NoDirectory(PathBuf),
    /// There is no such file.
    #[error("{} does not exist: check store.path", .0.display())]
    Missing(PathBuf),
    /// There is one already.
    #[error("{} exists already: nothing is written over", .0.display())]
    Exists(PathBuf),
    /// It has not been opened by a gateway of this version yet.
    #[error("{} was left by an older heliograph: start the gateway of this version once", .0.display())]
    Older(PathBuf),
    /// It may not be written.
    #[error("{} cannot be written: check its owner, its permissions and the mount (docs/disk-trouble.md)", .0.display())]
    ReadOnly(PathBuf),
    /// Another process owns it.
    #[error("{} is in use by another heliograph process: one file serves one process", .0.display())]
    InUse(PathBuf),
    /// Another program, that is no heliograph, keeps it locked.
    #[error("{} is held by another program: close what has it open, such as sqlite3 or a copy", .0.display())]
    Held(PathBuf),
    /// There is no room to begin.
    #[error("{} has no room: the disk is full; make room and start again (docs/disk-trouble.md)", .0.display())]
    Full(PathBuf),
    /// It is no database, or another program's.
    #[error("{} is not a heliograph database: choose another store.path", .0.display())]
    NotOurs(PathBuf),
    /// A newer heliograph wrote it.
    #[error("{} was written by a newer heliograph (version {found}, this one knows {known}): upgrade", .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version this program knows.
        known: i64,
    },
    /// Its pages contradict each other.
    #[error("{} is damaged: move it away and restore a copy, or see what is left with `heliograph store salvage` (docs/disk-trouble.md)", .0.display())]
    Damaged(PathBuf),
    /// The operating system refused something else.
    #[error("{} cannot be opened", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// SQLite refused something else.
    #[error("{} cannot be opened as a database", .path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: rusqlite::Error,
    },
}

/// Opens the connection that writes. The lock is held for as long as the returned file lives.
pub(super) fn open(path: &Path) -> Result<(Connection, File, PathBuf), OpenError> {
    let (path, lock) = own(path)?;
    let connection = connect(&path)?;
    Ok((connection, lock, path))
}

fn own(path: &Path) -> Result<(PathBuf, File), OpenError> {
    let directory = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !directory.is_dir() {
        return Err(OpenError::NoDirectory(directory.to_owned()));
    }
    private_file(path)?;
    // Two names of one file must meet at one lock.
    let path = path.canonicalize().map_err(|source| filing(path, source))?;
    let lock = lock(&path)?;
    Ok((path, lock))
}

/// Makes a new file whose tables are those of the given version, for rows of that version. [`migrate`] brings both up to date.
pub(super) fn create(path: &Path, version: usize) -> Result<(Connection, File), OpenError> {
    let (path, lock) = own(path)?;
    let told = |source| opening(&path, source);
    let mut connection = writing(&path).map_err(told)?;
    configure(&connection).and_then(|()| migrate(&mut connection, 0, version)).map_err(told)?;
    Ok((connection, lock))
}

fn writing(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

fn connect(path: &Path) -> Result<Connection, OpenError> {
    let mut connection = writing(path).map_err(|e| opening(path, e))?;
    let version = version(&connection, path)?;
    check::at_start(&connection, path)?;
    configure(&connection)
        .and_then(|()| migrate(&mut connection, version, MIGRATIONS.len()))
        .map_err(|e| opening(path, e))?;
    let found = tables(&connection).map_err(|e| opening(path, e))?;
    let wanted = expected_tables().map_err(|e| opening(path, e))?;
    if !wanted.iter().all(|it| found.contains(it)) {
        return Err(OpenError::Damaged(path.to_owned()));
    }
    Ok(connection)
}

/// The number of migrations that the file has seen, if it is a file of ours that we understand.
pub(super) fn version(connection: &Connection, path: &Path) -> Result<usize, OpenError> {
    let ask = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let owner = ask("PRAGMA application_id").map_err(|e| opening(path, e))?;
    let tables = ask("SELECT count(*) FROM sqlite_schema").map_err(|e| opening(path, e))?;
    let found = ask("PRAGMA user_version").map_err(|e| opening(path, e))?;
    if owner != i64::from(APPLICATION_ID) && (owner != 0 || tables != 0) {
        return Err(OpenError::NotOurs(path.to_owned()));
    }
    match usize::try_from(found) {
        Ok(version) if version <= MIGRATIONS.len() => Ok(version),
        _ => Err(OpenError::Newer { path: path.to_owned(), found, known: MIGRATIONS.len() as i64 }),
    }
}

/// `synchronous = FULL` is what makes a commit survive a power cut; `secure_delete` is what makes an erasure one.
fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update_and_check(None, "journal_size_limit", WAL_KEPT_BYTES, |_| Ok(()))
}

pub(super) fn migrate(connection: &mut Connection, from: usize, to: usize) -> rusqlite::Result<()> {
    for (done, migration) in MIGRATIONS.iter().enumerate().take(to).skip(from) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", done as i64 + 1)?;
        transaction.commit()?;
    }
    Ok(())
}

/// What the file says of its own tables.
fn tables(connection: &Connection) -> rusqlite::Result<Vec<[String; 3]>> {
    connection
        .prepare("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL")?
        .query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]))?
        .collect()
}

/// What it must say: a letter that flipped there would change what is looked for.
fn expected_tables() -> rusqlite::Result<Vec<[String; 3]>> {
    let connection = Connection::open_in_memory()?;
    MIGRATIONS.iter().try_for_each(|migration| connection.execute_batch(migration))?;
    tables(&connection)
}

/// Makes the file if it is not there. Nobody but its owner may read it: it holds ids and a key. SQLite gives its
/// side files the same permissions.
fn private_file(path: &Path) -> Result<(), OpenError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(|source| filing(path, source))?;
    restrict(&file, path);
    Ok(())
}

#[cfg(unix)]
fn restrict(file: &File, path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let open_to_others = file.metadata().is_ok_and(|it| it.permissions().mode() & 0o077 != 0);
    if open_to_others && file.set_permissions(PermissionsExt::from_mode(0o600)).is_err() {
        tracing::warn!(path = %path.display(), "others may read {}: it belongs to somebody else", path.display());
    }
}

#[cfg(not(unix))]
fn restrict(_: &File, _: &Path) {}

fn lock(path: &Path) -> Result<File, OpenError> {
    let mut name = OsString::from(path);
    name.push(".lock");
    let beside = PathBuf::from(name);
    private_file(&beside)?;
    let file = OpenOptions::new().write(true).open(&beside).map_err(|source| filing(&beside, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path.to_owned())),
        Err(TryLockError::Error(source)) => Err(filing(&beside, source)),
    }
}

fn filing(path: &Path, source: io::Error) -> OpenError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => OpenError::ReadOnly(path),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => OpenError::Full(path),
        _ => OpenError::File { path, source },
    }
}

/// What an error of SQLite's means while opening.
pub(super) fn opening(path: &Path, source: rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::NotOurs(path),
        Some(ErrorCode::DatabaseCorrupt) => OpenError::Damaged(path),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => OpenError::ReadOnly(path),
        Some(ErrorCode::DiskFull) => OpenError::Full(path),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::Held(path),
        _ => OpenError::Database { path, source },
    }
}
