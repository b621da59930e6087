//! The way from a delivery to its event, while Aurora is out or a tenant is not connected.

use std::time::Duration;

use heliograph::sandbox::{Fault, FaultRule, SessionTokens};
use serde_json::json;

use crate::world::{OTHER, OTHER_KEY, TENANT, World};

const DONE: &str = "performance_simulation_job_completed";

/// Longer than an event waits for its summary.
const OUT_OF_PATIENCE: Duration = Duration::from_secs(121);

fn aurora_cannot_tell_of_designs(world: &World, status: u16) {
    for path in ["/tenants/*/designs/*/summary", "/tenants/*/designs/*"] {
        world.aurora.fail(FaultRule::new("GET", path, Fault::status(status))).unwrap();
    }
}

async fn was_asked_for(world: &World, design: &str) {
    let path = format!("/tenants/{TENANT}/designs/{design}/summary");
    world.eventually("Aurora is asked", || async { world.aurora.calls_to("GET", &path) > 0 }).await;
}

async fn know(world: &World, design: &str) {
    world.query(&format!(r#"{{ designSummary(designId: "{design}") {{ moduleCount }} }}"#)).await.sound();
    world.aurora.clear_calls();
}

#[tokio::test]
async fn a_completion_announced_without_its_summary_still_reaches_those_who_follow_its_project() {
    let world = World::start().await;
    let (project, design) = world.design().await;
    know(&world, &design).await;
    let query =
        format!(r#"subscription {{ designCompleted(projectId: "{project}") {{ jobId projectId }} }}"#);
    let mut subscriber = world.subscribe(&query).await;

    aurora_cannot_tell_of_designs(&world, 503);
    world.complete(&design, "j1").await;
    was_asked_for(&world, &design).await;
    world.advance(OUT_OF_PATIENCE);
    let heard = subscriber.next("designCompleted").await;
    assert_eq!(heard, json!({ "jobId": "j1", "projectId": project }));

    world.aurora.clear_faults();
    aurora_cannot_tell_of_designs(&world, 403);
    world.complete(&design, "j2").await;
    let heard = subscriber.next("designCompleted").await;
    assert_eq!(heard, json!({ "jobId": "j2", "projectId": project }));
}

#[tokio::test]
async fn a_restart_does_not_prolong_the_wait_for_a_summary() {
    let mut world = World::start().await;
    let (_, design) = world.design().await;
    know(&world, &design).await;
    aurora_cannot_tell_of_designs(&world, 503);
    world.complete(&design, "j1").await;
    was_asked_for(&world, &design).await;
    world.advance(OUT_OF_PATIENCE);
    world.restart().await;
    world.announced_become(1).await;
}

#[tokio::test]
async fn repeats_without_a_job_while_aurora_is_out_are_announced_once() {
    let world = World::start().await;
    let (_, design) = world.design().await;
    know(&world, &design).await;
    aurora_cannot_tell_of_designs(&world, 503);
    for _ in 0..5 {
        world.deliver(DONE, &format!("tenant_id={TENANT}&design_id={design}&status=succeeded")).await;
    }
    // A marker behind the repeats in the same lane: when it is announced, they have been settled.
    world.complete(&design, "marker").await;
    was_asked_for(&world, &design).await;
    world.advance(OUT_OF_PATIENCE);
    world.announced_become(2).await;
}

#[tokio::test]
async fn an_unconnected_tenant_does_not_hold_up_anothers_events_nor_its_own_that_need_no_call() {
    let required = [("HELIOGRAPH_AURORA__SESSION_TOKEN", "required")];
    let world = World::with(|aurora| aurora.session_tokens = SessionTokens::Required, &required).await;
    for number in 0..300 {
        assert_eq!(world.complete(&format!("d{number}"), "j").await, 200);
    }
    world.aurora.plant(OTHER, "p", "d").unwrap();
    let token = world.aurora.issue_session_token(OTHER).unwrap();
    let query = format!("tenant_id={OTHER}&design_id=d&job_id=j&status=succeeded&session_token={token}");
    assert_eq!(world.deliver(DONE, &query).await, 200);
    let ask = || world.ask(OTHER_KEY, "{ events { nodes { id } } }", json!({}));
    world
        .eventually("the other tenant's event", || async {
            ask().await["events"]["nodes"].as_array().is_some_and(|it| it.len() == 1)
        })
        .await;
    assert_eq!(world.announced().await.len(), 0);

    // The first tenant's own token lets all of it go.
    let token = world.aurora.issue_session_token(TENANT).unwrap();
    let query = format!("tenant_id={TENANT}&project_id=p&attributes=name&session_token={token}");
    world.deliver("project_changed", &query).await;
    world.eventually("what needs no call", || async { !world.announced().await.is_empty() }).await;
}
