//! What an operator has told again.

use super::*;
use crate::{domain::event::Source, journal::Replay};

#[tokio::test]
async fn what_is_told_again_is_marked_keeps_its_source_and_is_counted_as_announced_only() {
    let file = File::new();
    let (db, clock) = (file.db(), Clock::manual("2026-01-01T00:00:00Z".parse().unwrap()));
    let journal = SqliteJournal::open(db.clone(), clock.clone()).await.unwrap();
    let found = Delivery { source: Source::Reconciled, ..completion("acme", "d", None) };
    let now = clock.now();
    let appended = db.write(move |it| append::keep(it, &found, now)).await.unwrap();
    let Appended::New(seq) = appended else { panic!("not new") };
    let reread = Some(crate::domain::Fingerprint([1; 32]));
    let Announced::Event(first) = journal.announce(seq, Outcome { project: None, reread }).await.unwrap()
    else {
        panic!("it is news")
    };
    assert!(first.summary_read && first.replay_of.is_none());

    let candidates = db.write(move |it| {
        let found = again::candidates(it, &tenant("acme"), Seq(0), 9)?.unwrap();
        again::add(it, &found.events, now)
    });
    candidates.await.unwrap();
    let waiting = journal.waiting(Seq(0), 9).await.unwrap();
    let replay = Replay { of: first.seq, asked_at: now };
    assert_eq!((waiting.len(), waiting[0].replay), (1, Some(replay)));
    assert_eq!(waiting[0].delivery, first.delivery);
    let tally = || async { journal.health(vec![tenant("acme")]).await.unwrap().remove(0).events.remove(0) };
    assert_eq!((tally().await.waiting, tally().await.waiting_since), (1, None));

    // This time the summary could not be read.
    journal.announce(waiting[0].seq, Outcome::default()).await.unwrap();
    let events =
        journal.events(&tenant("acme"), &Filter::default(), Some(first.seq), 9).await.unwrap().events;
    assert_eq!((events[0].replay_of, events[0].summary_read), (Some(first.seq), false));
    assert_eq!(events[0].delivery.source, Source::Reconciled);
    let tally = tally().await;
    assert_eq!((tally.received, tally.announced, tally.reconciled, tally.waiting), (0, 2, 1, 0));
    let afresh = SqliteJournal::open(db, clock).await.unwrap();
    let read = afresh.events(&tenant("acme"), &Filter::default(), Some(first.seq), 9).await.unwrap().events;
    assert_eq!(read, events, "the file says the same as the memory");
}

#[tokio::test]
async fn what_a_row_tells_again_and_since_when_is_held_by_its_sum() {
    let file = File::new();
    let db = file.db();
    let clock = Clock::manual("2026-01-01T00:00:00Z".parse().unwrap());
    let now = clock.now();
    for (other, told) in
        [("replay_at = replay_at", 2), ("replay_of = 7", 1), ("replay_at = 7", 1), ("replay_of = NULL", 1)]
    {
        let journal = SqliteJournal::open(db.clone(), clock.clone()).await.unwrap();
        journal.erase(&tenant("acme")).await.unwrap();
        let Appended::New(seq) = journal.append(completion("acme", "d", Some(other))).await.unwrap() else {
            panic!("not new")
        };
        let Announced::Event(first) = journal.announce(seq, Outcome::default()).await.unwrap() else {
            panic!("it is news")
        };
        db.write(move |it| again::add(it, std::slice::from_ref(&first), now)).await.unwrap();
        let waiting = journal.waiting(Seq(0), 9).await.unwrap();
        journal.announce(waiting[0].seq, Outcome::default()).await.unwrap();
        let damage = format!("UPDATE deliveries SET {other} WHERE replay_of IS NOT NULL");
        db.write(move |it| it.execute(&damage, [])).await.unwrap();
        let afresh = SqliteJournal::open(db.clone(), clock.clone()).await.unwrap();
        let read = afresh.events(&tenant("acme"), &Filter::default(), None, 9).await.unwrap().events;
        assert_eq!(read.len(), told, "{other}");
    }
}
