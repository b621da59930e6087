//! What is gone, and what must not be.

use super::*;
use crate::{
    domain::{Seq, viewer::Tenants},
    journal::{Announced, Error, Journal, Outcome},
};

pub(in crate::journal) async fn a_cursor_whose_events_are_gone_says_so_for_its_tenant_only<K: Keeper>() {
    let (keeper, clock) = (K::new(), clock());
    let mut journal = keeper.open(&clock).await;
    let mut old = Vec::new();
    for (tenant, job) in [("acme", "1"), ("acme", "2"), ("other", "3")] {
        old.push(announced(&journal, completion(tenant, "d", Some(job))).await.seq);
    }
    clock.advance(DAY);
    for (tenant, job) in [("other", "4"), ("acme", "5")] {
        old.push(announced(&journal, completion(tenant, "d", Some(job))).await.seq);
    }
    journal.prune(clock.now(), DAY / 2).await.unwrap();
    for _ in 0..2 {
        let expired = events(&journal, "acme", Some(old[0])).await.unwrap_err();
        assert!(matches!(expired, Error::Expired { oldest } if oldest == Some(old[4])), "{expired:?}");
        let expired = events(&journal, "other", Some(old[1])).await.unwrap_err();
        assert!(matches!(expired, Error::Expired { oldest } if oldest == Some(old[3])), "{expired:?}");
        // The last of its own events that are gone is one it has seen; those of others are none of its business.
        assert_eq!(jobs(&events(&journal, "acme", Some(old[1])).await.unwrap()), ["5"]);
        assert_eq!(jobs(&events(&journal, "other", Some(old[2])).await.unwrap()), ["4"]);
        assert_eq!(jobs(&events(&journal, "acme", None).await.unwrap()), ["5"]);
        assert!(events(&journal, "third", Some(Seq(0))).await.unwrap().events.is_empty());
        drop(journal);
        journal = keeper.open(&clock).await;
    }
    clock.advance(DAY);
    journal.prune(clock.now(), DAY / 2).await.unwrap();
    let expired = events(&journal, "acme", Some(old[1])).await.unwrap_err();
    assert!(matches!(expired, Error::Expired { oldest: None }));
}

pub(in crate::journal) async fn a_place_that_was_never_reached_is_refused<K: Keeper>() {
    let (keeper, clock) = (K::new(), clock());
    let journal = keeper.open(&clock).await;
    let head = announced(&journal, completion("acme", "d", Some("1"))).await.seq;
    assert!(events(&journal, "acme", Some(head)).await.unwrap().events.is_empty());
    let refused = events(&journal, "acme", Some(Seq(head.0 + 1))).await;
    assert!(matches!(refused, Err(Error::Expired { oldest }) if oldest == Some(head)));
    assert!(matches!(events(&journal, "acme", Some(Seq(u64::MAX))).await, Err(Error::Expired { .. })));
}

pub(in crate::journal) async fn what_still_waits_is_never_pruned<K: Keeper>() {
    let (keeper, clock) = (K::new(), clock());
    let journal = keeper.open(&clock).await;
    let seq = appended(&journal, at(completion("acme", "d", Some("1")), &clock)).await;
    clock.advance(30 * DAY);
    assert_eq!(journal.prune(clock.now(), DAY).await.unwrap().deliveries, 0);
    assert!(matches!(journal.announce(seq, Outcome::default()).await.unwrap(), Announced::Event(_)));
    // Its retention begins when it is announced.
    clock.advance(DAY / 2);
    assert_eq!(journal.prune(clock.now(), DAY).await.unwrap().events, 0);
    clock.advance(DAY);
    assert_eq!(journal.prune(clock.now(), DAY).await.unwrap().events, 1);
}

pub(in crate::journal) async fn a_hundred_prunings_keep_the_journal_small<K: Keeper>() {
    let (keeper, clock) = (K::new(), clock());
    let journal = keeper.open(&clock).await;
    let (mut kept, mut last) = (0, Seq(0));
    for day in 0..100 {
        let deliveries = (0..20).map(|job| {
            let job = format!("{day}.{job}");
            announced(&journal, at(completion("acme", "d", Some(&job)), &clock))
        });
        let seqs = futures_util::future::join_all(deliveries.collect::<Vec<_>>()).await;
        let lowest = seqs.iter().map(|event| event.seq).min().unwrap();
        assert!(lowest > last, "a place was used again");
        last = seqs.iter().map(|event| event.seq).max().unwrap();
        kept += seqs.len() as u64;
        clock.advance(DAY);
        let pruned = journal.prune(clock.now(), 3 * DAY).await.unwrap();
        kept -= pruned.events;
        assert!(kept <= 60, "{kept} on day {day}");
    }
    assert_eq!(events(&journal, "acme", None).await.unwrap().events.len() as u64, kept);
}

pub(in crate::journal) async fn an_erased_tenant_is_gone_and_no_other<K: Keeper>() {
    let (keeper, clock) = (K::new(), clock());
    let journal = keeper.open(&clock).await;
    for name in ["acme", "other"] {
        announced(&journal, completion(name, "d", Some("1"))).await;
        appended(&journal, completion(name, "d", None)).await;
    }
    journal.erase(&tenant("acme")).await.unwrap();
    assert!(events(&journal, "acme", None).await.unwrap().events.is_empty());
    assert!(matches!(events(&journal, "acme", Some(Seq(0))).await, Err(Error::Expired { oldest: None })));
    assert_eq!(jobs(&events(&journal, "other", Some(Seq(0))).await.unwrap()), ["1"]);
    let waiting = journal.waiting(Seq(0), 9).await.unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].delivery.tenant, Some(tenant("other")));
    assert!(journal.writable());
}

pub(in crate::journal) async fn a_completion_is_forgotten_long_after_aurora_repeats_it<K: Keeper>() {
    let (keeper, clock) = (K::new(), clock());
    let journal = keeper.open(&clock).await;
    let done = || at(completion("acme", "d", None), &clock);
    let news = async |delivery| {
        let seq = appended(&journal, delivery).await;
        journal.announce(seq, reread(1)).await.unwrap() != Announced::Repeat
    };
    assert!(news(done()).await);
    clock.advance(30 * DAY);
    assert_eq!(journal.prune(clock.now(), DAY).await.unwrap().completions, 0);
    assert!(!news(done()).await);
    clock.advance(61 * DAY);
    assert_eq!(journal.prune(clock.now(), DAY).await.unwrap().completions, 1);
    assert!(news(done()).await);
}

pub(in crate::journal) async fn a_stretch_says_what_is_gone_of_its_tenants_only<K: Keeper>() {
    let (keeper, clock) = (K::new(), clock());
    let mut journal = keeper.open(&clock).await;
    let first = announced(&journal, completion("acme", "d", Some("1"))).await.seq;
    clock.advance(DAY);
    let last = announced(&journal, completion("other", "d", Some("2"))).await.seq;
    journal.prune(clock.now(), DAY / 2).await.unwrap();
    for _ in 0..2 {
        let gone = async |of: Tenants, after| {
            let stretch = journal.stretch(&of, after, 9).await.unwrap();
            (stretch.gone.is_some(), stretch.events.len())
        };
        let only = |name| Tenants::Only(vec![tenant(name)]);
        assert_eq!(gone(Tenants::All, Seq(0)).await, (true, 1));
        assert_eq!(gone(Tenants::All, first).await, (false, 1));
        assert_eq!(gone(only("acme"), Seq(0)).await, (true, 0));
        assert_eq!(gone(only("other"), Seq(0)).await, (false, 1));
        assert_eq!(gone(Tenants::All, last).await, (false, 0));
        drop(journal);
        journal = keeper.open(&clock).await;
    }
}

pub(in crate::journal) async fn what_is_gone_of_one_tenant_is_told_once_to_who_reads_on_page_by_page<
    K: Keeper,
>() {
    let (keeper, clock) = (K::new(), clock());
    let mut journal = keeper.open(&clock).await;
    let mut places = Vec::new();
    for (job, of) in ["other", "gone", "other", "other", "gone", "other", "other"].into_iter().enumerate() {
        places.push(announced(&journal, completion(of, "d", Some(&job.to_string()))).await.seq);
    }
    journal.erase(&tenant("gone")).await.unwrap();
    let both = Tenants::Only(vec![tenant("other"), tenant("gone")]);
    for _ in 0..2 {
        for of in [both.clone(), Tenants::All] {
            let (mut after, mut told) = (Seq(0), Vec::new());
            loop {
                let page = journal.stretch(&of, after, 2).await.unwrap();
                let Some(last) = page.events.last() else { break };
                told.extend(page.gone.map(|gone| (after, gone)));
                after = last.seq;
            }
            // With the page that reaches beyond it, and not with the one before it.
            assert_eq!(told, [(places[2], places[4])], "{of:?}");
        }
        // Whoever had read it misses nothing.
        assert_eq!(journal.stretch(&both, places[4], 9).await.unwrap().gone, None);
        drop(journal);
        journal = keeper.open(&clock).await;
    }
}
