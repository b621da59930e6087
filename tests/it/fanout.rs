//! One execution for many subscribers: what they share, what they do not, and who is behind.

use std::time::Duration;

use futures_util::{StreamExt, future::join_all, stream};
use serde_json::{Value, json};

use crate::world::{BOTH_KEY, KEY, Listener, OTHER, OTHER_KEY, READ_KEY, Reader, TENANT, World};

const EVENTS: &str =
    "subscription($tenant: ID, $after: Cursor) { events(tenantId: $tenant, after: $after) { id } }";
const PARTS: &str = "multipart/mixed;subscriptionSpec=1.0";

/// Aurora may be asked as often as it likes, so that events come as fast as they can.
const PLENTY: (&str, &str) = ("HELIOGRAPH_AURORA__REQUESTS_PER_MINUTE", "10000");

async fn change(world: &World, tenant: &str, project: &str) {
    let query = format!("tenant_id={tenant}&project_id={project}&source=app&attributes=name");
    assert_eq!(world.deliver("project_changed", &query).await, 200);
}

fn id(answer: &Value) -> String {
    answer["data"]["events"]["id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

#[tokio::test]
async fn an_event_is_executed_once_for_all_who_ask_alike_on_whatever_transport() {
    let world = World::start().await;
    let before = world.count("heliograph_event_executions_total").await;
    let mut sockets = Vec::new();
    for _ in 0..10 {
        sockets.push(world.subscribe(EVENTS).await);
    }
    // The same in other spellings of its variables.
    for variables in [json!({ "after": null }), json!({ "unknown": 1 })] {
        sockets.push(world.subscribe_as(KEY, EVENTS, variables).await);
    }
    let mut listeners = Vec::new();
    let mut readers = Vec::new();
    for _ in 0..5 {
        listeners.push(Listener::open(world.by_post(EVENTS, json!({}))).await);
        readers.push(Reader::open(world.by_post(EVENTS, json!({})), PARTS).await);
    }
    for number in 0..3 {
        change(&world, TENANT, &format!("p{number}")).await;
        let mut heard = Vec::new();
        for socket in &mut sockets {
            heard.push(socket.next("events").await["id"].as_str().unwrap().to_owned());
        }
        for listener in &mut listeners {
            heard.push(id(&listener.next().await.0));
        }
        for reader in &mut readers {
            heard.push(id(&reader.next().await.unwrap()["payload"]));
        }
        assert!(heard.len() == 22 && heard.iter().all(|it| *it == heard[0]), "{heard:?}");
    }
    assert_eq!(world.count("heliograph_event_executions_total").await, before + 3);
    assert_eq!(world.count("heliograph_event_answers_total").await, 3 * 22);
}

#[tokio::test]
async fn those_who_may_see_or_do_other_things_share_nothing() {
    let world = World::start().await;
    let of = |tenant: &str| json!({ "tenant": tenant });
    let mut here = Vec::new();
    for key in [KEY, READ_KEY, BOTH_KEY] {
        here.push(world.subscribe_as(key, EVENTS, of(TENANT)).await);
    }
    let mut there = Vec::new();
    for key in [OTHER_KEY, BOTH_KEY] {
        there.push(world.subscribe_as(key, EVENTS, of(OTHER)).await);
    }
    // The tenant is not named here, and is each one's own.
    let mut unnamed = [
        world.subscribe_as(KEY, EVENTS, json!({})).await,
        world.subscribe_as(OTHER_KEY, EVENTS, json!({})).await,
    ];

    change(&world, TENANT, "ours").await;
    let ours = unnamed[0].next("events").await;
    for socket in &mut here {
        assert_eq!(socket.next("events").await, ours);
    }
    change(&world, OTHER, "theirs").await;
    let theirs = unnamed[1].next("events").await;
    for socket in &mut there {
        assert_eq!(socket.next("events").await, theirs, "nothing of another tenant came before");
    }
    assert_ne!(ours, theirs);
    for socket in here.iter_mut().chain(&mut unnamed[..1]) {
        let said = socket.until_now().await;
        assert!(!said.contains("next"), "nothing of another tenant: {said}");
    }
    assert_eq!(world.count("heliograph_event_executions_total").await, 4 + 3);
}

#[tokio::test]
async fn an_event_costs_nothing_for_those_who_wait_for_another() {
    let world = World::start().await;
    let query = "subscription($design: ID) { designCompleted(designId: $design) { jobId } }";
    let mut others = Vec::new();
    for number in 0..30 {
        others.push(world.subscribe_as(KEY, query, json!({ "design": format!("d{number}") })).await);
    }
    let by_project = "subscription { designCompleted(projectId: \"p\") { jobId } }";
    let by_type = "subscription { events(types: [PROJECT_CHANGED, OTHER]) { id } }";
    for query in [by_project, by_type] {
        others.push(world.subscribe(query).await);
    }
    for number in 0..3 {
        world.complete("d7", &format!("j{number}")).await;
        assert_eq!(others[7].next("designCompleted").await["jobId"], format!("j{number}"));
    }
    assert_eq!(world.count("heliograph_event_executions_total").await, 3);
    assert_eq!(world.count("heliograph_event_answers_total").await, 3);
}

#[tokio::test]
async fn who_is_too_slow_for_what_is_kept_in_memory_reads_on_from_the_journal() {
    const MANY: usize = 300;
    let world = World::with(|_| {}, &[("HELIOGRAPH_LIMITS__SUBSCRIBER_BACKLOG", "1")]).await;
    let mut sockets = Vec::new();
    for _ in 0..8 {
        sockets.push(world.subscribe(EVENTS).await);
    }
    let pour = stream::iter(0..MANY).for_each_concurrent(50, |number| {
        let world = &world;
        async move { change(world, TENANT, &format!("p{number}")).await }
    });
    let hear = join_all(sockets.iter_mut().map(|socket| async move {
        let mut heard = Vec::new();
        for _ in 0..MANY {
            heard.push(socket.next("events").await["id"].as_str().unwrap().to_owned());
        }
        heard
    }));
    let ((), heard) = tokio::join!(pour, hear);
    let all = world.all_announced().await;
    assert!(all.len() == MANY && heard.iter().all(|it| *it == all));
}

#[tokio::test]
async fn a_tenant_has_no_more_subscribers_than_it_may_and_a_seat_is_free_again() {
    let world = World::with(|_| {}, &[("HELIOGRAPH_LIMITS__SUBSCRIBERS_PER_TENANT", "2")]).await;
    let first = world.subscribe(EVENTS).await;
    let _second = Listener::open(world.by_post(EVENTS, json!({}))).await;
    let mut third = world.subscribe_refused(KEY, EVENTS).await;
    assert_eq!(third.refusal().await, ["RATE_LIMITED at events"]);
    let _another = world.subscribe_as(OTHER_KEY, EVENTS, json!({})).await;
    drop(first);
    world
        .eventually("the seat is free", || async {
            let mut next = world.subscribe_refused(KEY, EVENTS).await;
            !next.until_now().await.contains("RATE_LIMITED")
        })
        .await;
}

/// An answer of some 200 KiB, which no buffer of the system holds many of.
fn long() -> String {
    let fields: String = (0..28).map(|at| format!("a{at}: parameters {{ name value }} ")).collect();
    format!(
        "subscription($after: Cursor) {{ events(after: $after) {{ id ... on OtherEvent {{ {fields} }} }} }}"
    )
}

async fn land(world: &World, number: usize) {
    let stones: String = (0..13).map(|at| format!("&stone{at}={}", "x".repeat(500))).collect();
    let query = format!("tenant_id={TENANT}&crater={number}{stones}");
    assert_eq!(world.deliver("moon_landed", &query).await, 200);
}

#[tokio::test]
async fn a_reader_that_stops_is_sent_away_with_its_place_and_its_neighbours_do_not_notice() {
    const MANY: usize = 60;
    let world = World::with(|_| {}, &[("HELIOGRAPH_LIMITS__WRITE_TIMEOUT", "500ms"), PLENTY]).await;
    let mut stalled = world.subscribe(&long()).await;
    let mut alike = world.subscribe(&long()).await;
    let mut others = Vec::new();
    for _ in 0..20 {
        others.push(world.subscribe(EVENTS).await);
    }
    let neighbours = async {
        let mut latest = Duration::ZERO;
        for number in 0..MANY {
            let begun = std::time::Instant::now();
            land(&world, number).await;
            for socket in &mut others {
                socket.next("events").await;
            }
            latest = latest.max(begun.elapsed());
            alike.next("events").await;
        }
        latest
    };
    let sent_away = async {
        let line = "heliograph_sockets_closed_total{code=\"4008\"}";
        world.eventually("it is sent away", || async { world.count(line).await == 1 }).await;
        // It reads again while it is told goodbye.
        stalled.until_closed(4008).await
    };
    let (latest, (mut heard, reason)) = tokio::join!(neighbours, sent_away);
    assert!(latest < Duration::from_secs(2), "a neighbour waited for {latest:?}");
    let cursor = reason.split(" after ").nth(1).unwrap_or_else(|| panic!("no place: {reason}"));
    assert!(heard.len() < MANY, "it did stop reading");
    let mut resumed = world.subscribe_eager(KEY, EVENTS, json!({ "after": cursor })).await;
    while heard.len() < MANY {
        heard.push(resumed.message().await);
    }
    let heard: Vec<_> = heard.iter().map(|it| id(&it["payload"])).collect();
    assert_eq!(heard, world.all_announced().await);
}
