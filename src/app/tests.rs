//! How a gateway ends.

use std::time::Duration;

use super::*;

fn db() -> (tempfile::TempDir, Db) {
    let directory = tempfile::TempDir::new().unwrap();
    let db = Db::open(&directory.path().join("heliograph.db")).unwrap();
    (directory, db)
}

fn serving() -> JoinHandle<http::Drained> {
    tokio::spawn(std::future::pending())
}

#[tokio::test]
async fn a_part_that_panics_ends_the_gateway_with_an_error() {
    let (_directory, db) = db();
    let mut parts = JoinSet::new();
    parts.spawn(std::future::pending());
    parts.spawn(async { panic!("broken") });
    let trouble = trouble(&CancellationToken::new(), &mut parts, &mut serving(), &db).await;
    assert!(trouble.unwrap().to_string().contains("broke off"));
}

#[tokio::test]
async fn a_store_that_failed_for_good_ends_the_gateway_with_an_error() {
    let (_directory, db) = db();
    let mut parts = JoinSet::new();
    parts.spawn(std::future::pending());
    let failed = db
        .write(|_| {
            let failure = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_FSYNC);
            Err::<(), _>(rusqlite::Error::SqliteFailure(failure, None))
        })
        .await;
    assert!(failed.is_err());
    let trouble = trouble(&CancellationToken::new(), &mut parts, &mut serving(), &db).await;
    assert!(trouble.unwrap().to_string().contains("the store failed for good"));
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_pruning() {
    let stop = CancellationToken::new();
    let (begun, has_begun) = tokio::sync::watch::channel(false);
    let once = move || {
        begun.send_replace(true);
        std::future::pending()
    };
    let pruner = tokio::spawn(again_and_again(PRUNE_EVERY, once, stop.clone()));
    has_begun.clone().wait_for(|it| *it).await.unwrap();
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(10), pruner).await.unwrap().unwrap();
}
