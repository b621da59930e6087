//! GraphQL over server-sent events.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::world::{KEY, READER, Reply, World, eventually};
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
        "event: next\ndata: {\"data\":{\"count\":0}}\n\nevent: next\ndata: {\"data\":{\"count\":1}}\n\n\
         event: complete\ndata:\n\n"
    );
    let query = listen(&world, "{ name }").await;
    assert_eq!(query.text, "event: next\ndata: {\"data\":{\"name\":\"crm\"}}\n\nevent: complete\ndata:\n\n");
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
