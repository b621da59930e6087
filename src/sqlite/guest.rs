//! A visit to the file while its owner may be at work: to read it, or to add to it.
//!
//! Invariants: a guest makes no file, changes no table, and folds no log in, for all of that is the owner's; what it
//! writes is on disk when it is told so. Not here: what a guest may add without the owner's memory becoming wrong.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, TransactionBehavior, config::DbConfig};

use super::open::{self, BUSY_TIMEOUT, OpenError};

/// A connection beside the owner's.
#[derive(Debug)]
pub struct Guest(Connection);

impl Guest {
    /// Opens the file, which must be there.
    ///
    /// # Errors
    /// When it is not there, is not ours, or was left by another version.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        if !path.is_file() {
            return Err(OpenError::Missing(path.to_owned()));
        }
        let told = |source| open::opening(path, source);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(told)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(told)?;
        let version = open::version(&connection, path)?;
        if version < open::MIGRATIONS.len() {
            return Err(OpenError::Older(path.to_owned()));
        }
        configure(&connection).map_err(told)?;
        Ok(Self(connection))
    }

    /// Reads what is committed, from one snapshot.
    ///
    /// # Errors
    /// When the reading failed.
    pub fn read<R>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<R>) -> rusqlite::Result<R> {
        let snapshot = self.0.unchecked_transaction()?;
        let result = work(&snapshot)?;
        snapshot.finish()?;
        Ok(result)
    }

    /// Does all of `work` or nothing. The owner waits meanwhile, so it must be short.
    ///
    /// # Errors
    /// When nothing of it was kept.
    pub fn write<R>(&mut self, work: impl FnOnce(&Connection) -> rusqlite::Result<R>) -> rusqlite::Result<R> {
        let transaction = self.0.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let result = work(&transaction)?;
        transaction.commit()?;
        Ok(result)
    }
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map(drop)
}
