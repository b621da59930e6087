//! The budget: never more than Aurora allows, writes first, and nobody is kept waiting for nothing.

use std::time::Instant;

use heliograph::sandbox::{Fault, FaultRule, Patch, RetryAfterForm};
use serde_json::json;

use super::*;
use crate::world::{OTHER_KEY, TENANT};

const SECOND: Duration = Duration::from_secs(1);

/// A gateway whose callers do not wait long, so that the tests need not.
async fn hasty(limit: u32) -> World {
    let limit = limit.to_string();
    let settings = [
        ("HELIOGRAPH_AURORA__REQUESTS_PER_MINUTE", limit.as_str()),
        ("HELIOGRAPH_AURORA__CALL_TIMEOUT", "1s"),
    ];
    World::with(|aurora| aurora.requests_per_minute = limit.parse().unwrap(), &settings).await
}

#[tokio::test]
async fn a_thousand_reads_in_a_minute_meet_no_429_and_every_create_is_made_at_once() {
    let world = hasty(90).await;
    let (mut answered, mut slowest) = (0, Duration::ZERO);
    for round in 0..10_u32 {
        let reads = ask_for(&world, 100 * round..100 * (round + 1));
        let create = async {
            let begun = Instant::now();
            world.query(CREATE).await.sound();
            begun.elapsed()
        };
        let (reads, took) = tokio::join!(reads, create);
        slowest = slowest.max(took);
        for read in reads {
            match read.errors().as_slice() {
                [one] if one == "NOT_FOUND at design" => answered += 1,
                [one] if one == "UPSTREAM_RATE_LIMITED at design" => {
                    let wait = extension(&read, "retryAfterMs").as_u64().unwrap();
                    assert!((500..=61_000).contains(&wait), "{wait}");
                }
                other => panic!("{other:?}"),
            }
        }
        world.advance(6 * SECOND);
    }
    assert_eq!(too_many(&world), 0);
    assert!(slowest < 2 * SECOND, "{slowest:?}");
    assert!(most_in_a_minute(&world) <= 90);
    assert!(answered >= 60, "most of the budget is for reads: {answered}");
}

#[tokio::test]
async fn when_the_minute_is_over_there_is_room_again() {
    let world = hasty(20).await;
    for minute in 0..3 {
        let answers = ask_for(&world, 100 * minute..100 * minute + 40).await;
        let served = answers.iter().filter(|it| it.errors() == ["NOT_FOUND at design"]).count();
        assert!((8..=20).contains(&served), "{served}");
        world.advance(61 * SECOND);
    }
    assert_eq!(too_many(&world), 0);
}

#[tokio::test]
async fn who_cannot_be_served_in_time_is_told_at_once_and_when_to_come_again() {
    let world = World::with(|_| {}, &[("HELIOGRAPH_AURORA__REQUESTS_PER_MINUTE", "3")]).await;
    ask_for(&world, 0..3).await;
    let begun = Instant::now();
    let refused = world.query(r#"{ design(designId: "one-more") { name } }"#).await;
    assert_eq!(refused.errors(), ["UPSTREAM_RATE_LIMITED at design"]);
    assert_eq!(*extension(&refused, "retryable"), true);
    let wait = extension(&refused, "retryAfterMs").as_u64().unwrap();
    assert!((50_000..=61_000).contains(&wait), "{wait}");
    assert!(begun.elapsed() < 4 * SECOND, "nobody is parked");
    assert!(metric(&world, r#"upstream_withheld_total{lane="interactive",reason="budget"}"#).await >= 1.0);
    world.advance(Duration::from_millis(wait));
    assert_eq!(
        world.query(r#"{ design(designId: "one-more") { name } }"#).await.errors(),
        ["NOT_FOUND at design"]
    );
}

#[tokio::test]
async fn one_tenants_flood_is_not_noticed_by_another() {
    let world = hasty(20).await;
    world.ask(OTHER_KEY, r#"{ design(designId: "warm") { name } }"#, json!({})).await;
    ask_for(&world, 0..60).await;
    let flood = ask_for(&world, 100..400);
    let others = async {
        for number in 0..8 {
            let query = format!(r#"{{ design(designId: "other-{number}") {{ name }} }}"#);
            let answer = world.ask(OTHER_KEY, &query, json!({})).await;
            assert_eq!(answer.errors(), ["NOT_FOUND at design"]);
        }
    };
    tokio::join!(flood, others);
    assert_eq!(too_many(&world), 0);
}

/// Twenty reads of one tenant's for each of the other's, with no pause between them.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "a figure for whoever looks, which a busy machine makes worse")]
async fn a_tenant_at_twenty_times_the_load_makes_no_other_wait_behind_it() {
    let settings = [
        ("HELIOGRAPH_AURORA__REQUESTS_PER_MINUTE", "10000"),
        ("HELIOGRAPH_AURORA__CALLS_AT_ONCE_PER_KEY", "2"),
        ("HELIOGRAPH_AURORA__CALLS_QUEUED_PER_KEY", "1000"),
    ];
    let world = World::with(|aurora| aurora.requests_per_minute = 0, &settings).await;
    let slow = Fault::Delay { ms: 20 };
    world.aurora.fail(FaultRule::new("GET", "/tenants/*/designs/*", slow)).unwrap();
    let read = |number: u32| {
        let (world, query) = (&world, format!(r#"{{ design(designId: "other-{number}") {{ name }} }}"#));
        async move {
            let begun = Instant::now();
            let answer = world.ask(OTHER_KEY, &query, json!({})).await;
            assert_eq!(answer.errors(), ["NOT_FOUND at design"]);
            begun.elapsed()
        }
    };
    let mut quiet = Vec::new();
    for number in 0..50 {
        quiet.push(read(number).await);
    }
    let flood = ask_for(&world, 0..1_000);
    let meanwhile = async {
        let crowd = || async { metric(&world, "upstream_calls_waiting").await > 500.0 };
        world.eventually("a crowd waits for the first tenant's turns", crowd).await;
        let mut busy = Vec::new();
        // Each is answered while hundreds wait.
        while busy.len() < 50 && metric(&world, "upstream_calls_waiting").await > 50.0 {
            busy.push(read(50 + u32::try_from(busy.len()).unwrap()).await);
        }
        assert!(busy.len() >= 5, "the crowd waited too short a time: {busy:?}");
        busy
    };
    let (flooded, mut busy) = tokio::join!(flood, meanwhile);
    quiet.sort_unstable();
    busy.sort_unstable();
    let served = flooded.iter().filter(|it| it.errors() == ["NOT_FOUND at design"]).count();
    println!(
        "of the flood {served} were served; the other's slowest: {:?} alone, {:?} beside it",
        quiet.last(),
        busy.last()
    );
}

#[tokio::test]
async fn auroras_wait_is_kept_in_each_of_its_forms() {
    for form in [RetryAfterForm::Seconds, RetryAfterForm::HttpDate, RetryAfterForm::BodyOnly] {
        // Something else spends the same key, so that Aurora has less left than we know of.
        let world = World::with(|aurora| aurora.requests_per_minute = 4, &[]).await;
        world.aurora.configure(Patch { retry_after: Some(form), ..Patch::default() });
        ask_for(&world, 0..4).await;
        let refused = world.query(r#"{ design(designId: "x") { name } }"#).await;
        assert_eq!(refused.errors(), ["UPSTREAM_RATE_LIMITED at design"], "{form:?}");
        let wait = extension(&refused, "retryAfterMs").as_u64().unwrap();
        assert!((40_000..=61_000).contains(&wait), "{form:?}: {wait}");
        let (calls, refusals) = (world.aurora.calls().len(), too_many(&world));
        assert_eq!(refusals, 1, "{form:?}");
        // The clock of the world stands still otherwise, but some of the wait has passed.
        world.advance(Duration::from_millis(wait).saturating_sub(20 * SECOND));
        ask_for(&world, 10..30).await;
        world.query(CREATE).await;
        assert_eq!(world.aurora.calls().len(), calls, "{form:?}: nobody asks before its time");
        world.advance(21 * SECOND);
        assert_eq!(
            world.query(r#"{ design(designId: "x") { name } }"#).await.errors(),
            ["NOT_FOUND at design"]
        );
    }
}

#[tokio::test]
async fn a_short_wait_is_waited_and_nobody_notices() {
    let world = World::start().await;
    let (_, design) = world.design().await;
    world.aurora.fail(FaultRule::new("GET", SUMMARY, Fault::status_retry_after(429, 1)).times(1)).unwrap();
    let answer = world.query(&summary(&design)).await.sound();
    assert_eq!(answer["design"]["summary"]["stale"], false);
}

#[tokio::test]
async fn what_belongs_to_events_leaves_its_part_to_those_who_wait() {
    let limit = [("HELIOGRAPH_AURORA__REQUESTS_PER_MINUTE", "30")];
    let world = World::with(|aurora| aurora.requests_per_minute = 30, &limit).await;
    for number in 0..30 {
        let design = format!("d-{number}");
        world.aurora.plant(TENANT, &format!("p-{number}"), &design).unwrap();
        assert_eq!(world.complete(&design, &format!("job-{number}")).await, 200);
    }
    world.eventually("events take their part", || async { world.aurora.calls_to("GET", SUMMARY) >= 6 }).await;
    let begun = Instant::now();
    let reads = ask_for(&world, 0..3).await;
    assert!(reads.iter().all(|it| it.errors() == ["NOT_FOUND at design"]), "{reads:?}");
    world.query(CREATE).await.sound();
    assert!(begun.elapsed() < 2 * SECOND, "{:?}", begun.elapsed());
    assert_eq!(too_many(&world), 0);
}
