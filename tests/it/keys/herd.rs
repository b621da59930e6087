//! Many who need a key at once.

use std::time::Duration;

use futures_util::{StreamExt, future::join_all, stream};
use heliograph::sandbox::{Fault, FaultRule};
use jiff::Timestamp;
use serde_json::json;

use super::{HOUR, PROJECTS};
use crate::world::{ADMIN_KEY, Answer, KEY, World};

const EXCHANGE: (&str, &str) = ("POST", "/partner_applications/*/tenants/*/create_token");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_requests_at_an_expired_key_cost_one_exchange() {
    let world = World::with(|_| {}, &[("HELIOGRAPH_AURORA__REQUEST_TIMEOUT", "10s")]).await;
    world.query(PROJECTS).await.sound();
    world.advance(14 * HOUR);
    world.aurora.clear_calls();
    // Slow, so that a crowd stands at the door while it is under way.
    world.aurora.fail(FaultRule::new(EXCHANGE.0, EXCHANGE.1, Fault::Delay { ms: 2000 }).times(1)).unwrap();

    // A thousand connections, each asking again and again.
    let (url, body) = (world.url("/graphql"), json!({ "query": PROJECTS }));
    let ask = |_| {
        let request = world.http.post(&url).bearer_auth(KEY).json(&body);
        async move { Answer::of(request.send().await.unwrap()).await.errors() }
    };
    let answers: Vec<_> = stream::iter(0..10_000).map(ask).buffer_unordered(1_000).collect().await;
    assert_eq!(answers, vec![Vec::<String>::new(); 10_000]);
    assert_eq!(world.exchanges(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_tenants_at_once_cost_at_most_twenty_exchanges_a_second() {
    let world = World::with(
        |aurora| {
            aurora.accept_any_tenant = true;
            aurora.requests_per_minute = 0;
        },
        &[("HELIOGRAPH_AURORA__REQUESTS_PER_MINUTE", "10000"), ("HELIOGRAPH_AURORA__REQUEST_TIMEOUT", "4s")],
    )
    .await;
    let answers = join_all((0..500).map(|number| {
        let (world, query) =
            (&world, format!(r#"{{ projects(tenantId: "tenant-{number}") {{ nodes {{ name }} }} }}"#));
        async move { world.ask(ADMIN_KEY, &query, json!({})).await }
    }))
    .await;

    let calls = world.aurora.calls().into_iter().filter(|it| it.path.ends_with("/create_token"));
    let at: Vec<Timestamp> = calls.map(|it| it.at.parse().unwrap()).collect();
    // Over three seconds, because a machine that is busy with other tests may hold some up on their way.
    for from in &at {
        let until = *from + Duration::from_secs(3);
        let within = at.iter().filter(|it| (*from..until).contains(it)).count();
        assert!(within <= 60, "{within} exchanges within three seconds of {from}");
    }
    let refused = answers.iter().filter(|it| it.errors() == ["UPSTREAM_RATE_LIMITED at projects"]);
    let waits = refused.map(|it| it.body["errors"][0]["extensions"]["retryAfterMs"].as_u64().unwrap());
    let waits: Vec<_> = waits.collect();
    assert!(waits.iter().all(|wait| (1..=30_000).contains(wait)), "told when to come again: {waits:?}");
    let sound = answers.iter().filter(|it| it.errors().is_empty()).count();
    assert!(sound >= 40 && waits.len() >= 300, "{sound} were served, {} refused at once", waits.len());
    assert!(at.len() <= 500 - waits.len(), "who was refused at once cost nothing");
}

#[tokio::test]
async fn a_failed_exchange_speaks_for_five_seconds() {
    let world = World::start().await;
    world.aurora.fail(FaultRule::new(EXCHANGE.0, EXCHANGE.1, Fault::status(503))).unwrap();
    for _ in 0..20 {
        assert_eq!(world.query(PROJECTS).await.errors(), ["UPSTREAM_UNAVAILABLE at projects"]);
    }
    assert_eq!(
        world.exchanges(),
        3,
        "one exchange, with the repeats that any call has which changes nothing"
    );
    world.advance(Duration::from_millis(4900));
    world.query(PROJECTS).await;
    assert_eq!(world.exchanges(), 3);
    world.aurora.clear_faults();
    world.advance(Duration::from_millis(200));
    world.query(PROJECTS).await.sound();
    assert_eq!(world.exchanges(), 4);
}

#[tokio::test]
async fn while_exchanges_fail_for_many_nobody_queues_up_for_one_that_would_not_be_made() {
    let settings = [("HELIOGRAPH_AURORA__REQUESTS_PER_MINUTE", "10000")];
    let adjust = |aurora: &mut heliograph::sandbox::Config| {
        aurora.accept_any_tenant = true;
        aurora.requests_per_minute = 0;
    };
    let world = World::with(adjust, &settings).await;
    world.aurora.fail(FaultRule::new(EXCHANGE.0, EXCHANGE.1, Fault::status(503))).unwrap();
    let ask = |number: usize| {
        let (world, query) =
            (&world, format!(r#"{{ projects(tenantId: "tenant-{number}") {{ nodes {{ name }} }} }}"#));
        async move { world.ask(ADMIN_KEY, &query, json!({})).await.errors() }
    };
    for number in 0..6 {
        ask(number).await;
    }
    // In a queue of theirs, a hundred would take six seconds, and most would be told that Aurora allows no more.
    let (begun, before) = (std::time::Instant::now(), world.exchanges());
    let answers = join_all((100..200).map(ask)).await;
    assert_eq!(answers, vec![["UPSTREAM_UNAVAILABLE at projects"]; 100]);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!(world.exchanges(), before);
    world.aurora.clear_faults();
    world.advance(Duration::from_secs(31));
    assert_eq!(ask(150).await, [""; 0], "and nothing of it is held against a tenant");
}
