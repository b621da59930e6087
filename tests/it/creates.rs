//! Creates whose outcome nobody knows: looked for at Aurora, found, and never made twice.

use std::{collections::HashSet, time::Duration};

use futures_util::future::join_all;
use heliograph::sandbox::{Fault, FaultRule};
use serde_json::{Value, json};

use crate::world::{Answer, KEY, TENANT, World};

const CREATE: &str = "mutation($input: CreateProjectInput!) { createProject(input: $input) {
    replayed userErrors { code } project { projectId name externalProviderId } } }";

const LIST: &str = "/tenants/*/projects";
const UNKNOWN: &str = "OUTCOME_UNKNOWN at createProject";

async fn create(world: &World, input: &Value) -> Answer {
    world.ask(KEY, CREATE, json!({ "input": input })).await
}

/// Creates that Aurora was sent.
fn sent(world: &World) -> usize {
    world.aurora.calls_to("POST", LIST)
}

fn made(world: &World) -> usize {
    world.aurora.projects(TENANT).len()
}

/// The next creates end so.
fn on_create(world: &World, fault: Fault, times: u32) {
    world.aurora.fail(FaultRule::new("POST", LIST, fault).times(times)).unwrap();
}

/// Aurora's list does not show yet what was made; so often.
fn list_lags(world: &World, times: u32) {
    let nothing = Fault::Body { body: json!({ "projects": [] }) };
    world.aurora.fail(FaultRule::new("GET", LIST, nothing).times(times)).unwrap();
}

fn keyed(key: &str) -> Value {
    json!({ "idempotencyKey": key, "name": "Maple Street", "location": { "propertyAddress": "1 Main St" } })
}

#[track_caller]
fn id(answer: &Answer, replayed: bool) -> String {
    let payload = &answer["createProject"];
    assert_eq!(payload["replayed"], replayed, "{:#}", answer.body);
    payload["project"]["projectId"].as_str().unwrap().to_owned()
}

/// Asks until it is known, and gives the answer.
async fn known(world: &World, input: &Value) -> Answer {
    world
        .eventually("the outcome is known", || async { create(world, input).await.errors().is_empty() })
        .await;
    create(world, input).await
}

#[tokio::test]
async fn what_was_made_though_its_answer_was_lost_is_found_within_the_call() {
    let mut world = World::start().await;
    let lost = [
        Fault::CutAfterEffect,
        Fault::Truncated { chunked: false },
        Fault::Body { body: json!([]) },
        // Longer than the gateway waits for an answer.
        Fault::Delay { ms: 2500 },
    ];
    for (at, fault) in lost.into_iter().enumerate() {
        let input = keyed(&format!("k{at}"));
        on_create(&world, fault.clone(), 1);
        let found = id(&create(&world, &input).await.sound(), true);
        assert_eq!(made(&world), at + 1, "{fault:?}");
        assert_eq!(id(&create(&world, &input).await.sound(), true), found);
        world.restart().await;
        assert_eq!(id(&create(&world, &input).await.sound(), true), found);
        assert_eq!((sent(&world), made(&world)), (at + 1, at + 1), "{fault:?}");
        world.advance(Duration::from_secs(3600));
    }
}

#[tokio::test]
async fn fifty_callers_at_once_whose_line_is_cut_after_the_effect_get_one_project() {
    let world = World::start().await;
    on_create(&world, Fault::CutAfterEffect, 50);
    let input = keyed("k");
    let answers = join_all((0..50).map(|_| create(&world, &input))).await;
    let ids: HashSet<_> = answers.into_iter().map(|it| id(&it.sound(), true)).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!((sent(&world), made(&world)), (1, 1));
}

#[tokio::test]
async fn fifty_callers_at_once_whose_line_is_cut_before_the_effect_get_one_project_in_the_end() {
    let world = World::start().await;
    on_create(&world, Fault::Reset, 1);
    let input = keyed("k");
    let answers = join_all((0..50).map(|_| create(&world, &input))).await;
    assert!(answers.iter().all(|it| it.errors() == [UNKNOWN]));
    assert_eq!((sent(&world), made(&world)), (1, 0));
    world.advance(Duration::from_secs(61));
    let answers = join_all((0..50).map(|_| known(&world, &input))).await;
    let ids: HashSet<_> = answers.iter().map(|it| id(it, true)).collect();
    assert_eq!((ids.len(), sent(&world), made(&world)), (1, 2, 1));
}

#[tokio::test]
async fn what_the_list_does_not_show_yet_is_looked_for_behind_everybodys_back() {
    let world = World::start().await;
    on_create(&world, Fault::CutAfterEffect, 1);
    list_lags(&world, 1);
    let answer = create(&world, &keyed("k")).await;
    assert_eq!(answer.errors(), [UNKNOWN]);
    let told = &answer.body["errors"][0]["extensions"];
    assert_eq!(told["retryable"], true);
    assert!((500..=5_000).contains(&told["retryAfterMs"].as_u64().unwrap()), "{told}");

    let looks = || world.aurora.calls_to("GET", LIST);
    world.eventually("it is looked for again", || async { looks() == 2 }).await;
    let found = known(&world, &keyed("k")).await;
    id(&found, true);
    assert_eq!((looks(), sent(&world), made(&world)), (2, 1, 1), "found without anybody asking");
}

#[tokio::test]
async fn what_never_arrived_is_sent_again_only_after_a_while_and_when_somebody_asks() {
    let world = World::start().await;
    let input = keyed("k");
    on_create(&world, Fault::Reset, 1);
    assert_eq!(create(&world, &input).await.errors(), [UNKNOWN]);
    for passed in [2, 57] {
        world.advance(Duration::from_secs(passed));
        assert_eq!(create(&world, &input).await.errors(), [UNKNOWN]);
    }
    let other = json!({ "idempotencyKey": "k", "location": { "propertyAddress": "2 Main St" } });
    assert_eq!(create(&world, &other).await.errors(), ["IDEMPOTENCY_CONFLICT at createProject"]);
    assert_eq!((sent(&world), made(&world)), (1, 0));
    world.advance(Duration::from_secs(2));
    id(&create(&world, &input).await.sound(), false);
    id(&create(&world, &input).await.sound(), true);
    assert_eq!((sent(&world), made(&world)), (2, 1));
}

#[tokio::test]
async fn a_create_whose_reply_was_lost_is_never_sent_again() {
    let mut world = World::start().await;
    let input = keyed("k");
    on_create(&world, Fault::CutAfterEffect, 1);
    world.aurora.fail(FaultRule::new("GET", LIST, Fault::status(503))).unwrap();
    for _ in 0..2 {
        assert_eq!(create(&world, &input).await.errors(), [UNKNOWN]);
        // However long it takes: while Aurora's list cannot be read, nothing is concluded from it.
        world.advance(Duration::from_secs(120));
        world.restart().await;
    }
    world.aurora.clear_faults();
    id(&known(&world, &input).await, true);
    assert_eq!((sent(&world), made(&world)), (1, 1));
}

#[tokio::test]
async fn the_crms_own_id_finds_it_whatever_else_aurora_changed() {
    let world = World::start().await;
    let old = json!({ "external_provider_id": "opp-1", "location": { "property_address": "9 Elm St" } });
    world.aurora.create_project(TENANT, &old).unwrap();
    world.advance(Duration::from_secs(3600));
    let input = json!({ "externalProviderId": "opp-1", "name": "Maple",
        "location": { "coordinates": { "latitude": 37.78, "longitude": -122.39 } } });

    on_create(&world, Fault::Reset, 1);
    assert_eq!(create(&world, &input).await.errors(), [UNKNOWN], "the older one is another");
    world.advance(Duration::from_secs(61));
    on_create(&world, Fault::CutAfterEffect, 1);
    let found = create(&world, &input).await.sound();
    id(&found, true);
    assert_eq!(found["createProject"]["project"]["name"], "Maple");
    assert_eq!((sent(&world), made(&world)), (2, 2));
}

#[tokio::test]
async fn a_list_with_an_entry_that_cannot_be_read_is_no_proof_that_nothing_was_made() {
    let world = World::start().await;
    let input = keyed("k");
    on_create(&world, Fault::CutAfterEffect, 1);
    let nameless = json!({ "projects": [{ "name": "it may be this one" }] });
    world.aurora.fail(FaultRule::new("GET", LIST, Fault::Body { body: nameless })).unwrap();
    for passed in [0, 61, 2, 600] {
        world.advance(Duration::from_secs(passed));
        assert_eq!(create(&world, &input).await.errors(), [UNKNOWN]);
    }
    assert_eq!((sent(&world), made(&world)), (1, 1));
    world.aurora.clear_faults();
    world.advance(Duration::from_secs(2));
    id(&create(&world, &input).await.sound(), true);
    assert_eq!((sent(&world), made(&world)), (1, 1));
}

#[tokio::test]
async fn what_the_list_does_not_show_of_a_project_is_read() {
    let world = World::start().await;
    on_create(&world, Fault::CutAfterEffect, 1);
    list_lags(&world, 1);
    let input = json!({ "externalProviderId": "opp-1", "location": { "propertyAddress": "1 Main St" } });
    assert_eq!(create(&world, &input).await.errors(), [UNKNOWN]);
    let other = json!({ "external_provider_id": "opp-2", "location": { "property_address": "1 Main St" } });
    world.aurora.create_project(TENANT, &other).unwrap();
    let all = world.aurora.projects(TENANT);
    let bare: Vec<_> = all.iter().map(|it| json!({ "id": it["id"] })).collect();
    let list = Fault::Body { body: json!({ "projects": bare }) };
    world.aurora.fail(FaultRule::new("GET", LIST, list)).unwrap();
    let found = known(&world, &input).await;
    let made = all.iter().find(|it| it["external_provider_id"] == "opp-1").unwrap();
    assert_eq!(found["createProject"]["project"]["projectId"], made["id"]);
    assert_eq!(sent(&world), 1);
}

#[tokio::test]
async fn where_two_may_be_it_a_person_is_asked() {
    let world = World::start().await;
    let input = keyed("k");
    on_create(&world, Fault::CutAfterEffect, 1);
    list_lags(&world, 1);
    assert_eq!(create(&world, &input).await.errors(), [UNKNOWN]);
    let alike = json!({ "name": "Maple Street", "location": { "property_address": "1 Main St" } });
    world.aurora.create_project(TENANT, &alike).unwrap();
    for _ in 0..2 {
        world.advance(Duration::from_secs(61));
        let answer = create(&world, &input).await;
        assert_eq!(answer.errors(), [UNKNOWN]);
        let message = answer.body["errors"][0]["message"].as_str().unwrap();
        assert!(message.contains("may be it and may be another"), "{message}");
    }
    assert_eq!(sent(&world), 1);
}

#[tokio::test]
async fn two_keys_of_one_input_get_a_project_each() {
    let world = World::start().await;
    on_create(&world, Fault::CutAfterEffect, 2);
    world.aurora.fail(FaultRule::new("GET", LIST, Fault::status(503))).unwrap();
    for key in ["k", "l"] {
        assert_eq!(create(&world, &keyed(key)).await.errors(), [UNKNOWN]);
    }
    world.aurora.clear_faults();
    let first = id(&known(&world, &keyed("k")).await, true);
    let second = id(&known(&world, &keyed("l")).await, true);
    assert_ne!(first, second);
    assert_eq!((sent(&world), made(&world)), (2, 2));
}

#[tokio::test]
async fn what_was_made_without_a_key_or_under_another_is_not_taken_for_it() {
    let world = World::start().await;
    let mut unkeyed = keyed("k");
    unkeyed.as_object_mut().unwrap().remove("idempotencyKey");
    let mut seen = HashSet::from([id(&create(&world, &unkeyed).await.sound(), false)]);
    seen.insert(id(&create(&world, &keyed("other")).await.sound(), false));
    on_create(&world, Fault::Reset, 1);
    assert_eq!(create(&world, &keyed("k")).await.errors(), [UNKNOWN]);
    world.advance(Duration::from_secs(61));
    seen.insert(id(&create(&world, &keyed("k")).await.sound(), false));
    assert_eq!((seen.len(), made(&world)), (3, 3));
}

#[tokio::test]
async fn where_the_key_may_not_list_a_person_is_asked() {
    let world = World::start().await;
    on_create(&world, Fault::CutAfterEffect, 1);
    world.aurora.fail(FaultRule::new("GET", LIST, Fault::status(403))).unwrap();
    for _ in 0..2 {
        let answer = create(&world, &keyed("k")).await;
        assert_eq!(answer.errors(), [UNKNOWN]);
        let message = answer.body["errors"][0]["message"].as_str().unwrap();
        assert!(message.contains("may not list projects"), "{message}");
        world.advance(Duration::from_secs(120));
    }
    world.aurora.clear_faults();
    id(&create(&world, &keyed("k")).await.sound(), true);
    assert_eq!(sent(&world), 1);
}

#[tokio::test]
async fn one_look_serves_all_that_a_tenant_has_lost() {
    let world = World::start().await;
    on_create(&world, Fault::CutAfterEffect, 10);
    let inputs: Vec<_> = (0..10)
        .map(|it| json!({ "externalProviderId": format!("opp-{it}"), "location": { "propertyAddress": "1 Main St" } }))
        .collect();
    let answers = join_all(inputs.iter().map(|input| create(&world, input))).await;
    let ids: HashSet<_> = answers.into_iter().map(|it| id(&it.sound(), true)).collect();
    assert_eq!((ids.len(), sent(&world), made(&world)), (10, 10, 10));
    assert!(world.aurora.calls_to("GET", LIST) <= 10);
}

#[tokio::test]
async fn an_unknown_outcome_may_be_tried_again_only_with_a_key() {
    let world = World::start().await;
    for (key, retryable) in [(json!("k"), true), (json!(null), false)] {
        on_create(&world, Fault::Reset, 1);
        let input = json!({ "idempotencyKey": key, "location": { "propertyAddress": "1 Main St" } });
        let answer = create(&world, &input).await;
        assert_eq!(answer.errors(), [UNKNOWN]);
        assert_eq!(answer.body["errors"][0]["extensions"]["retryable"], retryable);
    }
}

#[tokio::test]
async fn another_way_to_write_an_input_is_the_same_input() {
    let world = World::start().await;
    let input = |name: &str, tags: &[&str], latitude: Value| {
        json!({ "idempotencyKey": "k", "name": name, "tags": tags, "mailingAddress": "",
            "location": { "coordinates": { "latitude": latitude, "longitude": 11.5 } } })
    };
    let first = create(&world, &input("Jos\u{e9}", &["a", "b"], json!(48))).await.sound();
    let again = create(&world, &input(" Jose\u{301} ", &["b", "a", "b"], json!(48.0))).await.sound();
    assert_eq!(id(&again, true), id(&first, false));
    let other = create(&world, &input("jos\u{e9}", &["a", "b"], json!(48))).await;
    assert_eq!(other.errors(), ["IDEMPOTENCY_CONFLICT at createProject"]);
    assert_eq!(sent(&world), 1);
}
