//! How webhooks fare, as the operator sees it; what Aurora holds of them; and tenants who switch the application off.

use std::time::{Duration, Instant};

use heliograph::{
    registration::{self, Done},
    sandbox::{self, Fault, FaultRule},
};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::world::{ADMIN_KEY, KEY, OTHER, OTHER_KEY, TENANT, World};

const DONE: &str = "performance_simulation_job_completed";
const WEBHOOKS: &str = "/partner_applications/*/webhooks";
const OPERATOR_OF_OTHER: &str = "key-of-one-tenants-operator";
const PUBLIC: (&str, &str) = ("HELIOGRAPH_SERVER__PUBLIC_URL", "http://127.0.0.1:9/");

async fn health(world: &World, selected: &str) -> crate::world::Answer {
    world.ask(ADMIN_KEY, &format!("{{ webhookHealth {{ {selected} }} }}"), json!({})).await
}

#[tokio::test]
async fn an_operator_sees_what_came_what_was_announced_and_what_waits() {
    let required = [
        ("HELIOGRAPH_AURORA__SESSION_TOKEN", "required"),
        ("HELIOGRAPH_AUTH__API_KEYS__5__NAME", "operator of one"),
        ("HELIOGRAPH_AUTH__API_KEYS__5__KEY", OPERATOR_OF_OTHER),
        ("HELIOGRAPH_AUTH__API_KEYS__5__TENANTS", OTHER),
        ("HELIOGRAPH_AUTH__API_KEYS__5__SCOPES", "read,admin"),
    ];
    let world =
        World::with(|aurora| aurora.session_tokens = sandbox::SessionTokens::Required, &required).await;
    let changed = format!("tenant_id={OTHER}&project_id=p&attributes=name");
    for _ in 0..3 {
        world.deliver("project_changed", &changed).await;
    }
    world.deliver(DONE, "design_id=nobodys&job_id=j&status=succeeded").await;
    let first = world.clock.now();
    world.complete("d1", "j1").await;
    world.advance(Duration::from_secs(600));
    world.complete("d2", "j2").await;

    let counted =
        "setAside tenants { tenantId waiting waitingSince lastReceivedAt lastAnnouncedAt switchedOffSince
        events { name type received announced reconciled repeats waiting waitingSince } }";
    let one_announced = || async {
        let answer = health(&world, counted).await.sound();
        let tenants = answer["webhookHealth"]["tenants"].as_array().unwrap().clone();
        tenants.iter().any(|it| it["tenantId"] == OTHER && it["events"][0]["announced"] == 1)
    };
    world.eventually("the event that needs no call", one_announced).await;
    let answer = health(&world, counted).await.sound();
    let health_of = |tenant: &str| {
        let all = answer["webhookHealth"]["tenants"].as_array().unwrap();
        all.iter().find(|it| it["tenantId"] == tenant).unwrap().clone()
    };
    assert_eq!(answer["webhookHealth"]["setAside"], 1);
    let ours = health_of(TENANT);
    assert_eq!((&ours["waiting"], &ours["waitingSince"]), (&json!(2), &json!(first.to_string())));
    assert_eq!(ours["lastReceivedAt"], world.clock.now().to_string());
    assert_eq!((&ours["lastAnnouncedAt"], &ours["switchedOffSince"]), (&Value::Null, &Value::Null));
    assert_eq!(
        health_of(OTHER)["events"],
        json!([{ "name": "project_changed", "type": "PROJECT_CHANGED", "received": 1, "announced": 1,
            "reconciled": 0, "repeats": 2, "waiting": 0, "waitingSince": null }])
    );

    let refused = world.ask(KEY, "{ webhookHealth { setAside } }", json!({})).await;
    assert_eq!(refused.errors(), ["FORBIDDEN at webhookHealth"]);
    let all = "{ webhookHealth { tenants { tenantId } } }";
    let own = world.ask(OPERATOR_OF_OTHER, all, json!({})).await.sound();
    assert_eq!(own["webhookHealth"]["tenants"], json!([{ "tenantId": OTHER }]));
    let foreign = all.replace("Health {", &format!("Health(tenantId: \"{TENANT}\") {{"));
    let foreign = world.ask(OPERATOR_OF_OTHER, &foreign, json!({})).await;
    assert_eq!(foreign.errors(), ["NOT_FOUND at webhookHealth"]);
}

/// What is registered, as the application's own key shows it.
async fn registered(world: &World) -> Vec<Value> {
    let path = format!("/partner_applications/{}/webhooks", sandbox::APPLICATION_ID);
    let request = world.http.get(format!("{}{path}", world.aurora_url()));
    let answer = request.bearer_auth(sandbox::APPLICATION_KEY).send().await.unwrap();
    let body: Value = answer.json().await.unwrap();
    body.as_object().unwrap().values().next().unwrap().as_array().unwrap().clone()
}

async fn change(world: &World, webhook: &Value, change: Value) {
    let path = format!(
        "/partner_applications/{}/webhooks/{}",
        sandbox::APPLICATION_ID,
        webhook["id"].as_str().unwrap()
    );
    let request = world.http.put(format!("{}{path}", world.aurora_url()));
    let body = json!({ "partner_application_webhook": change });
    let answer = request.bearer_auth(sandbox::APPLICATION_KEY).json(&body).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}

async fn states(world: &World) -> (Value, Vec<String>) {
    let answer =
        health(world, "subscriptions { sound nodes { event state required urlTemplate } }").await.sound();
    let subscriptions = answer["webhookHealth"]["subscriptions"].clone();
    let nodes = subscriptions["nodes"].as_array().unwrap();
    (
        subscriptions["sound"].clone(),
        nodes.iter().map(|it| it["state"].as_str().unwrap().to_owned()).collect(),
    )
}

#[tokio::test]
async fn what_aurora_holds_is_told_and_ensure_repairs_it() {
    let world = World::with(|_| {}, &[PUBLIC]).await;
    assert_eq!(states(&world).await, (json!(false), vec!["MISSING".to_owned(); 6]));
    let done = world.ensure_webhooks().await;
    assert!(done.iter().all(|(_, done)| *done == Done::Created));
    assert_eq!(states(&world).await.0, false, "it was looked at a moment ago");
    assert_eq!(world.aurora.calls_to("GET", WEBHOOKS), 2, "once to look, once to register");
    world.advance(Duration::from_secs(301));
    assert_eq!(states(&world).await, (json!(true), vec!["REGISTERED".to_owned(); 6]));

    let known = registered(&world).await;
    assert_eq!(known.len(), 6);
    let of = |event: &str| known.iter().find(|it| it["event"] == event).unwrap();
    change(&world, of(DONE), json!({ "enabled": false })).await;
    let fewer = "http://127.0.0.1:9/webhooks/aurora/project_changed?tenant_id=<TENANT_ID>&session_token=<SESSION_TOKEN>";
    change(&world, of("project_changed"), json!({ "url_template": fewer })).await;
    let other = json!({ "header_auth_key": "X-Other", "header_auth_value": "other" });
    change(&world, of("agreement_status_changed"), other).await;
    let elsewhere = fewer.replace("127.0.0.1:9", "127.0.0.1:8").replace("project_changed", "design_created");
    change(&world, of("design_created"), json!({ "url_template": elsewhere })).await;
    world.advance(Duration::from_secs(301));
    let (sound, found) = states(&world).await;
    assert_eq!(sound, false);
    assert_eq!(found, ["DISABLED", "MISSING", "REGISTERED", "DIFFERS", "DIFFERS", "REGISTERED"]);

    let done: Vec<_> = world.ensure_webhooks().await.into_iter().map(|(_, done)| done).collect();
    use Done::{Corrected, Created, Kept};
    assert_eq!(done, [Corrected, Created, Kept, Corrected, Corrected, Kept]);
    assert!(world.ensure_webhooks().await.iter().all(|(_, done)| *done == Kept), "twice is as good as once");
    world.advance(Duration::from_secs(301));
    assert_eq!(states(&world).await, (json!(true), vec!["REGISTERED".to_owned(); 6]));
    assert_eq!(registered(&world).await.len(), 7, "the one that leads elsewhere is another's");
}

#[tokio::test]
async fn an_event_that_aurora_does_not_offer_keeps_no_other_from_being_registered() {
    let world = World::with(|_| {}, &[PUBLIC]).await;
    // The sixth is the one that not every type of application gets.
    let refused = FaultRule::new("POST", WEBHOOKS, Fault::status(422));
    let config = world.config();
    let aurora = heliograph::app::aurora(&config, world.clock.clone()).unwrap();
    let target = heliograph::app::webhook_target(&config).unwrap();
    registration::ensure(&aurora, &target).await.unwrap();
    let known = registered(&world).await;
    let last = known.iter().find(|it| it["event"] == "app_status_changed").unwrap();
    aurora.delete_webhook(last["id"].as_str().unwrap()).await.unwrap();
    world.aurora.fail(refused).unwrap();
    let done = registration::ensure(&aurora, &target).await.unwrap();
    assert_eq!(done.iter().filter(|(_, done)| *done == Done::NotOffered).count(), 1);
    let (sound, states) = states(&world).await;
    assert_eq!((sound, states[5].as_str()), (json!(true), "MISSING"), "it can be done without");

    // One that is required is another matter.
    let done = known.iter().find(|it| it["event"] == DONE).unwrap();
    aurora.delete_webhook(done["id"].as_str().unwrap()).await.unwrap();
    assert!(registration::ensure(&aurora, &target).await.is_err());
}

#[tokio::test]
async fn a_secret_that_was_changed_reaches_aurora() {
    let world = World::with(|_| {}, &[PUBLIC]).await;
    world.register_webhooks().await;
    let config = world.config();
    let aurora = heliograph::app::aurora(&config, world.clock.clone()).unwrap();
    let mut target = heliograph::app::webhook_target(&config).unwrap();
    target.public_url = world.url("/").parse().unwrap();
    target.secret = SecretString::from("a-secret-that-the-gateway-does-not-know");
    registration::ensure(&aurora, &target).await.unwrap();
    let (_, design) = world.design().await;
    world.aurora.finish_design(TENANT, &design).unwrap();
    let refused = |it: &sandbox::Attempt| it.event == DONE && it.status == Some(401);
    world.eventually("a refusal", || async { world.aurora.deliveries().iter().any(refused) }).await;
    world.register_webhooks().await;
    world.advance(Duration::from_secs(31));
    world
        .eventually("the retry", || async {
            world.aurora.deliveries().iter().any(|it| it.event == DONE && it.succeeded())
        })
        .await;
}

#[tokio::test]
async fn where_aurora_cannot_be_asked_the_rest_of_the_health_stands() {
    let world = World::with(|_| {}, &[PUBLIC]).await;
    world.aurora.fail(FaultRule::new("GET", WEBHOOKS, Fault::status(503))).unwrap();
    let answer = health(&world, "setAside subscriptions { sound }").await;
    assert_eq!(answer.errors(), ["UPSTREAM_UNAVAILABLE at webhookHealth.subscriptions"]);
    assert_eq!(answer["webhookHealth"], json!({ "setAside": 0, "subscriptions": null }));

    let unset = World::start().await;
    let answer = health(&unset, "subscriptions { sound }").await.sound();
    assert_eq!(answer["webhookHealth"]["subscriptions"], Value::Null, "it does not know where it is");
    assert_eq!(unset.aurora.calls().len(), 0);
}

const EVENTS: &str = "subscription($after: Cursor) { events(after: $after) { cursor type } }";

#[tokio::test]
async fn a_tenant_that_switches_the_application_off_hears_nothing_until_it_is_on_again() {
    let mut world = World::start().await;
    world.register_webhooks().await;
    let (_, design) = world.design().await;
    world.eventually("what was made", || async { world.announced().await.len() == 2 }).await;
    world.query("{ projects { nodes { name } } }").await.sound();
    let mut subscriber = world.subscribe_as(KEY, EVENTS, json!({})).await;
    let mut other = world.subscribe_as(OTHER_KEY, EVENTS, json!({})).await;
    world.deliver("project_changed", &format!("tenant_id={TENANT}&project_id=p&attributes=name")).await;
    let cursor = subscriber.next("events").await["cursor"].clone();

    let begun = Instant::now();
    world.aurora.disable_app(TENANT).unwrap();
    assert_eq!(subscriber.refusal().await, ["TENANT_NOT_CONNECTED at events"]);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(subscriber.message().await["type"], "complete", "nothing comes after");
    world.deliver("project_changed", &format!("tenant_id={TENANT}&project_id=p&attributes=status")).await;
    world.deliver("project_changed", &format!("tenant_id={OTHER}&project_id=p&attributes=name")).await;
    assert_eq!(other.next("events").await["type"], "PROJECT_CHANGED", "others hear as ever");
    let fresh = world.query(&format!(r#"{{ design(designId: "{design}") {{ name }} }}"#)).await;
    assert_eq!(fresh.errors(), ["TENANT_NOT_CONNECTED at design"], "its key is gone, and what was in memory");
    world.restart().await;
    let refused = world.subscribe_eager(KEY, EVENTS, json!({})).await.refusal().await;
    assert_eq!(refused, ["TENANT_NOT_CONNECTED at events"]);
    let told = health(&world, "tenants { tenantId switchedOffSince }").await.sound();
    let tenants = told["webhookHealth"]["tenants"].as_array().unwrap();
    assert!(tenants.iter().all(|it| (it["tenantId"] == TENANT) == it["switchedOffSince"].is_string()));

    world.register_webhooks().await;
    world.aurora.enable_app(TENANT).unwrap();
    let on = || async { !world.query("{ projects { nodes { name } } }").await.errors().is_empty() };
    world.eventually("it is on", || async { !on().await }).await;
    let mut again = world.subscribe_eager(KEY, EVENTS, json!({ "after": cursor })).await;
    let mut types = Vec::new();
    for _ in 0..3 {
        types.push(again.next("events").await["type"].clone());
    }
    assert_eq!(types, ["OTHER", "PROJECT_CHANGED", "OTHER"], "what was announced meanwhile was kept");
}

#[tokio::test]
async fn a_word_of_switching_off_that_is_old_is_set_right_by_the_next_key() {
    let world = World::start().await;
    let mut subscriber = world.subscribe_as(KEY, EVENTS, json!({})).await;
    let off = format!("tenant_id={TENANT}&app_id=app&status=disabled&session_token=st-that-is-not-spent");
    assert_eq!(world.deliver("app_status_changed", &off).await, 200);
    assert_eq!(subscriber.refusal().await, ["TENANT_NOT_CONNECTED at events"]);
    let exchanges = ("POST", "/partner_applications/*/tenants/*/create_token");
    assert_eq!(world.aurora.calls_to(exchanges.0, exchanges.1), 0, "such a token gives no key");

    // Aurora gives a key, so the application is on.
    world.query("{ projects { nodes { name } } }").await.sound();
    let accepted = || async {
        let mut socket = world.subscribe_eager(KEY, EVENTS, json!({})).await;
        socket.until_now().await.contains("TENANT_NOT_CONNECTED")
    };
    world.eventually("it is on", || async { !accepted().await }).await;
}
