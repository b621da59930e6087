//! Deliveries: kept, recognised, announced.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::{
    domain::{ProjectId, Seq},
    journal::{Announced, Appended, Journal, Outcome},
};

pub(in crate::journal) async fn deliveries_wait_in_their_order_until_they_are_announced<K: Keeper>() {
    let (keeper, clock) = (K::new(), clock());
    let journal = keeper.open(&clock).await;
    let mut seqs = Vec::new();
    for job in ["1", "2", "3"] {
        seqs.push(appended(&journal, completion("acme", "d", Some(job))).await);
    }
    assert!(seqs.is_sorted());
    let waiting = |after| journal.waiting(after, 2);
    let found: Vec<_> = waiting(Seq(0)).await.unwrap().into_iter().map(|it| it.seq).collect();
    assert_eq!(found, seqs[..2]);
    journal.announce(seqs[0], Outcome::default()).await.unwrap();
    let found: Vec<_> = waiting(Seq(0)).await.unwrap().into_iter().map(|it| it.seq).collect();
    assert_eq!(found, seqs[1..]);
    assert_eq!(waiting(seqs[1]).await.unwrap().len(), 1);
}

pub(in crate::journal) async fn everything_is_there_after_opening_again<K: Keeper>() {
    let (keeper, clock) = (K::new(), clock());
    let journal = keeper.open(&clock).await;
    let odd = [("tenant_id", "acme"), ("project_id", "p \"é\""), ("x", ""), ("y", "\u{1f31e} '; --")];
    let odd = at(delivery("project_changed", &odd), &clock);
    let event = announced(&journal, odd.clone()).await;
    assert_eq!(event.delivery, odd);
    let waiting = at(completion("acme", "d", None), &clock);
    let seq = appended(&journal, waiting.clone()).await;
    let heads = *journal.heads().borrow();
    drop(journal);

    let journal = keeper.open(&clock).await;
    assert_eq!(*journal.heads().borrow(), heads);
    assert_eq!(events(&journal, "acme", None).await.unwrap().events, [event]);
    let found = journal.waiting(Seq(0), 9).await.unwrap();
    assert_eq!((found.len(), found[0].seq, &found[0].delivery), (1, seq, &waiting));
    assert!(appended(&journal, completion("acme", "d", None)).await > seq);
}

pub(in crate::journal) async fn a_repeat_is_recognised_within_its_window_and_not_after<K: Keeper>() {
    let (keeper, clock) = (K::new(), clock());
    let journal = keeper.open(&clock).await;
    assert!(matches!(
        appended_at(&journal, completion("acme", "d", Some("j")), &clock).await,
        Appended::New(_)
    ));
    clock.advance(DAY);
    assert_eq!(appended_at(&journal, completion("acme", "d", Some("j")), &clock).await, Appended::Repeat);
    assert!(matches!(
        appended_at(&journal, completion("other", "d", Some("j")), &clock).await,
        Appended::New(_)
    ));
    drop(journal);

    let journal = keeper.open(&clock).await;
    clock.advance(DAY - Duration::from_secs(1));
    assert_eq!(appended_at(&journal, completion("acme", "d", Some("j")), &clock).await, Appended::Repeat);
    clock.advance(Duration::from_secs(1));
    assert!(matches!(
        appended_at(&journal, completion("acme", "d", Some("j")), &clock).await,
        Appended::New(_)
    ));
    assert_eq!(appended_at(&journal, completion("acme", "d", Some("j")), &clock).await, Appended::Repeat);
}

pub(in crate::journal) async fn a_repeat_is_recognised_when_its_event_is_long_gone<K: Keeper>() {
    let (keeper, clock) = (K::new(), clock());
    let journal = keeper.open(&clock).await;
    announced(&journal, at(completion("acme", "d", Some("j")), &clock)).await;
    clock.advance(DAY);
    let pruned = journal.prune(clock.now(), Duration::from_secs(60)).await.unwrap();
    assert_eq!((pruned.events, pruned.deliveries, pruned.repeats), (1, 1, 0));
    assert_eq!(appended_at(&journal, completion("acme", "d", Some("j")), &clock).await, Appended::Repeat);
    clock.advance(DAY);
    assert_eq!(journal.prune(clock.now(), Duration::from_secs(60)).await.unwrap().repeats, 1);
    let late = appended_at(&journal, completion("acme", "d", Some("j")), &clock).await;
    assert!(matches!(late, Appended::New(_)));
}

pub(in crate::journal) async fn of_equal_deliveries_at_once_one_is_new<K: Keeper>() {
    let (keeper, clock) = (K::new(), clock());
    let journal = Arc::new(keeper.open(&clock).await);
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let journal = Arc::clone(&journal);
            tokio::spawn(async move { journal.append(completion("acme", "d", Some("j"))).await.unwrap() })
        })
        .collect();
    let mut new = 0;
    for task in tasks {
        new += u32::from(task.await.unwrap() != Appended::Repeat);
    }
    assert_eq!(new, 1);
}

pub(in crate::journal) async fn a_completion_without_a_job_is_news_only_if_the_summary_changed<K: Keeper>() {
    let (keeper, clock) = (K::new(), clock());
    let journal = keeper.open(&clock).await;
    let steps = [
        (None, Some(1), true),
        (None, Some(1), false),
        (None, Some(2), true),
        (None, Some(1), true),
        (None, None, true),
        (None, None, false),
        (None, Some(1), false),
        (Some("j1"), Some(1), true),
        (Some("j2"), Some(3), true),
        (None, Some(3), false),
        (None, None, false),
        (None, Some(4), true),
        (None, None, true),
        (None, None, false),
        (None, Some(3), true),
    ];
    for (at, (job, summary, news)) in steps.into_iter().enumerate() {
        let seq = appended(&journal, completion("acme", "d", job)).await;
        let outcome = summary.map(reread).unwrap_or_default();
        let announced = journal.announce(seq, outcome).await.unwrap();
        assert_eq!(announced != Announced::Repeat, news, "step {at}");
    }
    drop(journal);

    let journal = keeper.open(&clock).await;
    assert!(journal.waiting(Seq(0), 9).await.unwrap().is_empty());
    for (tenant, design, news) in [("acme", "d", false), ("acme", "d2", true), ("other", "d", true)] {
        let seq = appended(&journal, completion(tenant, design, None)).await;
        let announced = journal.announce(seq, reread(3)).await.unwrap();
        assert_eq!(announced != Announced::Repeat, news, "{tenant} {design}");
    }
}

pub(in crate::journal) async fn announcing_again_changes_nothing<K: Keeper>() {
    let (keeper, clock) = (K::new(), clock());
    let journal = keeper.open(&clock).await;
    let seq = appended(&journal, completion("acme", "d", None)).await;
    let project = ProjectId::parse("p").ok();
    let outcome = Outcome { project: project.clone(), ..reread(1) };
    let Announced::Event(event) = journal.announce(seq, outcome).await.unwrap() else { panic!("no event") };
    assert_eq!(event.project, project);
    for _ in 0..2 {
        assert_eq!(journal.announce(seq, reread(2)).await.unwrap(), Announced::Already);
    }
    assert_eq!(journal.announce(Seq(99), Outcome::default()).await.unwrap(), Announced::Already);
    assert_eq!(events(&journal, "acme", None).await.unwrap().events, [event]);
}

pub(in crate::journal) async fn an_event_that_waited_comes_behind_those_that_did_not<K: Keeper>() {
    let (keeper, clock) = (K::new(), clock());
    let journal = keeper.open(&clock).await;
    let waits = appended(&journal, completion("acme", "d", Some("waited"))).await;
    let first = announced(&journal, completion("acme", "d", Some("did not"))).await;
    journal.announce(waits, Outcome::default()).await.unwrap();
    let after = events(&journal, "acme", Some(first.seq)).await.unwrap();
    assert_eq!(jobs(&after), ["waited"]);
}

pub(in crate::journal) async fn a_delivery_without_a_tenant_is_set_aside<K: Keeper>() {
    let (keeper, clock) = (K::new(), clock());
    let journal = keeper.open(&clock).await;
    let mut seqs = Vec::new();
    for job in ["1", "2", "3"] {
        let lost = delivery(DONE, &[("design_id", "d"), ("job_id", job), ("status", "succeeded")]);
        let Appended::Aside(seq) = journal.append(lost.clone()).await.unwrap() else { panic!("not aside") };
        assert_eq!(journal.append(lost).await.unwrap(), Appended::Repeat);
        seqs.push(seq);
    }
    assert!(journal.waiting(Seq(0), 9).await.unwrap().is_empty());
    assert_eq!(journal.announce(seqs[0], Outcome::default()).await.unwrap(), Announced::Already);
    let aside = journal.aside(2).await.unwrap();
    let newest: Vec<_> = aside.newest.iter().map(|it| it.seq).collect();
    assert_eq!((aside.total, newest), (3, vec![seqs[2], seqs[1]]));
    clock.advance(2 * DAY);
    journal.prune(clock.now(), DAY).await.unwrap();
    assert_eq!(journal.aside(2).await.unwrap().total, 0);
}

pub(in crate::journal) async fn a_tenants_deliveries_are_found_without_those_of_others<K: Keeper>() {
    let (keeper, clock) = (K::new(), clock());
    let journal = keeper.open(&clock).await;
    let mut its = Vec::new();
    for (name, job) in [("acme", "1"), ("other", "2"), ("acme", "3"), ("acme", "4")] {
        let seq = appended(&journal, completion(name, "d", Some(job))).await;
        its.extend((name == "acme").then_some(seq));
    }
    let seqs = |found: Vec<crate::journal::Waiting>| found.iter().map(|it| it.seq).collect::<Vec<_>>();
    assert_eq!(seqs(journal.waiting_of(&tenant("acme"), Seq(0), 2).await.unwrap()), its[..2]);
    assert_eq!(seqs(journal.waiting_of(&tenant("acme"), its[1], 2).await.unwrap()), its[2..]);
    journal.announce(its[2], Outcome::default()).await.unwrap();
    assert!(journal.waiting_of(&tenant("acme"), its[1], 2).await.unwrap().is_empty());
}

pub(in crate::journal) async fn what_comes_behind_no_completion_of_its_design_is_found_apart<K: Keeper>() {
    let (keeper, clock) = (K::new(), clock());
    let journal = keeper.open(&clock).await;
    appended(&journal, completion("acme", "d", Some("1"))).await;
    let plain = |pairs: &[(&str, &str)]| delivery("plain", pairs);
    appended(&journal, plain(&[("tenant_id", "acme"), ("design_id", "d")])).await;
    let free = [
        appended(&journal, plain(&[("tenant_id", "acme"), ("design_id", "e")])).await,
        appended(&journal, plain(&[("tenant_id", "acme"), ("project_id", "p")])).await,
        appended(&journal, plain(&[("tenant_id", "acme")])).await,
    ];
    appended(&journal, plain(&[("tenant_id", "other")])).await;
    let found = journal.waiting_apart(&tenant("acme"), Seq(0), 9).await.unwrap();
    assert_eq!(found.iter().map(|it| it.seq).collect::<Vec<_>>(), free);
    let behind = journal.waiting_apart(&tenant("acme"), free[0], 1).await.unwrap();
    assert_eq!(behind.iter().map(|it| it.seq).collect::<Vec<_>>(), [free[1]]);
}

pub(in crate::journal) async fn what_would_overtake_its_project_is_not_found_apart<K: Keeper>() {
    let (keeper, clock) = (K::new(), clock());
    let journal = keeper.open(&clock).await;
    let of = |name: &str, pairs: &[(&str, &str)]| {
        let all = [("tenant_id", "acme"), ("status", "succeeded")].into_iter().chain(pairs.iter().copied());
        delivery(name, &all.collect::<Vec<_>>())
    };
    let seqs = |found: Vec<crate::journal::Waiting>| found.iter().map(|it| it.seq).collect::<Vec<_>>();
    let first = appended(&journal, of(DONE, &[("design_id", "d"), ("project_id", "p")])).await;
    let held_up = [
        appended(&journal, of("1", &[("project_id", "p")])).await,
        appended(&journal, of("2", &[("design_id", "e"), ("project_id", "p")])).await,
    ];
    let free = [
        appended(&journal, of("3", &[("project_id", "q")])).await,
        appended(&journal, of("4", &[("project_id", "q")])).await,
        appended(&journal, of("5", &[("design_id", "e2"), ("project_id", "q")])).await,
    ];
    let behind = appended(&journal, of("6", &[("project_id", "q")])).await;
    let mut others = of(DONE, &[("design_id", "d"), ("project_id", "q")]);
    others.tenant = Some(tenant("other"));
    appended(&journal, others).await;
    assert_eq!(seqs(journal.waiting_apart(&tenant("acme"), Seq(0), 9).await.unwrap()), free);

    for seq in [first, free[2]] {
        journal.announce(seq, Outcome::default()).await.unwrap();
    }
    let now_free = [held_up[0], held_up[1], free[0], free[1], behind];
    assert_eq!(seqs(journal.waiting_apart(&tenant("acme"), Seq(0), 9).await.unwrap()), now_free);
}
