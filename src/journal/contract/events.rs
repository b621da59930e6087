//! Events: paged, filtered, followed.

use std::collections::HashSet;
use std::sync::Arc;

use super::*;
use crate::{
    domain::{DesignId, Event, EventKind, ProjectId, Seq, viewer::Tenants},
    journal::{Filter, Journal},
};

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

pub(in crate::journal) async fn a_stretch_has_the_events_of_its_tenants_in_one_order<K: Keeper>() {
    let (keeper, clock) = (K::new(), clock());
    let mut journal = keeper.open(&clock).await;
    for (tenant, job) in [("acme", "1"), ("other", "2"), ("third", "3"), ("acme", "4"), ("other", "5")] {
        announced(&journal, completion(tenant, "d", Some(job))).await;
    }
    // From memory, then from the keeper.
    for _ in 0..2 {
        let jobs = async |of: Tenants, after, limit| {
            let stretch = journal.stretch(&of, Seq(after), limit).await.unwrap();
            let own = stretch.events.iter().all(|it| Some(&it.tenant) == it.delivery.tenant.as_ref());
            assert!(own && stretch.gone.is_none());
            stretch
                .events
                .iter()
                .map(|it| it.delivery.job.as_ref().unwrap().to_string())
                .collect::<Vec<_>>()
                .concat()
        };
        let two = Tenants::Only(vec![tenant("other"), tenant("acme")]);
        assert_eq!(jobs(Tenants::All, 0, 9).await, "12345");
        assert_eq!(jobs(Tenants::All, 1, 3).await, "234");
        assert_eq!(jobs(two.clone(), 0, 9).await, "1245");
        assert_eq!(jobs(two, 1, 2).await, "24");
        assert_eq!(jobs(Tenants::Only(vec![tenant("third")]), 3, 9).await, "");
        drop(journal);
        journal = keeper.open(&clock).await;
    }
}
