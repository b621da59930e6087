//! What every keeper of the journal must do, tested alike.
//!
//! A keeper says how it is opened and opened again; `hold!` then makes one test of each function here.

pub(in crate::journal) mod deliveries;
pub(in crate::journal) mod events;
pub(in crate::journal) mod found;
pub(in crate::journal) mod retention;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{Announced, Appended, Error, Filter, Journal, Outcome, Slice};
use crate::{
    clock::Clock,
    domain::{Delivery, DesignId, Event, Fingerprint, JobId, ProjectId, Seq, TenantId, event::Source},
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
    ($keeper:ty: $($part:ident { $($promise:ident)* })*) => {
        $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $promise() {
            $crate::journal::contract::$part::$promise::<$keeper>().await;
        })*)*
    };
    ($keeper:ty) => {
        $crate::journal::contract::hold! { $keeper:
            deliveries {
                deliveries_wait_in_their_order_until_they_are_announced
                a_tenants_deliveries_are_found_without_those_of_others
                what_comes_behind_no_completion_of_its_design_is_found_apart
                what_would_overtake_its_project_is_not_found_apart
                everything_is_there_after_opening_again
                a_repeat_is_recognised_within_its_window_and_not_after
                a_repeat_is_recognised_when_its_event_is_long_gone
                of_equal_deliveries_at_once_one_is_new
                a_completion_without_a_job_is_news_only_if_the_summary_changed
                announcing_again_changes_nothing
                an_event_that_waited_comes_behind_those_that_did_not
                a_delivery_without_a_tenant_is_set_aside
            }
            events {
                events_come_in_pages_and_to_their_tenant_only
                every_filter_chooses_what_it_says
                a_follower_hears_everything_once_and_in_order
                a_reader_far_behind_misses_nothing
                a_stretch_has_the_events_of_its_tenants_in_one_order
            }
            found {
                a_missed_completion_is_found_once
                a_delivery_that_comes_late_is_a_repeat_of_what_was_found
                what_was_complete_before_is_nobodys_news
                a_look_completes_what_was_announced_unread
                what_is_switched_off_stays_so_until_it_is_switched_on
                what_comes_and_goes_is_counted_by_tenant_and_event
                switching_off_again_is_no_repeat
            }
            retention {
                a_cursor_whose_events_are_gone_says_so_for_its_tenant_only
                a_place_that_was_never_reached_is_refused
                what_still_waits_is_never_pruned
                a_completion_is_forgotten_long_after_aurora_repeats_it
                a_hundred_prunings_keep_the_journal_small
                an_erased_tenant_is_gone_and_no_other
                a_stretch_says_what_is_gone_of_its_tenants_only
                what_is_gone_of_one_tenant_is_told_once_to_who_reads_on_page_by_page
            }
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
        source: Source::Webhook,
    }
}

pub(in crate::journal) fn completion(tenant: &str, design: &str, job: Option<&str>) -> Delivery {
    let mut parameters = vec![("tenant_id", tenant), ("design_id", design), ("status", "succeeded")];
    parameters.extend(job.map(|job| ("job_id", job)));
    delivery(DONE, &parameters)
}

pub(in crate::journal) fn event(seq: Seq, delivery: Delivery) -> Event {
    let (tenant, project) = (delivery.tenant.clone().unwrap(), delivery.project.clone());
    Event { seq, tenant, project, delivery, summary_read: false, replay_of: None }
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

async fn appended_at(journal: &impl Journal, delivery: Delivery, clock: &Clock) -> Appended {
    journal.append(at(delivery, clock)).await.unwrap()
}
