//! GraphQL over WebSocket, as the protocol has it.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use futures_util::SinkExt;
use serde_json::json;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

use super::{
    client::{Client, OLD},
    world::{FRIEND, KEY, World, eventually},
};
use crate::http::{Config, server, websocket};

/// Limits that a test does not have to wait long for.
fn brisk(change: impl FnOnce(&mut websocket::Limits)) -> Config {
    let mut config = Config::default();
    change(&mut config.socket);
    config
}

async fn with(change: impl FnOnce(&mut websocket::Limits)) -> World {
    World::with(brisk(change), server::Limits::default()).await
}

#[tokio::test]
async fn queries_mutations_and_subscriptions_answer_by_next_and_complete() {
    let world = World::start().await;
    let mut client = Client::admitted(&world).await;
    for (document, answers) in [
        ("{ name }", vec![json!({ "name": "crm" })]),
        ("mutation { increment }", vec![json!({ "increment": 1 })]),
        ("subscription { count(until: 2) }", vec![json!({ "count": 0 }), json!({ "count": 1 })]),
    ] {
        client.subscribe("same", document).await;
        for data in answers {
            assert_eq!(
                client.hear().await,
                json!({ "id": "same", "type": "next", "payload": { "data": data } })
            );
        }
        assert_eq!(client.hear().await, json!({ "id": "same", "type": "complete" }));
    }
    client.subscribe("e", "{ name broken }").await;
    let partial = client.hear().await;
    assert_eq!((&partial["type"], &partial["payload"]["data"]["name"]), (&"next".into(), &"crm".into()));
}

#[tokio::test]
async fn what_is_refused_before_it_runs_is_an_error_and_no_complete_follows() {
    let world = World::start().await;
    let mut client = Client::admitted(&world).await;
    let long = format!("{{ {} }}", "a ".repeat(1001));
    for (document, code) in [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
        (long.as_str(), "OPERATION_TOO_EXPENSIVE"),
        ("{ boom }", "INTERNAL"),
        ("subscription { boom }", "INTERNAL"),
    ] {
        client.subscribe("1", document).await;
        let error = client.hear().await;
        assert_eq!(error["type"], "error", "{error}");
        assert_eq!(error["payload"][0]["extensions"]["code"], code, "{error}");
    }
    client.subscribe("1", "{ name }").await;
    assert_eq!(client.hear().await["type"], "next", "the id is free and nothing else was said");
}

#[tokio::test]
async fn a_subscription_to_two_things_at_once_is_refused() {
    let world = World::start().await;
    let mut client = Client::admitted(&world).await;
    client.subscribe("1", "subscription { a: count(until: 1) b: count(until: 1) }").await;
    assert_eq!(client.hear().await["type"], "error");
}

#[tokio::test]
async fn the_credential_may_come_in_any_of_its_places() {
    let world = World::start().await;
    for payload in [
        json!({ "Authorization": KEY }),
        json!({ "authorization": KEY }),
        json!({ "headers": { "AUTHORIZATION": KEY } }),
    ] {
        let mut client = Client::connect(&world).await;
        client.say(json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(client.hear().await["type"], "connection_ack");
    }
    let mut client = Client::try_connect(&world, &[("authorization", KEY)]).await.ok().unwrap();
    client.say(json!({ "type": "connection_init" })).await;
    assert_eq!(client.hear().await["type"], "connection_ack");
}

#[tokio::test]
async fn a_socket_without_a_good_credential_is_closed_4403() {
    let world = World::start().await;
    for init in [
        json!({ "type": "connection_init" }),
        json!({ "type": "connection_init", "payload": {} }),
        json!({ "type": "connection_init", "payload": { "Authorization": "Bearer wrong" } }),
        json!({ "type": "connection_init", "payload": { "Authorization": "k-crm" } }),
    ] {
        let mut client = Client::connect(&world).await;
        client.say(init).await;
        assert_eq!(client.closed().await, 4403);
    }
    // A wrong credential in the payload is not saved by a right one in the handshake.
    let mut client = Client::try_connect(&world, &[("authorization", KEY)]).await.ok().unwrap();
    client.say(json!({ "type": "connection_init", "payload": { "Authorization": "Bearer wrong" } })).await;
    assert_eq!(client.closed().await, 4403);
}

#[tokio::test]
async fn each_breach_of_the_protocol_closes_with_its_own_code() {
    let world = World::start().await;
    let subscribe = r#"{"id":"1","type":"subscribe","payload":{"query":"subscription { silence }"}}"#;
    let mut early = Client::connect(&world).await;
    early.say_text(subscribe).await;
    assert_eq!(early.closed().await, 4401);

    let mut twice = Client::admitted(&world).await;
    twice.say(json!({ "type": "connection_init" })).await;
    assert_eq!(twice.closed().await, 4429);

    let mut duplicate = Client::admitted(&world).await;
    duplicate.say_text(subscribe).await;
    duplicate.say_text(subscribe).await;
    assert_eq!(duplicate.closed().await, 4409);

    for invalid in
        ["nonsense", "{}", r#"{"type":"start"}"#, r#"{"id":"1","type":"subscribe","payload":{"query":7}}"#]
    {
        let mut client = Client::admitted(&world).await;
        client.say_text(invalid).await;
        assert_eq!(client.closed().await, 4400, "{invalid}");
    }
    let mut binary = Client::admitted(&world).await;
    binary.0.send(Message::binary(vec![1, 2])).await.unwrap();
    assert_eq!(binary.closed().await, 4400);

    let mut long = Client::admitted(&world).await;
    long.say(json!({ "type": "ping", "payload": { "x": "x".repeat(140_000) } })).await;
    assert_eq!(long.closed().await, 1009);
}

#[tokio::test]
async fn a_socket_that_never_shows_a_credential_is_closed_4408() {
    let world = with(|limits| limits.init_timeout = Duration::from_millis(50)).await;
    let mut client = Client::connect(&world).await;
    client.say(json!({ "type": "ping" })).await;
    assert_eq!(client.hear().await["type"], "pong");
    assert_eq!(client.closed().await, 4408);
}

#[tokio::test]
async fn a_credential_counts_for_so_long_and_no_longer() {
    let world = with(|limits| limits.life = Duration::from_millis(50)).await;
    let mut client = Client::admitted(&world).await;
    client.subscribe("1", "subscription { silence }").await;
    assert_eq!(client.closed().await, 4403);
    eventually("the subscription ended", || world.script.listeners.load(SeqCst) == 0).await;
}

#[tokio::test]
async fn a_close_at_the_end_of_a_credential_names_the_last_answer_that_was_written() {
    let world = with(|limits| limits.life = Duration::from_millis(50)).await;
    let mut written = 0;
    // Whether the end is seen by who reads or by who writes is a matter of chance.
    for _ in 0..20 {
        let mut client = Client::admitted(&world).await;
        client.subscribe("1", "subscription { placed(until: 100000000) }").await;
        let mut last = None;
        let frame = loop {
            match client.next().await {
                Message::Text(text) => last = Some(text),
                Message::Close(frame) => break frame.unwrap(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(u16::from(frame.code), 4403);
        // A machine that has much else to do may not come to the first answer.
        let Some(last) = last else { continue };
        written += 1;
        let last: serde_json::Value = serde_json::from_str(&last).unwrap();
        let named = frame.reason.rsplit_once(" after ").map(|(_, cursor)| cursor.to_owned());
        // Nothing where another answer had been made, and was held back.
        let cursor = format!("c{}", last["payload"]["data"]["placed"]);
        assert!(named.as_ref().is_none_or(|it| *it == cursor), "{named:?} instead of {cursor}");
    }
    assert!(written > 0, "nothing was ever written");
}

#[tokio::test]
async fn a_ping_gets_its_payload_back() {
    let world = World::start().await;
    let mut client = Client::connect(&world).await;
    client.say(json!({ "type": "ping", "payload": { "n": [1] } })).await;
    assert_eq!(client.hear().await, json!({ "type": "pong", "payload": { "n": [1] } }));
}

#[tokio::test]
async fn after_a_clients_complete_nothing_more_is_said_and_the_work_ends() {
    let world = World::start().await;
    let mut client = Client::admitted(&world).await;
    client.subscribe("1", "subscription { silence }").await;
    eventually("it listens", || world.script.listeners.load(SeqCst) == 1).await;
    client.say(json!({ "id": "1", "type": "complete" })).await;
    eventually("it listens no more", || world.script.listeners.load(SeqCst) == 0).await;
    client.subscribe("1", "{ name }").await;
    assert_eq!(client.hear().await["type"], "next", "no complete was echoed");
    assert_eq!(client.hear().await["type"], "complete");
    eventually("nothing runs", || world.metrics.operations_running.get() == 0).await;
}

#[tokio::test]
async fn one_operation_too_many_is_refused_and_the_socket_lives() {
    let world = with(|limits| limits.operations = 2).await;
    let mut client = Client::admitted(&world).await;
    for id in ["1", "2", "3"] {
        client.subscribe(id, "subscription { silence }").await;
    }
    let error = client.hear().await;
    assert_eq!((&error["id"], &error["type"]), (&"3".into(), &"error".into()));
    assert_eq!(error["payload"][0]["extensions"]["code"], "RATE_LIMITED");
    client.say(json!({ "id": "1", "type": "complete" })).await;
    client.subscribe("3", "{ name }").await;
    assert_eq!(client.hear().await["type"], "next");
}

#[tokio::test]
async fn a_flooding_subscription_does_not_silence_its_neighbours() {
    let world = World::start().await;
    let mut client = Client::admitted(&world).await;
    client.subscribe("flood", "subscription { flood }").await;
    client.subscribe("quiet", "{ name }").await;
    for _ in 0..100 {
        if client.hear().await["id"] == "quiet" {
            return;
        }
    }
    panic!("the neighbour was never heard");
}

#[tokio::test]
async fn a_flood_can_be_stopped_by_its_reader() {
    let world = World::start().await;
    let mut client = Client::admitted(&world).await;
    client.subscribe("flood", "subscription { flood }").await;
    assert_eq!(client.hear().await["id"], "flood");
    client.say(json!({ "id": "flood", "type": "complete" })).await;
    client.subscribe("after", "{ name }").await;
    for _ in 0..1000 {
        if client.hear().await["id"] == "after" {
            eventually("the flood ended", || world.metrics.operations_running.get() == 0).await;
            return;
        }
    }
    panic!("the complete was never read");
}

#[tokio::test]
async fn a_reader_that_does_not_read_loses_its_socket_and_nothing_is_kept_for_it() {
    let world = with(|limits| limits.write_timeout = Duration::from_millis(100)).await;
    let mut client = Client::admitted(&world).await;
    client.subscribe("flood", "subscription { flood }").await;
    eventually("the socket was closed", || world.metrics.sockets_open.get() == 0).await;
    assert_eq!(world.metrics.operations_running.get(), 0);
    let page = world.metrics.page().unwrap();
    assert!(page.contains(r#"heliograph_sockets_closed_total{code="4008"} 1"#), "{page}");
}

#[tokio::test]
async fn a_client_that_answers_no_pings_is_given_up_and_one_that_does_is_kept() {
    let world = with(|limits| limits.ping_every = Duration::from_millis(40)).await;
    let mut alive = Client::admitted(&world).await;
    // Not read from, so its pings stay without an answer.
    let _silent = Client::admitted(&world).await;
    let mut pings = 0;
    while world.metrics.sockets_open.get() == 2 {
        if let Message::Ping(_) = alive.next().await {
            pings += 1;
        }
    }
    assert!(pings >= 2, "{pings}");
    assert!(world.metrics.page().unwrap().contains(r#"closed_total{code="1001"} 1"#));
    alive.subscribe("1", "{ name }").await;
    assert_eq!(alive.hear().await["type"], "next");
}

#[tokio::test]
async fn a_client_that_is_gone_without_a_word_has_broken_no_rule() {
    let world = World::start().await;
    let mut client = Client::admitted(&world).await;
    client.subscribe("1", "subscription { silence }").await;
    eventually("it listens", || world.script.listeners.load(SeqCst) == 1).await;
    drop(client);
    eventually("the socket is gone", || world.metrics.sockets_open.get() == 0).await;
    let page = world.metrics.page().unwrap();
    assert!(page.contains(r#"closed_total{code="1006"} 1"#) && !page.contains(r#"code="1002""#), "{page}");
}

#[tokio::test]
async fn without_a_subprotocol_that_is_spoken_here_a_socket_is_closed_4406() {
    let world = World::start().await;
    let request = format!("ws://{}/graphql", world.address).into_client_request().unwrap();
    let (socket, answer) = connect_async(request).await.unwrap();
    assert!(!answer.headers().contains_key("sec-websocket-protocol"));
    assert_eq!(Client(socket).closed().await, 4406);
    for offered in ["graphql-ws-next", "soap", "GRAPHQL-TRANSPORT-WS"] {
        let mut request = format!("ws://{}/graphql", world.address).into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(offered));
        let refused = connect_async(request).await.unwrap_err().to_string();
        assert!(refused.contains("no subprotocol"), "nothing was agreed on: {refused}");
    }
    let both = [("sec-websocket-protocol", "graphql-ws, graphql-transport-ws")];
    let mut client = Client::try_connect(&world, &both).await.ok().unwrap();
    client.say(json!({ "type": "connection_init", "payload": { "Authorization": KEY } })).await;
    assert_eq!(client.hear().await["type"], "connection_ack", "it speaks what it promised");
}

#[tokio::test]
async fn an_old_client_is_served_in_its_own_words() {
    let world = World::start().await;
    let mut client = Client::try_connect(&world, &[OLD]).await.ok().unwrap();
    client.say(json!({ "type": "connection_init", "payload": { "authorization": KEY } })).await;
    assert_eq!(client.hear().await["type"], "connection_ack");
    let start = |document: &str| json!({ "id": "1", "type": "start", "payload": { "query": document } });
    client.say(start("subscription { count(until: 1) }")).await;
    assert_eq!(
        client.hear().await,
        json!({ "id": "1", "type": "data", "payload": { "data": { "count": 0 } } })
    );
    assert_eq!(client.hear().await, json!({ "id": "1", "type": "complete" }));
    client.say(start("{ nothing }")).await;
    let error = client.hear().await;
    assert_eq!(error["payload"]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED", "{error}");
    client.say(start("subscription { silence }")).await;
    eventually("it listens", || world.script.listeners.load(SeqCst) == 1).await;
    client.say(json!({ "id": "1", "type": "stop" })).await;
    eventually("it listens no more", || world.script.listeners.load(SeqCst) == 0).await;
}

#[tokio::test]
async fn only_known_pages_may_open_a_socket() {
    let world = World::start().await;
    let own = world.url("");
    for origin in [own.as_str(), FRIEND] {
        assert!(Client::try_connect(&world, &[("origin", origin)]).await.is_ok(), "{origin}");
    }
    for origin in
        ["https://evil.example", "null", "http://127.0.0.1:1", "https://crm.example.com.evil.example"]
    {
        let headers = [("origin", origin), ("authorization", KEY)];
        assert_eq!(Client::try_connect(&world, &headers).await.err().unwrap().0, 403, "{origin}");
    }
}

#[tokio::test]
async fn a_stop_tells_every_socket_to_come_again() {
    let world = World::start().await;
    let mut waiting = Client::connect(&world).await;
    let mut busy = Client::admitted(&world).await;
    busy.subscribe("1", "subscription { silence }").await;
    eventually("it listens", || world.script.listeners.load(SeqCst) == 1).await;
    world.shutdown.cancel();
    assert_eq!(waiting.closed().await, 1012);
    assert_eq!(busy.closed().await, 1012);
    drop((waiting, busy));
    assert_eq!(world.served.await.unwrap().cut_off, 0);
}

#[tokio::test]
async fn a_mutation_ends_though_its_socket_is_gone() {
    let world = World::start().await;
    let mut client = Client::admitted(&world).await;
    client.subscribe("1", "mutation { incrementLate }").await;
    world.script.entered.notified().await;
    drop(client);
    eventually("the socket is gone", || world.metrics.sockets_open.get() == 0).await;
    world.script.gate.notify_one();
    eventually("the mutation ended", || world.script.increments.load(SeqCst) == 1).await;
}
