//! Who may call what.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::super::{
    APPLICATION_KEY, Config, Fault, FaultRule, KeyKind, SECOND_TENANT, SessionTokens, TENANT,
};
use super::super::{TENANT_KEY, Tenant, Units};
use super::support::{World, answer, quiet};

const HOUR: Duration = Duration::from_secs(3600);

impl World {
    async fn status(&self, path: &str, key: &str) -> u16 {
        self.request(Method::GET, path, key).send().await.unwrap().status().as_u16()
    }
}

#[tokio::test]
async fn each_kind_of_key_opens_its_own_paths_only() {
    let world = World::start().await;
    let temporary = world.temporary_key(SECOND_TENANT).await;
    let (own, partner) = (format!("/tenants/{TENANT}"), "/partner_applications/app_sandbox/webhooks");

    assert_eq!(world.client.get(world.url(&own)).send().await.unwrap().status(), 401);
    assert_eq!(world.status(&own, "sk_sand_nobody").await, 401);
    assert_eq!(world.status(&own, TENANT_KEY).await, 200);
    assert_eq!(world.status(&own, APPLICATION_KEY).await, 403);
    assert_eq!(world.status(&own, &temporary).await, 404);
    assert_eq!(world.status(&format!("/tenants/{SECOND_TENANT}"), &temporary).await, 200);
    assert_eq!(world.status(&format!("/tenants/{SECOND_TENANT}"), TENANT_KEY).await, 404);

    assert_eq!(world.status(partner, APPLICATION_KEY).await, 200);
    assert_eq!(world.status(partner, TENANT_KEY).await, 403);
    assert_eq!(world.status(partner, &temporary).await, 403);
    assert_eq!(world.status(partner, "nonsense").await, 401);
    assert_eq!(world.status("/partner_applications/other/webhooks", APPLICATION_KEY).await, 404);
}

#[tokio::test]
async fn a_temporary_key_is_auroras_in_form_and_ends_after_13_hours() {
    let world = World::start().await;
    let (status, body) = world.exchange(TENANT, None).await;
    assert_eq!(status, 200);
    let key = body["token"]["bearer_token"].as_str().unwrap();
    assert!(key.starts_with("tk_test_"));
    let expires = body["token"]["expires_at"].as_str().unwrap();
    assert!(expires.ends_with(" UTC") && expires.len() == "2023-07-29 04:30:46 UTC".len());

    let path = format!("/tenants/{TENANT}");
    world.handle().move_clock(13 * HOUR - Duration::from_secs(30));
    assert_eq!(world.status(&path, key).await, 200);
    world.handle().move_clock(Duration::from_secs(30));
    assert_eq!(world.status(&path, key).await, 401);
}

#[tokio::test]
async fn a_session_token_is_good_for_one_exchange_within_the_hour() {
    let world = World::with(Config { session_tokens: SessionTokens::Required, ..quiet() }).await;
    assert_eq!(world.exchange(TENANT, None).await.0, 422);
    let token = world.handle().issue_session_token(TENANT).unwrap();
    assert_eq!(world.exchange(SECOND_TENANT, Some(&token)).await.0, 422);
    assert_eq!(world.exchange(TENANT, Some(&token)).await.0, 200);
    assert_eq!(world.exchange(TENANT, Some(&token)).await.0, 422);

    let late = world.handle().issue_session_token(TENANT).unwrap();
    world.handle().move_clock(HOUR);
    assert_eq!(world.exchange(TENANT, Some(&late)).await.0, 422);
}

#[tokio::test]
async fn an_optional_session_token_must_still_be_valid_when_sent() {
    let world = World::with(Config { refused_session_status: 401, ..quiet() }).await;
    assert_eq!(world.exchange(TENANT, None).await.0, 200);
    assert_eq!(world.exchange(TENANT, Some("")).await.0, 200);
    assert_eq!(world.exchange(TENANT, Some("st_made_up")).await.0, 401);
}

#[tokio::test]
async fn an_unknown_tenant_is_not_found_unless_any_is_accepted() {
    let world = World::start().await;
    assert_eq!(world.exchange("nobody", None).await.0, 404);
    let world = World::with(Config { accept_any_tenant: true, ..quiet() }).await;
    assert_eq!(world.exchange("nobody", None).await.0, 200);
    assert!(world.handle().issue_session_token("somebody").is_ok());
}

#[tokio::test]
async fn a_tenant_that_disables_the_app_ends_its_keys_and_gives_no_new_ones() {
    let world = World::start().await;
    let key = world.temporary_key(TENANT).await;
    world.handle().disable_app(TENANT).unwrap();
    assert_eq!(world.status(&format!("/tenants/{TENANT}"), &key).await, 401);
    assert_eq!(world.exchange(TENANT, None).await.0, 403);
    world.handle().enable_app(TENANT).unwrap();
    assert_eq!(world.exchange(TENANT, None).await.0, 200);
}

#[tokio::test]
async fn revoked_keys_stop_working_and_the_next_one_works() {
    let world = World::start().await;
    let key = world.temporary_key(TENANT).await;
    assert_eq!(world.handle().revoke_keys(TENANT), 1);
    assert_eq!(world.status(&format!("/tenants/{TENANT}"), &key).await, 401);
    let next = world.temporary_key(TENANT).await;
    assert_eq!(world.status(&format!("/tenants/{TENANT}"), &next).await, 200);
}

#[tokio::test]
async fn an_expiry_can_be_past_missing_or_in_iso_form() {
    let world = World::start().await;
    let path = "/partner_applications/*/tenants/*/create_token";
    for fault in [Fault::ExpiredToken, Fault::TokenWithoutExpiry, Fault::TokenIsoExpiry] {
        world.handle().fail(FaultRule::new("POST", path, fault).times(1)).unwrap();
    }
    let (_, past) = world.exchange(TENANT, None).await;
    let past = past["token"]["expires_at"].as_str().unwrap().replace(" UTC", "").replace(' ', "T");
    assert!(past < world.handle().now());
    let (_, without) = world.exchange(TENANT, None).await;
    assert!(without["token"].get("expires_at").is_none());
    let (_, iso) = world.exchange(TENANT, None).await;
    assert!(iso["token"]["expires_at"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test]
async fn calls_are_logged_with_the_kind_of_key_and_never_with_a_secret() {
    let restricted = Tenant::new("t3", Units::Metric).with_key("rk_sand_three");
    let world = World::with(Config { tenants: vec![restricted], ..quiet() }).await;
    let session = world.handle().issue_session_token("t3").unwrap();
    world.exchange("t3", Some(&session)).await;
    let temporary = world.temporary_key("t3").await;
    for key in ["rk_sand_three", temporary.as_str(), "wrong"] {
        world.status("/tenants/t3", key).await;
    }
    let calls = world.handle().calls();
    let kinds: Vec<KeyKind> = calls.iter().map(|it| it.key_kind).collect();
    assert_eq!(
        kinds,
        [
            KeyKind::Application,
            KeyKind::Application,
            KeyKind::Restricted,
            KeyKind::Temporary,
            KeyKind::Unknown
        ]
    );
    assert_eq!(calls[4].status, Some(401));
    let log = serde_json::to_string(&calls).unwrap();
    for secret in [session.as_str(), temporary.as_str(), "rk_sand_three", APPLICATION_KEY] {
        assert!(!log.contains(secret));
    }
    assert_eq!(world.handle().calls_to("GET", "/tenants/t3"), 3);
}

#[tokio::test]
async fn unknown_version_headers_make_no_difference() {
    let world = World::start().await;
    let response = world
        .request(Method::GET, &format!("/tenants/{TENANT}"), TENANT_KEY)
        .header("Aurora-API-Version", "1999.13")
        .header("Aurora-Version", "x")
        .send()
        .await
        .unwrap();
    let (status, body) = answer(response).await;
    assert_eq!((status, &body["tenant"]["id"]), (200, &json!(TENANT)));
}
