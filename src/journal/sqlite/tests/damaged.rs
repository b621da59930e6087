//! Rows that are not what was written.

use super::*;

#[tokio::test]
async fn a_row_that_cannot_be_read_holds_up_nothing_and_is_counted() {
    let file = File::new();
    let db = file.db();
    let journal = SqliteJournal::open(db.clone(), Clock::system()).await.unwrap();
    for job in ["1", "2", "3"] {
        journal.append(completion("acme", "d", Some(job))).await.unwrap();
    }
    db.write(|it| it.execute("UPDATE deliveries SET parameters = 'no JSON' WHERE job < '3'", []))
        .await
        .unwrap();
    for _ in 0..2 {
        let waiting = journal.waiting(Seq(0), 1).await.unwrap();
        assert_eq!(waiting[0].delivery.job.as_ref().unwrap().as_str(), "3");
    }
    assert_eq!(journal.unreadable(), 2);
    // It is known after a restart, without being met again, until it is thrown away as anything else.
    let clock = Clock::manual(Clock::system().now());
    let afresh = SqliteJournal::open(db, clock.clone()).await.unwrap();
    assert_eq!(afresh.unreadable(), 2);
    clock.advance(Duration::from_secs(60));
    afresh.prune(clock.now(), Duration::ZERO).await.unwrap();
    assert_eq!(afresh.unreadable(), 0);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_hides_no_completion_and_holds_nothing_of_its_design_up() {
    let file = File::new();
    let db = file.db();
    let journal = SqliteJournal::open(db.clone(), Clock::system()).await.unwrap();
    journal.append(completion("acme", "d", Some("1"))).await.unwrap();
    let asset = [("tenant_id", "acme"), ("design_id", "d"), ("asset_id", "1")];
    journal.append(delivery("asset_created", &asset)).await.unwrap();
    let sighting = || Sighting {
        design: crate::domain::DesignKey {
            tenant: tenant("acme"),
            design: crate::domain::DesignId::parse("d").unwrap(),
        },
        project: crate::domain::ProjectId::parse("p").unwrap(),
        summary: crate::domain::Fingerprint([1; 32]),
        complete: true,
        made_at: Some(Clock::system().now()),
        at: Clock::system().now(),
    };
    let apart = async || journal.waiting_apart(&tenant("acme"), Seq(0), 9).await.unwrap();
    assert_eq!((apart().await.len(), journal.compare(sighting()).await.unwrap()), (0, Compared::Known));
    db.write(|it| it.execute("UPDATE deliveries SET job = '2' WHERE seq = 1", [])).await.unwrap();
    assert_eq!(journal.waiting(Seq(0), 9).await.unwrap().len(), 1);
    assert_eq!(apart().await[0].seq, Seq(2));
    assert!(matches!(journal.compare(sighting()).await.unwrap(), Compared::Missed(_)));
}

#[tokio::test]
async fn a_row_that_is_damaged_while_it_is_held_does_not_stop_its_lane() {
    let file = File::new();
    let db = file.db();
    let journal = SqliteJournal::open(db.clone(), Clock::system()).await.unwrap();
    let Appended::New(seq) = journal.append(completion("acme", "d", Some("1"))).await.unwrap() else {
        panic!("not new")
    };
    db.write(|it| it.execute("UPDATE deliveries SET job = '2'", [])).await.unwrap();
    assert_eq!(journal.announce(seq, Outcome::default()).await.unwrap(), Announced::Already);
    assert_eq!((journal.unreadable(), journal.waiting(Seq(0), 9).await.unwrap().len()), (1, 0));
}

#[tokio::test]
async fn what_is_told_again_leaves_out_what_cannot_be_read_and_says_so() {
    let file = File::new();
    let db = file.db();
    let journal = SqliteJournal::open(db.clone(), Clock::system()).await.unwrap();
    for job in ["1", "2", "3"] {
        let Appended::New(seq) = journal.append(completion("acme", "d", Some(job))).await.unwrap() else {
            panic!("not new")
        };
        journal.announce(seq, Outcome::default()).await.unwrap();
    }
    db.write(|it| it.execute("UPDATE deliveries SET name = name || 'x' WHERE job = '2'", [])).await.unwrap();
    let found = db.read(|it| again::candidates(it, &tenant("acme"), Seq(0), 2)).await.unwrap().unwrap();
    assert_eq!((found.again.total(), found.again.unreadable), (2, 1));
}

#[tokio::test]
async fn an_event_that_a_disk_has_changed_is_passed_over_and_counted() {
    let file = File::new();
    let db = file.db();
    let journal = SqliteJournal::open(db.clone(), Clock::system()).await.unwrap();
    for job in ["1", "2", "3", "4"] {
        let Appended::New(seq) = journal.append(completion("acme", "d", Some(job))).await.unwrap() else {
            panic!("not new")
        };
        journal.announce(seq, Outcome::default()).await.unwrap();
    }
    for damage in [
        "UPDATE deliveries SET name = name || 'x' WHERE job = '1'",
        "UPDATE events SET project = 'p' WHERE seq = 3",
    ] {
        db.write(|it| it.execute(damage, [])).await.unwrap();
    }
    let read = journal.events(&tenant("acme"), &Filter::default(), None, 1).await.unwrap();
    assert_eq!((read.events[0].seq, read.more), (Seq(2), true));
    let rest = journal.events(&tenant("acme"), &Filter::default(), None, 9).await.unwrap();
    assert_eq!(rest.events.iter().map(|it| it.seq).collect::<Vec<_>>(), [Seq(2), Seq(4)]);
    // Targets go on too, also where no memory holds what was announced.
    let afresh = SqliteJournal::open(db, Clock::system()).await.unwrap();
    let stretch = afresh.stretch(&Tenants::All, Seq(0), 2).await.unwrap();
    assert_eq!(stretch.events.iter().map(|it| it.seq).collect::<Vec<_>>(), [Seq(2), Seq(4)]);
    assert_eq!(afresh.unreadable(), 2);
    assert_eq!(journal.unreadable(), 2);
}

#[tokio::test]
async fn each_column_of_a_row_is_held_by_its_sum() {
    let file = File::new();
    let db = file.db();
    let journal = SqliteJournal::open(db.clone(), Clock::system()).await.unwrap();
    let Appended::New(seq) = journal.append(completion("acme", "d", Some("1"))).await.unwrap() else {
        panic!("not new")
    };
    let reread = Some(crate::domain::Fingerprint([1; 32]));
    journal.announce(seq, Outcome { project: None, reread }).await.unwrap();
    let read = async || {
        let afresh = SqliteJournal::open(db.clone(), Clock::system()).await.unwrap();
        afresh.events(&tenant("acme"), &Filter::default(), None, 9).await.unwrap().events.len()
    };
    for (table, column, other) in [
        ("deliveries", "source", "1"),
        ("deliveries", "received_at", "7"),
        ("deliveries", "job", "'2'"),
        ("events", "summary_read", "0"),
        ("events", "project", "'p'"),
    ] {
        assert_eq!(read().await, 1, "before {column}");
        let (set, back) = (
            format!(
                "CREATE TEMP TABLE was AS SELECT {column} AS it FROM {table}; UPDATE {table} SET {column} = {other}"
            ),
            format!("UPDATE {table} SET {column} = (SELECT it FROM was); DROP TABLE was"),
        );
        db.write(move |it| it.execute_batch(&set)).await.unwrap();
        assert_eq!(read().await, 0, "{table}.{column} is not what was written");
        db.write(move |it| it.execute_batch(&back)).await.unwrap();
    }
}

#[tokio::test]
async fn a_set_aside_row_that_cannot_be_read_keeps_none_behind_it_from_its_tenant() {
    let file = File::new();
    let db = file.db();
    let store = crate::store::Store::new(db.clone());
    let journal = SqliteJournal::open(db.clone(), Clock::system()).await.unwrap();
    for asset in ["1", "2"] {
        journal.append(delivery("asset_created", &[("design_id", "d"), ("asset_id", asset)])).await.unwrap();
    }
    db.write(|it| it.execute("UPDATE deliveries SET name = 'x' WHERE seq = 1", [])).await.unwrap();
    let design = crate::domain::DesignId::parse("d").unwrap();
    let project = crate::domain::ProjectId::parse("p").unwrap();
    store.remember_designs(&tenant("acme"), vec![(design, project)]).await.unwrap();
    let aside = journal.aside(9).await.unwrap();
    assert_eq!((aside.total, aside.newest.len(), aside.newest[0].seq), (2, 1, Seq(2)));
    assert_eq!(journal.aside(9).await.unwrap().total, 1, "nobody will ever know whose it is");
    assert_eq!(journal.claim().await.unwrap(), 1);
    // It has another tenant now, and the sum of that.
    let waiting = journal.waiting(Seq(0), 9).await.unwrap();
    assert_eq!(waiting[0].delivery.tenant, Some(tenant("acme")));
    assert_eq!(waiting[0].delivery.parameters[1].1, "2");
    assert_eq!((journal.unreadable(), journal.claim().await.unwrap()), (1, 0));
}

/// Work that keeps the writer until it is told to end.
async fn hanging(db: &Db) -> (std::sync::mpsc::Sender<()>, tokio::task::JoinHandle<()>) {
    let (end, may_end) = std::sync::mpsc::channel::<()>();
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let db = db.clone();
    let work = move |_: &rusqlite::Connection| {
        begun.send(()).unwrap();
        let _ = may_end.recv();
        Ok(())
    };
    let hangs = tokio::spawn(async move { db.write(work).await.unwrap() });
    has_begun.await.unwrap();
    (end, hangs)
}

async fn damaged_before_two(db: &Db) -> SqliteJournal {
    let journal = SqliteJournal::open(db.clone(), Clock::system()).await.unwrap();
    for job in ["1", "2", "3"] {
        journal.append(completion("acme", "d", Some(job))).await.unwrap();
    }
    db.write(|it| it.execute("UPDATE deliveries SET job = '7' WHERE seq = 1", [])).await.unwrap();
    journal
}

async fn taken_out(db: &Db) -> Vec<Seq> {
    db.read(|it| crate::journal::sqlite::damaged::taken_out(it, 9)).await.unwrap().into_iter().collect()
}

#[tokio::test]
async fn a_disk_that_hangs_holds_no_reader_up_and_takes_out_what_is_damaged_when_it_is_back() {
    let file = File::new();
    let db = file.db();
    let journal = damaged_before_two(&db).await;
    let (end, hangs) = hanging(&db).await;
    let patience = Duration::from_secs(20);
    for _ in 0..2 {
        let waiting = timeout(patience, journal.waiting(Seq(0), 9)).await.expect("it goes on").unwrap();
        assert_eq!(waiting.len(), 2);
    }
    assert!(taken_out(&db).await.is_empty());
    end.send(()).unwrap();
    hangs.await.unwrap();
    // What is written later is written behind it.
    journal.append(completion("acme", "d", Some("4"))).await.unwrap();
    assert_eq!(taken_out(&db).await, [Seq(1)]);
}

#[tokio::test]
async fn what_the_writer_refused_to_take_out_is_taken_out_by_the_next_who_reads_also_behind_it() {
    let file = File::new();
    let db = file.db();
    let journal = damaged_before_two(&db).await;
    let (end, hangs) = hanging(&db).await;
    let mut behind = Vec::new();
    loop {
        let mut work = Box::pin(db.write(|_| Ok(())));
        match futures_util::poll!(&mut work) {
            std::task::Poll::Pending => behind.push(work),
            std::task::Poll::Ready(refused) => break assert!(refused.is_err()),
        }
    }
    assert_eq!(journal.waiting(Seq(0), 9).await.unwrap().len(), 2);
    end.send(()).unwrap();
    hangs.await.unwrap();
    for work in behind {
        work.await.unwrap();
    }
    assert!(taken_out(&db).await.is_empty());
    assert_eq!(journal.waiting(Seq(2), 9).await.unwrap().len(), 1);
    assert_eq!(taken_out(&db).await, [Seq(1)]);
}

#[tokio::test]
async fn who_is_erased_leaves_no_count_of_what_could_not_be_read() {
    let file = File::new();
    let db = file.db();
    let journal = damaged_before_two(&db).await;
    journal.append(completion("borealis", "d", Some("1"))).await.unwrap();
    db.write(|it| it.execute("UPDATE deliveries SET job = '7' WHERE seq = 4", [])).await.unwrap();
    assert_eq!((journal.waiting(Seq(0), 9).await.unwrap().len(), journal.unreadable()), (2, 2));
    journal.erase(&tenant("acme")).await.unwrap();
    assert_eq!(journal.unreadable(), 1, "that of the other tenant");
}
