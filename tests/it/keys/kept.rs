//! Keys over a restart.

use std::{collections::BTreeMap, process::Stdio};

use heliograph::sandbox::{self, Sandbox, SessionTokens};
use serde_json::json;

use super::{HOUR, PROJECTS};
use crate::{
    load::process::{Running, command},
    world::{Answer, KEY, OTHER, OTHER_KEY, TENANT, World},
};

const FIRST: (&str, &str) =
    ("HELIOGRAPH_STORE__ENCRYPTION_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
const SECOND: (&str, &str) =
    ("HELIOGRAPH_STORE__ENCRYPTION_KEY", "AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
const FIRST_IS_PREVIOUS: (&str, &str) = ("HELIOGRAPH_STORE__PREVIOUS_ENCRYPTION_KEY", FIRST.1);
const REQUIRED: (&str, &str) = ("HELIOGRAPH_AURORA__SESSION_TOKEN", "required");

/// A gateway that gets keys by session tokens only, and whose first tenant has sent one.
async fn connected(settings: &[(&str, &str)]) -> World {
    let all: Vec<_> = settings.iter().copied().chain([REQUIRED]).collect();
    let world = World::with(|aurora| aurora.session_tokens = SessionTokens::Required, &all).await;
    let connect =
        "mutation($input: ConnectTenantInput!) { connectTenant(input: $input) { tenant { tenantId } } }";
    let token = world.aurora.issue_session_token(TENANT).unwrap();
    let input = json!({ "input": { "tenantId": TENANT, "sessionToken": token } });
    let answer = world.ask(KEY, connect, input).await.sound();
    assert_eq!(answer["connectTenant"]["tenant"]["tenantId"], TENANT);
    world
}

async fn assert_connected(world: &World) {
    world.query(PROJECTS).await.sound();
    assert_eq!(world.exchanges(), 1, "the one of the beginning");
}

async fn assert_not_connected(world: &World) {
    assert_eq!(world.query(PROJECTS).await.errors(), ["TENANT_NOT_CONNECTED at projects"]);
}

#[tokio::test]
async fn a_restart_needs_no_new_session_token_and_costs_no_exchange() {
    let mut world = connected(&[FIRST]).await;
    // Not even read once: what was answered is on disk.
    world.restart().await;
    assert_connected(&world).await;
    world.restart().await;
    assert_connected(&world).await;
    for file in std::fs::read_dir(world.store()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(8).any(|it| it == b"tk_test_"), "a key lies open on the disk");
    }
}

#[tokio::test]
async fn a_key_that_came_with_a_webhook_outlives_a_restart_too() {
    let all = [FIRST, REQUIRED];
    let mut world = World::with(|aurora| aurora.session_tokens = SessionTokens::Required, &all).await;
    let token = world.aurora.issue_session_token(TENANT).unwrap();
    world.deliver("project_changed", &format!("tenant_id={TENANT}&project_id=p&session_token={token}")).await;
    world.eventually("connected", || async { world.query(PROJECTS).await.errors().is_empty() }).await;
    world.restart().await;
    assert_connected(&world).await;
}

#[tokio::test]
async fn without_an_encryption_key_nothing_is_kept() {
    let mut world = connected(&[]).await;
    world.restart().await;
    assert_not_connected(&world).await;
}

#[tokio::test]
async fn a_wrong_encryption_key_stops_nothing_and_the_right_one_opens_again() {
    let mut world = connected(&[FIRST]).await;
    world.restart_with(&[SECOND]).await;
    assert_not_connected(&world).await;
    world.restart_with(&[FIRST]).await;
    assert_connected(&world).await;
}

#[tokio::test]
async fn the_encryption_key_is_changed_without_losing_a_key() {
    let mut world = connected(&[FIRST]).await;
    world.restart_with(&[SECOND, FIRST_IS_PREVIOUS]).await;
    assert_connected(&world).await;
    // It was sealed anew at that start, so the old one can go; and now it opens nothing any more.
    let none = ("HELIOGRAPH_STORE__PREVIOUS_ENCRYPTION_KEY", SECOND.1);
    world.restart_with(&[none]).await;
    assert_connected(&world).await;
    world.restart_with(&[FIRST, ("HELIOGRAPH_STORE__PREVIOUS_ENCRYPTION_KEY", FIRST.1)]).await;
    assert_not_connected(&world).await;
}

#[tokio::test]
async fn a_key_is_for_its_application_and_its_aurora_alone() {
    let mut world = connected(&[FIRST]).await;
    world.restart_with(&[("HELIOGRAPH_AURORA__APPLICATION_ID", "app_other")]).await;
    assert_not_connected(&world).await;
    world.restart_with(&[("HELIOGRAPH_AURORA__APPLICATION_ID", "app_sandbox")]).await;
    assert_connected(&world).await;
}

#[tokio::test]
async fn a_key_that_was_moved_to_another_tenant_or_damaged_opens_for_nobody_and_stops_nothing() {
    for damage in [
        format!("UPDATE sealed_keys SET tenant = '{OTHER}'"),
        "UPDATE sealed_keys SET sealed = substr(sealed, 1, 40)".to_owned(),
        "UPDATE sealed_keys SET sealed = x''".to_owned(),
    ] {
        let mut world = connected(&[FIRST]).await;
        let file = rusqlite::Connection::open(world.store().join("heliograph.db")).unwrap();
        assert_eq!(file.execute(&damage, []).unwrap(), 1, "{damage}");
        drop(file);
        world.restart().await;
        assert_not_connected(&world).await;
        let other = world.ask(OTHER_KEY, PROJECTS, json!({})).await;
        assert_eq!(other.errors(), ["TENANT_NOT_CONNECTED at projects"], "{damage}");
        assert_eq!(world.exchanges(), 1, "nothing was sent in vain");
    }
}

#[tokio::test]
async fn a_key_has_after_a_restart_what_is_left_of_its_life() {
    let mut world = connected(&[FIRST]).await;
    world.advance(6 * HOUR);
    world.restart().await;
    assert_connected(&world).await;
    world.advance(7 * HOUR);
    assert_not_connected(&world).await;
    world.restart().await;
    assert_not_connected(&world).await;
    assert!(world.aurora.calls().iter().all(|it| it.status == Some(200)), "no request met a dead key");
}

#[tokio::test]
async fn a_tenant_that_was_told_it_is_connected_is_so_after_a_kill() {
    let config = sandbox::Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        session_tokens: SessionTokens::Required,
        ..sandbox::Config::default()
    };
    let (aurora, place) = (Sandbox::start(config).await.unwrap(), tempfile::tempdir().unwrap());
    let settings = BTreeMap::from([
        ("SERVER__LISTEN", "127.0.0.1:0".to_owned()),
        ("SERVER__ADMIN_LISTEN", "127.0.0.1:0".to_owned()),
        ("AURORA__BASE_URL", aurora.base_url()),
        ("AURORA__APPLICATION_ID", sandbox::APPLICATION_ID.to_owned()),
        ("AURORA__APPLICATION_KEY", sandbox::APPLICATION_KEY.to_owned()),
        ("AURORA__SESSION_TOKEN", "required".to_owned()),
        ("STORE__ENCRYPTION_KEY", FIRST.1.to_owned()),
        ("WEBHOOKS__SECRET", "webhook-secret-of-a-process".to_owned()),
        ("AUTH__API_KEYS__0__NAME", "process".to_owned()),
        ("AUTH__API_KEYS__0__KEY", "key-of-a-process-0001".to_owned()),
        ("AUTH__API_KEYS__0__TENANTS", TENANT.to_owned()),
        ("AUTH__API_KEYS__0__SCOPES", "read,write".to_owned()),
    ]);
    let http = reqwest::Client::builder().build().unwrap();
    let ask = |base: &str, query: String| {
        let request = http.post(format!("{base}/graphql")).bearer_auth("key-of-a-process-0001");
        let request = request.json(&json!({ "query": query }));
        async move { Answer::of(request.send().await.unwrap()).await }
    };
    let serve = || {
        Running::start_logging(command(place.path(), &settings).arg("serve"), "listens on ", Stdio::null())
    };

    let (running, base, _) = serve();
    let token = aurora.handle().issue_session_token(TENANT).unwrap();
    let connect = format!(
        r#"mutation {{ connectTenant(input: {{ tenantId: "{TENANT}", sessionToken: "{token}" }}) {{ keyExpiresAt }} }}"#
    );
    ask(&base, connect).await.sound();
    // Killed, without a word of warning.
    drop(running);
    let (running, base, _) = serve();
    ask(&base, PROJECTS.to_owned()).await.sound();
    drop(running);
}
