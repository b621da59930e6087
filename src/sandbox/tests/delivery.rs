//! Webhooks on their way: what they carry, and what happens when nobody takes them.

use std::time::Duration;

use axum::http::StatusCode;
use reqwest::Method;
use serde_json::{Value, json};

use super::super::{Config, TENANT};
use super::support::{ADDRESS, Received, Receiver, World, answer, quiet};

const SIMULATED: &str = "performance_simulation_job_completed";
const QUERY: &str = "/hook?t=<TENANT_ID>&s=<SESSION_TOKEN>&d=<DESIGN_ID>&j=<JOB_ID>&st=<STATUS>\
    &p=<PROJECT_ID>&src=<SOURCE>&f=<FINANCING_ID>&ahj=<AHJ_ID>&at=<ATTRIBUTES>";

impl World {
    async fn subscribe(&self, event: &str, receiver: &Receiver) -> String {
        let body = json!({ "partner_application_webhook": {
            "event": event,
            "url_template": receiver.url(QUERY),
            "header_auth_key": "X-Token",
            "header_auth_value": "let-me-in",
        }});
        let (status, made) = self.partner(Method::POST, "/webhooks", &body).await;
        assert_eq!(status, 200, "{made}");
        made["partner_application_webhook"]["id"].as_str().unwrap().to_owned()
    }
}

/// Every retry after one scaled millisecond or so.
fn hasty() -> Config {
    Config { retry_scale: 1e-6, ..quiet() }
}

#[tokio::test]
async fn a_finished_design_is_told_with_a_bare_get_that_carries_everything() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    world.subscribe(SIMULATED, &receiver).await;
    let (project, design) = world.house().await;
    let job = world.handle().finish_design(TENANT, &design).unwrap();

    let calls = receiver.wait_for(1).await;
    let Received { method, path, query, headers, body } = &calls[0];
    assert_eq!((method.as_str(), path.as_str(), *body), ("GET", "/hook", 0));
    assert_eq!(headers["X-Token"], "let-me-in");
    let carried = |name: &str| query[name].as_str();
    assert_eq!((carried("d"), carried("j")), (design.as_str(), job.as_str()));
    assert_eq!((carried("t"), carried("p")), (TENANT, project.as_str()));
    assert_eq!((carried("st"), carried("f")), ("succeeded", ""));
    assert_eq!(world.exchange(TENANT, Some(carried("s"))).await.0, 200);
    assert_eq!(world.exchange(TENANT, Some(carried("s"))).await.0, 422);
    let log = serde_json::to_string(&world.handle().deliveries()).unwrap();
    assert!(!log.contains(carried("s")) && !log.contains("let-me-in"));
}

#[tokio::test]
async fn a_create_and_a_change_are_told_with_their_source() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    for event in ["project_created", "ahj_lookup_completed", "design_created", "project_changed"] {
        world.subscribe(event, &receiver).await;
    }
    let (project, _) = world.house().await;
    let path = format!("/tenants/{TENANT}/projects/{project}");
    world.send(Method::PUT, &path, &json!({"project": {"owner_id": "u1", "name": "x"}})).await;
    let calls = receiver.wait_for(4).await;
    let has = |name: &str, value: &str| calls.iter().any(|it| it.query[name] == value);
    assert!(has("src", "api") && has("src", "app"));
    assert!(has("at", "name,owner_id") || has("at", "owner_id,name"));
    assert!(calls.iter().any(|it| !it.query["ahj"].is_empty() && it.query["st"] == "succeeded"));
}

#[tokio::test]
async fn any_event_can_be_made_to_happen() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    world.subscribe("agreement_status_changed", &receiver).await;
    let sent = world
        .handle()
        .deliver(TENANT, "agreement_status_changed", &[("STATUS", "cancel-pending"), ("PROJECT_ID", "p 1&x")])
        .unwrap();
    assert_eq!(sent, 1);
    let calls = receiver.wait_for(1).await;
    assert_eq!(calls[0].query["st"], "cancel-pending");
    assert_eq!(calls[0].query["p"], "p 1&x");
}

#[tokio::test]
async fn a_tenants_own_subscription_carries_basic_authentication_and_no_session() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let body = json!({"webhook": {
        "event": SIMULATED,
        "url_template": receiver.url("/own?d=<DESIGN_ID>&s=<SESSION_TOKEN>"),
        "basic_auth_username": "aurora",
        "basic_auth_password": "pw",
    }});
    world.post(&format!("/tenants/{TENANT}/webhooks"), &body).await;
    world.handle().plant(TENANT, "p1", "d1").unwrap();
    let calls = receiver.wait_for(1).await;
    assert_eq!((calls[0].query["d"].as_str(), calls[0].query["s"].as_str()), ("d1", ""));
    assert_eq!(calls[0].headers["authorization"], "Basic YXVyb3JhOnB3");
}

#[tokio::test]
async fn a_refused_call_is_repeated_until_it_is_taken() {
    let world = World::with(hasty()).await;
    let receiver = Receiver::answering(|nth| {
        Some(match nth {
            0 => StatusCode::FOUND,
            1 => StatusCode::NOT_FOUND,
            2 => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::NO_CONTENT,
        })
    })
    .await;
    world.subscribe(SIMULATED, &receiver).await;
    world.handle().plant(TENANT, "p1", "d1").unwrap();
    world.eventually("a success", |it| it.deliveries().iter().any(|it| it.succeeded())).await;
    let attempts = world.handle().deliveries();
    let statuses: Vec<_> = attempts.iter().map(|it| it.status).collect();
    assert_eq!(statuses, [Some(302), Some(404), Some(500), Some(204)]);
    // No redirect was followed, and every call of the ladder was the same.
    let calls = receiver.all();
    assert!(calls.iter().all(|it| it.path == "/hook" && it.query == calls[0].query));
}

#[tokio::test]
async fn the_ladder_is_auroras_and_follows_the_sandboxs_clock() {
    let world = World::start().await;
    let receiver = Receiver::answering(|_| Some(StatusCode::BAD_GATEWAY)).await;
    world.subscribe(SIMULATED, &receiver).await;
    world.handle().plant(TENANT, "p1", "d1").unwrap();
    for (attempt, wait_seconds) in [30, 300, 1800, 10_800, 72_000].into_iter().enumerate() {
        let logged = attempt + 1;
        world.eventually("the attempt", |it| it.deliveries().len() == logged).await;
        let last = world.handle().deliveries().pop().unwrap();
        assert_eq!(last.retry_in_ms, Some(wait_seconds * 1000));
        world.handle().move_clock(Duration::from_secs(wait_seconds));
    }
    world.eventually("the last attempt", |it| it.deliveries().len() == 6).await;
    assert_eq!(world.handle().deliveries().pop().unwrap().retry_in_ms, None);
}

#[tokio::test]
async fn a_silent_receiver_runs_into_the_deadline() {
    let config = Config { webhook_timeout: Duration::from_millis(50), retry_ladder: Vec::new(), ..quiet() };
    let world = World::with(config).await;
    let receiver = Receiver::answering(|_| None).await;
    world.subscribe(SIMULATED, &receiver).await;
    world.handle().plant(TENANT, "p1", "d1").unwrap();
    world.eventually("the time-out", |it| it.deliveries().len() == 1).await;
    let attempt = world.handle().deliveries().pop().unwrap();
    assert_eq!(attempt.error.as_deref(), Some("the receiver took too long"));
}

#[tokio::test]
async fn duplicates_carry_session_tokens_of_their_own() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    world.subscribe(SIMULATED, &receiver).await;
    world.handle().set_duplicates(2);
    world.handle().plant(TENANT, "p1", "d1").unwrap();
    let calls = receiver.wait_for(3).await;
    let mut tokens: Vec<&String> = calls.iter().map(|it| &it.query["s"]).collect();
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), 3);
    assert!(calls.iter().all(|it| it.query["j"] == calls[0].query["j"]));
}

#[tokio::test]
async fn neighbours_can_arrive_in_the_wrong_order() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    world.subscribe("agreement_status_changed", &receiver).await;
    world.handle().set_reorder(true);
    for status in ["viewed", "signed"] {
        world.handle().deliver(TENANT, "agreement_status_changed", &[("STATUS", status)]).unwrap();
    }
    let calls = receiver.wait_for(2).await;
    let order: Vec<&str> = calls.iter().map(|it| it.query["st"].as_str()).collect();
    assert_eq!(order, ["signed", "viewed"]);
}

#[tokio::test]
async fn a_subscription_failing_for_two_days_and_a_hundred_times_is_switched_off() {
    let world = World::with(Config { retry_ladder: Vec::new(), ..quiet() }).await;
    let receiver = Receiver::answering(|_| Some(StatusCode::GONE)).await;
    let id = world.subscribe("lead_changed", &receiver).await;
    for _ in 0..99 {
        world.handle().deliver(TENANT, "lead_changed", &[]).unwrap();
    }
    world.eventually("99 failures", |it| it.deliveries().len() == 99).await;
    world.handle().move_clock(Duration::from_secs(48 * 3600));
    world.handle().deliver(TENANT, "lead_changed", &[]).unwrap();
    world.eventually("the hundredth", |it| it.deliveries().len() == 100).await;
    let (_, read) = world.partner(Method::GET, &format!("/webhooks/{id}"), &json!(null)).await;
    assert_eq!(read["partner_application_webhook"]["enabled"], false);
    assert_eq!(world.handle().deliver(TENANT, "lead_changed", &[]), Ok(0));
}

#[tokio::test]
async fn a_subscription_can_be_tested_under_both_spellings() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let id = world.subscribe(SIMULATED, &receiver).await;
    let empty = json!({"partner_application_webhook": {"url_parameters": []}});
    let (status, _) = world.partner(Method::POST, &format!("/webhooks/{id}/trigger"), &empty).await;
    assert_eq!(status, 200);
    let calls = receiver.wait_for(1).await;
    assert!(calls[0].query["d"].starts_with("test-"));
    assert_eq!(world.exchange(TENANT, Some(&calls[0].query["s"])).await.0, 422);

    let path = format!("/application_partners/app_sandbox/webhooks/{id}/trigger");
    let given = json!({"application_partner_webhook":
        {"url_parameters": [{"name": "<DESIGN_ID>", "value": "d9"}]}});
    let request = world.request(Method::POST, &path, super::super::APPLICATION_KEY).json(&given);
    assert_eq!(answer(request.send().await.unwrap()).await.0, 200);
    let calls = receiver.wait_for(2).await;
    assert_eq!((calls[1].query["d"].as_str(), calls[1].query["j"].as_str()), ("d9", ""));
}

#[tokio::test]
async fn the_end_of_an_enabled_app_is_told_and_nothing_after_it() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    world.subscribe("app_status_changed", &receiver).await;
    world.subscribe("project_created", &receiver).await;
    world.handle().disable_app(TENANT).unwrap();
    let calls = receiver.wait_for(1).await;
    assert_eq!(calls[0].query["st"], "disabled");
    let body: Value = json!({"location": {"property_address": ADDRESS}});
    world.handle().create_project(TENANT, &body).unwrap();
    assert_eq!(world.handle().deliver(TENANT, "project_created", &[]), Ok(0));
}
