//! What is tried again, and how long anybody waits.

use std::time::Instant;

use heliograph::sandbox::{Fault, FaultRule};

use super::*;

const PROJECTS: &str = "/tenants/*/projects";

async fn with_design(settings: &[(&str, &str)]) -> (World, String) {
    let world = World::with(|_| {}, settings).await;
    let (_, design) = world.design().await;
    world.aurora.clear_calls();
    (world, design)
}

#[tokio::test]
async fn a_read_survives_two_stumbles_of_auroras() {
    let stumbles =
        [Fault::status(503), Fault::HtmlBadGateway, Fault::Reset, Fault::Truncated { chunked: true }];
    for fault in stumbles {
        let (world, design) = with_design(&[]).await;
        world.aurora.fail(FaultRule::new("GET", SUMMARY, fault.clone()).times(2)).unwrap();
        world.query(&summary(&design)).await.sound();
        assert_eq!(world.aurora.calls_to("GET", SUMMARY), 3, "{fault:?}");
    }
}

#[tokio::test]
async fn a_409_is_waited_for_and_a_refusal_is_not_argued_with() {
    let (world, design) = with_design(&[]).await;
    world.aurora.fail(FaultRule::new("GET", SUMMARY, Fault::status(409)).times(1)).unwrap();
    let begun = Instant::now();
    world.query(&summary(&design)).await.sound();
    assert!(begun.elapsed() >= Duration::from_millis(500));
    for status in [400, 403, 404, 422] {
        world.aurora.clear_calls();
        world.aurora.fail(FaultRule::new("GET", SUMMARY, Fault::status(status)).times(1)).unwrap();
        world.query(&format!(r#"{{ designSummary(designId: "no-{status}") {{ moduleCount }} }}"#)).await;
        assert_eq!(world.aurora.calls_to("GET", SUMMARY), 1, "{status}");
    }
}

#[tokio::test]
async fn a_create_is_sent_once_whatever_aurora_says() {
    for fault in [Fault::status(503), Fault::status(409), Fault::status_retry_after(429, 1), Fault::Reset] {
        let (world, _) = with_design(&[]).await;
        world.aurora.fail(FaultRule::new("POST", PROJECTS, fault.clone()).times(1)).unwrap();
        assert_eq!(world.query(CREATE).await.errors().len(), 1, "{fault:?}");
        assert_eq!(world.aurora.calls_to("POST", PROJECTS), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn an_exchange_without_a_session_token_is_tried_again() {
    let world = World::start().await;
    world
        .aurora
        .fail(FaultRule::new("POST", "/partner_applications/**", Fault::status(503)).times(1))
        .unwrap();
    world.query("{ projects { nodes { name } } }").await.sound();
}

#[tokio::test]
async fn where_one_answer_in_ten_is_a_503_no_caller_notices_and_it_costs_a_tenth() {
    let plenty = [("HELIOGRAPH_AURORA__REQUESTS_PER_MINUTE", "10000")];
    let world = World::with(|aurora| aurora.requests_per_minute = 0, &plenty).await;
    for number in 0..200 {
        if number % 10 == 5 {
            world.aurora.fail(FaultRule::new("GET", SUMMARY, Fault::status(503)).times(1)).unwrap();
        }
        let answer =
            world.query(&format!(r#"{{ designSummary(designId: "no-{number}") {{ moduleCount }} }}"#)).await;
        assert_eq!(answer.errors(), ["NOT_FOUND at designSummary"], "{number}");
    }
    assert_eq!(world.aurora.calls_to("GET", SUMMARY), 220);
}

#[tokio::test]
async fn nobody_waits_for_a_silent_aurora_longer_than_agreed_and_nothing_is_left_behind() {
    let settings =
        [("HELIOGRAPH_AURORA__CALL_TIMEOUT", "700ms"), ("HELIOGRAPH_AURORA__REQUEST_TIMEOUT", "10s")];
    let (world, design) = with_design(&settings).await;
    for fault in [Fault::Hang, Fault::SlowBody { ms: 60_000 }] {
        world.aurora.fail(FaultRule::new("GET", SUMMARY, fault.clone())).unwrap();
        let begun = Instant::now();
        let answer = world.query(&summary(&design)).await;
        assert_eq!(answer.errors(), ["UPSTREAM_TIMEOUT at design.summary"], "{fault:?}");
        assert!(begun.elapsed() < Duration::from_millis(1_200), "{fault:?}: {:?}", begun.elapsed());
        assert!(metric(&world, "upstream_calls_under_way").await < 0.5, "{fault:?}");
        world.aurora.clear_faults();
    }
}

#[tokio::test]
async fn a_write_that_was_sent_is_waited_for_to_its_end() {
    let settings =
        [("HELIOGRAPH_AURORA__CALL_TIMEOUT", "300ms"), ("HELIOGRAPH_AURORA__REQUEST_TIMEOUT", "10s")];
    let (world, _) = with_design(&settings).await;
    world.aurora.fail(FaultRule::new("POST", PROJECTS, Fault::Delay { ms: 900 })).unwrap();
    world.query(CREATE).await.sound();
}
