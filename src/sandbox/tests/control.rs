//! The control routes: the same by HTTP.

use reqwest::Method;
use serde_json::{Value, json};

use super::super::TENANT;
use super::support::{ADDRESS, World, answer};

impl World {
    async fn control(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let request = self.client.request(method, self.url(path));
        // As curl sends it: JSON under a form's content type.
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let request = if body.is_null() { request } else { request.body(body.to_string()) };
        answer(request.send().await.unwrap()).await
    }
}

#[tokio::test]
async fn the_index_tells_what_this_is() {
    let world = World::start().await;
    let (status, body) = world.control(Method::GET, "/", &json!(null)).await;
    assert_eq!(status, 200);
    assert!(body["what"].as_str().unwrap().contains("emulator"));
    assert!(body["control"]["faults"].is_string());
}

#[tokio::test]
async fn calls_can_be_counted_and_forgotten_and_control_calls_are_not_among_them() {
    let world = World::start().await;
    world.get(&format!("/tenants/{TENANT}")).await;
    world.get(&format!("/tenants/{TENANT}/projects?page=2")).await;
    let (_, all) = world.control(Method::GET, "/_sandbox/calls", &json!(null)).await;
    assert_eq!(all["count"], 2);
    assert_eq!(all["calls"][1]["query"], "page=2");
    let path = "/_sandbox/calls?method=GET&path=/tenants/*/projects";
    let (_, some) = world.control(Method::GET, path, &json!(null)).await;
    assert_eq!(some["count"], 1);
    assert_eq!(world.control(Method::DELETE, "/_sandbox/calls", &json!(null)).await.0, 204);
    assert!(world.handle().calls().is_empty());
}

#[tokio::test]
async fn faults_are_given_and_cleared() {
    let world = World::start().await;
    let rule = json!({"method": "GET", "path": "/tenants/*", "fault": {"kind": "status", "status": 503}});
    assert_eq!(world.control(Method::POST, "/_sandbox/faults", &rule).await.0, 201);
    assert_eq!(world.get(&format!("/tenants/{TENANT}")).await.0, 503);
    let (_, faults) = world.control(Method::GET, "/_sandbox/faults", &json!(null)).await;
    assert_eq!(faults["faults"][0], rule);
    world.control(Method::DELETE, "/_sandbox/faults", &json!(null)).await;
    assert_eq!(world.get(&format!("/tenants/{TENANT}")).await.0, 200);
    let misspelt = json!({"path": "/x", "fault": {"kind": "statsu"}});
    let (status, body) = world.control(Method::POST, "/_sandbox/faults", &misspelt).await;
    assert_eq!((status, body["error"].is_string()), (400, true));
}

#[tokio::test]
async fn a_designs_life_can_be_led_by_http() {
    let world = World::start().await;
    let body = json!({"tenant": TENANT, "project": {"location": {"property_address": ADDRESS}}});
    let (status, made) = world.control(Method::POST, "/_sandbox/projects", &body).await;
    assert_eq!(status, 201, "{made}");
    let design = made["designs"][0]["id"].as_str().unwrap();
    let path = |verb: &str| format!("/_sandbox/designs/{design}/{verb}");

    let (status, first) = world.control(Method::POST, &path("finish"), &json!(null)).await;
    assert_eq!(status, 200);
    let (_, second) = world.control(Method::POST, &path("change"), &json!(null)).await;
    assert_ne!(first["job_id"], second["job_id"]);
    world.control(Method::POST, &path("edit"), &json!(null)).await;
    let odd = json!({"oddities": ["offset_number"]});
    assert_eq!(world.control(Method::PUT, &path("oddities"), &odd).await.0, 204);
    let sold = json!({"milestone": "sold"});
    assert_eq!(world.control(Method::PUT, &path("milestone"), &sold).await.0, 204);
    let production = &world.summary(design).await["energy_production"];
    assert!(production["annual_offset"].is_number());
    assert_eq!(production["up_to_date"], false);

    let planted = json!({"tenant": TENANT, "project_id": "p1", "design_id": "d1"});
    assert_eq!(world.control(Method::POST, "/_sandbox/projects", &planted).await.0, 201);
    let (_, state) = world.control(Method::GET, "/_sandbox/state", &json!(null)).await;
    assert_eq!(state["tenants"][TENANT]["projects"], 2);
    let null = json!({"tenant": TENANT, "project": {"name": null}});
    let (status, refused) = world.control(Method::POST, "/_sandbox/projects", &null).await;
    assert_eq!((status, refused["error"].as_str().unwrap().contains("must be a string")), (422, true));
    assert_eq!(world.control(Method::POST, "/_sandbox/designs/none/finish", &json!(null)).await.0, 404);
}

#[tokio::test]
async fn tenants_clock_settings_events_and_reset_can_be_led_by_http() {
    let world = World::start().await;
    let tenant = |verb: &str| format!("/_sandbox/tenants/{TENANT}/{verb}");
    let (_, session) = world.control(Method::POST, &tenant("session_tokens"), &json!(null)).await;
    let session = session["session_token"].as_str().unwrap();
    assert_eq!(world.exchange(TENANT, Some(session)).await.0, 200);
    let (_, revoked) = world.control(Method::POST, &tenant("revoke_keys"), &json!(null)).await;
    assert_eq!(revoked["revoked"], 1);
    world.control(Method::POST, &tenant("disable_app"), &json!(null)).await;
    assert_eq!(world.exchange(TENANT, None).await.0, 403);
    world.control(Method::POST, &tenant("enable_app"), &json!(null)).await;

    let (_, before) = world.control(Method::GET, "/_sandbox/clock", &json!(null)).await;
    let (_, after) = world.control(Method::POST, "/_sandbox/clock", &json!({"advance_ms": 3_600_000})).await;
    assert!(after["now"].as_str() > before["now"].as_str());

    let patch = json!({"requests_per_minute": 5, "design_delay_ms": null, "oddities": ["shuffled"]});
    let (_, config) = world.control(Method::PATCH, "/_sandbox/config", &patch).await;
    assert_eq!((&config["requests_per_minute"], &config["oddities"]), (&json!(5), &json!(["shuffled"])));
    assert_eq!(world.control(Method::PATCH, "/_sandbox/config", &json!({"nope": 1})).await.0, 400);

    let event = json!({"tenant": TENANT, "event": "lead_created", "params": {"LEAD_ID": "l1"}});
    let (_, sent) = world.control(Method::POST, "/_sandbox/events", &event).await;
    assert_eq!(sent["deliveries"], 0);

    world.house().await;
    assert_eq!(world.control(Method::POST, "/_sandbox/reset", &json!(null)).await.0, 204);
    assert!(world.handle().projects(TENANT).is_empty() && world.handle().calls().is_empty());
    let (_, config) = world.control(Method::GET, "/_sandbox/config", &json!(null)).await;
    assert_eq!(config["requests_per_minute"], 90);
}
