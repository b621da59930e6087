//! How a gateway ends.

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
