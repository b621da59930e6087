//! Who may come in, and what they may see.

use serde_json::json;

use crate::world::{ADMIN_KEY, Answer, BOTH_KEY, KEY, OTHER, OTHER_KEY, READ_KEY, Subscriber, TENANT, World};

#[tokio::test]
async fn nothing_but_the_open_routes_answers_without_a_credential() {
    let world = World::start().await;
    for path in ["/", "/graphiql", "/schema.graphql", "/graphiql/config.json"] {
        assert_eq!(world.http.get(world.url(path)).send().await.unwrap().status(), 200, "{path}");
    }
    for path in ["/healthz", "/readyz", "/metrics"] {
        let request = world.http.get(world.admin_url(path)).header("x-request-id", "probe-7");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.headers()["x-request-id"], "probe-7", "{path}");
    }
    let body = json!({ "query": "{ viewer { name } }" });
    for request in [
        world.http.post(world.url("/graphql")),
        world.http.post(world.url("/graphql")).bearer_auth("key-of-nobody-at-all"),
        world.http.post(world.url("/graphql")).header("authorization", "Basic eDp5"),
    ] {
        let answer = Answer::of(request.json(&body).send().await.unwrap()).await;
        assert_eq!((answer.status, answer.errors()), (401, vec!["UNAUTHENTICATED".to_owned()]));
    }
    assert_eq!(world.aurora.calls().len(), 0);
    assert_eq!(world.query("{ viewer { name } }").await.sound()["viewer"]["name"], "first");
}

/// As many as somebody tries who has no key, on each transport.
const TRIES: usize = 20;

/// What they show: nothing, and what is none.
fn wrong(number: usize) -> Option<String> {
    let all = [None, Some(""), Some("null"), Some("Bearer"), Some(KEY), Some("key-of-nobody-at-all")];
    let wrong = all[number % all.len()].map(ToOwned::to_owned);
    wrong.map(|it| if it == KEY { format!("{KEY}{number}") } else { it })
}

#[tokio::test]
async fn of_twenty_subscriptions_without_a_credential_none_is_served_on_any_transport() {
    let world = World::start().await;
    let events = "subscription { events { type } }";
    let mut good = world.subscribe(events).await;
    let mut served = 0;
    for number in 0..TRIES {
        let mut socket = match wrong(number) {
            Some(key) => Subscriber::knock(&world.url("/graphql"), &key).await,
            None => Subscriber::say_first(&world.url("/graphql"), json!({ "type": "connection_init" })).await,
        };
        socket
            .say(json!({ "id": "1", "type": "subscribe", "payload": { "query": events } }).to_string())
            .await;
        match socket.message_or_close().await {
            Ok(_) => served += 1,
            Err((code, _)) => assert_eq!(code, 4403),
        }
        let mut eager = Subscriber::say_first(
            &world.url("/graphql"),
            json!({ "id": "1", "type": "subscribe", "payload": { "query": events } }),
        )
        .await;
        match eager.message_or_close().await {
            Ok(_) => served += 1,
            Err((code, _)) => assert_eq!(code, 4401),
        }
        for accept in ["text/event-stream", "multipart/mixed;subscriptionSpec=1.0"] {
            let mut request = world.http.post(world.url("/graphql")).json(&json!({ "query": events }));
            if let Some(key) = wrong(number) {
                request = request.bearer_auth(key);
            }
            let answer = request.header("accept", accept).send().await.unwrap();
            served += usize::from(answer.status().is_success());
            assert_eq!(Answer::of(answer).await.errors(), ["UNAUTHENTICATED"], "{accept}");
        }
    }
    assert_eq!(served, 0);
    assert_eq!(world.aurora.calls().len(), 0);
    world.complete("d", "j1").await;
    assert_eq!(good.next("events").await["type"], "PERFORMANCE_SIMULATION_JOB_COMPLETED");
}

#[tokio::test]
async fn nobody_without_a_credential_learns_what_the_schema_has() {
    let world = World::start().await;
    let misspelt = "{ viewr { nam } designSumary(designId: 1) { moduleCont } }";
    let known = world.query(misspelt).await.body.to_string();
    assert!(known.contains("Did you mean"), "whoever may ask is helped: {known}");
    for key in [None, Some("key-of-nobody-at-all")] {
        let mut request = world.http.post(world.url("/graphql")).json(&json!({ "query": misspelt }));
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        let answer = request.send().await.unwrap().text().await.unwrap();
        let mut socket = Subscriber::knock(&world.url("/graphql"), key.unwrap_or_default()).await;
        socket
            .say(json!({ "id": "1", "type": "subscribe", "payload": { "query": misspelt } }).to_string())
            .await;
        let (_, closed) = socket.message_or_close().await.unwrap_err();
        let early = json!({ "id": "1", "type": "subscribe", "payload": { "query": misspelt } });
        let mut early = Subscriber::say_first(&world.url("/graphql"), early).await;
        let (code, too_early) = early.message_or_close().await.unwrap_err();
        assert_eq!(code, 4401);
        let in_url = world.by_get(misspelt, &json!({})).header("authorization", "Basic eDp5");
        let in_url = in_url.send().await.unwrap().text().await.unwrap();
        for said in [answer, closed, too_early, in_url] {
            assert!(
                !["Did you mean", "viewer", "designSummary"].iter().any(|it| said.contains(it)),
                "{said}"
            );
        }
    }
}

#[tokio::test]
async fn another_tenants_things_are_not_found() {
    let world = World::start().await;
    let (project, design) = world.design().await;
    let ids = world.query(&format!(
        r#"{{ viewer {{ tenants {{ id }} }} project(projectId: "{project}") {{ id }} design(designId: "{design}") {{ id summary {{ id }} }} }}"#
    )).await.sound();
    world.complete(&design, "j1").await;
    world.announced_become(1).await;
    let event = world.announced().await.remove(0);
    let cursor = world.query("{ events { pageInfo { endCursor } } }").await;
    let cursor = cursor["events"]["pageInfo"]["endCursor"].as_str().unwrap().to_owned();
    let calls = world.aurora.calls().len();

    let by_name = [
        format!(r#"tenant(tenantId: "{TENANT}") {{ id }}"#),
        format!(r#"project(tenantId: "{TENANT}", projectId: "{project}") {{ name }}"#),
        format!(r#"projectByExternalProviderId(tenantId: "{TENANT}", externalProviderId: "x") {{ name }}"#),
        format!(r#"projects(tenantId: "{TENANT}") {{ nodes {{ name }} }}"#),
        format!(r#"design(tenantId: "{TENANT}", designId: "{design}") {{ name }}"#),
        format!(r#"designSummary(tenantId: "{TENANT}", designId: "{design}") {{ moduleCount }}"#),
        format!(r#"events(tenantId: "{TENANT}") {{ nodes {{ id }} }}"#),
    ];
    let by_id = [
        ids["viewer"]["tenants"][0]["id"].as_str().unwrap(),
        ids["project"]["id"].as_str().unwrap(),
        ids["design"]["id"].as_str().unwrap(),
        ids["design"]["summary"]["id"].as_str().unwrap(),
        &event,
    ]
    .map(|id| format!(r#"node(id: "{id}") {{ id }}"#));
    for field in by_name.iter().chain(&by_id) {
        let answer = world.ask(OTHER_KEY, &format!("{{ it: {field} }}"), json!({})).await;
        assert_eq!(answer.errors(), ["NOT_FOUND at it"], "{field}: {}", answer.body);
        assert!(answer["it"].is_null());
    }
    let create = format!(
        r#"mutation {{ it: createProject(input: {{ tenantId: "{TENANT}", location: {{ propertyAddress: "x" }} }}) {{ replayed }} }}"#
    );
    assert_eq!(world.ask(OTHER_KEY, &create, json!({})).await.errors(), ["NOT_FOUND at it"]);
    let own_project = format!(r#"{{ it: project(projectId: "{project}") {{ name }} }}"#);
    assert_eq!(world.aurora.calls().len(), calls, "Aurora was not even asked");
    assert_eq!(world.ask(OTHER_KEY, &own_project, json!({})).await.errors(), ["NOT_FOUND at it"]);
    let after = format!(r#"{{ it: events(after: "{cursor}") {{ nodes {{ id }} }} }}"#);
    assert_eq!(world.ask(OTHER_KEY, &after, json!({})).await.errors(), ["BAD_USER_INPUT at it"]);
    assert_eq!(
        world.ask(OTHER_KEY, "{ events { nodes { id } } }", json!({})).await.sound()["events"]["nodes"],
        json!([])
    );

    let mut subscriber = world
        .subscribe_refused(OTHER_KEY, &format!(r#"subscription {{ events(tenantId: "{TENANT}") {{ id }} }}"#))
        .await;
    assert_eq!(subscriber.refusal().await, ["NOT_FOUND at events"]);
}

#[tokio::test]
async fn a_subscriber_hears_nothing_of_other_tenants() {
    let world = World::start().await;
    let (_, design) = world.design().await;
    let mut other =
        world.subscribe_as(OTHER_KEY, "subscription { events { tenantId type } }", json!({})).await;
    world.complete(&design, "j1").await;
    world.announced_become(1).await;
    let own = format!("tenant_id={OTHER}&project_id=p&source=app");
    assert_eq!(world.deliver("project_changed", &own).await, 200);
    assert_eq!(other.next("events").await, json!({ "tenantId": OTHER, "type": "PROJECT_CHANGED" }));
}

#[tokio::test]
async fn the_tenant_may_be_left_out_only_where_there_is_one() {
    let world = World::start().await;
    let answer = world.ask(BOTH_KEY, "{ projects { nodes { name } } }", json!({})).await;
    assert_eq!(answer.errors(), ["BAD_USER_INPUT at projects"]);
    let named = format!(r#"{{ projects(tenantId: "{OTHER}") {{ nodes {{ name }} }} }}"#);
    world.ask(BOTH_KEY, &named, json!({})).await.sound();
    let viewer = world.ask(BOTH_KEY, "{ viewer { tenants { tenantId } } }", json!({})).await.sound();
    assert_eq!(viewer["viewer"]["tenants"], json!([{ "tenantId": TENANT }, { "tenantId": OTHER }]));
}

#[tokio::test]
async fn scopes_bound_what_a_credential_may_do() {
    let world = World::start().await;
    let create =
        r#"mutation { createProject(input: { location: { propertyAddress: "1 Main St" } }) { replayed } }"#;
    assert_eq!(world.ask(READ_KEY, create, json!({})).await.errors(), ["FORBIDDEN"]);
    assert_eq!(world.aurora.calls().len(), 0);
    world.ask(READ_KEY, "{ projects { nodes { name } } }", json!({})).await.sound();

    let aside = "{ setAsideDeliveries { total newest { name } } }";
    assert_eq!(world.ask(KEY, aside, json!({})).await.errors(), ["FORBIDDEN at setAsideDeliveries"]);
    assert_eq!(world.ask(ADMIN_KEY, aside, json!({})).await.sound()["setAsideDeliveries"]["total"], 0);
}
