//! Completions that were found, since their deliveries never came.

use super::*;
use crate::{
    domain::{DesignKey, event::Source, event::Switch},
    journal::{Compared, Sighting},
};

fn sighting(design: &str, summary: u8, clock: &Clock) -> Sighting {
    Sighting {
        design: DesignKey { tenant: tenant("acme"), design: DesignId::parse(design).unwrap() },
        project: ProjectId::parse("p").unwrap(),
        summary: Fingerprint([summary; 32]),
        complete: true,
        made_at: Some(clock.now()),
        at: clock.now(),
    }
}

async fn missed(journal: &impl Journal, seen: Sighting) -> bool {
    matches!(journal.compare(seen).await.unwrap(), Compared::Missed(_))
}

/// Announces whatever waits, each re-read as this summary.
async fn announce_all(journal: &impl Journal, outcome: Outcome) -> Vec<Source> {
    let mut sources = Vec::new();
    for waiting in journal.waiting(Seq(0), 99).await.unwrap() {
        if let Announced::Event(event) = journal.announce(waiting.seq, outcome.clone()).await.unwrap() {
            sources.push(event.delivery.source);
        }
    }
    sources
}

pub(in crate::journal) async fn a_missed_completion_is_found_once<K: Keeper>() {
    let (keeper, clock) = (K::new(), clock());
    let journal = keeper.open(&clock).await;
    journal.watch(&tenant("acme")).await.unwrap();
    let incomplete = Sighting { complete: false, ..sighting("d", 1, &clock) };
    assert!(!missed(&journal, incomplete).await, "it is not complete");
    assert!(missed(&journal, sighting("d", 2, &clock)).await);
    assert!(!missed(&journal, sighting("d", 2, &clock)).await, "it waits already");
    drop(journal);

    let journal = keeper.open(&clock).await;
    assert_eq!(announce_all(&journal, reread(2)).await, [Source::Reconciled]);
    assert!(!missed(&journal, sighting("d", 2, &clock)).await, "everybody was told");
    assert!(missed(&journal, sighting("d", 3, &clock)).await, "another simulation was missed");
    assert_eq!(announce_all(&journal, reread(3)).await, [Source::Reconciled]);
    let slice = events(&journal, "acme", None).await.unwrap();
    assert!(slice.events.iter().all(|event| event.delivery.source == Source::Reconciled));
    let health = journal.health(vec![tenant("acme")]).await.unwrap();
    assert_eq!((health[0].events[0].announced, health[0].events[0].reconciled), (2, 2));
    assert_eq!(health[0].events[0].received_at, None, "Aurora delivered nothing");
}

pub(in crate::journal) async fn a_delivery_that_comes_late_is_a_repeat_of_what_was_found<K: Keeper>() {
    let (keeper, clock) = (K::new(), clock());
    let journal = keeper.open(&clock).await;
    journal.watch(&tenant("acme")).await.unwrap();
    assert!(missed(&journal, sighting("d", 1, &clock)).await);
    // It comes while what was found still waits.
    appended(&journal, at(completion("acme", "d", Some("late")), &clock)).await;
    assert_eq!(announce_all(&journal, reread(1)).await, [Source::Reconciled]);
    // What is simulated again is news, whatever it says.
    appended(&journal, at(completion("acme", "d", Some("another")), &clock)).await;
    assert_eq!(announce_all(&journal, reread(1)).await, [Source::Webhook]);

    assert!(missed(&journal, sighting("d", 2, &clock)).await);
    assert_eq!(announce_all(&journal, reread(2)).await, [Source::Reconciled]);
    clock.advance(2 * DAY);
    appended(&journal, at(completion("acme", "d", Some("too late to be that")), &clock)).await;
    assert_eq!(announce_all(&journal, reread(2)).await, [Source::Webhook]);

    // A delivery that is there already leaves nothing to be found.
    appended(&journal, at(completion("acme", "e", Some("j")), &clock)).await;
    assert!(!missed(&journal, sighting("e", 7, &clock)).await);
}

pub(in crate::journal) async fn what_was_complete_before_is_nobodys_news<K: Keeper>() {
    let (keeper, clock) = (K::new(), clock());
    let journal = keeper.open(&clock).await;
    let old = clock.now();
    clock.advance(DAY);
    journal.watch(&tenant("acme")).await.unwrap();
    clock.advance(DAY);
    for made_at in [Some(old), None] {
        let seen = Sighting { made_at, ..sighting("old", 1, &clock) };
        assert!(!missed(&journal, seen).await);
    }
    let changed = Sighting { made_at: Some(old), ..sighting("old", 2, &clock) };
    assert!(missed(&journal, changed).await, "it changed since it was first seen");
    assert!(missed(&journal, sighting("young", 1, &clock)).await, "it was made since");
    // What was announced of it is forgotten by now, and it is still looked at.
    let made_at = Some(clock.now());
    clock.advance(100 * DAY);
    assert!(!missed(&journal, Sighting { made_at, ..sighting("grown", 1, &clock) }).await);
}

pub(in crate::journal) async fn a_look_completes_what_was_announced_unread<K: Keeper>() {
    let (keeper, clock) = (K::new(), clock());
    let journal = keeper.open(&clock).await;
    journal.watch(&tenant("acme")).await.unwrap();
    appended(&journal, at(completion("acme", "d", Some("j")), &clock)).await;
    assert_eq!(announce_all(&journal, Outcome::default()).await, [Source::Webhook]);
    assert!(!events(&journal, "acme", None).await.unwrap().events[0].summary_read);
    assert!(!missed(&journal, sighting("d", 1, &clock)).await, "people were told to look");
    assert!(missed(&journal, sighting("d", 2, &clock)).await);
    announce_all(&journal, reread(2)).await;
    assert!(events(&journal, "acme", None).await.unwrap().events[1].summary_read);
}

pub(in crate::journal) async fn what_is_switched_off_stays_so_until_it_is_switched_on<K: Keeper>() {
    let (keeper, clock) = (K::new(), clock());
    let journal = keeper.open(&clock).await;
    for _ in 0..2 {
        journal.switch(&tenant("acme"), Switch::Off, clock.now()).await.unwrap();
    }
    drop(journal);
    let journal = keeper.open(&clock).await;
    assert_eq!(journal.switched_off().await.unwrap(), [tenant("acme")]);
    let health = journal.health(vec![tenant("acme"), tenant("other")]).await.unwrap();
    assert_eq!((health[0].switched_off, health[1].switched_off), (Some(clock.now()), None));
    journal.switch(&tenant("acme"), Switch::On, clock.now()).await.unwrap();
    assert!(journal.switched_off().await.unwrap().is_empty());
}

pub(in crate::journal) async fn what_comes_and_goes_is_counted_by_tenant_and_event<K: Keeper>() {
    let (keeper, clock) = (K::new(), clock());
    let journal = keeper.open(&clock).await;
    announced(&journal, at(completion("acme", "d", Some("1")), &clock)).await;
    clock.advance(DAY);
    assert_eq!(appended_at(&journal, completion("acme", "d", Some("1")), &clock).await, Appended::Repeat);
    let waits = clock.now();
    appended(&journal, at(completion("acme", "d", Some("2")), &clock)).await;
    announced(&journal, at(completion("other", "d", Some("1")), &clock)).await;
    clock.advance(DAY);
    let health = journal.health(vec![tenant("acme")]).await.unwrap();
    let [tally] = &health[0].events[..] else { panic!("{health:?}") };
    assert_eq!((tally.received, tally.announced, tally.repeats, tally.waiting), (2, 1, 1, 1));
    assert_eq!((tally.received_at, tally.waiting_since), (Some(waits), Some(waits)));
    assert_eq!(journal.tenants(9).await.unwrap().len(), 2);
    journal.erase(&tenant("acme")).await.unwrap();
    assert_eq!(journal.tenants(9).await.unwrap(), [tenant("other")]);
}

pub(in crate::journal) async fn switching_off_again_is_no_repeat<K: Keeper>() {
    let (keeper, clock) = (K::new(), clock());
    let journal = keeper.open(&clock).await;
    let switched = |status| {
        let pairs = [("tenant_id", "acme"), ("app_id", "app"), ("status", status)];
        at(delivery("app_status_changed", &pairs), &clock)
    };
    for (status, news) in
        [("disabled", true), ("disabled", false), ("enabled", true), ("enabled", false), ("disabled", true)]
    {
        let kept = journal.append(switched(status)).await.unwrap();
        assert_eq!(kept != Appended::Repeat, news, "{status}");
    }
}
