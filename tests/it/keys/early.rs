//! Keys that are renewed before anybody has to wait.

use heliograph::sandbox::{Fault, FaultRule, SessionTokens};
use serde_json::json;

use super::{HOUR, MINUTE, PROJECTS};
use crate::world::{OTHER, OTHER_KEY, TENANT, World};

fn exchanges_for(world: &World, tenant: &str) -> usize {
    world.aurora.calls_to("POST", &format!("/partner_applications/*/tenants/{tenant}/create_token"))
}

#[tokio::test]
async fn a_key_in_use_is_renewed_in_the_background_and_no_reader_waits_for_it() {
    let world = World::start().await;
    world.query(PROJECTS).await.sound();
    world.ask(OTHER_KEY, PROJECTS, json!({})).await.sound();
    world.advance(9 * HOUR);
    world.query(PROJECTS).await.sound();
    assert_eq!(world.exchanges(), 2, "at 70 % of its life no key is due");

    world.advance(3 * HOUR);
    world.eventually("both are renewed", || async { world.exchanges() == 4 }).await;
    world.advance(2 * HOUR);
    assert_eq!(world.query(PROJECTS).await.sound().calls(), 1, "the old key has ended, and nobody noticed");
    assert_eq!(world.exchanges(), 4);

    // Only the first tenant has read with its new key. The second one's is left to end.
    world.advance(10 * HOUR);
    world.eventually("the first is renewed", || async { exchanges_for(&world, TENANT) == 3 }).await;
    assert_eq!(exchanges_for(&world, OTHER), 2);
    assert!(world.aurora.calls().iter().all(|it| it.status == Some(200)), "no request met a dead key");
}

#[tokio::test]
async fn where_session_tokens_are_required_a_renewal_takes_one_that_is_at_hand_and_else_waits_for_one() {
    let world = World::with(
        |aurora| {
            aurora.session_tokens = SessionTokens::Required;
            aurora.key_lifetime = HOUR;
        },
        &[("HELIOGRAPH_AURORA__SESSION_TOKEN", "required")],
    )
    .await;
    let world = &world;
    let send_token = |project: &'static str| async move {
        let token = world.aurora.issue_session_token(TENANT).unwrap();
        let webhook = format!("tenant_id={TENANT}&project_id={project}&session_token={token}");
        assert_eq!(world.deliver("project_changed", &webhook).await, 200);
    };
    send_token("p1").await;
    world.eventually("connected", || async { world.query(PROJECTS).await.errors().is_empty() }).await;
    world.advance(10 * MINUTE);
    send_token("p2").await;
    world.eventually("both were handed on", || async { world.announced().await.len() == 2 }).await;
    assert_eq!(world.exchanges(), 1, "the key is young");
    world.advance(45 * MINUTE);
    world.eventually("renewed with the second token", || async { world.exchanges() == 2 }).await;
    world.advance(10 * MINUTE);
    world.query(PROJECTS).await.sound();
    assert_eq!(world.exchanges(), 2);
}

#[tokio::test]
async fn a_renewal_that_fails_leaves_the_old_key_at_work_and_is_tried_again() {
    let world = World::start().await;
    world.query(PROJECTS).await.sound();
    let exchange = ("POST", "/partner_applications/*/tenants/*/create_token");
    // As often as one renewal is repeated at once.
    world.aurora.fail(FaultRule::new(exchange.0, exchange.1, Fault::status(503)).times(3)).unwrap();
    world.advance(12 * HOUR);
    world.eventually("it was tried", || async { world.exchanges() == 4 }).await;
    world.query(PROJECTS).await.sound();
    world.advance(MINUTE);
    world.eventually("it was tried again", || async { world.exchanges() == 5 }).await;
    world.advance(HOUR);
    world.query(PROJECTS).await.sound();
    assert_eq!(world.exchanges(), 5);
}
