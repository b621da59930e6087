//! One database file: one thread that writes, a few connections that read.
//!
//! [`Db::write`] answers only after the commit that holds its work has reached the disk. Work that waits while a
//! commit is under way shares the next one, so that a storm costs few of them.
//!
//! Invariants: one process owns the file, beside which a [`Guest`] may read or add rows; nobody is answered before the commit; one caller's failure undoes
//! nothing of another's; after a failed sync nothing more is written.
//! Not here: what is kept. The tables are in the `.sql` files beside `open.rs`; their owners are [`journal`](crate::journal) and
//! [`store`](crate::store).

mod check;
mod guest;
mod open;
mod readers;
pub mod row;
mod salvage;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, AtomicU64, Ordering},
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
};

use rusqlite::Connection;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

pub use guest::Guest;
pub use open::OpenError;
use readers::Readers;
pub use salvage::{Salvaged, is_sound, salvage};
use writer::{Call, Job};

/// Work that may wait for the writer. At some 10,000 a second this is less than a second's worth; whoever comes
/// later is told at once instead of waiting for a disk that cannot keep up.
const QUEUE: usize = 4_096;

/// Why work was not done.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Too much work is waiting: try again later.
    #[error("the database has too much to do")]
    Busy,
    /// Another program holds the file: try again later.
    #[error("another program holds the database")]
    Held,
    /// The disk did not take it, and nothing of it is kept: try again later.
    #[error("the database cannot write")]
    Unwritable(#[source] Arc<rusqlite::Error>),
    /// This work failed by itself; nothing of it is kept.
    #[error("the database refused a statement")]
    Failed(#[source] Arc<rusqlite::Error>),
    /// Closed, or failed for good: only opening the file anew can help.
    #[error("the database is closed")]
    Closed,
}

/// An open database file. Clones share it; the last one to go closes it.
#[derive(Debug, Clone)]
pub struct Db(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    queue: Mutex<Option<SyncSender<Box<dyn Job>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    readers: Arc<Readers>,
    check: Mutex<Option<check::Check>>,
    state: Arc<State>,
}

/// How the writer fares, for others to read.
#[derive(Debug, Default)]
struct State {
    health: AtomicU8,
    commits: AtomicU64,
    broken: CancellationToken,
}

/// Whether writing works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
enum Health {
    Sound = 0,
    /// The disk is full; it is tried again.
    Full = 1,
    /// Another program holds the file; it is tried again.
    Held = 2,
    /// A write may have been lost on its way to the disk. Never tried again: the second try of a failed sync can
    /// report success for data that is gone.
    Broken = 3,
}

impl State {
    fn health(&self) -> Health {
        match self.health.load(Ordering::Acquire) {
            0 => Health::Sound,
            1 => Health::Full,
            2 => Health::Held,
            _ => Health::Broken,
        }
    }

    fn set(&self, health: Health) {
        self.health.store(health as u8, Ordering::Release);
        if health == Health::Broken {
            self.broken.cancel();
        }
    }
}

impl Db {
    /// Opens the file, makes it if it is not there, and brings its tables up to date.
    ///
    /// # Errors
    /// When it cannot be opened, is owned by another process, is damaged, or was written by a newer version.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let (connection, lock, path) = open::open(path)?;
        let readers = Arc::new(Readers::open(&path).map_err(|source| open::opening(&path, source))?);
        let state = Arc::new(State::default());
        let check = check::Check::begin(&path, Arc::clone(&state))?;
        let (sender, receiver) = sync_channel(QUEUE);
        let writer = writer::Writer::new(connection, lock, receiver, Arc::clone(&state));
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|source| OpenError::File { path, source })?;
        Ok(Self(Arc::new(Inner {
            queue: Mutex::new(Some(sender)),
            thread: Mutex::new(Some(thread)),
            readers,
            check: Mutex::new(check),
            state,
        })))
    }

    /// Does `work` in a transaction and answers when it is on disk. Work that was accepted is done even if
    /// nobody waits for the answer any more.
    ///
    /// # Errors
    /// When nothing of the work was kept.
    pub async fn write<R, W>(&self, work: W) -> Result<R, Error>
    where
        R: Send + 'static,
        W: FnOnce(&Connection) -> rusqlite::Result<R> + Send + 'static,
    {
        self.write_then(work, |_| ()).await
    }

    /// Like [`write`](Self::write), with something to do after the commit and before the answer. What is done
    /// there is done in the order of the commits, so it must be short.
    ///
    /// # Errors
    /// When nothing of the work was kept; `then` has not run.
    pub async fn write_then<R, W, T>(&self, work: W, then: T) -> Result<R, Error>
    where
        R: Send + 'static,
        W: FnOnce(&Connection) -> rusqlite::Result<R> + Send + 'static,
        T: FnOnce(&R) + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        self.enqueue(Box::new(Call::new(work, then, answer)))?;
        answered.await.unwrap_or(Err(Error::Closed))
    }

    /// Reads what is committed. At most a few read at once; the others wait.
    ///
    /// # Errors
    /// When the reading failed or the database is closed.
    pub async fn read<R, W>(&self, work: W) -> Result<R, Error>
    where
        R: Send + 'static,
        W: FnOnce(&Connection) -> rusqlite::Result<R> + Send + 'static,
    {
        self.0.readers.read(work).await
    }

    /// Whether the last write reached the disk.
    #[must_use]
    pub fn writable(&self) -> bool {
        self.trouble().is_none()
    }

    /// Why nothing can be written now, in a few words.
    #[must_use]
    pub fn trouble(&self) -> Option<&'static str> {
        match self.0.state.health() {
            Health::Sound => None,
            Health::Full => Some("the disk is full"),
            Health::Held => Some("another program holds the store"),
            Health::Broken => Some("a write to the store failed"),
        }
    }

    /// Waits until writing fails for good, so that only opening the file anew can help. A full disk is not that.
    pub async fn broken(&self) {
        self.0.state.broken.cancelled().await;
    }

    /// How many commits there were since the file was opened.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.0.state.commits.load(Ordering::Relaxed)
    }

    /// Does the work that waits, then closes the file. Later work is refused.
    pub async fn close(&self) {
        let inner = Arc::clone(&self.0);
        // The only way for this to fail is a panic of the writer, which has been told of already.
        let _ = tokio::task::spawn_blocking(move || inner.stop()).await;
    }

    fn enqueue(&self, job: Box<dyn Job>) -> Result<(), Error> {
        match self.0.state.health() {
            Health::Broken => return Err(Error::Closed),
            // The writer looks for itself when it is let go.
            Health::Held => return Err(Error::Held),
            Health::Sound | Health::Full => {}
        }
        let queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
        match queue.as_ref().map(|queue| queue.try_send(job)) {
            Some(Ok(())) => Ok(()),
            Some(Err(TrySendError::Full(_))) => Err(Error::Busy),
            Some(Err(TrySendError::Disconnected(_))) | None => Err(Error::Closed),
        }
    }
}

impl Inner {
    fn stop(&self) {
        self.readers.close();
        if let Some(check) = self.check.lock().unwrap_or_else(PoisonError::into_inner).take() {
            check.end();
        }
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

impl Drop for Inner {
    /// Waits for the writer, so that the file can be opened again as soon as the last clone is gone.
    fn drop(&mut self) {
        self.stop();
    }
}
