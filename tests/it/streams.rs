//! Subscriptions over every transport: the same events, resumed, kept alive, ended.

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use crate::world::{Answer, KEY, Listener, OTHER_KEY, Reader, TENANT, World};

/// As Apollo's clients send it, and as they send it where they leave the boundary to the server.
const APOLLO: &str = r#"multipart/mixed;boundary="graphql";subscriptionSpec=1.0,application/json"#;
const APOLLO_WITHOUT_BOUNDARY: &str = "multipart/mixed;subscriptionSpec=1.0, application/json";

const EVENTS: &str = "subscription($after: Cursor) { events(after: $after) { id cursor type } }";

/// Does not say where it is: whoever wants to resume has only what the transport tells.
const WITHOUT_CURSOR: &str = "subscription($after: Cursor) { events(after: $after) { id } }";

/// Delivers so many different things, many at a time.
async fn pour(world: &World, numbers: std::ops::Range<usize>) {
    stream::iter(numbers)
        .for_each_concurrent(20, |number| async move {
            let query = format!("tenant_id={TENANT}&project_id=p{number}&source=app");
            assert_eq!(world.deliver("project_created", &query).await, 200);
        })
        .await;
}

fn id(answer: &Value) -> String {
    answer["data"]["events"]["id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

#[tokio::test]
async fn each_transport_tells_the_same_thousand_events_in_the_same_order() {
    const MANY: usize = 1000;
    let world = World::start().await;
    let mut socket = world.subscribe(EVENTS).await;
    let mut listener = Listener::open(world.by_post(EVENTS, json!({}))).await;
    let mut reader = Reader::open(world.by_post(EVENTS, json!({})), APOLLO).await;

    let by_socket = async {
        let mut answers = Vec::new();
        for _ in 0..MANY {
            let message = socket.message().await;
            assert_eq!(message["type"], "next", "{message}");
            answers.push(message["payload"].clone());
        }
        answers
    };
    let by_events = async {
        let mut answers = Vec::new();
        for _ in 0..MANY {
            let (answer, id) = listener.next().await;
            assert_eq!(answer["data"]["events"]["cursor"], json!(id));
            answers.push(answer);
        }
        answers
    };
    let by_parts = async {
        let mut answers = Vec::new();
        for _ in 0..MANY {
            let part = reader.next().await.unwrap();
            assert_eq!(part.as_object().unwrap().len(), 1, "{part}");
            answers.push(part["payload"].clone());
        }
        answers
    };
    let ((), by_socket, by_events, by_parts) =
        tokio::join!(pour(&world, 0..MANY), by_socket, by_events, by_parts);
    assert!(by_socket == by_events && by_events == by_parts);
    assert_eq!(by_socket.iter().map(id).collect::<Vec<_>>(), world.all_announced().await);
}

#[tokio::test]
async fn a_reader_of_events_that_comes_again_goes_on_behind_the_last_one_it_saw() {
    let world = World::start().await;
    let mut listener = Listener::open(world.by_post(WITHOUT_CURSOR, json!({}))).await;
    let (mut heard, mut last) = (Vec::new(), None);
    let hear = async {
        for connection in 0..5 {
            if connection > 0 {
                // As a browser does it: the request of the first time, and where it was.
                let request = match connection % 2 {
                    0 => world.by_post(WITHOUT_CURSOR, json!({})),
                    _ => world.by_get(WITHOUT_CURSOR, &json!({})),
                };
                listener = Listener::open(request.header("last-event-id", last.take().unwrap())).await;
            }
            for _ in 0..20 {
                let (answer, place) = listener.next().await;
                heard.push(id(&answer));
                last = place;
            }
        }
    };
    tokio::join!(pour(&world, 0..100), hear);
    assert_eq!(heard, world.all_announced().await);
}

#[tokio::test]
async fn the_last_event_counts_for_more_than_the_argument() {
    let world = World::start().await;
    pour(&world, 0..4).await;
    world.announced_become(4).await;
    let known = world.announced().await;
    let edges = world.query("{ events { edges { cursor } } }").await.sound();
    let cursor = |at: usize| edges["events"]["edges"][at]["cursor"].as_str().unwrap().to_owned();

    for after in [json!(cursor(0)), json!("wild"), Value::Null] {
        let request =
            world.by_post(WITHOUT_CURSOR, json!({ "after": after })).header("last-event-id", cursor(2));
        assert_eq!(id(&Listener::open(request).await.next().await.0), known[3]);
    }
    let empty = world.by_post(WITHOUT_CURSOR, json!({ "after": cursor(0) })).header("last-event-id", "");
    assert_eq!(id(&Listener::open(empty).await.next().await.0), known[1]);
    // It is the word of those who listen to events: nobody else is moved by it.
    let apollo =
        world.by_post(WITHOUT_CURSOR, json!({ "after": cursor(0) })).header("last-event-id", cursor(2));
    let part = Reader::open(apollo, APOLLO).await.next().await.unwrap();
    assert_eq!(id(&part["payload"]), known[1]);
}

#[tokio::test]
async fn a_last_event_that_is_none_is_refused_as_an_argument_would_be() {
    let world = World::start().await;
    pour(&world, 0..1).await;
    world.announced_become(1).await;
    let cursor =
        world.query("{ events { pageInfo { endCursor } } }").await["events"]["pageInfo"]["endCursor"].clone();
    let cursor = cursor.as_str().unwrap();
    for wrong in ["wild", "0", &format!("{cursor}, {cursor}")] {
        let request = world.by_post(WITHOUT_CURSOR, json!({})).header("last-event-id", wrong);
        assert_eq!(Listener::open(request).await.refusal().await, ["BAD_USER_INPUT at events"], "{wrong}");
    }
    let body = json!({ "query": WITHOUT_CURSOR });
    let stranger = world.http.post(world.url("/graphql")).bearer_auth(OTHER_KEY).json(&body);
    let refused = Listener::open(stranger.header("last-event-id", cursor)).await.refusal().await;
    assert_eq!(refused, ["BAD_USER_INPUT at events"], "another tenant's");
}

#[tokio::test]
async fn a_last_event_older_than_what_is_kept_is_never_a_silent_gap() {
    let mut world = World::with(|_| {}, &[("HELIOGRAPH_STORE__RETENTION", "48h")]).await;
    pour(&world, 0..3).await;
    world.announced_become(3).await;
    let mut listener = Listener::open(world.by_post(WITHOUT_CURSOR, json!({}))).await;
    pour(&world, 3..4).await;
    let (_, first) = listener.next().await;
    pour(&world, 4..5).await;
    world.announced_become(5).await;
    drop(listener);
    world.advance(std::time::Duration::from_secs(72 * 3600));
    pour(&world, 5..6).await;
    world.announced_become(6).await;
    world.restart().await;
    world.eventually("the old ones are gone", || async { world.announced().await.len() == 1 }).await;

    let request = world.by_post(WITHOUT_CURSOR, json!({})).header("last-event-id", first.unwrap());
    assert_eq!(Listener::open(request).await.refusal().await, ["CURSOR_EXPIRED at events"]);
}

#[tokio::test]
async fn a_multipart_subscription_is_alive_while_it_is_silent_and_ends_with_its_last_line() {
    let world = World::with(|_| {}, &[("HELIOGRAPH_LIMITS__KEEP_ALIVE_INTERVAL", "100ms")]).await;
    for accept in [APOLLO, APOLLO_WITHOUT_BOUNDARY] {
        let mut reader = Reader::open(world.by_get(EVENTS, &json!({})), accept).await;
        for _ in 0..2 {
            assert_eq!(reader.part().await, Some(json!({})));
        }
        // An error of the execution is part of the payload, and nothing comes behind this one.
        let mut refused = Reader::open(world.by_post(EVENTS, json!({ "after": "wild" })), accept).await;
        let part = refused.next().await.unwrap();
        assert_eq!(part["payload"]["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
        assert_eq!((part.get("errors"), refused.next().await), (None, None));
    }
}

#[tokio::test]
async fn only_a_credential_opens_a_stream_and_no_form_does() {
    let world = World::start().await;
    for accept in
        ["text/event-stream", APOLLO, APOLLO_WITHOUT_BOUNDARY, "multipart/mixed;subscriptionSpec=1.0"]
    {
        let body = json!({ "query": EVENTS });
        let anonymous = world.http.post(world.url("/graphql")).header("accept", accept).json(&body);
        let answer = Answer::of(anonymous.send().await.unwrap()).await;
        assert_eq!((answer.status, answer.errors()), (401, vec!["UNAUTHENTICATED".into()]), "{accept}");
        let form = world.http.post(world.url("/graphql")).bearer_auth(KEY).header("accept", accept);
        let form = form.header("content-type", "text/plain").body(body.to_string());
        assert_eq!(Answer::of(form.send().await.unwrap()).await.status, 415, "{accept}");
        let foreign = world.by_post("subscription { nothing }", json!({})).header("accept", accept);
        let foreign = foreign.header("origin", "https://evil.example").send().await.unwrap();
        assert!(!foreign.headers().contains_key("access-control-allow-origin"), "{accept}");
    }
    let query =
        world.by_post("{ viewer { name } }", json!({})).header("accept", APOLLO).send().await.unwrap();
    assert_eq!(query.headers()["content-type"], "application/json; charset=utf-8");
    Answer::of(query).await.sound();
}

#[tokio::test]
async fn a_stop_sends_the_readers_of_every_transport_elsewhere() {
    let mut world = World::start().await;
    let mut socket = world.subscribe(EVENTS).await;
    let mut listener = Listener::open(world.by_post(EVENTS, json!({}))).await;
    let mut reader = Reader::open(world.by_post(EVENTS, json!({})), APOLLO).await;
    let (code, event, part, ()) =
        tokio::join!(socket.closed(), listener.heard(), reader.next(), world.stop());
    assert_eq!(code, 1012);
    assert!(event.is_none(), "it ends without `complete`, so that the reader comes again: {event:?}");
    let part = part.unwrap();
    assert!(part["payload"].is_null(), "{part}");
    assert_eq!(part["errors"][0]["extensions"]["retryable"], true);
    assert_eq!(reader.next().await, None);
}
