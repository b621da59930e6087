//! One cursor for every way to listen and to read: it goes on exactly behind its event, or says that it cannot.

use std::{collections::VecDeque, time::Duration};

use futures_util::{StreamExt, future::join_all, stream};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use crate::world::{KEY, Listener, OTHER_KEY, Reader, Subscriber, TENANT, World};

const EVENTS: &str = "subscription($after: Cursor) { events(after: $after) { id cursor } }";
const COMPLETED: &str = "subscription($after: Cursor) { designCompleted(after: $after) { id cursor } }";
const PAGE: &str = "query($after: String) { events(first: 1, after: $after) { nodes { id cursor } } }";
const PARTS: &str = "multipart/mixed;subscriptionSpec=1.0";

const PLENTY: (&str, &str) = ("HELIOGRAPH_AURORA__REQUESTS_PER_MINUTE", "10000");

/// What each way gives first behind a cursor: an event's id, or the errors.
async fn behind(world: &World, key: &str, cursor: &str) -> Vec<(&'static str, Value)> {
    let after = json!({ "after": cursor });
    let body = |query: &str, variables: &Value| {
        let body = json!({ "query": query, "variables": variables });
        world.http.post(world.url("/graphql")).bearer_auth(key).json(&body)
    };
    let none = json!({});
    let mut said = Vec::new();
    for (way, query) in [("socket, events", EVENTS), ("socket, designCompleted", COMPLETED)] {
        let mut socket = world.subscribe_eager(key, query, after.clone()).await;
        said.push((way, socket.message().await["payload"].clone()));
    }
    for (way, query) in [("stream, events", EVENTS), ("stream, designCompleted", COMPLETED)] {
        said.push((way, Listener::open(body(query, &after)).await.next().await.0));
    }
    let again = body(EVENTS, &none).header("last-event-id", cursor);
    said.push(("Last-Event-ID", Listener::open(again).await.next().await.0));
    let part = Reader::open(body(EVENTS, &after), PARTS).await.next().await.unwrap();
    said.push(("parts", part["payload"].clone()));
    said.push(("page", world.ask(key, PAGE, after.clone()).await.body));
    said
}

fn first(answer: &Value) -> Value {
    let data = &answer["data"];
    let found = [&data["events"]["id"], &data["designCompleted"]["id"], &data["events"]["nodes"][0]["id"]];
    found.into_iter().find(|it| it.is_string()).unwrap_or_else(|| panic!("{answer}")).clone()
}

async fn cursors(world: &World) -> Vec<String> {
    let answer = world.query("{ events(first: 100) { nodes { cursor } } }").await.sound();
    let nodes = answer["events"]["nodes"].as_array().unwrap().clone();
    nodes.iter().map(|it| it["cursor"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn one_cursor_goes_on_everywhere_and_after_a_restart_too() {
    let mut world = World::start().await;
    for number in 0..3 {
        world.complete("d", &format!("j{number}")).await;
    }
    world.announced_become(3).await;
    let (known, places) = (world.announced().await, cursors(&world).await);
    for round in ["before", "after"] {
        for (at, place) in places.iter().take(2).enumerate() {
            for (way, answer) in behind(&world, KEY, place).await {
                assert_eq!(first(&answer), known[at + 1], "{way}, {round} the restart");
            }
        }
        world.restart().await;
    }
}

#[tokio::test]
async fn a_cursor_goes_on_in_another_process_that_has_got_the_store() {
    let mut world = World::start().await;
    for number in 0..3 {
        world.complete("d", &format!("j{number}")).await;
    }
    world.announced_become(3).await;
    let (known, places) = (world.announced().await, cursors(&world).await);
    world.stop().await;
    let elsewhere = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(world.store()).unwrap() {
        let file = entry.unwrap().path();
        std::fs::copy(&file, elsewhere.path().join(file.file_name().unwrap())).unwrap();
    }
    let (running, base) = world.process(elsewhere.path(), &[]);
    let after = json!({ "after": places[0] });
    let mut socket = Subscriber::begin(&format!("{base}/graphql"), KEY, EVENTS, after).await;
    for (id, place) in known.iter().zip(&places).skip(1) {
        let event = socket.next("events").await;
        assert_eq!((&event["id"], &event["cursor"]), (&json!(id), &json!(place)));
    }
    running.stop();
}

#[tokio::test]
async fn a_cursor_with_any_letter_changed_is_refused() {
    let world = World::start().await;
    world.complete("d", "j").await;
    world.announced_become(1).await;
    let cursor = cursors(&world).await.remove(0);
    for at in 0..cursor.len() {
        let letter = if cursor.as_bytes()[at] == b'x' { "y" } else { "x" };
        let mut forged = cursor.clone();
        forged.replace_range(at..=at, letter);
        let answer = world.ask(KEY, PAGE, json!({ "after": forged })).await;
        assert_eq!(answer.errors(), ["BAD_USER_INPUT at events"], "{forged} of {cursor}");
    }
    assert!(world.ask(KEY, PAGE, json!({ "after": cursor })).await.errors().is_empty());
}

#[tokio::test]
async fn a_cursor_of_another_tenant_is_refused_everywhere() {
    let world = World::start().await;
    world.complete("d", "j").await;
    world.announced_become(1).await;
    let place = cursors(&world).await.remove(0);
    for (way, answer) in behind(&world, OTHER_KEY, &place).await {
        let error = &answer["errors"][0];
        assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT", "{way}: {answer}");
        assert!(
            error["path"].is_array() && answer["errors"].as_array().unwrap().len() == 1,
            "{way}: {answer}"
        );
    }
}

#[tokio::test]
async fn an_expired_cursor_says_what_is_left_everywhere() {
    let mut world = World::with(|_| {}, &[("HELIOGRAPH_STORE__RETENTION", "48h")]).await;
    for number in 0..3 {
        world.complete("d", &format!("j{number}")).await;
    }
    world.announced_become(3).await;
    let old = cursors(&world).await.remove(0);
    world.advance(Duration::from_secs(72 * 3600));
    world.complete("d", "young").await;
    world.announced_become(4).await;
    world.restart().await;
    world.eventually("the old ones are gone", || async { world.announced().await.len() == 1 }).await;
    let left = world.announced().await.remove(0);
    for (way, answer) in behind(&world, KEY, &old).await {
        let extensions = &answer["errors"][0]["extensions"];
        assert_eq!(extensions["code"], "CURSOR_EXPIRED", "{way}: {answer}");
        let oldest = extensions["oldestCursor"].as_str().unwrap_or_else(|| panic!("{way}: {answer}"));
        let rest = world.ask(KEY, PAGE, json!({ "after": oldest })).await.sound();
        assert_eq!(rest["events"]["nodes"][0]["id"], left, "{way}");
    }
}

#[tokio::test]
async fn a_cursor_that_a_restored_store_never_reached_is_no_silence() {
    let mut world = World::start().await;
    world.complete("d", "j1").await;
    world.announced_become(1).await;
    world.stop().await;
    let kept = world.store().join("heliograph.db");
    let copy = std::fs::read(&kept).unwrap();
    world.restart().await;
    for number in 2..5 {
        world.complete("d", &format!("j{number}")).await;
    }
    world.announced_become(4).await;
    let last = cursors(&world).await.pop().unwrap();
    world.stop().await;
    std::fs::write(&kept, copy).unwrap();
    for rest in ["-wal", "-shm"] {
        let _none = std::fs::remove_file(world.store().join(format!("heliograph.db{rest}")));
    }
    world.restart().await;
    for (way, answer) in behind(&world, KEY, &last).await {
        assert_eq!(answer["errors"][0]["extensions"]["code"], "CURSOR_EXPIRED", "{way}: {answer}");
    }
}

#[tokio::test]
async fn a_stop_tells_the_place_to_whoever_listens_to_one_thing() {
    let mut world = World::start().await;
    let mut socket = world.subscribe(EVENTS).await;
    world.complete("d", "j1").await;
    let cursor = socket.next("events").await["cursor"].as_str().unwrap().to_owned();
    let (closed, ()) = tokio::join!(socket.until_closed(1012), world.stop());
    assert!(closed.1.ends_with(&format!("resume after {cursor}")), "{}", closed.1);
}

/// A way to listen, and where it was.
enum Line {
    Socket(Subscriber, VecDeque<Value>),
    Stream(Listener),
}

impl Line {
    async fn open(world: &World, by_socket: bool, place: Option<&str>) -> Self {
        if by_socket {
            let after = json!({ "after": place });
            return match place {
                Some(_) => Self::Socket(world.subscribe_eager(KEY, EVENTS, after).await, VecDeque::new()),
                None => {
                    let (socket, came) = Subscriber::open_busy(&world.url("/graphql"), KEY, EVENTS).await;
                    Self::Socket(socket, came.into())
                }
            };
        }
        let request = world.by_post(EVENTS, json!({}));
        let request = place.into_iter().fold(request, |it, place| it.header("last-event-id", place));
        Self::Stream(Listener::open(request).await)
    }

    async fn next(&mut self) -> (String, String) {
        let answer = match self {
            Self::Socket(socket, came) => match came.pop_front() {
                Some(message) => message["payload"].clone(),
                None => socket.message().await["payload"].clone(),
            },
            Self::Stream(listener) => listener.next().await.0,
        };
        let event = &answer["data"]["events"];
        let text = |name: &str| event[name].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        (text("id"), text("cursor"))
    }
}

/// Comes at some moment, hears, is cut off some times and resumes, until it has heard the last event of all.
async fn wander(
    world: &World,
    mut chance: StdRng,
    last: &tokio::sync::OnceCell<String>,
) -> (Vec<String>, String) {
    tokio::time::sleep(Duration::from_millis(chance.random_range(0..400))).await;
    let mut line = Line::open(world, chance.random(), None).await;
    // What is announced from here on must be heard.
    let own = format!("own-{}", chance.random::<u64>());
    let query = format!("tenant_id={TENANT}&project_id={own}&source=app");
    assert_eq!(world.deliver("project_created", &query).await, 200);
    let (mut heard, mut place) = (Vec::new(), None);
    while last.get().is_none_or(|last| heard.last() != Some(last)) {
        if place.is_some() && chance.random_ratio(1, 25) {
            line = Line::open(world, chance.random(), place.as_deref()).await;
        }
        if chance.random_ratio(1, 20) {
            tokio::time::sleep(Duration::from_millis(chance.random_range(0..30))).await;
        }
        // There may be nothing more until the last event is known.
        let Ok((id, cursor)) = tokio::time::timeout(Duration::from_millis(200), line.next()).await else {
            // Whoever has heard nothing yet has no place to resume from, and waits on.
            if place.is_some() {
                line = Line::open(world, chance.random(), place.as_deref()).await;
            }
            continue;
        };
        heard.push(id);
        place = Some(cursor);
    }
    (heard, own)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_at_whatever_moment_hears_all_that_follows_once_and_in_order() {
    const EVENTS: usize = 600;
    const WANDERERS: u64 = 24;
    let seed: u64 = rand::random();
    // With so little room, hardly anybody keeps up with its group all the time.
    let world = World::with(|_| {}, &[("HELIOGRAPH_LIMITS__SUBSCRIBER_BACKLOG", "2"), PLENTY]).await;
    let last = tokio::sync::OnceCell::new();
    let pour = async {
        stream::iter(0..EVENTS)
            .for_each_concurrent(16, |number| {
                let world = &world;
                async move {
                    let query = format!("tenant_id={TENANT}&project_id=p{number}&source=app");
                    assert_eq!(world.deliver("project_created", &query).await, 200);
                }
            })
            .await;
        world.announced_become_by_pages(EVENTS + WANDERERS as usize).await;
        last.set(world.all_announced().await.pop().unwrap()).unwrap();
    };
    let wanderers =
        join_all((0..WANDERERS).map(|at| wander(&world, StdRng::seed_from_u64(seed + at), &last)));
    let ((), heard) = tokio::join!(pour, wanderers);
    let all = world.all_announced().await;
    let own = own_events(&world).await;
    for (heard, project) in heard {
        let begin = all.iter().position(|it| *it == heard[0]).unwrap();
        assert!(heard == all[begin..], "seed {seed}: a gap or a repeat behind {begin}");
        let own = &own.iter().find(|(of, _)| *of == project).unwrap().1;
        assert!(heard.contains(own), "seed {seed}: what came after the acceptance was missed");
    }
}

/// The projects that were made, with their events.
async fn own_events(world: &World) -> Vec<(String, String)> {
    let query = "query($after: String) { events(first: 100, after: $after) {
        nodes { id ... on ProjectCreatedEvent { projectId } } pageInfo { hasNextPage endCursor } } }";
    let (mut all, mut after) = (Vec::new(), Value::Null);
    loop {
        let answer = world.ask(KEY, query, json!({ "after": after })).await.sound();
        for node in answer["events"]["nodes"].as_array().unwrap() {
            let text = |name: &str| node[name].as_str().unwrap().to_owned();
            all.push((text("projectId"), text("id")));
        }
        if answer["events"]["pageInfo"]["hasNextPage"] == false {
            return all;
        }
        after = answer["events"]["pageInfo"]["endCursor"].clone();
    }
}
