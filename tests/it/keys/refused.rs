//! A tenant that has disabled the application.

use std::time::Duration;

use heliograph::sandbox::{Fault, FaultRule};
use serde_json::json;

use super::{HOUR, MINUTE, PROJECTS};
use crate::world::{KEY, OTHER, OTHER_KEY, TENANT, World};

const ENCRYPTION_KEY: (&str, &str) =
    ("HELIOGRAPH_STORE__ENCRYPTION_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");

const CONNECT: &str =
    "mutation($input: ConnectTenantInput!) { connectTenant(input: $input) { userErrors { code } } }";

/// Reads as the first tenant again and again, and counts what that costs Aurora.
async fn cost_of_reading(world: &World) -> usize {
    let before = world.aurora.calls().len();
    for _ in 0..10 {
        let answer = world.query(PROJECTS).await;
        assert_eq!(answer.errors(), ["TENANT_NOT_CONNECTED at projects"]);
    }
    world.aurora.calls().len() - before
}

async fn disabled() -> World {
    let world = World::start().await;
    world.aurora.disable_app(TENANT).unwrap();
    assert_eq!(cost_of_reading(&world).await, 1);
    world
}

#[tokio::test]
async fn it_is_asked_for_less_and_less_often_and_readers_hear_at_once() {
    let world = disabled().await;
    for wait in [MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, 6 * HOUR] {
        // A tenth more or less, so that many tenants do not come back together.
        world.advance(wait.mul_f64(0.89));
        assert_eq!(cost_of_reading(&world).await, 0, "before {wait:?} are over");
        world.advance(wait.mul_f64(0.22));
        assert_eq!(cost_of_reading(&world).await, 1, "after {wait:?}");
    }
    let other = world.ask(OTHER_KEY, PROJECTS, json!({})).await.sound();
    assert!(other["projects"]["nodes"].is_array(), "{OTHER} notices nothing");
}

#[tokio::test]
async fn the_error_says_why_and_what_a_person_can_do() {
    let world = disabled().await;
    let answer = world.query(PROJECTS).await;
    let error = &answer.body["errors"][0];
    assert_eq!(error["extensions"]["reason"], "EXCHANGE_REFUSED");
    assert_eq!(error["extensions"]["retryable"], false);
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("enable the application in Aurora") && message.contains("connectTenant"),
        "{message}"
    );
}

#[tokio::test]
async fn the_news_that_it_is_enabled_again_ends_the_wait_at_once() {
    let world = disabled().await;
    world.aurora.enable_app(TENANT).unwrap();
    assert_eq!(cost_of_reading(&world).await, 0, "nobody has heard of it yet");
    let news = format!("tenant_id={TENANT}&app_id=app_sandbox&status=enabled");
    assert_eq!(world.deliver("app_status_changed", &news).await, 200);
    world.eventually("connected", || async { world.query(PROJECTS).await.errors().is_empty() }).await;
}

#[tokio::test]
async fn a_session_token_ends_the_wait_at_once() {
    let world = disabled().await;
    world.aurora.enable_app(TENANT).unwrap();
    let token = world.aurora.issue_session_token(TENANT).unwrap();
    let input = json!({ "input": { "tenantId": TENANT, "sessionToken": token } });
    world.ask(KEY, CONNECT, input).await.sound();
    world.query(PROJECTS).await.sound();

    let world = disabled().await;
    world.aurora.enable_app(TENANT).unwrap();
    let token = world.aurora.issue_session_token(TENANT).unwrap();
    let webhook = format!("tenant_id={TENANT}&project_id=p&session_token={token}");
    assert_eq!(world.deliver("project_changed", &webhook).await, 200);
    world.eventually("connected", || async { world.query(PROJECTS).await.errors().is_empty() }).await;
}

#[tokio::test]
async fn an_invented_session_token_does_not_make_readers_try_again() {
    let world = disabled().await;
    let input = json!({ "input": { "tenantId": TENANT, "sessionToken": "invented" } });
    let answer = world.ask(KEY, CONNECT, input).await.sound();
    assert_eq!(answer["connectTenant"]["userErrors"][0]["code"], "TENANT_NOT_ACCEPTED");
    assert_eq!(cost_of_reading(&world).await, 0);
}

#[tokio::test]
async fn the_news_that_it_is_disabled_takes_the_key_away_here_and_on_disk() {
    let mut world = World::with(|_| {}, &[ENCRYPTION_KEY]).await;
    world.query(PROJECTS).await.sound();
    world.advance(Duration::from_secs(3600));
    world.query(PROJECTS).await.sound();
    assert_eq!(world.exchanges(), 1, "the key is good for hours");

    // Aurora would still take the key: that the gateway has given it up shows in that it asks for another.
    let news = format!("tenant_id={TENANT}&app_id=app_sandbox&status=disabled");
    assert_eq!(world.deliver("app_status_changed", &news).await, 200);
    world.announced_become(1).await;
    world.restart().await;
    world.query(PROJECTS).await.sound();
    assert_eq!(world.exchanges(), 2);
}

#[tokio::test]
async fn what_an_exchange_hears_says_nothing_any_more_once_the_tenant_has_news() {
    for status in ["enabled", "disabled"] {
        let world = World::start().await;
        world.aurora.disable_app(TENANT).unwrap();
        let exchange = "/partner_applications/*/tenants/*/create_token";
        world.aurora.fail(FaultRule::new("POST", exchange, Fault::Delay { ms: 1_500 }).times(1)).unwrap();
        let news = async {
            world.eventually("an exchange is under way", || async { world.exchanges() == 1 }).await;
            world.aurora.enable_app(TENANT).unwrap();
            let news = format!("tenant_id={TENANT}&app_id=app_sandbox&status={status}");
            assert_eq!(world.deliver("app_status_changed", &news).await, 200);
            world.announced_become(1).await;
        };
        let (answer, ()) = tokio::join!(world.query(PROJECTS), news);
        // Nobody hears of the refusal, which the news have overtaken; and the clock stands still: a refusal that was filed
        // would still stand.
        answer.sound();
        assert_eq!(world.exchanges(), 2, "{status}");
    }
}

#[tokio::test]
async fn what_was_left_of_the_key_of_a_tenant_that_is_switched_off_is_given_up_at_the_next_start() {
    let mut world = World::with(|_| {}, &[ENCRYPTION_KEY]).await;
    world.query(PROJECTS).await.sound();
    let file = rusqlite::Connection::open(world.store().join("heliograph.db")).unwrap();
    file.execute_batch("CREATE TEMP TABLE left_over AS SELECT * FROM sealed_keys").unwrap();
    world.aurora.disable_app(TENANT).unwrap();
    let news = format!("tenant_id={TENANT}&app_id=app_sandbox&status=disabled");
    assert_eq!(world.deliver("app_status_changed", &news).await, 200);
    world.announced_become(1).await;
    world.stop().await;
    // As if the process had ended before the disk had forgotten the key.
    assert_eq!(file.execute("INSERT INTO sealed_keys SELECT * FROM left_over", []).unwrap(), 1);

    world.aurora.clear_calls();
    world.restart().await;
    let forgotten = || async {
        file.query_row("SELECT count(*) FROM sealed_keys", [], |row| row.get::<_, i64>(0)).unwrap() == 0
    };
    world.eventually("forgotten on disk too", forgotten).await;
    let answer = world.query(PROJECTS).await;
    assert_eq!(answer.errors(), ["TENANT_NOT_CONNECTED at projects"]);
    assert_eq!(answer.body["errors"][0]["extensions"]["reason"], "EXCHANGE_REFUSED");
    assert_eq!(world.aurora.calls_to("GET", "/tenants/**"), 0, "no call is made with the key");
}
