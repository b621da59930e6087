//! A few connections that only read, each used by one caller at a time, off the async threads.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Error;

/// Connections that read at once. Reads are short page scans; more would only compete for the same cores.
const READERS: usize = 4;

#[derive(Debug)]
pub(super) struct Readers {
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        let idle = (0..READERS).map(|_| connect(path)).collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(Self { idle: Mutex::new(idle), permits: Arc::new(Semaphore::new(READERS)) })
    }

    pub(super) async fn read<R, W>(self: &Arc<Self>, work: W) -> Result<R, Error>
    where
        R: Send + 'static,
        W: FnOnce(&Connection) -> rusqlite::Result<R> + Send + 'static,
    {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Error::Closed)?;
        let reader = Lent::take(Arc::clone(self), permit).ok_or(Error::Closed)?;
        tokio::task::spawn_blocking(move || reader.with(work))
            .await
            .map_err(|_| Error::Closed)?
            .map_err(|source| Error::Failed(Arc::new(source)))
    }

    /// Refuses further reads. Those under way end by themselves.
    pub(super) fn close(&self) {
        self.permits.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    Ok(connection)
}

/// A connection on loan. It goes back even if the work panics.
struct Lent {
    readers: Arc<Readers>,
    connection: Option<Connection>,
    _permit: OwnedSemaphorePermit,
}

impl Lent {
    fn take(readers: Arc<Readers>, permit: OwnedSemaphorePermit) -> Option<Self> {
        let connection = readers.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        Some(Self { readers, connection: Some(connection), _permit: permit })
    }

    fn with<R>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<R>) -> rusqlite::Result<R> {
        let connection = self.connection.as_ref().ok_or(rusqlite::Error::InvalidQuery)?;
        // One snapshot for the whole of the work, whatever is committed meanwhile.
        let snapshot = connection.unchecked_transaction()?;
        let result = work(&snapshot)?;
        snapshot.finish()?;
        Ok(result)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if self.readers.permits.is_closed() {
            return;
        }
        if let Some(connection) = self.connection.take() {
            self.readers.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}
