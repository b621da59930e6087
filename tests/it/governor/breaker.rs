//! While Aurora fails it is left alone, and memory answers at once.

use std::time::Instant;

use heliograph::sandbox::{Fault, FaultRule};

use super::*;

/// A world whose Aurora has failed so often that it is left alone, and a design that is in memory, but no longer fresh.
async fn broken() -> (World, String) {
    let world = World::start().await;
    let (_, design) = world.design().await;
    world.query(&summary(&design)).await.sound();
    world.advance(Duration::from_secs(2 * 3600));
    world.aurora.fail(FaultRule::new("GET", SUMMARY, Fault::status(500))).unwrap();
    for number in 0..5 {
        world.query(&format!(r#"{{ designSummary(designId: "no-{number}") {{ moduleCount }} }}"#)).await;
    }
    (world, design)
}

fn breaker(answer: &Answer) -> &str {
    answer.body["extensions"]["upstream"]["breaker"].as_str().unwrap()
}

#[tokio::test]
async fn while_aurora_fails_it_is_left_alone_and_what_is_in_memory_comes_at_once() {
    let (world, design) = broken().await;
    let calls = world.aurora.calls_to("GET", SUMMARY);
    assert!((5..=7).contains(&calls), "{calls}");
    let begun = Instant::now();
    for _ in 0..100 {
        let answer = world.query(&summary(&design)).await.sound();
        assert_eq!(answer["design"]["summary"]["stale"], true);
        assert_eq!(breaker(&answer), "open");
    }
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?} for a hundred", begun.elapsed());
    assert_eq!(world.aurora.calls_to("GET", SUMMARY), calls);

    let unknown = world.query(r#"{ designSummary(designId: "never-read") { moduleCount } }"#).await;
    assert_eq!(unknown.errors(), ["UPSTREAM_UNAVAILABLE at designSummary"]);
    assert!((1..=30_000).contains(&extension(&unknown, "retryAfterMs").as_u64().unwrap()));
    assert!(metric(&world, r#"upstream_breakers{group="summaries",state="open"}"#).await >= 1.0);
    assert!(metric(&world, r#"upstream_withheld_total{lane="interactive",reason="breaker"}"#).await >= 100.0);
}

#[tokio::test]
async fn what_fails_is_left_alone_and_the_rest_is_not() {
    let (world, _) = broken().await;
    let answer = world.query("{ projects { nodes { name } } }").await.sound();
    assert_eq!(breaker(&answer), "open", "the worst is told");
    world.query(CREATE).await.sound();
}

#[tokio::test]
async fn after_the_pause_one_call_is_tried_and_all_is_well_again() {
    let (world, design) = broken().await;
    let calls = world.aurora.calls_to("GET", SUMMARY);
    world.advance(LONGEST_PAUSE);
    let answers = ask_for_summaries(&world, 20).await;
    assert!(answers.iter().all(|it| it.errors() == ["UPSTREAM_UNAVAILABLE at designSummary"]));
    assert_eq!(world.aurora.calls_to("GET", SUMMARY), calls + 1, "one probe, which fails");

    world.aurora.clear_faults();
    world.advance(LONGEST_PAUSE);
    let answer = world.query(&summary(&design)).await.sound();
    assert_eq!(
        (&answer["design"]["summary"]["stale"], breaker(&answer)),
        (&serde_json::json!(false), "closed")
    );
}

async fn ask_for_summaries(world: &World, number: u32) -> Vec<Answer> {
    let ask = |it: u32| async move {
        world.query(&format!(r#"{{ designSummary(designId: "s-{it}") {{ moduleCount }} }}"#)).await
    };
    join_all((0..number).map(ask)).await
}

#[tokio::test]
async fn an_outage_of_twenty_seconds_under_two_hundred_reads_a_second_costs_few_calls() {
    let world = World::start().await;
    let (_, design) = world.design().await;
    world.query(&summary(&design)).await.sound();
    world.advance(Duration::from_secs(2 * 3600));
    world.aurora.clear_calls();
    world.aurora.fail(FaultRule::new("GET", SUMMARY, Fault::status(503))).unwrap();
    // Twenty seconds in steps of half a second, each with a tenth of its reads: 400 in all.
    for _ in 0..40 {
        let answers = ask_for_summaries(&world, 9).await;
        assert!(answers.iter().all(|it| it.errors() == ["UPSTREAM_UNAVAILABLE at designSummary"]));
        assert_eq!(world.query(&summary(&design)).await.sound()["design"]["summary"]["stale"], true);
        world.advance(Duration::from_millis(500));
    }
    let calls = world.aurora.calls_to("GET", SUMMARY);
    assert!(calls <= 40, "{calls}");
    world.aurora.clear_faults();
    let mut waited = Duration::ZERO;
    while world.query(&summary(&design)).await.sound()["design"]["summary"]["stale"] == true {
        world.advance(Duration::from_secs(1));
        waited += Duration::from_secs(1);
    }
    assert!(waited <= Duration::from_secs(35), "{waited:?}");
}

#[tokio::test]
async fn what_blames_the_caller_leaves_it_closed() {
    let world = World::start().await;
    for status in [400, 403, 404, 422] {
        world.aurora.fail(FaultRule::new("GET", SUMMARY, Fault::status(status))).unwrap();
        ask_for_summaries(&world, 12).await;
        world.aurora.clear_faults();
    }
    let answer = world.query("{ projects { nodes { name } } }").await.sound();
    assert_eq!(breaker(&answer), "closed");
}
