//! Multipart subscriptions.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use serde_json::{Value, json};

use super::world::{KEY, Reply, World};
use crate::http::{Config, server};

const APOLLO: &str = "multipart/mixed;boundary=\"graphql\";subscriptionSpec=1.0,application/json";
const ALONE: &str = "multipart/mixed;subscriptionSpec=1.0";

async fn listen(world: &World, document: &str) -> Reply {
    world.post_accepting(APOLLO, json!({ "query": document }).to_string()).await
}

async fn quick(change: impl FnOnce(&mut Config)) -> World {
    let mut config = Config::default();
    change(&mut config);
    World::with(config, server::Limits::default()).await
}

/// What stands in the parts of a body that came to its end.
fn parts(reply: &Reply) -> Vec<Value> {
    let body = reply.text.strip_prefix("\r\n--graphql").unwrap();
    let body = body.strip_suffix("--\r\n").unwrap_or_else(|| panic!("no last line: {body}"));
    let json = |part: &str| {
        let json = part.strip_prefix("\r\ncontent-type: application/json\r\n\r\n");
        serde_json::from_str(json.unwrap_or_else(|| panic!("{part:?}"))).unwrap()
    };
    body.split("\r\n--graphql").filter(|it| !it.is_empty()).map(json).collect()
}

fn fatal(part: &Value) -> &str {
    assert!(part["payload"].is_null() && part.get("data").is_none(), "{part}");
    part["errors"][0]["extensions"]["code"].as_str().unwrap()
}

#[tokio::test]
async fn each_answer_is_a_part_and_the_last_line_says_that_it_is() {
    let world = World::start().await;
    for accept in [APOLLO, ALONE, "multipart/mixed;subscriptionSpec=1.0, application/json"] {
        let body = r#"{"query":"subscription { count(until: 2) }"}"#;
        let reply = world.post_accepting(accept, body).await;
        assert_eq!(reply.header("content-type"), "multipart/mixed;boundary=\"graphql\";subscriptionSpec=1.0");
        assert_eq!(reply.header("x-accel-buffering"), "no");
        assert!(
            reply.header("cache-control").contains("no-store") && reply.header("vary").contains("accept")
        );
        let payload = |count: u8| json!({ "payload": { "data": { "count": count } } });
        assert_eq!(parts(&reply), [payload(0), payload(1)]);
    }
    let nothing = listen(&world, "subscription { count(until: 0) }").await;
    assert_eq!(nothing.text, "\r\n--graphql--\r\n");
    let by_get =
        world.request("GET", "/graphql?query=subscription%7Bcount(until:1)%7D").header("accept", ALONE);
    assert_eq!(parts(&Reply::to(by_get).await).len(), 1);
}

#[tokio::test]
async fn only_subscriptions_are_told_in_parts() {
    let world = World::start().await;
    let answered = listen(&world, "{ name }").await;
    assert_eq!(answered.header("content-type"), "application/json; charset=utf-8");
    assert_eq!(answered.json(), json!({ "data": { "name": "crm" } }));
    for document in ["{ name }", "mutation { increment }"] {
        let body = json!({ "query": document }).to_string();
        assert_eq!(world.post_accepting(ALONE, body).await.refusal().0, 406, "{document}");
    }
    assert_eq!(world.script.increments.load(SeqCst), 0);
}

#[tokio::test]
async fn what_breaks_off_is_fatal_and_what_never_begins_a_status() {
    let world = World::start().await;
    let broken = parts(&listen(&world, "subscription { boom }").await);
    assert_eq!(broken.iter().map(fatal).collect::<Vec<_>>(), ["INTERNAL"]);
    let refused = listen(&world, "subscription { nothing }").await;
    assert_eq!(refused.json()["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
}

#[tokio::test]
async fn a_foreign_page_and_a_stranger_get_no_further_than_with_any_other_request() {
    let world = World::start().await;
    let body = r#"{"query":"subscription { count(until: 1) }"}"#;
    let post = |world: &World| world.anonymous("POST", "/graphql").header("accept", APOLLO).body(body);
    let json = ("content-type", "application/json");
    let anonymous = Reply::to(post(&world).header(json.0, json.1)).await;
    assert_eq!(anonymous.refusal(), (401, "UNAUTHENTICATED".into()));
    let form =
        Reply::to(post(&world).header("authorization", KEY).header("content-type", "text/plain")).await;
    assert_eq!(form.refusal().0, 415);
    let foreign = post(&world).header(json.0, json.1).header("authorization", KEY);
    let foreign = Reply::to(foreign.header("origin", "https://evil.example")).await;
    assert_eq!(foreign.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn a_silent_subscription_gives_signs_of_life_and_a_stop_is_told_as_an_error() {
    let world = quick(|config| config.keep_alive = Duration::from_millis(20)).await;
    let body = r#"{"query":"subscription { silence }"}"#;
    let request = world.request("POST", "/graphql").header("content-type", "application/json");
    let mut response = request.header("accept", APOLLO).body(body).send().await.unwrap();
    let mut text = String::new();
    while text.matches("\r\n\r\n{}\r\n--graphql").count() < 3 {
        text.push_str(std::str::from_utf8(&response.chunk().await.unwrap().unwrap()).unwrap());
    }
    world.shutdown.cancel();
    while let Some(chunk) = response.chunk().await.unwrap() {
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    let last = text.rsplit("\r\n\r\n").next().unwrap().strip_suffix("\r\n--graphql--\r\n").unwrap();
    let last: Value = serde_json::from_str(last).unwrap();
    assert_eq!((fatal(&last), &last["errors"][0]["extensions"]["retryable"]), ("INTERNAL", &json!(true)));
}

#[tokio::test]
async fn the_end_of_a_credential_is_told_as_an_error() {
    let world = quick(|config| config.socket.life = Duration::from_millis(30)).await;
    let ended = parts(&listen(&world, "subscription { silence }").await);
    assert_eq!(ended.iter().map(fatal).collect::<Vec<_>>(), ["UNAUTHENTICATED"]);
}

#[tokio::test]
async fn a_slow_reader_loses_its_stream_and_not_what_else_is_on_its_connection() {
    let world = quick(|config| config.socket.write_timeout = Duration::from_millis(100)).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().http2_initial_stream_window_size(65_535);
    let client = client.http2_initial_connection_window_size(4 * 1024 * 1024).build().unwrap();
    let ask = |accept: &'static str, document: &str| {
        let request =
            client.post(world.url("/graphql")).header("authorization", KEY).header("accept", accept);
        request
            .header("content-type", "application/json")
            .body(json!({ "query": document }).to_string())
            .send()
    };
    let quiet = ask(ALONE, "subscription { silence }").await.unwrap();
    let stuck = ask(ALONE, "subscription { flood }").await.unwrap();
    super::world::eventually("it has lost its stream", || world.metrics.operations_running.get() == 1).await;
    assert_eq!(ask("application/json", "{ name }").await.unwrap().status(), 200);
    assert_eq!(world.script.listeners.load(SeqCst), 1, "the other stream goes on");
    // What waited is all that is left of it, and its last line is not among that.
    let rest = stuck.text().await.unwrap_or_default();
    assert!(!rest.ends_with("--\r\n"), "{}", rest.len());
    drop(quiet);
}
