//! `x-heliograph-explain: plan`: what an operation would cost Aurora, told without asking Aurora anything.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use heliograph::sandbox::{Fault, FaultRule};
use serde_json::{Value, json};

use crate::world::{ADMIN_KEY, Answer, BOTH_KEY, KEY, OTHER, READ_KEY, Subscriber, TENANT, World};

/// Asks what it would cost, and sees to it that it costs nothing.
async fn plan(world: &World, key: &str, query: &str, variables: &Value) -> Answer {
    let before = world.aurora.calls().len();
    let request = world.http.post(world.url("/graphql")).bearer_auth(key);
    let body = json!({ "query": query, "variables": variables });
    let request = request.header("x-heliograph-explain", "plan").json(&body);
    let answer = Answer::of(request.send().await.unwrap()).await;
    assert_eq!(world.aurora.calls().len(), before, "a plan makes no call: {:#}", answer.body);
    answer
}

fn figures<'a>(planned: &'a Answer, when: &str) -> &'a Value {
    assert!(planned.body["data"].is_null() && planned.body.get("data").is_some(), "{}", planned.body);
    &planned.body["extensions"]["upstream"]["plan"][when]
}

#[track_caller]
fn calls(planned: &Answer, when: &str) -> (u64, bool) {
    let it = figures(planned, when);
    (it["calls"].as_u64().unwrap(), it["exact"].as_bool().unwrap())
}

/// What a plan says that would be sent, and how often.
fn requests(planned: &Answer, when: &str) -> BTreeMap<String, usize> {
    let list = figures(planned, when)["requests"].as_array().unwrap();
    let pair = |it: &Value| {
        let calls = usize::try_from(it["calls"].as_u64().unwrap()).unwrap();
        (it["request"].as_str().unwrap().to_owned(), calls)
    };
    list.iter().map(pair).collect()
}

/// What Aurora was sent since, in the words of a plan.
fn sent(world: &World, since: usize) -> BTreeMap<String, usize> {
    let names = [
        ("partner_applications", "{application}"),
        ("tenants", "{tenant}"),
        ("designs", "{design}"),
        ("projects", "{project}"),
    ];
    let mut sent = BTreeMap::new();
    for call in world.aurora.calls().into_iter().skip(since) {
        let mut parts: Vec<String> = call.path.split('/').map(str::to_owned).collect();
        for at in 1..parts.len() {
            if let Some((_, name)) = names.iter().find(|(before, _)| *before == parts[at - 1]) {
                parts[at] = (*name).to_owned();
            }
        }
        *sent.entry(format!("{} {}", call.method, parts.join("/"))).or_default() += 1;
    }
    sent
}

/// Runs it really, and holds what it cost against what was told.
async fn as_planned(world: &World, what: &str, query: &str, variables: &Value, when: &str) {
    let planned = plan(world, KEY, query, variables).await;
    let before = world.aurora.calls().len();
    let answer = world.ask(KEY, query, variables.clone()).await.sound();
    let told = (answer.calls(), true);
    assert_eq!(calls(&planned, when), told, "{what} {when}: {:#}", planned.body);
    // As memory is, it may not be known whether memory has it: then it is told, and not called exact.
    assert_eq!(calls(&planned, "now").0, told.0, "{what} now, {when}: {:#}", planned.body);
    assert_eq!(requests(&planned, when), sent(world, before), "{what} {when}");
}

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("web/src/examples").join(name);
    fs::read_to_string(path).unwrap()
}

#[tokio::test]
async fn every_example_costs_what_its_plan_said_cold_and_warm() {
    let place = json!({ "propertyAddress": "434 Brannan St, San Francisco, CA 94107" });
    let point = json!({ "coordinates": { "latitude": 37.7796, "longitude": -122.3953 } });
    let both = json!({ "propertyAddress": "434 Brannan St", "coordinates": point["coordinates"] });
    let cases = [
        ("explore.graphql", json!({})),
        ("design-summary.graphql", json!({ "designId": "d", "withHourly": true })),
        ("create-by-address.graphql", json!({ "location": place })),
        ("create-by-coordinates.graphql", json!({ "location": point, "projectType": "RESIDENTIAL" })),
        ("create-by-both.graphql", json!({ "location": both, "idempotencyKey": "k" })),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("web/src/examples");
    let queries = fs::read_dir(folder)
        .unwrap()
        .filter(|it| it.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "graphql"));
    assert_eq!(queries.count(), cases.len() + 1, "an example is missing here: one is a subscription");
    for (name, variables) in cases {
        let world = World::start().await;
        world.aurora.plant(TENANT, "p", "d").unwrap();
        let query = example(name);
        as_planned(&world, name, &query, &variables, "cold").await;
        as_planned(&world, name, &query, &variables, "warm").await;
    }
}

#[tokio::test]
async fn a_subscription_costs_for_each_event_what_its_plan_said() {
    let mut world = World::start().await;
    let (_, design) = world.design().await;
    for job in ["j1", "j2"] {
        world.complete(&design, job).await;
    }
    world.announced_become(2).await;
    let first = world.query("{ events(first: 1) { pageInfo { endCursor } } }").await.sound();
    let variables = json!({ "after": first["events"]["pageInfo"]["endCursor"] });
    let query = example("watch-designs.graphql");

    // With an empty memory the event comes from the journal, and its summary from Aurora.
    world.restart().await;
    for when in ["cold", "warm"] {
        let planned = plan(&world, KEY, &query, &variables).await;
        let before = world.aurora.calls().len();
        let mut subscriber = world.subscribe_eager(KEY, &query, variables.clone()).await;
        let event = subscriber.next("designCompleted").await;
        assert_eq!(event["summary"]["stale"], false);
        let cost = u64::try_from(world.aurora.calls().len() - before).unwrap();
        assert_eq!(calls(&planned, when).0, cost, "{when}: {:#}", planned.body);
        assert!(calls(&planned, "now").0 >= cost, "no more than that");
    }
}

#[tokio::test]
async fn a_plan_follows_what_memory_knows_and_says_where_it_can_only_guess() {
    let world = World::start().await;
    for number in 0..3 {
        world.aurora.plant(TENANT, &format!("p{number}"), &format!("d{number}")).unwrap();
    }
    let query = "{ projects(first: 2) { nodes { designs { name summary { stale } } } } }";
    let guessed = plan(&world, KEY, query, &json!({})).await;
    let (at_most, exact) = calls(&guessed, "cold");
    assert!(at_most >= 6 && !exact, "{:#}", guessed.body);
    assert_eq!(calls(&guessed, "warm"), (0, true));

    let answer = world.query(query).await.sound();
    assert!(answer.calls() <= at_most);
    world.advance(Duration::from_secs(700));
    // Now memory knows what hangs on what, though all of it is too old.
    as_planned(&world, "a list", query, &json!({}), "now").await;
    let again = plan(&world, KEY, query, &json!({})).await;
    assert_eq!((calls(&again, "now"), calls(&again, "cold")), ((0, true), (6, true)));
}

#[tokio::test]
async fn siblings_that_share_a_call_share_it_in_the_plan() {
    let world = World::start().await;
    world.aurora.plant(TENANT, "p", "d").unwrap();
    let query = r#"{ a: design(designId: "d") { name project { name } summary { stale project { name } } }
        b: design(designId: "d") { project { designs { name } } }
        project(projectId: "p") { name } none: tenant { tenantId } }"#;
    world.query(r#"{ project(projectId: "p") { designs { designId } } }"#).await.sound();
    let planned = plan(&world, KEY, query, &json!({})).await;
    let before = world.aurora.calls().len();
    let answer = world.query(query).await.sound();
    assert_eq!(calls(&planned, "now"), (answer.calls(), true), "{:#}", planned.body);
    assert_eq!(requests(&planned, "now"), sent(&world, before));
}

#[tokio::test]
async fn a_plan_has_no_effect_whatever_it_plans() {
    let world = World::start().await;
    let create = r#"mutation { createProject(input: { idempotencyKey: "k", name: "A",
        location: { propertyAddress: "1 Main St" } }) { replayed project { projectId designs { name } } } }"#;
    for _ in 0..3 {
        let planned = plan(&world, KEY, create, &json!({})).await;
        assert_eq!(
            calls(&planned, "now").0,
            3,
            "an exchange, the project and its designs: {:#}",
            planned.body
        );
    }
    assert_eq!(world.aurora.projects(TENANT).len(), 0);
    let made = world.query(create).await.sound();
    assert_eq!(made["createProject"]["replayed"], false, "nothing was begun");
    let planned = plan(&world, KEY, create, &json!({})).await;
    assert_eq!(calls(&planned, "now"), (0, true));

    let other = create.replace("\"A\"", "\"B\"");
    let planned = plan(&world, KEY, &other, &json!({})).await;
    assert_eq!(planned.errors(), ["IDEMPOTENCY_CONFLICT at createProject"]);

    let connect = r#"mutation { connectTenant(input: { tenantId: "tenant-demo", sessionToken: "st" }) { keyExpiresAt } }"#;
    let planned = plan(&world, KEY, connect, &json!({})).await;
    assert_eq!(calls(&planned, "now"), (1, false), "counted on the document, and not gone through");
}

#[tokio::test]
async fn a_create_of_unknown_outcome_is_planned_with_a_look() {
    let mut world = World::start().await;
    world.aurora.fail(FaultRule::new("POST", "/tenants/*/projects", Fault::Reset).times(1)).unwrap();
    let create = r#"mutation { createProject(input: { idempotencyKey: "k", location: { propertyAddress: "1 Main St" } }) { replayed } }"#;
    assert_eq!(world.query(create).await.errors(), ["OUTCOME_UNKNOWN at createProject"]);
    world.restart().await;
    let planned = plan(&world, KEY, create, &json!({})).await;
    let (now, exact) = calls(&planned, "now");
    assert!(now >= 1 && !exact, "{:#}", planned.body);
}

#[tokio::test]
async fn whoever_may_not_run_an_operation_may_not_plan_it() {
    let world = World::start().await;
    let create =
        r#"mutation { createProject(input: { location: { propertyAddress: "1 Main St" } }) { replayed } }"#;
    assert_eq!(plan(&world, READ_KEY, create, &json!({})).await.errors(), ["FORBIDDEN"]);
    let foreign = format!(r#"{{ design(tenantId: "{OTHER}", designId: "d") {{ name }} }}"#);
    let planned = plan(&world, KEY, &foreign, &json!({})).await;
    assert_eq!(planned.errors(), ["NOT_FOUND at design"]);
    assert_eq!(calls(&planned, "now"), (0, true));
    let large = "{ projects(first: 100) { nodes { designs { summary { stale } } } } }";
    assert_eq!(plan(&world, KEY, large, &json!({})).await.errors(), ["OPERATION_TOO_EXPENSIVE"]);
    assert_eq!(plan(&world, KEY, "{ nonsense }", &json!({})).await.errors()[0], "GRAPHQL_VALIDATION_FAILED");
}

#[tokio::test]
async fn what_is_asked_past_memory_is_counted_on_the_document_and_not_asked() {
    let world = World::with(|_| {}, &[("HELIOGRAPH_SERVER__PUBLIC_URL", "http://127.0.0.1:9/")]).await;
    let whole = "{ webhookHealth { subscriptions { sound } } }";
    let hidden =
        "{ ...F } fragment F on Query { ... on Query { other: webhookHealth { subscriptions { sound } } } }";
    for query in [whole, hidden] {
        let planned = plan(&world, ADMIN_KEY, query, &json!({})).await;
        assert_eq!(calls(&planned, "now"), (1, false), "{query}");
    }
    let ran = world.ask(ADMIN_KEY, whole, json!({})).await.sound();
    assert_eq!(ran["webhookHealth"]["subscriptions"]["sound"], false);
    assert_eq!(world.aurora.calls().len(), 1, "so much it costs when it is run");
}

#[tokio::test]
async fn over_several_tenants_each_key_is_counted_and_no_budget_is_told() {
    let world = World::start().await;
    let query = format!(
        r#"{{ a: projects(tenantId: "{TENANT}") {{ nodes {{ name }} }} b: projects(tenantId: "{OTHER}") {{ nodes {{ name }} }} }}"#
    );
    let planned = plan(&world, BOTH_KEY, &query, &json!({})).await;
    assert_eq!(calls(&planned, "now").0, 4);
    assert!(planned.body["extensions"]["upstream"]["budget"].is_null());
    let one = plan(&world, KEY, "{ projects { nodes { name } } }", &json!({})).await;
    assert_eq!(one.body["extensions"]["upstream"]["budget"]["limit"], 90);
}

#[tokio::test]
async fn a_plan_comes_over_every_transport_and_unknown_words_are_ignored() {
    let world = World::start().await;
    world.aurora.plant(TENANT, "p", "d").unwrap();
    let query = r#"{ design(designId: "d") { name } }"#;
    let got = world.by_get(query, &json!({})).header("x-heliograph-explain", "plan");
    let got = Answer::of(got.send().await.unwrap()).await;
    assert_eq!((got.status, calls(&got, "now")), (200, (2, true)));
    assert_eq!(world.aurora.calls().len(), 0);

    let mutation =
        r#"mutation { createProject(input: { location: { propertyAddress: "x" } }) { replayed } }"#;
    let got = world.by_get(mutation, &json!({})).header("x-heliograph-explain", "plan");
    assert_eq!(got.send().await.unwrap().status(), 405);

    let events = world.by_post("subscription { designCompleted { summary { stale } } }", json!({}));
    let events = events.header("accept", "text/event-stream").header("x-heliograph-explain", "plan");
    let body = events.send().await.unwrap().text().await.unwrap();
    assert!(body.contains(r#""cold":{"calls":2"#) && body.contains("event: complete"), "{body}");

    let plans = [("x-heliograph-explain", "plan")];
    let mut socket = Subscriber::knock_with(&world.url("/graphql"), KEY, &plans).await;
    assert_eq!(socket.message().await["type"], "connection_ack");
    for document in [query, "subscription { designCompleted { summary { stale } } }"] {
        socket.begin_operation(json!({ "query": document })).await;
        let next = socket.message().await;
        assert_eq!(next["payload"]["extensions"]["upstream"]["plan"]["cold"]["calls"], 2, "{next}");
        assert_eq!(socket.message().await["type"], "complete");
    }
    assert_eq!(world.aurora.calls().len(), 0);

    let ran = world.by_post(query, json!({})).header("x-heliograph-explain", "PLAN").send().await.unwrap();
    let ran = Answer::of(ran).await.sound();
    assert!(ran.body["data"]["design"].is_object(), "it ran");
    assert!(ran.body.get("extensions").is_none());
    assert!(!world.aurora.calls().is_empty());
}
