//! Aurora on a bad day: 429, 5xx, silence, torn bodies, a revoked key.

use std::time::Duration;

use futures_util::future::join_all;
use heliograph::sandbox::{Fault, FaultRule};
use serde_json::json;

use crate::world::{KEY, TENANT, World};

const SUMMARY: &str = "/tenants/*/designs/*/summary";
const EXCHANGE: (&str, &str) = ("POST", "/partner_applications/*/tenants/*/create_token");

/// Longer than Aurora is ever left alone after it failed.
const LONGEST_PAUSE: Duration = Duration::from_secs(31);

async fn with_design() -> (World, String) {
    let world = World::start().await;
    let (_, design) = world.design().await;
    (world, design)
}

fn ask(design: &str) -> String {
    format!(r#"{{ design(designId: "{design}") {{ designId summary {{ stale moduleCount }} }} }}"#)
}

#[tokio::test]
async fn each_fault_has_its_code_and_leaves_the_siblings_standing() {
    let faults = [
        (Fault::status(500), "UPSTREAM_UNAVAILABLE"),
        (Fault::EmptyError, "UPSTREAM_UNAVAILABLE"),
        (Fault::HtmlBadGateway, "UPSTREAM_UNAVAILABLE"),
        (Fault::Reset, "UPSTREAM_UNAVAILABLE"),
        (Fault::Hang, "UPSTREAM_TIMEOUT"),
        (Fault::status(403), "UPSTREAM_FORBIDDEN"),
        (Fault::status(404), "NOT_FOUND"),
        (Fault::status(422), "UPSTREAM_REJECTED"),
        (Fault::Truncated { chunked: false }, "UPSTREAM_INVALID_RESPONSE"),
        (Fault::Body { body: "<html>hello</html>".into() }, "UPSTREAM_INVALID_RESPONSE"),
        (Fault::Body { body: "[]".into() }, "UPSTREAM_INVALID_RESPONSE"),
        (Fault::Redirect { location: "http://127.0.0.1:1/".into() }, "UPSTREAM_INVALID_RESPONSE"),
    ];
    let (world, design) = with_design().await;
    for (fault, code) in faults {
        world.aurora.fail(FaultRule::new("GET", SUMMARY, fault.clone())).unwrap();
        let answer = world.query(&ask(&design)).await;
        assert_eq!(answer.errors(), [format!("{code} at design.summary")], "{fault:?}");
        assert_eq!(answer["design"]["designId"], *design, "{fault:?}");
        assert!(answer["design"]["summary"].is_null());
        world.aurora.clear_faults();
        // So that what each fault means is seen, and not that there were many; and longer than Aurora's 404 is believed.
        world.advance(LONGEST_PAUSE);
    }
    world.query(&ask(&design)).await.sound();
}

#[tokio::test]
async fn when_aurora_is_out_an_older_summary_stands_in_and_says_so() {
    let (world, design) = with_design().await;
    world.query(&ask(&design)).await.sound();
    world.advance(Duration::from_secs(2 * 3600));
    world.aurora.fail(FaultRule::new("GET", SUMMARY, Fault::status(503))).unwrap();
    let answer = world.query(&ask(&design)).await.sound();
    assert_eq!(answer["design"]["summary"]["stale"], true);
    assert!(answer["design"]["summary"]["moduleCount"].is_number());
    world.aurora.clear_faults();
    assert_eq!(world.query(&ask(&design)).await.sound()["design"]["summary"]["stale"], false);
}

#[tokio::test]
async fn auroras_wait_is_kept_by_all_who_share_the_key() {
    let (world, design) = with_design().await;
    world.aurora.fail(FaultRule::new("GET", SUMMARY, Fault::status_retry_after(429, 30)).times(1)).unwrap();
    let answer = world.query(&ask(&design)).await;
    assert_eq!(answer.errors(), ["UPSTREAM_RATE_LIMITED at design.summary"]);
    let wait = answer.body["errors"][0]["extensions"]["retryAfterMs"].as_u64().unwrap();
    assert!((25_000..=30_000).contains(&wait), "{wait}");
    let calls = world.aurora.calls().len();
    let refused = world.query("{ projects { nodes { name } } }").await;
    assert_eq!(refused.errors(), ["UPSTREAM_RATE_LIMITED at projects"]);
    assert_eq!(world.aurora.calls().len(), calls, "Aurora is not asked before its time");
}

#[tokio::test]
async fn any_number_of_askers_without_a_key_cost_one_exchange() {
    let world = World::start().await;
    let answers =
        join_all(
            (0..200).map(|number| {
                let world = &world;
                async move {
                    world.query(&format!(r#"{{ design(designId: "d{}") {{ name }} }}"#, number % 5)).await
                }
            }),
        )
        .await;
    assert!(answers.iter().all(|it| it.errors() == ["NOT_FOUND at design"]));
    assert_eq!(world.aurora.calls_to(EXCHANGE.0, EXCHANGE.1), 1);
}

#[tokio::test]
async fn a_revoked_key_costs_one_renewal_and_nobody_notices() {
    let (world, design) = with_design().await;
    world.aurora.revoke_keys(TENANT);
    world.aurora.clear_calls();
    world.query(&ask(&design)).await.sound();
    assert_eq!(world.aurora.calls_to(EXCHANGE.0, EXCHANGE.1), 1);
}

#[tokio::test]
async fn a_key_is_renewed_shortly_before_it_ends() {
    let (world, design) = with_design().await;
    world.aurora.clear_calls();
    world.advance(Duration::from_secs(12 * 3600 + 58 * 60));
    world.query(&ask(&design)).await.sound();
    assert_eq!(world.aurora.calls_to(EXCHANGE.0, EXCHANGE.1), 0);
    world.advance(Duration::from_secs(90));
    world.query(&format!(r#"{{ designSummary(designId: "{design}") {{ moduleCount }} }}"#)).await.sound();
    world.query("{ projects { nodes { name } } }").await.sound();
    assert_eq!(world.aurora.calls_to(EXCHANGE.0, EXCHANGE.1), 1);
    assert!(world.aurora.calls().iter().all(|call| call.status == Some(200)), "no request met a dead key");
}

#[tokio::test]
async fn a_key_that_is_dead_on_arrival_does_not_loop() {
    let world = World::start().await;
    world.aurora.fail(FaultRule::new(EXCHANGE.0, EXCHANGE.1, Fault::ExpiredToken)).unwrap();
    let answer = world.query("{ projects { nodes { name } } }").await;
    assert!(world.aurora.calls_to(EXCHANGE.0, EXCHANGE.1) <= 2, "{:?}", answer.errors());
}

#[tokio::test]
async fn a_tenant_that_disabled_the_application_is_told_so() {
    let world = World::start().await;
    world.aurora.disable_app(TENANT).unwrap();
    let answer = world.query("{ projects { nodes { name } } }").await;
    assert_eq!(answer.errors(), ["TENANT_NOT_CONNECTED at projects"]);
}

#[tokio::test]
async fn what_aurora_echoes_of_our_secrets_reaches_nobody() {
    let (world, design) = with_design().await;
    for status in [400, 401, 422, 500] {
        world.aurora.fail(FaultRule::new("GET", SUMMARY, Fault::EchoAuthorization { status })).unwrap();
        let answer = world.query(&ask(&design)).await;
        let text = answer.body.to_string();
        assert!(!text.contains("tk_"), "{status}: {text}");
        assert_eq!(answer.errors().len(), 1);
        world.aurora.clear_faults();
    }
}

#[tokio::test]
async fn a_wrong_document_is_refused_with_a_code_and_without_data() {
    let world = World::start().await;
    for (query, code) in [
        ("{ viewer { name ", "GRAPHQL_PARSE_FAILED"),
        ("{ viewer { nonsense } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ projects(first: \"many\") { nodes { name } } }", "GRAPHQL_VALIDATION_FAILED"),
    ] {
        let answer = world.ask(KEY, query, json!({})).await;
        assert_eq!(answer.errors()[0], code, "{query}");
        assert!(answer.body.get("data").is_none(), "{}", answer.body);
    }
}

#[tokio::test]
async fn a_bomb_of_fragments_is_refused_before_it_costs_anything() {
    let world = World::start().await;
    for (end, code) in [
        ("__typename", "OPERATION_TOO_EXPENSIVE"),
        ("...Missing", "GRAPHQL_VALIDATION_FAILED"),
        ("...F0", "GRAPHQL_VALIDATION_FAILED"),
    ] {
        for begin in
            ["query { ...F0 }", "query A { viewer { name } } query B { ...F0 }", "mutation { ...F0 }"]
        {
            let on = if begin.starts_with("mutation") { "Mutation" } else { "Query" };
            let fragments: String = (0..28)
                .map(|it| format!("fragment F{it} on {on} {{ {} }} ", format!("...F{} ", it + 1).repeat(5)))
                .collect();
            let query = format!("{begin} {fragments} fragment F28 on {on} {{ {end} }}");
            let body = json!({ "query": query, "operationName": begin.contains("query A").then_some("A") });
            let begun = std::time::Instant::now();
            let request = world.http.post(world.url("/graphql")).bearer_auth(KEY).json(&body);
            let answer = crate::world::Answer::of(request.send().await.unwrap()).await;
            assert_eq!(answer.errors(), [code], "{begin} … {end}");
            assert!(begun.elapsed() < Duration::from_secs(2), "{begin} … {end} took {:?}", begun.elapsed());
        }
    }
}

#[tokio::test]
async fn what_aurora_was_asked_and_what_memory_spared_it_is_on_the_metrics_page() {
    let (world, design) = with_design().await;
    world.query(&ask(&design)).await.sound();
    world.query(&ask(&design)).await.sound();
    world.aurora.fail(FaultRule::new("GET", SUMMARY, Fault::status(500))).unwrap();
    world.advance(Duration::from_secs(2 * 3600));
    world.query(&ask(&design)).await.sound();
    let page = world.http.get(world.admin_url("/metrics")).send().await.unwrap().text().await.unwrap();
    let count = |series: &str| {
        let line = page.lines().find_map(|line| line.strip_prefix(&format!("heliograph_{series} ")));
        line.unwrap_or_else(|| panic!("{series} is missing from {page}")).parse::<u64>().unwrap()
    };
    assert_eq!(
        count(r#"upstream_calls_total{endpoint="summary",lane="interactive",outcome="failed"}"#),
        3,
        "a read is tried three times"
    );
    assert_eq!(count("upstream_repeats_total"), 2);
    assert_eq!(count(r#"upstream_calls_total{endpoint="summary",lane="interactive",outcome="ok"}"#), 1);
    assert_eq!(count(r#"upstream_calls_total{endpoint="create_project",lane="mutation",outcome="ok"}"#), 1);
    assert!(count(r#"cache_lookups_total{result="hit"}"#) >= 1);
    assert!(count(r#"cache_lookups_total{result="miss"}"#) >= 1);
    assert_eq!(count(r#"cache_lookups_total{result="stale"}"#), 1);
    assert_eq!(count("session_tokens_dropped_total"), 0);
}
