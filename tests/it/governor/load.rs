//! Too many calls at once are refused before they hurt.

use std::time::Instant;

use heliograph::sandbox::{Fault, FaultRule};
use serde_json::json;

use super::*;
use crate::world::{OTHER, OTHER_KEY, TENANT};

#[tokio::test]
async fn what_would_crowd_the_way_to_aurora_is_refused_at_once_and_others_get_through() {
    let settings = [
        ("HELIOGRAPH_AURORA__CALLS_AT_ONCE", "4"),
        ("HELIOGRAPH_AURORA__CALLS_AT_ONCE_PER_KEY", "4"),
        ("HELIOGRAPH_AURORA__REQUEST_TIMEOUT", "10s"),
    ];
    let world = World::with(|_| {}, &settings).await;
    world.query("{ projects { nodes { name } } }").await.sound();
    world.ask(OTHER_KEY, "{ projects { nodes { name } } }", json!({})).await.sound();
    world
        .aurora
        .fail(FaultRule::new("GET", &format!("/tenants/{TENANT}/designs/*"), Fault::Delay { ms: 3_000 }))
        .unwrap();
    let crowd = ask_for(&world, 0..3);
    let meanwhile = async {
        world
            .eventually("three calls hang", || async {
                metric(&world, "upstream_calls_under_way").await > 2.5
            })
            .await;
        let begun = Instant::now();
        let refused = world.query(r#"{ design(designId: "one-more") { name } }"#).await;
        assert_eq!(refused.errors(), ["UPSTREAM_UNAVAILABLE at design"]);
        assert_eq!(
            (extension(&refused, "retryable"), extension(&refused, "retryAfterMs")),
            (&json!(true), &json!(1000))
        );
        let other = world.ask(OTHER_KEY, r#"{ design(designId: "theirs") { name } }"#, json!({})).await;
        assert_eq!(other.errors(), ["NOT_FOUND at design"], "another tenant gets through");
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        assert!(metric(&world, r#"upstream_withheld_total{lane="interactive",reason="load"}"#).await >= 1.0);
    };
    tokio::join!(crowd, meanwhile);
    world.aurora.clear_faults();
    assert!(metric(&world, "upstream_calls_under_way").await < 0.5);
    assert_eq!(
        world.query(r#"{ design(designId: "one-more") { name } }"#).await.errors(),
        ["NOT_FOUND at design"]
    );
}

#[tokio::test]
async fn of_one_key_only_so_many_calls_are_under_way_and_the_next_waits_its_turn() {
    let settings = [("HELIOGRAPH_AURORA__CALLS_AT_ONCE_PER_KEY", "2")];
    let world = World::with(|_| {}, &settings).await;
    world.query("{ projects { nodes { name } } }").await.sound();
    world.aurora.fail(FaultRule::new("GET", "/tenants/*/designs/*", Fault::Delay { ms: 100 })).unwrap();
    let begun = Instant::now();
    let answers = ask_for(&world, 0..6).await;
    assert!(answers.iter().all(|it| it.errors() == ["NOT_FOUND at design"]));
    assert!(begun.elapsed() >= Duration::from_millis(300), "two at a time: {:?}", begun.elapsed());
}

#[tokio::test]
async fn a_read_of_an_event_becomes_as_urgent_as_the_person_who_joins_it() {
    let settings = [("HELIOGRAPH_AURORA__CALLS_AT_ONCE_PER_KEY", "1")];
    let world = World::with(|_| {}, &settings).await;
    let (_, design) = world.design().await;
    let hanging = FaultRule::new("GET", "/tenants/*/designs/hangs", Fault::Delay { ms: 3_000 });
    world.aurora.fail(hanging).unwrap();
    let in_front = world.query(r#"{ design(designId: "hangs") { name } }"#);
    let meanwhile = async {
        let waiting = || async { metric(&world, "upstream_calls_waiting").await > 0.5 };
        let under_way = || async { metric(&world, "upstream_calls_under_way").await > 0.5 };
        world.eventually("a call hangs", under_way).await;
        assert_eq!(world.complete(&design, "job").await, 200);
        world.eventually("the event's read waits for its turn", waiting).await;
        let query = format!(r#"{{ designSummary(designId: "{design}") {{ moduleCount }} }}"#);
        world.query(&query).await.sound();
    };
    tokio::join!(in_front, meanwhile);
    assert_eq!(world.aurora.calls_to("GET", SUMMARY), 1, "the two share one");
    let of = |lane: &str| format!(r#"upstream_calls_total{{endpoint="summary",lane="{lane}",outcome="ok"}}"#);
    assert!(metric(&world, &of("interactive")).await > 0.5, "it was raised");
    assert!(metric(&world, &of("enrichment")).await < 0.5);
}

#[tokio::test]
async fn a_renewal_in_the_background_becomes_as_urgent_as_whoever_comes_to_need_it() {
    let settings =
        [("HELIOGRAPH_AURORA__CALLS_AT_ONCE_PER_KEY", "1"), ("HELIOGRAPH_AURORA__REQUEST_TIMEOUT", "10s")];
    let world = World::with(|_| {}, &settings).await;
    world.query("{ projects { nodes { name } } }").await.sound();
    // Something else of the application's is under way, so that the renewal has to wait for its turn.
    let exchange = format!("/partner_applications/*/tenants/{OTHER}/create_token");
    world.aurora.fail(FaultRule::new("POST", &exchange, Fault::Delay { ms: 4_000 })).unwrap();
    let in_front = world.ask(OTHER_KEY, "{ projects { nodes { name } } }", json!({}));
    let meanwhile = async {
        let under_way = || async { metric(&world, "upstream_calls_under_way").await > 0.5 };
        let waiting = || async { metric(&world, "upstream_calls_waiting").await > 0.5 };
        world.eventually("a call hangs", under_way).await;
        world.advance(Duration::from_secs(12 * 3600));
        world.eventually("the renewal waits for its turn", waiting).await;
        world.aurora.revoke_keys(TENANT);
        world.query("{ projects { nodes { name } } }").await.sound();
    };
    tokio::join!(in_front, meanwhile);
    let of =
        |lane: &str| format!(r#"upstream_calls_total{{endpoint="create_token",lane="{lane}",outcome="ok"}}"#);
    assert_eq!(world.exchanges(), 3, "the reader shared the renewal");
    assert!(metric(&world, &of("mutation")).await > 2.5, "it was raised");
    assert!(metric(&world, &of("refresh")).await < 0.5);
}

#[tokio::test]
async fn a_crowd_that_an_exchange_met_is_not_held_against_its_tenant() {
    let settings =
        [("HELIOGRAPH_AURORA__CALLS_AT_ONCE", "1"), ("HELIOGRAPH_AURORA__CALLS_AT_ONCE_PER_KEY", "1")];
    let world = World::with(|_| {}, &settings).await;
    world.query("{ projects { nodes { name } } }").await.sound();
    world.aurora.fail(FaultRule::new("GET", "/tenants/*/designs/*", Fault::Delay { ms: 1_000 })).unwrap();
    let crowd = ask_for(&world, 0..1);
    let meanwhile = async {
        let under_way = || async { metric(&world, "upstream_calls_under_way").await > 0.5 };
        world.eventually("a call hangs", under_way).await;
        let refused = world.ask(OTHER_KEY, "{ projects { nodes { name } } }", json!({})).await;
        assert_eq!(refused.errors(), ["UPSTREAM_UNAVAILABLE at projects"]);
    };
    tokio::join!(crowd, meanwhile);
    // The clock stands still: a setback would still stand.
    world.ask(OTHER_KEY, "{ projects { nodes { name } } }", json!({})).await.sound();
    assert_eq!(world.exchanges(), 2);
}
