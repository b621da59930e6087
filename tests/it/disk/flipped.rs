//! A bit that flips in what a large file's indexes hold, and a file that an older version left: from the first sign to the
//! salvaged store that goes on.

use std::{fs, path::Path};

use heliograph::{
    clock::Clock,
    journal::{Journal, SqliteJournal},
    sandbox::TENANT,
    sqlite::Db,
};
use rusqlite::Connection;

use super::{damage::delivery, world::Disk};

/// Enough for the full check to be done while the file is served, and to take longer than the relay's first look.
const DESIGNS: &str = "
    WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT 300000)
    INSERT INTO designs (tenant, design, project)
        SELECT 'elsewhere', printf('design-%d', n), printf('project-%d', n) FROM n";

/// What a version of before creates were looked for wrote, with one event in it.
const OLD: [&str; 6] = [
    include_str!("../../../src/sqlite/0001_start.sql"),
    include_str!("../../../src/sqlite/0002_projects_of_designs.sql"),
    include_str!("../../../src/sqlite/0003_keys.sql"),
    include_str!("../../../src/sqlite/0004_health.sql"),
    include_str!("../../../src/sqlite/0005_deliver.sql"),
    "INSERT INTO deliveries (name, tenant, design, job, status, parameters, received_at, aside, settled_at)
         VALUES ('performance_simulation_job_completed', 'tenant-demo', 'd', 'old', 'failed', '[]',
                 unixepoch() * 1000000, 0, unixepoch() * 1000000);
     INSERT INTO events (delivery, tenant, name, status, design)
         VALUES (1, 'tenant-demo', 'performance_simulation_job_completed', 'failed', 'd');
     PRAGMA application_id = 0x48454c49;
     PRAGMA user_version = 5;",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_an_indexed_id_of_a_large_store_ends_in_a_refusal_and_in_no_loop() {
    let mut disk = Disk::start().await;
    disk.gateway.stop();
    let db = Db::open(&disk.store()).unwrap();
    let journal = SqliteJournal::open(db.clone(), Clock::system()).await.unwrap();
    for (design, job) in [(77, 1), (78, 2)] {
        let delivery = delivery(Some(TENANT), design, job);
        journal
            .append(heliograph::domain::Delivery { received_at: Clock::system().now(), ..delivery })
            .await
            .unwrap();
    }
    db.write(|it| it.execute_batch(DESIGNS)).await.unwrap();
    db.close().await;
    flip(&disk.store(), &format!("{TENANT}design-77"));

    let said = disk.gateway.refuses();
    assert!(said.contains("an index does not know the delivery"), "it passed it over: {said}");
    assert!(said.contains("the database is damaged"), "and ended when the check had found why: {said}");
    for _ in 0..2 {
        let said = disk.gateway.refuses();
        assert!(said.contains("is damaged") && said.contains("store salvage"), "{said}");
        assert!(!said.contains("an index does not know"), "nothing is served any more: {said}");
    }

    salvaged_goes_on(&mut disk).await;
    disk.announces_exactly(&["job-2".to_owned()]).await;
    disk.eventually("it is counted", async || disk.metric("heliograph_store_unreadable_rows").await == 1.0)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_salvaged_of_a_store_of_an_older_version_is_served() {
    let mut disk = Disk::start().await;
    disk.gateway.stop();
    for ending in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(disk.beside(ending));
    }
    let old = Connection::open(disk.store()).unwrap();
    OLD.iter().for_each(|it| old.execute_batch(it).unwrap());
    drop(old);
    salvaged_goes_on(&mut disk).await;
    disk.announces_exactly(&["old".to_owned()]).await;
}

/// One bit of the last letter, where the table itself holds the row.
fn flip(store: &Path, text: &str) {
    const LEAF_OF_A_TABLE: u8 = 13;
    let mut bytes = fs::read(store).unwrap();
    let find = |page: &[u8]| page.windows(text.len()).position(|it| it == text.as_bytes());
    let pages = bytes.chunks_mut(4096).filter(|page| page[0] == LEAF_OF_A_TABLE);
    let (page, at) = pages.filter_map(|page| find(page).map(|at| (page, at))).next().unwrap();
    page[at + text.len() - 1] ^= 1;
    fs::write(store, bytes).unwrap();
}

/// As docs/disk-trouble.md has it.
async fn salvaged_goes_on(disk: &mut Disk) {
    let new = disk.place().join("salvaged.db");
    let mut command = disk.gateway.command();
    let done = command
        .args(["store", "salvage", "--from"])
        .arg(disk.store())
        .arg("--to")
        .arg(&new)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && !said.contains("not all of it"), "{done:?}");
    for ending in ["-wal", "-shm", ".damaged"] {
        let _ = fs::remove_file(disk.beside(ending));
    }
    fs::rename(new, disk.store()).unwrap();
    disk.start_again();
    disk.becomes_ready().await;
}
