//! What went wrong in the gateway itself, on every transport: with the request's id, and with nothing else.

use std::sync::atomic::Ordering::SeqCst;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

use super::{
    client::Client,
    world::{KEY, Reply, World, eventually},
};

#[tokio::test]
async fn every_internal_error_names_its_request_over_http_and_in_streams() {
    let world = World::start().await;
    for (document, accept) in [
        ("{ name unwell }", "application/json"),
        ("{ boom }", "application/json"),
        ("{ name unwell }", "text/event-stream"),
        ("subscription { unwell }", "text/event-stream"),
        ("subscription { boom }", "text/event-stream"),
        ("subscription { unwell }", "multipart/mixed;subscriptionSpec=1.0"),
        ("subscription { boom }", "multipart/mixed;subscriptionSpec=1.0"),
    ] {
        let request = world.request("POST", "/graphql").header("content-type", "application/json");
        let request = request.header("accept", accept).header("x-request-id", "the-id-of-this-one");
        let reply = Reply::to(request.body(json!({ "query": document }).to_string())).await;
        let named = reply.text.matches(r#""requestId":"the-id-of-this-one""#).count();
        assert_eq!(
            (reply.text.matches(r#""INTERNAL""#).count(), named),
            (1, 1),
            "{document}: {}",
            reply.text
        );
    }
    // What is somebody else's affair needs no such name.
    let refused = world.query("{ nothing }").await;
    assert!(!refused.text.contains("requestId"), "{}", refused.text);
}

#[tokio::test]
async fn every_internal_error_names_its_socket() {
    let world = World::start().await;
    let mut request = format!("ws://{}/graphql", world.address).into_client_request().unwrap();
    for (name, value) in
        [("sec-websocket-protocol", "graphql-transport-ws"), ("x-request-id", "the-id-of-this-one")]
    {
        request.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    let mut socket = connect_async(request).await.unwrap().0;
    let mut say = vec![json!({ "type": "connection_init", "payload": { "Authorization": KEY } })];
    for (id, document) in
        ["{ name unwell }", "{ boom }", "subscription { unwell }", "subscription { boom }"].iter().enumerate()
    {
        say.push(json!({ "type": "subscribe", "id": id.to_string(), "payload": { "query": document } }));
    }
    let operations = say.len() - 1;
    for message in say {
        socket.send(Message::text(message.to_string())).await.unwrap();
    }
    let mut named = 0;
    while named < operations {
        let Message::Text(text) = socket.next().await.unwrap().unwrap() else { continue };
        let message: Value = serde_json::from_str(&text).unwrap();
        let errors = match message["type"].as_str() {
            Some("next") => message["payload"]["errors"].clone(),
            Some("error") => message["payload"].clone(),
            _ => continue,
        };
        assert_eq!(errors[0]["extensions"]["code"], "INTERNAL", "{message}");
        assert_eq!(errors[0]["extensions"]["requestId"], "the-id-of-this-one", "{message}");
        named += 1;
    }
}

#[tokio::test]
async fn a_subscription_that_breaks_off_before_it_begins_costs_itself_and_nothing_else() {
    let world = World::start().await;
    let mut client =
        Client::try_connect(&world, &[("x-request-id", "the-id-of-this-one")]).await.ok().unwrap();
    client.say(json!({ "type": "connection_init", "payload": { "Authorization": KEY } })).await;
    assert_eq!(client.hear().await["type"], "connection_ack");
    client.subscribe("quiet", "subscription { silence }").await;
    eventually("it listens", || world.script.listeners.load(SeqCst) == 1).await;

    world.script.breaks_off_at_once.store(true, SeqCst);
    client.subscribe("broken", "subscription { count(until: 2) }").await;
    let error = client.hear().await;
    assert_eq!((&error["id"], &error["type"]), (&json!("broken"), &json!("error")), "{error}");
    let extensions = &error["payload"][0]["extensions"];
    assert_eq!(extensions["code"], "INTERNAL", "{error}");
    assert_eq!(extensions["requestId"], "the-id-of-this-one", "{error}");
    for accept in ["text/event-stream", "multipart/mixed;subscriptionSpec=1.0"] {
        let body = json!({ "query": "subscription { count(until: 2) }" }).to_string();
        let reply = world.post_accepting(accept, body).await;
        assert!(reply.status == 200 && reply.text.matches(r#""INTERNAL""#).count() == 1, "{}", reply.text);
    }

    world.script.breaks_off_at_once.store(false, SeqCst);
    client.subscribe("broken", "subscription { count(until: 1) }").await;
    assert_eq!(client.hear().await["type"], "next", "its id is free, and the socket lives");
    assert_eq!(world.script.listeners.load(SeqCst), 1, "and so does its neighbour");
}

#[tokio::test]
async fn an_answer_has_a_hundred_errors_at_most_and_says_how_many_were_left_out() {
    let world = World::start().await;
    for (times, said, left_out) in [(100, 100, None), (250, 100, Some("(and 150 more errors, left out)"))] {
        let answer = world.query(&format!("{{ failures(times: {times}) {{ value }} }}")).await.json();
        let errors = answer["errors"].as_array().unwrap();
        assert_eq!(errors.len(), said);
        assert_eq!(answer["data"]["failures"].as_array().unwrap().len(), times, "the data is whole");
        let last = errors.last().unwrap()["message"].as_str().unwrap();
        assert!(left_out.is_none_or(|it| last.ends_with(it)), "{last}");
        assert!(errors.iter().all(|it| it["path"].is_array() && it["extensions"]["code"].is_string()));
    }
}
