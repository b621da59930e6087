//! Subscriptions: creating, changing, and what Aurora demands of them.

use reqwest::Method;
use serde_json::{Value, json};

use super::super::{Config, TENANT};
use super::support::{World, quiet};

const TEMPLATE: &str = "https://crm.example/hook?t=<TENANT_ID>&s=<SESSION_TOKEN>&d=<DESIGN_ID>";
const PATH: &str = "/tenants/tenant-demo/webhooks";

fn partner_body(url_template: &str) -> Value {
    json!({ "partner_application_webhook": {
        "event": "performance_simulation_job_completed",
        "url_template": url_template,
        "description": "x",
        "enabled": true,
        "header_auth_key": "X-Token",
        "header_auth_value": "very-secret",
    }})
}

fn tenant_body(event: &str) -> Value {
    json!({ "webhook": { "event": event, "url_template": "https://crm.example/h?d=<DESIGN_ID>" } })
}

#[tokio::test]
async fn a_partner_subscription_lives_from_create_to_delete_and_hides_its_secret() {
    let world = World::start().await;
    let (status, made) = world.partner(Method::POST, "/webhooks", &partner_body(TEMPLATE)).await;
    assert_eq!(status, 200, "{made}");
    let made = &made["partner_application_webhook"];
    assert_eq!(made["header_auth_key"], "X-Token");
    assert!(!made.to_string().contains("very-secret"));
    let path = format!("/webhooks/{}", made["id"].as_str().unwrap());

    let (_, list) = world.partner(Method::GET, "/webhooks", &json!(null)).await;
    assert_eq!(list["partner_application_webhooks"], json!([made]));
    let off = json!({"partner_application_webhook": {"enabled": false}});
    let (_, changed) = world.partner(Method::PUT, &path, &off).await;
    assert_eq!(changed["partner_application_webhook"]["enabled"], false);
    assert_eq!(changed["partner_application_webhook"]["url_template"], TEMPLATE);
    let rotated = json!({"partner_application_webhook": {"header_auth_value": "newer"}});
    assert_eq!(world.partner(Method::PUT, &path, &rotated).await.0, 200);
    let (_, read) = world.partner(Method::GET, &path, &json!(null)).await;
    assert_eq!(read, changed);
    assert_eq!(world.partner(Method::DELETE, &path, &json!(null)).await, (204, json!("")));
    assert_eq!(world.partner(Method::GET, &path, &json!(null)).await.0, 404);
}

#[tokio::test]
async fn a_tenants_subscription_is_its_own() {
    let world = World::start().await;
    let (status, made) = world.post(PATH, &tenant_body("project_created")).await;
    assert_eq!((status, &made["webhook"]["enabled"]), (200, &json!(true)));
    let id = made["webhook"]["id"].as_str().unwrap();
    let (_, list) = world.get(PATH).await;
    assert_eq!(list["webhooks"].as_array().unwrap().len(), 1);
    assert_eq!(world.partner(Method::GET, &format!("/webhooks/{id}"), &json!(null)).await.0, 404);
    let renamed = json!({"webhook": {"description": "new"}});
    let (_, changed) = world.send(Method::PUT, &format!("{PATH}/{id}"), &renamed).await;
    assert_eq!(changed["webhook"]["description"], "new");
    assert_eq!(world.send(Method::DELETE, &format!("{PATH}/{id}"), &json!(null)).await.0, 204);
}

#[tokio::test]
async fn partner_templates_need_both_parameters_authentication_and_https() {
    let world = World::start().await;
    let refused = async |body: &Value| {
        let (status, body) = world.partner(Method::POST, "/webhooks", body).await;
        assert_eq!(status, 422);
        body["errors"][0]["message"].as_str().unwrap().to_owned()
    };
    let no_session = partner_body("https://crm.example/h?t=<TENANT_ID>");
    assert!(refused(&no_session).await.contains("<SESSION_TOKEN>"));
    let no_tenant = partner_body("https://crm.example/h?s=<SESSION_TOKEN>");
    assert!(refused(&no_tenant).await.contains("<TENANT_ID>"));
    assert!(refused(&partner_body(&TEMPLATE.replace("https", "http"))).await.contains("HTTPS"));
    let mut no_auth = partner_body(TEMPLATE);
    for name in ["header_auth_key", "header_auth_value"] {
        no_auth["partner_application_webhook"].as_object_mut().unwrap().remove(name);
    }
    assert!(refused(&no_auth).await.contains("authentication"));
    no_auth["partner_application_webhook"]["header_auth_key"] = json!("X-Token");
    refused(&no_auth).await;
    no_auth["partner_application_webhook"]["header_auth_key"] = json!(null);
    refused(&no_auth).await;
    refused(&partner_body("not a url <SESSION_TOKEN> <TENANT_ID>")).await;

    let loopback = TEMPLATE.replace("https://crm.example", "http://127.0.0.1:9");
    assert_eq!(world.partner(Method::POST, "/webhooks", &partner_body(&loopback)).await.0, 200);
}

#[tokio::test]
async fn the_demands_on_partner_templates_can_be_switched_off() {
    let config = Config { strict_webhooks: false, require_https: false, ..quiet() };
    let world = World::with(config).await;
    let body = json!({"partner_application_webhook": {
        "event": "performance_simulation_job_completed",
        "url_template": "http://gateway:4000/h?d=<DESIGN_ID>",
    }});
    assert_eq!(world.partner(Method::POST, "/webhooks", &body).await.0, 200);
}

#[tokio::test]
async fn an_event_has_at_most_five_subscriptions_and_must_exist() {
    let world = World::start().await;
    for _ in 0..5 {
        assert_eq!(world.post(PATH, &tenant_body("project_created")).await.0, 200);
    }
    assert_eq!(world.post(PATH, &tenant_body("project_created")).await.0, 422);
    assert_eq!(world.post(PATH, &tenant_body("project_changed")).await.0, 200);
    assert_eq!(world.post(PATH, &tenant_body("project_craeted")).await.0, 422);
    assert_eq!(world.handle().calls_to("POST", &format!("/tenants/{TENANT}/webhooks")), 8);
}
