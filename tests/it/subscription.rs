//! Subscriptions: live, replayed from a cursor, over restarts.

use futures_util::future::join_all;
use heliograph::sandbox::{Fault, FaultRule};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::world::{KEY, Listener, TENANT, WEBHOOK_SECRET, World};

const EVENTS: &str = "subscription($after: Cursor) { events(after: $after) { id cursor type } }";

#[tokio::test]
async fn a_cursor_replays_what_came_behind_it_and_then_goes_on_live() {
    let world = World::start().await;
    for number in 0..30 {
        world.complete("d", &format!("j{number}")).await;
    }
    world.announced_become(30).await;
    let known = world.announced().await;

    let fifth = world.query("{ events(first: 5) { pageInfo { endCursor hasNextPage } } }").await.sound();
    assert_eq!(fifth["events"]["pageInfo"]["hasNextPage"], true);
    let after = json!({ "after": fifth["events"]["pageInfo"]["endCursor"] });
    let mut subscriber = world.subscribe_eager(KEY, EVENTS, after).await;
    for number in 30..40 {
        world.complete("d", &format!("j{number}")).await;
    }
    let mut heard = Vec::new();
    for _ in 0..35 {
        heard.push(subscriber.next("events").await["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(heard[..25], known[5..]);
    assert_eq!(heard[25..], world.announced().await[30..]);
}

#[tokio::test]
async fn nothing_is_missed_or_repeated_while_events_pour_in() {
    let plenty = ("HELIOGRAPH_AURORA__REQUESTS_PER_MINUTE", "10000");
    let world = World::with(|aurora| aurora.requests_per_minute = 0, &[plenty]).await;
    world.complete("d", "first").await;
    world.announced_become(1).await;
    let mut subscriber = world.subscribe(EVENTS).await;
    let pour = async {
        for number in 0..100 {
            world.complete(&format!("d{}", number % 5), &format!("j{number}")).await;
        }
    };
    let hear = async {
        let mut heard = Vec::new();
        // Half live, then again from the cursor of the middle, as after a lost connection.
        for _ in 0..50 {
            heard.push(subscriber.next("events").await);
        }
        let after = json!({ "after": heard.last().unwrap()["cursor"] });
        let mut resumed = world.subscribe_eager(KEY, EVENTS, after).await;
        for _ in 0..50 {
            heard.push(resumed.next("events").await);
        }
        heard
    };
    let ((), heard) = tokio::join!(pour, hear);
    let heard: Vec<_> = heard.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect();
    world.announced_become_by_pages(101).await;
    assert_eq!(heard, world.all_announced().await[1..]);
}

#[tokio::test]
async fn a_restart_goes_on_where_it_stopped_and_announces_nothing_again() {
    let mut world = World::start().await;
    let (_, design) = world.design().await;
    world.complete(&design, "j1").await;
    world.announced_become(1).await;
    let known = world.announced().await;
    let cursor =
        world.query("{ events { pageInfo { endCursor } } }").await["events"]["pageInfo"]["endCursor"].clone();

    // Aurora is out, so this one waits over the restart.
    world.aurora.fail(FaultRule::new("GET", "/tenants/*/designs/*/summary", Fault::status(503))).unwrap();
    assert_eq!(world.complete(&design, "j2").await, 200);
    world.restart().await;
    world.aurora.clear_faults();
    assert_eq!(world.complete(&design, "j1").await, 200, "a repeat from before the restart");
    world.announced_become(2).await;
    assert_eq!(world.announced().await[0], known[0]);

    let mut subscriber = world.subscribe_eager(KEY, EVENTS, json!({ "after": cursor })).await;
    assert_eq!(subscriber.next("events").await["id"], world.announced().await[1]);
}

#[tokio::test]
async fn only_what_was_asked_for_is_heard() {
    let world = World::start().await;
    let (project, design) = world.design().await;
    let mut by_project = world
        .subscribe(&format!(r#"subscription {{ designCompleted(projectId: "{project}") {{ jobId }} }}"#))
        .await;
    let mut by_design = world
        .subscribe(&format!(r#"subscription {{ designCompleted(designId: "{design}") {{ jobId }} }}"#))
        .await;
    let mut by_type = world.subscribe("subscription { events(types: [PROJECT_CHANGED]) { type ... on ProjectChangedEvent { projectId attributesText } } }").await;

    world.complete("another", "j0").await;
    let failed = format!("tenant_id={TENANT}&design_id={design}&job_id=j1&status=failed");
    world.deliver("performance_simulation_job_completed", &failed).await;
    world.complete(&design, "j2").await;
    world
        .deliver("project_changed", &format!("tenant_id={TENANT}&project_id=p&source=app&attributes=name"))
        .await;

    assert_eq!(by_project.next("designCompleted").await["jobId"], "j2");
    assert_eq!(by_design.next("designCompleted").await["jobId"], "j2");
    let event = by_type.next("events").await;
    assert_eq!(event, json!({ "type": "PROJECT_CHANGED", "projectId": "p", "attributesText": "name" }));
}

#[tokio::test]
async fn every_event_has_its_type_and_keeps_what_aurora_sent() {
    let world = World::start().await;
    for (event, query) in [
        ("project_created", "project_id=p1&source=app"),
        ("agreement_status_changed", "project_id=p1&agreement_id=a1&status=signed"),
        ("moon_landed", "crater=7&financing_id="),
    ] {
        assert_eq!(world.deliver(event, &format!("tenant_id={TENANT}&{query}")).await, 200);
        world.eventually(event, || async { !world.announced().await.is_empty() }).await;
    }
    world.announced_become(3).await;
    let answer = world
        .query("{ events { nodes { __typename type ... on ProjectCreatedEvent { projectId sourceText }
            ... on AgreementStatusChangedEvent { agreementId statusText } ... on OtherEvent { name parameters { name value } } } } }")
        .await
        .sound();
    let nodes = answer["events"]["nodes"].as_array().unwrap();
    let find = |name: &str| nodes.iter().find(|it| it["__typename"] == name).unwrap();
    assert_eq!(find("ProjectCreatedEvent")["sourceText"], "app");
    assert_eq!(find("AgreementStatusChangedEvent")["statusText"], "signed");
    let other = find("OtherEvent");
    assert_eq!((&other["type"], &other["name"]), (&json!("OTHER"), &json!("moon_landed")));
    assert!(other["parameters"].as_array().unwrap().contains(&json!({ "name": "crater", "value": "7" })));
    let typed = world.query("{ events(types: [OTHER]) { nodes { type } } }").await.sound();
    assert_eq!(typed["events"]["nodes"], json!([{ "type": "OTHER" }]));
}

#[tokio::test]
async fn a_cursor_older_than_what_is_kept_is_never_a_silent_gap() {
    let mut world = World::with(|_| {}, &[("HELIOGRAPH_STORE__RETENTION", "48h")]).await;
    for number in 0..3 {
        world.complete("d", &format!("j{number}")).await;
    }
    world.announced_become(3).await;
    let first = world.query("{ events(first: 1) { pageInfo { endCursor } } }").await["events"]["pageInfo"]["endCursor"].clone();
    world.advance(std::time::Duration::from_secs(72 * 3600));
    world.complete("d", "young").await;
    world.announced_become(4).await;
    world.restart().await;
    world.eventually("the old ones are gone", || async { world.announced().await.len() == 1 }).await;

    let query = "query($after: String) { events(after: $after) { nodes { id } } }";
    let expired = world.ask(KEY, query, json!({ "after": first })).await;
    assert_eq!(expired.errors(), ["CURSOR_EXPIRED at events"]);
    let oldest = &expired.body["errors"][0]["extensions"]["oldestCursor"];
    let rest = world.ask(KEY, query, json!({ "after": oldest })).await.sound();
    assert_eq!(rest["events"]["nodes"].as_array().unwrap().len(), 1);

    let mut subscriber = world.subscribe_eager(KEY, EVENTS, json!({ "after": first })).await;
    assert_eq!(subscriber.refusal().await, ["CURSOR_EXPIRED at events"]);
}

#[tokio::test]
async fn a_cursor_that_is_none_is_refused() {
    let world = World::start().await;
    let mut subscriber = world.subscribe_eager(KEY, EVENTS, json!({ "after": "wild" })).await;
    assert_eq!(subscriber.refusal().await, ["BAD_USER_INPUT at events"]);
}

#[tokio::test]
async fn one_thing_selected_twice_is_heard_once_however_it_is_spelt() {
    let world = World::start().await;
    for (number, query) in [
        "subscription { events { id } events { type } }",
        "subscription { ...F } fragment F on Subscription { events { id type } }",
    ]
    .into_iter()
    .enumerate()
    {
        let mut subscriber = world.subscribe(query).await;
        for event in 0..2 {
            world.complete("d", &format!("j{number}-{event}")).await;
        }
        let (first, second) = (subscriber.next("events").await, subscriber.next("events").await);
        assert!(first["id"].is_string() && first["type"].is_string(), "{query}: {first}");
        assert_ne!(first["id"], second["id"], "{query}");
    }
    let mut two = world.subscribe_refused(KEY, "subscription { events { id } designCompleted { id } }").await;
    assert_eq!(two.refusal().await, ["GRAPHQL_VALIDATION_FAILED"]);
}

/// Deliveries that are all on their way before any of them is read, so that they are journalled together: all but the first
/// of them, which keeps the disk busy meanwhile.
async fn deliver_at_once(world: &World, deliveries: &[String]) {
    let address = world.url("").trim_start_matches("http://").to_owned();
    let lines = join_all(deliveries.iter().map(|_| TcpStream::connect(&address))).await;
    let sent = lines.into_iter().zip(deliveries).map(|(line, delivery)| async move {
        let mut line = line.unwrap();
        let request = format!(
            "GET /webhooks/aurora/{delivery} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
             x-heliograph-webhook-token: {WEBHOOK_SECRET}\r\n\r\n"
        );
        line.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        line.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    });
    join_all(sent).await;
}

#[tokio::test]
async fn a_tenant_that_switches_off_and_on_again_at_once_ends_every_subscription_from_before() {
    let world = World::start().await;
    for round in 0..10 {
        let mut socket = world.subscribe(EVENTS).await;
        let mut listener = Listener::open(world.by_post(EVENTS, json!({}))).await;
        let change = |at: usize| format!("project_changed?tenant_id={TENANT}&project_id=p{round}-{at}");
        let switch = |status| format!("app_status_changed?tenant_id={TENANT}&app_id=app&status={status}");
        let mut deliveries: Vec<_> = (0..4).map(change).collect();
        deliveries.extend(["disabled", "enabled"].map(switch));
        deliver_at_once(&world, &deliveries).await;

        let code = "TENANT_NOT_CONNECTED";
        let mut last = socket.message().await;
        while last["payload"]["data"]["events"]["type"] == "PROJECT_CHANGED" {
            last = socket.message().await;
        }
        assert_eq!(last["payload"]["errors"][0]["extensions"]["code"], code, "round {round}: {last}");
        assert_eq!(socket.message().await["type"], "complete", "nothing comes after");
        let mut last = listener.next().await.0;
        while last["data"]["events"]["type"] == "PROJECT_CHANGED" {
            last = listener.next().await.0;
        }
        assert_eq!(last["errors"][0]["extensions"]["code"], code, "round {round}: {last}");
        assert_eq!(listener.heard().await.unwrap().name, "complete");
        world.announced_become((round + 1) * 6).await;
    }
    // It is on, and nothing is missing of what was announced.
    let all = world.all_announced().await;
    let first = world.query("{ events(first: 1) { pageInfo { endCursor } } }").await["events"]["pageInfo"]["endCursor"].clone();
    let mut again = world.subscribe_eager(KEY, EVENTS, json!({ "after": first })).await;
    for id in &all[1..] {
        assert_eq!(again.next("events").await["id"], *id);
    }
}
