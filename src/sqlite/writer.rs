//! The thread that writes: whatever waits goes into one transaction, each piece behind its own savepoint.

use std::{
    fs::File,
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use rusqlite::{Connection, ErrorCode};
use tokio::sync::oneshot;

use super::{Error, Health, State, check, open::BUSY_TIMEOUT};

/// Work that shares one commit. Beyond this the commit's cost per piece no longer matters, and the first in the
/// batch would wait for the last.
const BATCH: usize = 256;

/// How often a disk that is full, or a file that another program holds, is tried again while nobody writes.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// How much room a full disk must have again: more than one small write that happened to fit.
const PROBE_BYTES: i64 = 64 * 1024;

/// How long a file that another program has held for long is waited for: what waits behind is to be told soon.
const HELD_TIMEOUT: Duration = Duration::from_millis(20);

type Cause = Arc<rusqlite::Error>;

/// One caller's work.
pub(super) trait Job: Send {
    /// Does the work, and keeps its result for later.
    fn run(&mut self, connection: &Connection) -> Result<(), Cause>;
    /// The work is on disk.
    fn kept(self: Box<Self>);
    /// Nothing of the work is kept.
    fn lost(self: Box<Self>, error: Error);
}

/// A [`Job`] made of what the caller passed.
pub(super) struct Call<R, W, T> {
    work: Option<W>,
    result: Option<R>,
    then: T,
    answer: oneshot::Sender<Result<R, Error>>,
}

impl<R, W, T> Call<R, W, T> {
    pub(super) fn new(work: W, then: T, answer: oneshot::Sender<Result<R, Error>>) -> Self {
        Self { work: Some(work), result: None, then, answer }
    }
}

impl<R, W, T> Job for Call<R, W, T>
where
    R: Send,
    W: FnOnce(&Connection) -> rusqlite::Result<R> + Send,
    T: FnOnce(&R) + Send,
{
    fn run(&mut self, connection: &Connection) -> Result<(), Cause> {
        if let Some(work) = self.work.take() {
            self.result = Some(work(connection).map_err(Arc::new)?);
        }
        Ok(())
    }

    fn kept(self: Box<Self>) {
        if let Some(result) = self.result {
            (self.then)(&result);
            // The caller may have gone; the work is done all the same.
            let _ = self.answer.send(Ok(result));
        }
    }

    fn lost(self: Box<Self>, error: Error) {
        let _ = self.answer.send(Err(error));
    }
}

pub(super) struct Writer {
    connection: Connection,
    queue: Receiver<Box<dyn Job>>,
    state: Arc<State>,
    /// Dropped after the connection, so that the next owner finds the file closed.
    _lock: File,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        lock: File,
        queue: Receiver<Box<dyn Job>>,
        state: Arc<State>,
    ) -> Self {
        Self { connection, queue, state, _lock: lock }
    }

    /// Writes until nobody can send any more.
    pub(super) fn run(self) {
        let _fuse = Fuse(Arc::clone(&self.state));
        loop {
            let first = match self.state.health() {
                Health::Full | Health::Held => match self.queue.recv_timeout(PROBE_EVERY) {
                    Err(RecvTimeoutError::Timeout) => {
                        self.judge(probe(&self.connection).as_ref().err().map(Verdict::of));
                        continue;
                    }
                    received => received.ok(),
                },
                Health::Sound | Health::Broken => self.queue.recv().ok(),
            };
            let Some(first) = first else { break };
            self.serve(std::iter::once(first).chain(self.queue.try_iter()).take(BATCH).collect());
        }
        if self.state.health() != Health::Broken
            && let Err(error) = self.connection.pragma(None, "wal_checkpoint", "TRUNCATE", |_| Ok(()))
        {
            tracing::warn!(%error, "the log was not folded into the database; the next start does it");
        }
    }

    fn serve(&self, jobs: Vec<Box<dyn Job>>) {
        if self.state.health() == Health::Broken {
            jobs.into_iter().for_each(|job| job.lost(Error::Closed));
            return;
        }
        let (jobs, outcome) = attempt(&self.connection, jobs);
        let worst = match &outcome {
            Ok(failures) => failures.iter().flatten().map(|cause| Verdict::of(cause)).max(),
            Err(cause) => Some(Verdict::of(cause)),
        };
        // Before the answers, so that nobody who has one reads an older state.
        self.judge(worst);
        match outcome {
            Ok(failures) => {
                self.state.commits.fetch_add(1, Ordering::Relaxed);
                for (job, failure) in jobs.into_iter().zip(failures) {
                    match failure {
                        None => job.kept(),
                        Some(cause) => job.lost(error(cause)),
                    }
                }
            }
            Err(cause) => jobs.into_iter().for_each(|job| job.lost(Error::Unwritable(Arc::clone(&cause)))),
        }
    }

    /// Takes note of how the last transaction went, and says so once when it changes.
    fn judge(&self, worst: Option<Verdict>) {
        let health = match worst {
            None => Health::Sound,
            Some(Verdict::Own) => return,
            Some(Verdict::Held) => Health::Held,
            Some(Verdict::Full) => Health::Full,
            Some(Verdict::Broken | Verdict::Damaged) => Health::Broken,
        };
        if health == self.state.health() {
            return;
        }
        if worst == Some(Verdict::Damaged)
            && let Some(path) = self.connection.path()
        {
            // The start's quick check cannot see all damage; without the mark it would end in the same place each time.
            tracing::error!("the database contradicts itself; the next start checks all of it");
            check::leave_mark(path.as_ref());
        }
        self.state.set(health);
        let patience = if health == Health::Held { HELD_TIMEOUT } else { BUSY_TIMEOUT };
        // It sets a number in memory; were it refused, waiting would only take longer.
        let _ = self.connection.busy_timeout(patience);
        match health {
            Health::Sound => tracing::info!("the database takes writes again"),
            Health::Full => tracing::error!(
                "the disk is full; the database takes no writes until there is room (docs/disk-trouble.md)"
            ),
            Health::Held => tracing::error!(
                "another program holds the database; it takes no writes until it is let go (docs/disk-trouble.md)"
            ),
            Health::Broken => tracing::error!(
                "a write to the database failed; it takes no more writes until a restart (docs/disk-trouble.md)"
            ),
        }
    }
}

/// Should the writer ever panic, nobody must believe that it still writes.
struct Fuse(Arc<State>);

impl Drop for Fuse {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.set(Health::Broken);
            tracing::error!(
                "the thread that writes the database has died; it takes no more writes until a restart"
            );
        }
    }
}

/// Which jobs of a committed batch failed, each in its place; or why there was no commit.
type Outcome = Result<Vec<Option<Cause>>, Cause>;

fn attempt(connection: &Connection, mut jobs: Vec<Box<dyn Job>>) -> (Vec<Box<dyn Job>>, Outcome) {
    let outcome = transact(connection, &mut jobs);
    if outcome.is_err() && !connection.is_autocommit() {
        // If even this fails, the next BEGIN does, and its callers hear of it.
        let _ = connection.execute_batch("ROLLBACK");
    }
    (jobs, outcome)
}

fn transact(connection: &Connection, jobs: &mut [Box<dyn Job>]) -> Outcome {
    let tell = |sql: &str| connection.prepare_cached(sql)?.execute([]).map(drop);
    tell("BEGIN IMMEDIATE").map_err(Arc::new)?;
    let mut failures = Vec::with_capacity(jobs.len());
    for job in jobs {
        tell("SAVEPOINT job").map_err(Arc::new)?;
        let failure = job.run(connection).err();
        if connection.is_autocommit() {
            // SQLite gave up the whole transaction, and the work of those before with it.
            return Err(failure.unwrap_or_else(|| Arc::new(rusqlite::Error::InvalidQuery)));
        }
        if failure.is_some() {
            tell("ROLLBACK TO job").map_err(Arc::new)?;
        }
        tell("RELEASE job").map_err(Arc::new)?;
        failures.push(failure);
    }
    tell("COMMIT").map_err(Arc::new)?;
    Ok(failures)
}

fn probe(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("INSERT INTO probe (bytes) VALUES (zeroblob(?1))", [PROBE_BYTES])?;
    connection.execute("DELETE FROM probe", []).map(drop)
}

fn error(cause: Cause) -> Error {
    match Verdict::of(&cause) {
        Verdict::Own => Error::Failed(cause),
        Verdict::Held | Verdict::Full | Verdict::Broken | Verdict::Damaged => Error::Unwritable(cause),
    }
}

/// What an error says about the database as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    /// Nothing: the statement was at fault.
    Own,
    /// Another program holds it.
    Held,
    /// There is no room.
    Full,
    /// It cannot be relied on any more.
    Broken,
    /// The same, since it contradicts itself.
    Damaged,
}

impl Verdict {
    fn of(error: &rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Held,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged,
            Some(
                ErrorCode::SystemIoFailure
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::FileLockingProtocolFailed,
            ) => Self::Broken,
            _ => Self::Own,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_sync_is_never_tried_again_and_a_full_disk_is() {
        let cases = [
            (rusqlite::ffi::SQLITE_IOERR_FSYNC, Verdict::Broken),
            (rusqlite::ffi::SQLITE_IOERR_WRITE, Verdict::Broken),
            (rusqlite::ffi::SQLITE_CORRUPT, Verdict::Damaged),
            (rusqlite::ffi::SQLITE_CORRUPT_INDEX, Verdict::Damaged),
            (rusqlite::ffi::SQLITE_FULL, Verdict::Full),
            (rusqlite::ffi::SQLITE_BUSY, Verdict::Held),
            (rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE, Verdict::Own),
        ];
        for (code, verdict) in cases {
            let error = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
            assert_eq!(Verdict::of(&error), verdict, "{code}");
        }
    }
}
