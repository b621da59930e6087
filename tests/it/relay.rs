//! The way from a delivery to its event, while Aurora is out or a tenant is not connected.

use std::time::Duration;

use heliograph::sandbox::{self, Fault, FaultRule, SessionTokens};
use serde_json::json;

use crate::world::{KEY, OTHER, OTHER_KEY, TENANT, World};

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
    let query = format!(
        r#"subscription {{ designCompleted(projectId: "{project}") {{ jobId projectId announcedWithSummary }} }}"#
    );
    let mut subscriber = world.subscribe(&query).await;

    aurora_cannot_tell_of_designs(&world, 503);
    world.complete(&design, "j1").await;
    was_asked_for(&world, &design).await;
    world.advance(OUT_OF_PATIENCE);
    let heard = subscriber.next("designCompleted").await;
    assert_eq!(heard, json!({ "jobId": "j1", "projectId": project, "announcedWithSummary": false }));

    world.aurora.clear_faults();
    aurora_cannot_tell_of_designs(&world, 403);
    world.complete(&design, "j2").await;
    let heard = subscriber.next("designCompleted").await;
    assert_eq!(heard, json!({ "jobId": "j2", "projectId": project, "announcedWithSummary": false }));

    world.aurora.clear_faults();
    world.complete(&design, "j3").await;
    let heard = subscriber.next("designCompleted").await;
    assert_eq!(heard, json!({ "jobId": "j3", "projectId": project, "announcedWithSummary": true }));
}

#[tokio::test]
async fn a_completion_that_names_its_project_waits_for_its_summary_alone() {
    let world = World::start().await;
    aurora_cannot_tell_of_designs(&world, 503);
    let query = r#"subscription { designCompleted(projectId: "p1") { designId announcedWithSummary } }"#;
    let mut subscriber = world.subscribe(query).await;
    let delivery = format!("tenant_id={TENANT}&design_id=unheard-of&project_id=p1&job_id=j&status=succeeded");
    assert_eq!(world.deliver(DONE, &delivery).await, 200);
    was_asked_for(&world, "unheard-of").await;
    world.advance(OUT_OF_PATIENCE);
    let heard = subscriber.next("designCompleted").await;
    assert_eq!(heard, json!({ "designId": "unheard-of", "announcedWithSummary": false }));
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
async fn each_delivery_of_a_design_has_its_own_time() {
    let world = World::start().await;
    let (_, design) = world.design().await;
    know(&world, &design).await;
    let mut subscriber =
        world.subscribe("subscription { designCompleted { jobId announcedWithSummary } }").await;
    aurora_cannot_tell_of_designs(&world, 503);
    world.complete(&design, "old").await;
    was_asked_for(&world, &design).await;
    world.advance(OUT_OF_PATIENCE);
    world.complete(&design, "young").await;
    let heard = subscriber.next("designCompleted").await;
    assert_eq!(heard, json!({ "jobId": "old", "announcedWithSummary": false }));
    world.aurora.clear_faults();
    let heard = subscriber.next("designCompleted").await;
    assert_eq!(heard, json!({ "jobId": "young", "announcedWithSummary": true }));
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
    let settings = [REQUIRED[0], ("HELIOGRAPH_AURORA__REQUESTS_PER_MINUTE", "10000")];
    let adjust = |aurora: &mut sandbox::Config| {
        session_tokens_required(aurora);
        aurora.requests_per_minute = 0;
    };
    let world = World::with(adjust, &settings).await;
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

    // Behind more than is held in memory.
    world.deliver("project_changed", &format!("tenant_id={TENANT}&project_id=p&attributes=name")).await;
    world.eventually("what needs no call", || async { world.announced().await.len() == 1 }).await;

    // The first tenant's own token lets all of it go.
    let token = world.aurora.issue_session_token(TENANT).unwrap();
    let query = format!("tenant_id={TENANT}&project_id=p&attributes=status&session_token={token}");
    world.deliver("project_changed", &query).await;
    world.announced_become_by_pages(302).await;
}

fn session_tokens_required(aurora: &mut sandbox::Config) {
    aurora.session_tokens = SessionTokens::Required;
}

const REQUIRED: [(&str, &str); 1] = [("HELIOGRAPH_AURORA__SESSION_TOKEN", "required")];

async fn with_summary(world: &World) -> Vec<bool> {
    let query = "{ events(first: 100, types: [PERFORMANCE_SIMULATION_JOB_COMPLETED]) {
        nodes { ... on DesignCompletedEvent { announcedWithSummary } } } }";
    let answer = world.query(query).await.sound();
    let nodes = answer["events"]["nodes"].as_array().unwrap().clone();
    nodes.iter().map(|it| it["announcedWithSummary"].as_bool().unwrap()).collect()
}

#[tokio::test]
async fn deliveries_wait_for_their_tenant_to_be_connected_and_then_go_at_once() {
    let world = World::with(session_tokens_required, &REQUIRED).await;
    for number in 0..9 {
        world.aurora.plant(TENANT, &format!("p{number}"), &format!("d{number}")).unwrap();
        assert_eq!(world.complete(&format!("d{number}"), "j").await, 200);
    }
    world.advance(Duration::from_secs(6 * 24 * 60 * 60));
    // Behind the ninth in its lane it would wait too; in a lane of its own it shows that the relay is at work.
    world.deliver("project_changed", &format!("tenant_id={TENANT}&project_id=p&attributes=name")).await;
    world.eventually("what needs no call", || async { world.announced().await.len() == 1 }).await;
    assert!(with_summary(&world).await.is_empty());
    assert_eq!(world.aurora.calls().len(), 0, "without a token nothing is asked");

    let token = world.aurora.issue_session_token(TENANT).unwrap();
    let begun = std::time::Instant::now();
    let connect =
        "mutation($input: ConnectTenantInput!) { connectTenant(input: $input) { userErrors { code } } }";
    let input = json!({ "input": { "tenantId": TENANT, "sessionToken": token } });
    world.ask(KEY, connect, input).await.sound();
    world.announced_become(10).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(with_summary(&world).await, [true; 9]);
}

#[tokio::test]
async fn who_is_never_connected_hears_when_events_would_be_too_old_to_be_kept() {
    let mut world = World::with(session_tokens_required, &REQUIRED).await;
    world.complete("d", "j").await;
    world.advance(Duration::from_secs(7 * 24 * 60 * 60 - 60));
    world.restart().await;
    world.deliver("project_changed", &format!("tenant_id={TENANT}&project_id=p&attributes=name")).await;
    world.announced_become(1).await;
    world.advance(Duration::from_secs(61));
    world.restart().await;
    world.announced_become(2).await;
    assert_eq!(with_summary(&world).await, [false]);
}

#[tokio::test]
async fn a_thousand_events_whose_projects_nobody_knows_are_each_delivered_once() {
    let plenty = [("HELIOGRAPH_AURORA__REQUESTS_PER_MINUTE", "10000")];
    let world = World::with(|aurora| aurora.requests_per_minute = 0, &plenty).await;
    // Aurora is at work on them at first, as many as every fourth. (Where it fails, it is left alone soon.)
    world
        .aurora
        .fail(FaultRule::new("GET", "/tenants/*/designs/*/summary", Fault::status(409)).times(250))
        .unwrap();
    for number in 0..1_000 {
        world.aurora.plant(TENANT, &format!("p{number}"), &format!("d{number}")).unwrap();
    }
    for number in 0..1_000 {
        assert_eq!(world.complete(&format!("d{number}"), "j").await, 200);
    }
    world.announced_become_by_pages(1_000).await;
    let query = "query($d: ID) { designSummary(designId: $d) { designId } }";
    for number in [0, 999] {
        world
            .ask(KEY, &query.replace("$d: ID", "$d: ID!"), json!({ "d": format!("d{number}") }))
            .await
            .sound();
    }
    let mut ids = world.all_announced().await;
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 1_000);
}
