//! Order and repeats: what comes late, twice, or in another order than it happened.

use std::time::Duration;

use futures_util::future::join_all;
use heliograph::sandbox::{Fault, FaultRule};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};

use crate::world::{TENANT, World};

const DONE: &str = "performance_simulation_job_completed";
const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn what_concerns_one_project_is_announced_as_it_was_journalled_whether_it_names_a_design_or_not() {
    let world = World::start().await;
    let mut subscriber = world
        .subscribe(
            "subscription { events { ... on ProjectCreatedEvent { sourceText } ... on ProjectChangedEvent { attributesText }
             ... on OtherEvent { parameters { name value } } ... on AgreementStatusChangedEvent { statusText } } }",
        )
        .await;
    let project = format!("tenant_id={TENANT}&project_id=p");
    assert_eq!(world.deliver("project_created", &format!("{project}&source=0")).await, 200);
    for number in 1..=40 {
        // In turns of the project itself, and of two of its designs.
        let (event, query) = match number % 4 {
            0 => ("project_changed", format!("{project}&attributes={number}")),
            1 => ("design_created", format!("{project}&design_id=d1&source={number}")),
            2 => {
                ("agreement_status_changed", format!("{project}&design_id=d2&agreement_id=a&status={number}"))
            }
            _ => ("milestone_created", format!("{project}&design_id=d2&note={number}")),
        };
        assert_eq!(world.deliver(event, &query).await, 200);
    }
    let number = |event: &Value| {
        let parameters = event["parameters"].as_array().into_iter().flatten();
        let of_parameters = parameters.filter(|it| it["name"] == "source" || it["name"] == "note");
        let texts = ["sourceText", "attributesText", "statusText"].map(|name| event[name].clone());
        let all = texts.into_iter().chain(of_parameters.map(|it| it["value"].clone()));
        all.filter_map(|it| it.as_str().map(str::to_owned)).next().unwrap().parse::<u32>().unwrap()
    };
    for wanted in 0..=40 {
        assert_eq!(number(&subscriber.next("events").await), wanted);
    }
}

#[tokio::test]
async fn a_completion_that_waits_for_aurora_holds_up_its_own_design_and_no_other() {
    let world = World::start().await;
    let ((_, slow), (_, quick)) = (world.design().await, world.design().await);
    let path = format!("/tenants/{TENANT}/designs/{slow}");
    for path in [format!("{path}/summary"), path] {
        world.aurora.fail(FaultRule::new("GET", &path, Fault::status(503))).unwrap();
    }
    let mut subscriber =
        world.subscribe("subscription { events { ... on DesignCompletedEvent { jobId } } }").await;
    world.complete(&slow, "slow-1").await;
    world.deliver(DONE, &format!("tenant_id={TENANT}&design_id={slow}&job_id=slow-2&status=failed")).await;
    world.complete(&quick, "quick").await;
    assert_eq!(subscriber.next("events").await["jobId"], "quick");
    world.aurora.clear_faults();
    for job in ["slow-1", "slow-2"] {
        assert_eq!(subscriber.next("events").await["jobId"], job);
    }
}

#[tokio::test]
async fn a_late_viewed_after_signed_is_told_as_it_came_and_a_late_failure_undoes_no_summary() {
    let world = World::start().await;
    let (project, design) = world.design().await;
    world.aurora.finish_design(TENANT, &design).unwrap();
    let mut subscriber = world
        .subscribe(
            "subscription { events { ... on AgreementStatusChangedEvent { statusText project { projectId } }
             ... on DesignCompletedEvent { ended: statusText summary { energyProduction { annual } } } } }",
        )
        .await;
    let agreement = format!("tenant_id={TENANT}&project_id={project}&agreement_id=a");
    for status in ["sent", "signed", "viewed"] {
        world.deliver("agreement_status_changed", &format!("{agreement}&status={status}")).await;
        let event = subscriber.next("events").await;
        assert_eq!(event["statusText"], status);
        assert_eq!(event["project"]["projectId"], *project, "what is, a read says, and not the event");
    }
    let job = |job: &str, status: &str| {
        format!("tenant_id={TENANT}&design_id={design}&job_id={job}&status={status}")
    };
    world.deliver(DONE, &job("second", "succeeded")).await;
    let event = subscriber.next("events").await;
    let annual = event["summary"]["energyProduction"]["annual"].clone();
    assert!(annual.is_number());
    // The failure of an earlier job arrives behind the success of a later one.
    world.deliver(DONE, &job("first", "failed")).await;
    let event = subscriber.next("events").await;
    assert_eq!(
        (&event["ended"], &event["summary"]["energyProduction"]["annual"]),
        (&json!("failed"), &annual)
    );
}

#[tokio::test]
async fn a_repeat_is_one_over_restarts_and_when_its_event_is_long_gone_as_long_as_aurora_may_repeat() {
    let mut world = World::with(|_| {}, &[("HELIOGRAPH_STORE__RETENTION", "1h")]).await;
    let (_, design) = world.design().await;
    world.complete(&design, "j1").await;
    world.deliver("project_created", &format!("tenant_id={TENANT}&project_id=p&source=app")).await;
    world.announced_become(2).await;
    // Aurora's own ladder, and a day beyond it.
    for after in [Duration::from_secs(30), 5 * HOUR / 60, HOUR / 2, 3 * HOUR, 20 * HOUR, 23 * HOUR] {
        world.advance(after);
        world.restart().await;
        assert_eq!(world.complete(&design, "j1").await, 200);
        world.deliver("project_created", &format!("tenant_id={TENANT}&project_id=p&source=app")).await;
    }
    // A marker behind the repeats in their lanes; the events themselves are gone.
    world.complete(&design, "marker").await;
    world.deliver("project_changed", &format!("tenant_id={TENANT}&project_id=p&attributes=marker")).await;
    world.announced_become(2).await;
    world.advance(2 * HOUR);
    assert_eq!(world.complete(&design, "j1").await, 200, "after 48 hours it can be no repeat");
    world.announced_become(3).await;
}

#[tokio::test]
async fn without_a_job_the_summary_that_was_announced_before_a_restart_still_tells_a_repeat() {
    let mut world = World::start().await;
    let (_, design) = world.design().await;
    world.aurora.finish_design(TENANT, &design).unwrap();
    let query = format!("tenant_id={TENANT}&design_id={design}&status=succeeded");
    world.deliver(DONE, &query).await;
    world.announced_become(1).await;
    for _ in 0..2 {
        world.restart().await;
        world.deliver(DONE, &query).await;
    }
    world.complete(&design, "marker").await;
    world.announced_become(2).await;
    world.aurora.change_design(TENANT, &design).unwrap();
    world.deliver(DONE, &query).await;
    world.complete(&design, "another marker").await;
    world.announced_become(4).await;
}

#[tokio::test]
async fn without_a_job_it_is_a_repeat_also_when_its_event_is_long_gone() {
    let mut world = World::with(|_| {}, &[("HELIOGRAPH_STORE__RETENTION", "1h")]).await;
    let (_, design) = world.design().await;
    world.aurora.finish_design(TENANT, &design).unwrap();
    let query = format!("tenant_id={TENANT}&design_id={design}&status=succeeded");
    world.deliver(DONE, &query).await;
    world.announced_become(1).await;
    for after in [3 * HOUR, 20 * HOUR, 23 * HOUR] {
        world.advance(after);
        world.restart().await;
        assert_eq!(world.deliver(DONE, &query).await, 200);
    }
    world.complete(&design, "marker").await;
    world.announced_become(1).await;
}

/// What may come of one design, in any order: news of jobs, with repeats and without a job, and what needs no look.
const COMING: [(&str, &str); 6] = [
    (DONE, "job_id=j1&status=succeeded"),
    (DONE, "job_id=j2&status=succeeded"),
    (DONE, "job_id=j1&status=failed"),
    (DONE, "status=succeeded"),
    (DONE, "job_id=j1&status=succeeded"),
    ("asset_created", "asset_id=a&asset_type=cad"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_thousand_orders_each_job_is_told_once_and_in_the_end_stands_what_aurora_says() {
    const ORDERS: usize = 1_000;
    const AT_ONCE: usize = 20;
    let plenty = ("HELIOGRAPH_AURORA__REQUESTS_PER_MINUTE", "10000");
    let world = World::with(|aurora| aurora.requests_per_minute = 0, &[plenty]).await;
    let mut runner = TestRunner::new(Config::default());
    let mut order = || Just(COMING.to_vec()).prop_shuffle().new_tree(&mut runner).unwrap().current();
    let orders: Vec<_> = (0..ORDERS).map(|_| order()).collect();
    for chunk in (0..ORDERS).collect::<Vec<_>>().chunks(AT_ONCE) {
        join_all(chunk.iter().map(|at| play(&world, *at, &orders[*at]))).await;
    }
    // Four of the six are told for certain; that without a job is, unless the summary had been told already.
    let certain = 4 * ORDERS;
    world.eventually("all events", || async { world.all_announced().await.len() >= certain }).await;
    let all = world.all_announced().await;
    assert!((certain..=certain + ORDERS).contains(&all.len()), "{}", all.len());
    let query = |at: usize| {
        format!(r#"{{ designSummary(designId: "d{at}") {{ energyProduction {{ annual }} stale }} }}"#)
    };
    for at in (0..ORDERS).step_by(7) {
        let answer = world.query(&query(at)).await.sound();
        let summary = &answer["designSummary"];
        assert!(
            summary["energyProduction"]["annual"].is_number(),
            "d{at} is as it was before: {:?}",
            orders[at]
        );
        assert_eq!(summary["stale"], false);
    }
}

/// Sends one design's deliveries in an order, while the design becomes complete at Aurora.
async fn play(world: &World, at: usize, order: &[(&str, &str)]) {
    let design = format!("d{at}");
    world.aurora.plant(TENANT, &format!("p{at}"), &design).unwrap();
    // Somebody has looked before, so there is an old summary that could stay.
    world.query(&format!(r#"{{ designSummary(designId: "{design}") {{ stale }} }}"#)).await.sound();
    for (number, (event, query)) in order.iter().enumerate() {
        if number == 0 {
            world.aurora.finish_design(TENANT, &design).unwrap();
        }
        assert_eq!(
            world.deliver(event, &format!("tenant_id={TENANT}&design_id={design}&{query}")).await,
            200
        );
    }
}
