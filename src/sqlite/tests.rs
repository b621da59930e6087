//! What a database file promises.

mod salvaged;

use std::{
    sync::mpsc::{Receiver, Sender, channel},
    time::Duration,
};

use tempfile::TempDir;

use super::*;

fn path(directory: &TempDir) -> std::path::PathBuf {
    directory.path().join("heliograph.db")
}

fn open(directory: &TempDir) -> Db {
    Db::open(&path(directory)).unwrap()
}

async fn keep(db: &Db, name: &'static str) -> Result<(), Error> {
    db.write(move |connection| {
        connection.execute("INSERT INTO secrets (name, bytes) VALUES (?1, x'00')", [name]).map(drop)
    })
    .await
}

async fn kept(db: &Db) -> Vec<String> {
    db.read(|connection| {
        connection
            .prepare("SELECT name FROM secrets ORDER BY name")?
            .query_map([], |row| row.get(0))?
            .collect()
    })
    .await
    .unwrap()
}

/// Work that says when it has begun and ends when it is told to.
fn gate() -> (impl FnOnce(&Connection) -> rusqlite::Result<()> + Send, Receiver<()>, Sender<()>) {
    let (begun, has_begun) = channel();
    let (end, may_end) = channel::<()>();
    let work = move |_: &Connection| {
        begun.send(()).unwrap();
        let _ = may_end.recv();
        Ok(())
    };
    (work, has_begun, end)
}

#[tokio::test]
async fn what_was_answered_is_there_after_opening_again() {
    let directory = TempDir::new().unwrap();
    let db = open(&directory);
    keep(&db, "a").await.unwrap();
    drop(db);
    assert_eq!(kept(&open(&directory)).await, ["a"]);
}

#[tokio::test]
async fn a_commit_waits_for_the_disk_and_what_is_deleted_is_overwritten() {
    let directory = TempDir::new().unwrap();
    let db = open(&directory);
    for (pragma, full) in [("synchronous", 2), ("secure_delete", 1), ("foreign_keys", 1)] {
        let ask = move |connection: &Connection| {
            connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0))
        };
        assert_eq!(db.write(ask).await.unwrap(), full, "{pragma}");
    }
}

#[tokio::test]
async fn work_that_waits_shares_a_commit_and_nobody_is_answered_before_it() {
    let directory = TempDir::new().unwrap();
    let db = open(&directory);
    let (first, begun, end_first) = gate();
    let first = tokio::spawn({
        let db = db.clone();
        async move { db.write(first).await }
    });
    tokio::task::spawn_blocking(move || begun.recv().unwrap()).await.unwrap();

    let early = tokio::spawn({
        let db = db.clone();
        async move { keep(&db, "early").await }
    });
    tokio::task::yield_now().await;
    let (late, begun, end_late) = gate();
    let late = tokio::spawn({
        let db = db.clone();
        async move { db.write(late).await }
    });
    tokio::task::yield_now().await;
    end_first.send(()).unwrap();
    first.await.unwrap().unwrap();
    tokio::task::spawn_blocking(move || begun.recv().unwrap()).await.unwrap();

    // The early work is done, its commit is not.
    assert!(!early.is_finished());
    assert!(kept(&db).await.is_empty());
    end_late.send(()).unwrap();
    early.await.unwrap().unwrap();
    late.await.unwrap().unwrap();
    assert_eq!(kept(&db).await, ["early"]);
    assert_eq!(db.commits(), 2);
}

#[tokio::test]
async fn one_failure_undoes_nothing_of_its_neighbours() {
    let directory = TempDir::new().unwrap();
    let db = open(&directory);
    let (hold, begun, end) = gate();
    let hold = tokio::spawn({
        let db = db.clone();
        async move { db.write(hold).await }
    });
    tokio::task::spawn_blocking(move || begun.recv().unwrap()).await.unwrap();
    let fails = |connection: &Connection| {
        connection.execute("INSERT INTO secrets (name, bytes) VALUES ('undone', x'00')", [])?;
        connection.execute("INSERT INTO nowhere VALUES (1)", []).map(drop)
    };
    let release = async { end.send(()).unwrap() };
    let (a, failed, b, ()) = tokio::join!(keep(&db, "a"), db.write(fails), keep(&db, "b"), release);
    hold.await.unwrap().unwrap();
    a.unwrap();
    b.unwrap();
    assert!(matches!(failed, Err(Error::Failed(_))));
    assert_eq!(kept(&db).await, ["a", "b"]);
    assert!(db.writable());
}

#[tokio::test]
async fn when_the_transaction_is_lost_everybody_in_it_hears_so() {
    let directory = TempDir::new().unwrap();
    let db = open(&directory);
    let (hold, begun, end) = gate();
    let hold = tokio::spawn({
        let db = db.clone();
        async move { db.write(hold).await }
    });
    tokio::task::spawn_blocking(move || begun.recv().unwrap()).await.unwrap();
    let loses = |connection: &Connection| connection.execute_batch("ROLLBACK");
    let release = async { end.send(()).unwrap() };
    let (a, lost, b, ()) = tokio::join!(keep(&db, "a"), db.write(loses), keep(&db, "b"), release);
    hold.await.unwrap().unwrap();
    for outcome in [a, lost, b] {
        assert!(matches!(outcome, Err(Error::Unwritable(_))), "{outcome:?}");
    }
    keep(&db, "c").await.unwrap();
    assert_eq!(kept(&db).await, ["c"]);
}

#[tokio::test]
async fn a_full_queue_is_said_at_once() {
    let directory = TempDir::new().unwrap();
    let db = open(&directory);
    let (hold, begun, end) = gate();
    let hold = tokio::spawn({
        let db = db.clone();
        async move { db.write(hold).await }
    });
    tokio::task::spawn_blocking(move || begun.recv().unwrap()).await.unwrap();
    let mut waiting = Vec::new();
    for _ in 0..QUEUE {
        let mut work = Box::pin(db.write(|_| Ok(())));
        assert!(futures_util::poll!(&mut work).is_pending());
        waiting.push(work);
    }
    assert!(matches!(db.write(|_| Ok(())).await, Err(Error::Busy)));
    end.send(()).unwrap();
    hold.await.unwrap().unwrap();
    for work in waiting {
        work.await.unwrap();
    }
    assert!(db.commits() < 50);
}

#[tokio::test]
async fn a_full_disk_refuses_writes_serves_reads_and_recovers_by_itself() {
    let directory = TempDir::new().unwrap();
    let db = open(&directory);
    keep(&db, "before").await.unwrap();
    let limit = |pages: &'static str| {
        let sql = format!("PRAGMA max_page_count = {pages}");
        db.write(move |connection| connection.query_row(&sql, [], |_| Ok(())))
    };
    limit("1").await.unwrap();
    let big = |connection: &Connection| {
        connection
            .execute("INSERT INTO secrets (name, bytes) VALUES ('big', zeroblob(1000000))", [])
            .map(drop)
    };
    assert!(matches!(db.write(big).await, Err(Error::Unwritable(_))));
    assert!(!db.writable());
    assert_eq!(kept(&db).await, ["before"]);

    limit("1000000").await.unwrap();
    for _ in 0..100 {
        if db.writable() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(db.writable());
    db.write(big).await.unwrap();
}

#[tokio::test]
async fn after_a_panic_nobody_is_told_that_it_still_writes() {
    let directory = TempDir::new().unwrap();
    let db = open(&directory);
    keep(&db, "before").await.unwrap();
    let outcome = db.write(|_| -> rusqlite::Result<()> { panic!("on purpose") }).await;
    assert!(matches!(outcome, Err(Error::Closed)));
    assert!(matches!(keep(&db, "after").await, Err(Error::Closed)));
    assert!(!db.writable());
    assert_eq!(kept(&db).await, ["before"]);
}

#[tokio::test]
async fn a_second_owner_is_refused_until_the_first_is_gone() {
    let directory = TempDir::new().unwrap();
    let db = open(&directory);
    assert!(matches!(Db::open(&path(&directory)), Err(OpenError::InUse(_))));
    #[cfg(unix)]
    {
        let link = directory.path().join("link.db");
        std::os::unix::fs::symlink(path(&directory), &link).unwrap();
        assert!(matches!(Db::open(&link), Err(OpenError::InUse(_))));
    }
    db.close().await;
    keep(&open(&directory), "b").await.unwrap();
    assert!(matches!(keep(&db, "a").await, Err(Error::Closed)));
    assert!(matches!(db.read(|_| Ok(())).await, Err(Error::Closed)));
}

#[tokio::test]
async fn closing_does_the_work_that_waits_and_folds_the_log_in() {
    let directory = TempDir::new().unwrap();
    let db = open(&directory);
    let keeps = tokio::spawn({
        let db = db.clone();
        async move { keep(&db, "a").await }
    });
    tokio::task::yield_now().await;
    db.close().await;
    keeps.await.unwrap().unwrap();
    assert!(!directory.path().join("heliograph.db-wal").exists());
    assert_eq!(kept(&open(&directory)).await, ["a"]);
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_may_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let directory = TempDir::new().unwrap();
    let db = open(&directory);
    keep(&db, "a").await.unwrap();
    let files: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(Result::unwrap).collect();
    assert!(files.len() >= 3);
    for file in files {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.path());
    }
}

#[test]
fn what_cannot_be_opened_is_refused_with_a_reason() {
    let directory = TempDir::new().unwrap();
    let at = |name: &str| directory.path().join(name);
    assert!(matches!(Db::open(&at("missing/heliograph.db")), Err(OpenError::NoDirectory(_))));

    std::fs::write(at("text.db"), "not a database, and long enough to be sure of it").unwrap();
    assert!(matches!(Db::open(&at("text.db")), Err(OpenError::NotOurs(_))));

    Connection::open(at("other.db")).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    assert!(matches!(Db::open(&at("other.db")), Err(OpenError::NotOurs(_))));

    drop(Db::open(&at("newer.db")).unwrap());
    Connection::open(at("newer.db")).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = Db::open(&at("newer.db")).unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 99, .. }));
    assert!(error.to_string().contains("upgrade"), "{error}");

    assert!(matches!(Db::open(directory.path()), Err(OpenError::File { .. })));
}

#[tokio::test]
async fn a_damaged_file_is_noticed_when_it_is_opened() {
    let directory = TempDir::new().unwrap();
    let db = open(&directory);
    keep(&db, "a").await.unwrap();
    db.close().await;
    let mut bytes = std::fs::read(path(&directory)).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 64].fill(0xff);
    std::fs::write(path(&directory), bytes).unwrap();
    assert!(matches!(Db::open(&path(&directory)), Err(OpenError::Damaged(_))));
}

#[tokio::test]
async fn damage_in_a_large_file_that_the_start_cannot_see_is_found_while_it_is_served_and_stops_every_later_start()
 {
    const LARGE: i64 = 20 * 1024 * 1024;
    let directory = TempDir::new().unwrap();
    let db = open(&directory);
    let fill = |it: &Connection| {
        it.execute("INSERT INTO probe (bytes) VALUES (zeroblob(?1))", [LARGE])?;
        it.execute("INSERT INTO designs (tenant, design, project) VALUES ('t', 'd', 'project-to-flip')", [])
    };
    db.write(fill).await.unwrap();
    db.close().await;
    let sound = std::fs::read(path(&directory)).unwrap();
    let text = b"project-to-flip";
    let at = sound.windows(text.len()).position(|it| it == text).unwrap();
    let mut damaged = sound.clone();
    damaged[at] ^= 1;
    std::fs::write(path(&directory), damaged).unwrap();

    let db = open(&directory);
    tokio::time::timeout(Duration::from_secs(30), db.broken()).await.unwrap();
    assert!(matches!(keep(&db, "a").await, Err(Error::Closed)));
    db.close().await;
    for _ in 0..2 {
        assert!(matches!(Db::open(&path(&directory)), Err(OpenError::Damaged(_))));
    }

    std::fs::write(path(&directory), sound).unwrap();
    let db = open(&directory);
    keep(&db, "a").await.unwrap();
    assert!(
        !directory.path().join("heliograph.db.damaged").exists(),
        "all of it was looked at, and is sound"
    );
}
