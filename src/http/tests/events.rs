//! GraphQL over server-sent events.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::world::{FRIEND, KEY, READER, Reply, World, eventually};
use crate::http::{Config, server};

async fn listen(world: &World, document: &str) -> Reply {
    world.post_accepting("text/event-stream", serde_json::json!({ "query": document }).to_string()).await
}

#[tokio::test]
async fn each_answer_is_an_event_and_the_last_event_says_that_it_is() {
    let world = World::start().await;
    let reply = listen(&world, "subscription { count(until: 2) }").await;
    assert_eq!(reply.header("content-type"), "text/event-stream; charset=utf-8");
    assert_eq!(
        reply.text,
        ":\n\nevent: next\ndata: {\"data\":{\"count\":0}}\n\nevent: next\ndata: {\"data\":{\"count\":1}}\n\n\
         event: complete\ndata:\n\n"
    );
    let query = listen(&world, "{ name }").await;
    assert_eq!(
        query.text,
        ":\n\nevent: next\ndata: {\"data\":{\"name\":\"crm\"}}\n\nevent: complete\ndata:\n\n"
    );
}

#[tokio::test]
async fn each_event_says_its_place_and_a_reader_that_names_one_goes_on_behind_it() {
    let world = World::start().await;
    let from = |id: Option<&'static str>| {
        let path = "/graphql?query=subscription%7Bplaced(until:3)%7D";
        let request = world.request("GET", path).header("accept", "text/event-stream");
        Reply::to(id.into_iter().fold(request, |request, id| request.header("last-event-id", id)))
    };
    let event = |at: u8| format!("event: next\nid: c{at}\ndata: {{\"data\":{{\"placed\":{at}}}}}\n\n");
    let end = "event: complete\ndata:\n\n";
    assert_eq!(from(None).await.text, format!(":\n\n{}{}{}{end}", event(0), event(1), event(2)));
    assert_eq!(from(Some("")).await.text, from(None).await.text);
    assert_eq!(from(Some("c0")).await.text, format!(":\n\n{}{}{end}", event(1), event(2)));
}

#[tokio::test]
async fn only_known_pages_may_open_a_stream() {
    let world = World::start().await;
    let own = world.url("");
    let origins = [
        own.as_str(),
        FRIEND,
        "https://evil.example",
        "null",
        "http://127.0.0.1:1",
        "https://crm.example.com.evil.example",
    ];
    for (number, origin) in origins.into_iter().enumerate() {
        for accept in ["text/event-stream", "multipart/mixed"] {
            let request = world.request("POST", "/graphql").header("content-type", "application/json");
            let request = request.header("accept", accept).header("origin", origin);
            let reply = Reply::to(request.body(r#"{"query":"subscription { count(until: 2) }"}"#)).await;
            let expected = if number < 2 { 200 } else { 403 };
            assert_eq!(reply.status, expected, "{origin} {accept}: {}", reply.text);
        }
    }
}

#[tokio::test]
async fn a_quiet_stream_says_from_the_first_moment_on_that_it_is_there() {
    let world = World::with(
        Config { keep_alive: Duration::from_millis(20), ..Config::default() },
        server::Limits::default(),
    )
    .await;
    let body = r#"{"query":"subscription { silence }"}"#;
    let request = world.request("POST", "/graphql").header("content-type", "application/json");
    let mut response = request.header("accept", "text/event-stream").body(body).send().await.unwrap();
    for _ in 0..3 {
        assert_eq!(response.chunk().await.unwrap().unwrap(), ":\n\n");
    }
    world.shutdown.cancel();
    let mut rest = Vec::new();
    while let Some(chunk) = response.chunk().await.unwrap() {
        rest.extend_from_slice(&chunk);
    }
    assert!(!String::from_utf8(rest).unwrap().contains("complete"), "it is not over: readers come again");
}

#[tokio::test]
async fn what_the_schema_refuses_is_an_event_and_what_is_malformed_a_status() {
    let world = World::start().await;
    let refused = listen(&world, "subscription { nothing }").await;
    assert!(
        refused.text.contains("GRAPHQL_VALIDATION_FAILED") && !refused.text.contains("\"data\":"),
        "{refused:?}"
    );
    assert_eq!(listen(&world, "{").await.refusal(), (400, "GRAPHQL_PARSE_FAILED".into()));
    let anonymous = world.anonymous("POST", "/graphql").header("accept", "text/event-stream");
    assert_eq!(Reply::to(anonymous.body("{}")).await.refusal().0, 401);
    let by_get =
        world.anonymous("GET", "/graphql?query=mutation%7Bincrement%7D").header("authorization", READER);
    assert_eq!(Reply::to(by_get.header("accept", "text/event-stream")).await.refusal().0, 405);
}

#[tokio::test]
async fn a_caller_who_can_read_everything_gets_events_where_nothing_else_will_do() {
    let world = World::start().await;
    let accept = "application/graphql-response+json, application/json, text/event-stream, multipart/mixed";
    let body = r#"{"query":"subscription { count(until: 1) }"}"#;
    let reply = world.post_accepting(accept, body).await;
    assert_eq!(reply.header("content-type"), "text/event-stream; charset=utf-8");
}

fn endless(document: &str) -> Vec<u8> {
    let body = serde_json::json!({ "query": document }).to_string();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: {KEY}\r\naccept: text/event-stream\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body.into_bytes()].concat()
}

#[tokio::test]
async fn a_subscription_ends_with_its_reader_and_with_the_gateway() {
    let world = World::start().await;
    let mut leaver = TcpStream::connect(world.address).await.unwrap();
    leaver.write_all(&endless("subscription { silence }")).await.unwrap();
    eventually("it listens", || world.script.listeners.load(SeqCst) == 1).await;
    drop(leaver);
    eventually("it listens no more", || world.script.listeners.load(SeqCst) == 0).await;

    let mut stayer = TcpStream::connect(world.address).await.unwrap();
    stayer.write_all(&endless("subscription { silence }")).await.unwrap();
    eventually("it listens", || world.script.listeners.load(SeqCst) == 1).await;
    world.shutdown.cancel();
    assert_eq!(world.served.await.unwrap().cut_off, 0);
}

#[tokio::test]
async fn a_reader_of_events_that_does_not_read_is_hung_up_on() {
    let mut config = Config::default();
    config.socket.write_timeout = Duration::from_millis(100);
    let limits = server::Limits { connections: 1, ..server::Limits::default() };
    let world = World::with(config, limits).await;
    let mut stuck = TcpStream::connect(world.address).await.unwrap();
    stuck.write_all(&endless("subscription { flood }")).await.unwrap();
    eventually("it runs", || world.metrics.operations_running.get() == 1).await;
    // The only seat is free again, though the reader has not left it.
    let next = tokio::time::timeout(Duration::from_secs(5), world.query("{ name }")).await;
    assert_eq!(next.unwrap().status, 200);
    assert_eq!(world.metrics.operations_running.get(), 0);
}
