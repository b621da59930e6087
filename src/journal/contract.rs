//! What every keeper of the journal must do, tested alike.
//!
//! A keeper says how it is opened and opened again; `hold!` then makes one test of each function here.

use std::{collections::HashSet, sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{Announced, Appended, Error, Filter, Journal, Outcome, Slice};
use crate::{
    clock::Clock,
    domain::{Delivery, DesignId, Event, EventKind, Fingerprint, JobId, ProjectId, Seq, TenantId},
};

/// A place where a journal is kept while its process comes and goes.
#[async_trait::async_trait]
pub(in crate::journal) trait Keeper: Send + Sync {
    type Journal: Journal;

    /// A place with nothing in it.
    fn new() -> Self;

    /// The journal in that place. The one opened before has been dropped.
    async fn open(&self, clock: &Clock) -> Self::Journal;
}

macro_rules! hold {
    ($keeper:ty: $($promise:ident)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $promise() {
            $crate::journal::contract::$promise::<$keeper>().await;
        })*
    };
    ($keeper:ty) => {
        $crate::journal::contract::hold! { $keeper:
            deliveries_wait_in_their_order_until_they_are_announced
            everything_is_there_after_opening_again
            a_repeat_is_recognised_within_its_window_and_not_after
            a_repeat_is_recognised_when_its_event_is_long_gone
            of_equal_deliveries_at_once_one_is_new
            a_completion_without_a_job_is_news_only_if_the_summary_changed
            announcing_again_changes_nothing
            an_event_that_waited_comes_behind_those_that_did_not
            a_delivery_without_a_tenant_is_set_aside
            events_come_in_pages_and_to_their_tenant_only
            every_filter_chooses_what_it_says
            a_follower_hears_everything_once_and_in_order
            a_reader_far_behind_misses_nothing
            a_cursor_whose_events_are_gone_says_so_for_its_tenant_only
            a_place_that_was_never_reached_is_refused
            what_still_waits_is_never_pruned
            a_hundred_prunings_keep_the_journal_small
            an_erased_tenant_is_gone_and_no_other
        }
    };
}
pub(in crate::journal) use hold;

pub(in crate::journal) const DONE: &str = "performance_simulation_job_completed";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const ALL: Filter = Filter { kinds: None, design: None, project: None, completions_only: false };

pub(in crate::journal) fn tenant(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

pub(in crate::journal) fn delivery(name: &str, parameters: &[(&str, &str)]) -> Delivery {
    let value = |wanted| parameters.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
    Delivery {
        name: name.to_owned(),
        tenant: value("tenant_id").map(tenant),
        design: value("design_id").map(|it| DesignId::parse(it).unwrap()),
        project: value("project_id").map(|it| ProjectId::parse(it).unwrap()),
        job: value("job_id").map(|it| JobId::parse(it).unwrap()),
        status: value("status").map(str::to_owned),
        parameters: parameters.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        received_at: Timestamp::UNIX_EPOCH,
    }
}

pub(in crate::journal) fn completion(tenant: &str, design: &str, job: Option<&str>) -> Delivery {
    let mut parameters = vec![("tenant_id", tenant), ("design_id", design), ("status", "succeeded")];
    parameters.extend(job.map(|job| ("job_id", job)));
    delivery(DONE, &parameters)
}

pub(in crate::journal) fn event(seq: Seq, delivery: Delivery) -> Event {
    Event { seq, tenant: delivery.tenant.clone().unwrap(), project: delivery.project.clone(), delivery }
}

fn at(delivery: Delivery, clock: &Clock) -> Delivery {
    Delivery { received_at: clock.now(), ..delivery }
}

fn reread(summary: u8) -> Outcome {
    Outcome { project: None, reread: Some(Fingerprint([summary; 32])) }
}

fn clock() -> Clock {
    Clock::manual("2026-01-01T00:00:00.123456Z".parse().unwrap())
}

async fn appended(journal: &impl Journal, delivery: Delivery) -> Seq {
    match journal.append(delivery).await.unwrap() {
        Appended::New(seq) => seq,
        other => panic!("{other:?}"),
    }
}

async fn announced(journal: &impl Journal, delivery: Delivery) -> Arc<Event> {
    let seq = appended(journal, delivery).await;
    match journal.announce(seq, Outcome::default()).await.unwrap() {
        Announced::Event(event) => event,
        other => panic!("{other:?}"),
    }
}

async fn events(journal: &impl Journal, of: &str, after: Option<Seq>) -> Result<Slice, Error> {
    journal.events(&tenant(of), &ALL, after, 10_000).await
}

fn jobs(slice: &Slice) -> Vec<&str> {
    slice.events.iter().filter_map(|event| event.delivery.job.as_ref()).map(JobId::as_str).collect()
}

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

async fn appended_at(journal: &impl Journal, delivery: Delivery, clock: &Clock) -> Appended {
    journal.append(at(delivery, clock)).await.unwrap()
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
        (None, Some(1), false),
        (Some("j1"), Some(1), true),
        (Some("j2"), Some(3), true),
        (None, Some(3), false),
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

pub(in crate::journal) async fn events_come_in_pages_and_to_their_tenant_only<K: Keeper>() {
    let (keeper, clock) = (K::new(), clock());
    let mut journal = keeper.open(&clock).await;
    for job in ["1", "2", "3", "4", "5"] {
        announced(&journal, completion("acme", "d", Some(job))).await;
        announced(&journal, completion("other", "d", Some(job))).await;
    }
    // From memory, then from the keeper.
    for _ in 0..2 {
        let (mut after, mut pages) = (Some(Seq(0)), Vec::new());
        loop {
            let page = journal.events(&tenant("acme"), &ALL, after, 2).await.unwrap();
            assert!(page.events.iter().all(|event| event.tenant == tenant("acme")));
            after = page.events.last().map(|event| event.seq);
            pages.push(jobs(&page).concat());
            if !page.more {
                break;
            }
        }
        assert_eq!(pages, ["12", "34", "5"]);
        drop(journal);
        journal = keeper.open(&clock).await;
    }
}

pub(in crate::journal) async fn every_filter_chooses_what_it_says<K: Keeper>() {
    let (keeper, clock) = (K::new(), clock());
    let journal = keeper.open(&clock).await;
    let names = [DONE, "project_created", "project_changed", "agreement_status_changed", "design_created"];
    let mut known = Vec::new();
    for (at, name) in names.into_iter().cycle().take(60).enumerate() {
        let number = at.to_string();
        let mut said =
            vec![("tenant_id", "acme"), ("n", &number), ("status", ["succeeded", "failed"][at / 5 % 2])];
        said.extend([("design_id", "a"), ("design_id", "b")].get(at / 10 % 3));
        said.extend([("project_id", "p"), ("project_id", "q")].get(at / 20 % 3));
        said.push(("job_id", &number));
        known.push(announced(&journal, delivery(name, &said)).await);
    }
    let kinds = known[..5].iter().map(|event| event.kind()).collect::<Vec<_>>();
    let kinds = (0..33_u8).map(|bits| {
        let chosen = kinds.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1).map(|(_, kind)| *kind);
        (bits < 32).then(|| chosen.collect::<Vec<EventKind>>())
    });
    for kinds in kinds {
        for (design, project) in [("", ""), ("a", ""), ("b", "p"), ("", "q"), ("c", "")] {
            for completions_only in [false, true] {
                let (design, project) = (DesignId::parse(design).ok(), ProjectId::parse(project).ok());
                let filter = Filter { kinds: kinds.clone(), design, project, completions_only };
                let wanted: Vec<_> = known.iter().filter(|event| filter.matches(event)).cloned().collect();
                // From the keeper, and from memory.
                for after in [None, Some(Seq(0))] {
                    let slice = journal.events(&tenant("acme"), &filter, after, 100).await.unwrap();
                    assert_eq!(slice.events, wanted, "{filter:?}");
                }
            }
        }
    }
}

pub(in crate::journal) async fn a_follower_hears_everything_once_and_in_order<K: Keeper>() {
    const COUNT: usize = 300;
    let (keeper, clock) = (K::new(), clock());
    let journal = Arc::new(keeper.open(&clock).await);
    let follower = tokio::spawn({
        let journal = Arc::clone(&journal);
        async move {
            let (mut heads, mut heard) = (journal.heads(), Vec::<Arc<Event>>::new());
            while heard.len() < COUNT {
                heads.changed().await.unwrap();
                let head = heads.borrow_and_update().events;
                let after = heard.last().map_or(Seq(0), |event| event.seq);
                heard.extend(events(&*journal, "acme", Some(after)).await.unwrap().events);
                assert!(heard.last().map_or(Seq(0), |event| event.seq) >= head);
            }
            heard
        }
    });
    let tasks: Vec<_> = (0..COUNT)
        .map(|job| {
            let journal = Arc::clone(&journal);
            tokio::spawn(async move {
                announced(&*journal, completion("acme", "d", Some(&job.to_string()))).await
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let heard = follower.await.unwrap();
    assert!(heard.is_sorted_by(|one, next| one.seq < next.seq));
    assert_eq!(heard.iter().map(|event| event.delivery.job.clone()).collect::<HashSet<_>>().len(), COUNT);
}

pub(in crate::journal) async fn a_reader_far_behind_misses_nothing<K: Keeper>() {
    const COUNT: usize = 1_500;
    let (keeper, clock) = (K::new(), clock());
    let journal = Arc::new(keeper.open(&clock).await);
    let tasks: Vec<_> = (0..COUNT)
        .map(|job| {
            let journal = Arc::clone(&journal);
            tokio::spawn(async move {
                announced(&*journal, completion("acme", "d", Some(&job.to_string()))).await
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let (mut read, mut after) = (0, Some(Seq(0)));
    loop {
        let page = journal.events(&tenant("acme"), &ALL, after, 97).await.unwrap();
        assert!(page.events.first().is_none_or(|first| Some(first.seq) > after));
        read += page.events.len();
        after = page.events.last().map(|event| event.seq);
        if !page.more {
            break;
        }
    }
    assert_eq!(read, COUNT);
}

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
