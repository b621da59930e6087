//! Bits that flip in what a file's indexes hold: a row and an index contradict each other then.

use super::*;

impl File {
    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("heliograph.db")
    }

    /// Changes bits of a text's last letter where a table or an index holds it, as a disk would, while the file is served. The
    /// next commit lets the readers see it.
    async fn flip(&self, db: &Db, holder: &'static str, text: &str, bit: u8) {
        let beside = rusqlite::Connection::open(self.path()).unwrap();
        beside.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        let root: u32 = beside
            .query_row("SELECT rootpage FROM sqlite_schema WHERE name = ?1", [holder], |row| row.get(0))
            .unwrap();
        let root = root as usize;
        let mut bytes = std::fs::read(self.path()).unwrap();
        let page = &mut bytes[(root - 1) * 4096..root * 4096];
        let at = page.windows(text.len()).position(|it| it == text.as_bytes()).unwrap();
        page[at + text.len() - 1] ^= bit;
        std::fs::write(self.path(), bytes).unwrap();
        // The writer trusts what it has in memory, since nobody else writes.
        db.write(|it| it.execute_batch("PRAGMA shrink_memory")).await.unwrap();
    }
}

#[tokio::test]
async fn a_row_that_an_index_does_not_know_any_more_is_passed_over_and_the_rest_goes_on() {
    for text in ["tenant-of-one", "design-of-one"] {
        let file = File::new();
        let db = file.db();
        let journal = SqliteJournal::open(db.clone(), Clock::system()).await.unwrap();
        journal.append(completion("tenant-of-one", "design-of-one", Some("1"))).await.unwrap();
        file.flip(&db, "deliveries", text, 1).await;
        for job in ["2", "3"] {
            journal.append(completion("acme", "d", Some(job))).await.unwrap();
        }
        for _ in 0..2 {
            let waiting = journal.waiting(Seq(0), 9).await.unwrap();
            assert_eq!(waiting.iter().map(|it| it.seq).collect::<Vec<_>>(), [Seq(2), Seq(3)], "{text}");
        }
        assert!(journal.writable(), "{text}: {:?}", journal.trouble());
        // It is met again by whoever reads what waits of its tenant, and costs no write then.
        let commits = db.commits();
        journal.waiting_of(&tenant("tenant-of-one"), Seq(0), 9).await.unwrap();
        assert_eq!((db.commits(), journal.unreadable()), (commits, 1));
        // Nor does a lane stop that holds it.
        assert_eq!(journal.announce(Seq(1), Outcome::default()).await.unwrap(), Announced::Already);
        assert!(matches!(journal.announce(Seq(2), Outcome::default()).await.unwrap(), Announced::Event(_)));
        // Indexes that know it have not let it go.
        let known = "SELECT count(*) FROM deliveries INDEXED BY deliveries_waiting
                     WHERE settled_at IS NULL AND seq = 1";
        assert_eq!(db.read(|it| it.query_row(known, [], |row| row.get::<_, i64>(0))).await.unwrap(), 1);
        drop(journal);
        db.close().await;
        let check = crate::sqlite::is_sound(&file.path()).unwrap();
        assert!(!check, "{text}: the full check finds it");
    }
}

#[tokio::test]
async fn a_write_that_meets_damage_makes_the_next_start_look_at_all_of_the_file() {
    let file = File::new();
    let db = file.db();
    let journal = SqliteJournal::open(db.clone(), Clock::system()).await.unwrap();
    journal.append(completion("acme", "design-of-one", Some("1"))).await.unwrap();
    file.flip(&db, "deliveries", "design-of-one", 1).await;
    assert!(!file.path().with_extension("db.damaged").exists());
    db.write(|it| it.execute("DELETE FROM deliveries", [])).await.unwrap_err();
    assert!(!journal.writable());
    assert!(file.path().with_extension("db.damaged").exists());
}

#[tokio::test]
async fn a_flipped_bit_carries_no_event_to_another_tenant() {
    for (holder, text) in [("events", "tenant-1"), ("events_tenant", "tenant-1")] {
        let file = File::new();
        let db = file.db();
        let journal = SqliteJournal::open(db.clone(), Clock::system()).await.unwrap();
        for tenant in ["tenant-1", "tenant-3"] {
            let Appended::New(seq) = journal.append(completion(tenant, "d", Some("1"))).await.unwrap() else {
                panic!("not new")
            };
            journal.announce(seq, Outcome::default()).await.unwrap();
        }
        drop(journal);
        file.flip(&db, holder, text, b'1' ^ b'3').await;
        journal_reads_only_its_own(db).await;
    }
}

/// Of tenant 3, by each way in which events are read.
async fn journal_reads_only_its_own(db: Db) {
    let journal = SqliteJournal::open(db.clone(), Clock::system()).await.unwrap();
    // A commit, so that nobody reads what is in memory still.
    journal.append(completion("acme", "d", Some("1"))).await.unwrap();
    let (three, own) = (tenant("tenant-3"), [Seq(2)]);
    let seqs = |events: &[Arc<Event>]| events.iter().map(|it| it.seq).collect::<Vec<_>>();
    let slice = journal.events(&three, &Filter::default(), None, 9).await.unwrap();
    assert_eq!(seqs(&slice.events), own);
    let only = journal.stretch(&Tenants::Only(vec![three.clone()]), Seq(0), 9).await.unwrap();
    assert_eq!(seqs(&only.events), own);
    let all = journal.stretch(&Tenants::All, Seq(0), 9).await.unwrap();
    assert!(all.events.iter().all(|it| Some(&it.tenant) == it.delivery.tenant.as_ref()));
    assert_eq!(journal.unreadable(), 1);
    let of = three.clone();
    let page = db.read(move |it| again::page(it, Some(&of), None, 9)).await.unwrap().unwrap();
    assert_eq!(seqs(&page.events), own);
    let found = db.read(move |it| again::candidates(it, &three, Seq(0), 9)).await.unwrap().unwrap();
    assert_eq!(seqs(&found.events), own);
}
