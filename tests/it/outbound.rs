//! Events delivered by webhooks of our own: signed, in order, again and again, to whom they belong and nowhere else.

mod names;
mod operators;
mod targets;
mod tls;

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    process::Stdio,
    time::Duration,
};

use axum::{
    http::{StatusCode, header::RETRY_AFTER},
    response::IntoResponse,
};
use serde_json::{Value, json};

use crate::{
    load::process::{Running, command},
    world::{
        ADMIN_KEY, TENANT, WEBHOOK_SECRET, World,
        crm::{Crm, OLD_SECRET, PATH_KEY, SECRET},
    },
};

/// Longer than any rest between two tries.
const A_REST: Duration = Duration::from_secs(6 * 60 * 60 + 1);

/// A world with a CRM that is the target `crm` of the first tenant.
async fn world(crm: &Crm, more: &[(&str, &str)]) -> World {
    let target = crm.settings(0, "crm", TENANT);
    let mut settings: Vec<_> = target.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    settings.extend_from_slice(more);
    World::with(|_| {}, &settings).await
}

async fn hears(world: &World, crm: &Crm, count: usize) {
    world.eventually(&format!("{count} messages"), || async { crm.said().len() >= count }).await;
}

async fn takes(world: &World, crm: &Crm, count: usize) {
    world.eventually(&format!("{count} messages taken"), || async { crm.taken().len() >= count }).await;
}

/// What the operator sees of the first target.
async fn seen(world: &World) -> Value {
    let query = "{ outboundTargets { name host types tenantIds state disabledReason disabledAt failingSince lastSuccessAt \
                 lastFailureAt lastFailureCode pending oldestPendingSeconds givenUp gapAt } }";
    let answer = world.ask(ADMIN_KEY, query, json!({})).await.sound();
    answer["outboundTargets"][0].clone()
}

async fn pending_become(world: &World, count: u64) {
    world.eventually(&format!("{count} pending"), || async { seen(world).await["pending"] == count }).await;
}

#[tokio::test]
async fn a_completed_design_is_delivered_with_a_signature_and_its_figures() {
    let crm = Crm::start().await;
    let world = world(&crm, &[]).await;
    let (project, design) = world.design().await;
    world.complete(&design, "j1").await;
    hears(&world, &crm, 1).await;

    let message = crm.said().remove(0);
    assert!(message.is_signed_by(SECRET));
    assert_eq!(message.header("content-type"), "application/json");
    assert_eq!(message.sent_at(), world.clock.now().as_second());
    let query = format!(
        r#"{{ events {{ nodes {{ id cursor receivedAt }} }} designSummary(designId: "{design}") {{
           systemSizeStc systemSizePtc systemSizeAc moduleCount fetchedAt energyProduction {{ annual annualOffset monthly }} }} }}"#
    );
    let asked = world.query(&query).await.sound();
    let (event, summary) = (&asked["events"]["nodes"][0], &asked["designSummary"]);
    let data = &message.body["data"];
    assert_eq!(message.body["type"], "design.completed");
    assert_eq!(message.body["timestamp"], event["receivedAt"]);
    for (told, known) in [
        (&data["id"], &event["id"]),
        (&data["cursor"], &event["cursor"]),
        (&data["receivedAt"], &event["receivedAt"]),
        (&data["tenantId"], &json!(TENANT)),
        (&data["designId"], &json!(design)),
        (&data["projectId"], &json!(project)),
        (&data["jobId"], &json!("j1")),
        (&data["status"], &json!("SUCCEEDED")),
        (&data["statusText"], &json!("succeeded")),
        (&data["summaryNote"], &Value::Null),
        (&data["summary"]["systemSizeStcWatts"], &summary["systemSizeStc"]),
        (&data["summary"]["systemSizePtcWatts"], &summary["systemSizePtc"]),
        (&data["summary"]["systemSizeAcWatts"], &summary["systemSizeAc"]),
        (&data["summary"]["moduleCount"], &summary["moduleCount"]),
        (&data["summary"]["fetchedAt"], &summary["fetchedAt"]),
        (&data["summary"]["stale"], &json!(false)),
        (&data["summary"]["energyProduction"]["annualKilowattHours"], &summary["energyProduction"]["annual"]),
        (
            &data["summary"]["energyProduction"]["annualOffsetPercent"],
            &summary["energyProduction"]["annualOffset"],
        ),
        (
            &data["summary"]["energyProduction"]["monthlyKilowattHours"],
            &summary["energyProduction"]["monthly"],
        ),
    ] {
        assert_eq!(told, known, "{:#}", message.body);
    }
    assert!(data["summary"]["systemSizeStcWatts"].as_f64().unwrap() > 1_000.0);
    // One look at Aurora serves the relay, the message and the query.
    let path = format!("/tenants/{TENANT}/designs/{design}/summary");
    assert_eq!(world.aurora.calls_to("GET", &path), 1);
}

#[tokio::test]
async fn a_failed_message_holds_back_its_own_design_in_order_and_no_other() {
    let crm = Crm::start().await;
    let world = world(&crm, &[]).await;
    let ((_, bad), (_, good)) = (world.design().await, world.design().await);
    let failing = bad.clone();
    crm.answers(move |body| {
        let fails = body["data"]["designId"] == failing.as_str();
        if fails { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::NO_CONTENT }.into_response()
    });
    world.complete(&bad, "bad-1").await;
    hears(&world, &crm, 1).await;
    world.complete(&bad, "bad-2").await;
    for job in ["good-1", "good-2"] {
        world.complete(&good, job).await;
    }
    takes(&world, &crm, 2).await;
    pending_become(&world, 2).await;
    assert_eq!(crm.taken(), ["good-1", "good-2"]);
    assert!(crm.tries().iter().all(|(job, _)| job != "bad-2"), "{:?}", crm.tries());

    crm.says(200);
    world.advance(A_REST);
    takes(&world, &crm, 4).await;
    assert_eq!(crm.taken(), ["good-1", "good-2", "bad-1", "bad-2"]);
    let said = crm.said();
    let ids: Vec<_> =
        said.iter().filter(|it| it.job() == "bad-1").map(|it| it.header("webhook-id")).collect();
    assert!(ids.len() >= 2 && ids.iter().all(|it| it == &ids[0]), "one message, one id: {ids:?}");
    let others = said.iter().filter(|it| it.job() != "bad-1");
    assert!(others.clone().all(|it| it.header("webhook-id") != ids[0]));
    // Each try is signed for its own time, or a receiver would take the later ones for old.
    assert!(said.iter().all(|it| it.is_signed_by(SECRET)));
    let last = said.iter().rfind(|it| it.job() == "bad-1").unwrap();
    assert_eq!(last.sent_at(), world.clock.now().as_second());
    pending_become(&world, 0).await;
}

#[tokio::test]
async fn what_was_not_taken_is_delivered_after_a_restart_and_what_was_taken_is_not() {
    let crm = Crm::start().await;
    let mut world = world(&crm, &[]).await;
    let ((_, one), (_, other)) = (world.design().await, world.design().await);
    world.complete(&other, "taken").await;
    takes(&world, &crm, 1).await;
    crm.says(503);
    for (design, job) in [(&one, "1"), (&other, "2")] {
        world.complete(design, job).await;
    }
    hears(&world, &crm, 3).await;
    world.complete(&one, "3").await;
    pending_become(&world, 3).await;
    world.restart().await;
    assert_eq!(seen(&world).await["pending"], 3);
    assert_eq!(seen(&world).await["state"], "FAILING");

    crm.says(200);
    world.advance(A_REST);
    takes(&world, &crm, 4).await;
    pending_become(&world, 0).await;
    let taken = crm.taken();
    assert_eq!(taken.len(), 4, "{taken:?}");
    let place = |job: &str| taken.iter().position(|it| it == job).unwrap();
    assert!(place("1") < place("3") && place("taken") < place("2"), "{taken:?}");
}

#[tokio::test]
async fn nothing_is_lost_and_the_order_of_a_design_holds_while_the_process_is_killed() {
    const DESIGNS: usize = 4;
    const ROUNDS: usize = 6;
    const A_ROUND: usize = 24;
    let crm = Crm::start().await;
    let mut world = world(&crm, &[]).await;
    let mut designs = Vec::new();
    for _ in 0..DESIGNS {
        designs.push(world.design().await.1);
    }
    world.stop().await;
    let mut settings: BTreeMap<String, String> = world
        .settings()
        .iter()
        .map(|(key, value)| (key.strip_prefix("HELIOGRAPH_").unwrap().to_owned(), value.clone()))
        .collect();
    settings.insert("LOG__LEVEL".to_owned(), "trace".to_owned());
    let (place, log_path) = (tempfile::tempdir().unwrap(), world.store().join("log"));
    let mut acknowledged: HashMap<&str, Vec<String>> = HashMap::new();
    let log = || Stdio::from(File::options().append(true).create(true).open(&log_path).unwrap());
    for round in 0..ROUNDS {
        let mut command = command(place.path(), &settings);
        let (mut process, address, _) = Running::start_logging(command.arg("serve"), "http://", log());
        for number in 0..A_ROUND {
            let (design, job) = (&designs[number % DESIGNS], format!("{round}.{number}"));
            let base = address.split('/').next().unwrap();
            let url = format!(
                "http://{base}/webhooks/aurora/performance_simulation_job_completed?tenant_id={TENANT}&design_id={design}&job_id={job}&status=succeeded"
            );
            let request = world.http.get(url).header("X-Heliograph-Webhook-Token", WEBHOOK_SECRET);
            assert_eq!(request.send().await.unwrap().status(), 200);
            acknowledged.entry(design).or_default().push(job);
        }
        // In the middle of it: some are delivered, some are under way, some wait.
        takes(&world, &crm, round * A_ROUND / 2 + 1).await;
        process.0.kill().unwrap();
        process.0.wait().unwrap();
    }
    let mut command = command(place.path(), &settings);
    let (last, ..) = Running::start_logging(command.arg("serve"), "http://", log());
    world
        .eventually("everything taken", || async {
            let taken = crm.taken();
            acknowledged.values().flatten().all(|job| taken.contains(job))
        })
        .await;
    last.stop();
    let taken = crm.taken();
    for jobs in acknowledged.values() {
        let firsts: Vec<_> = jobs.iter().map(|job| taken.iter().position(|it| it == job).unwrap()).collect();
        assert!(firsts.is_sorted(), "out of order: {jobs:?} at {firsts:?}");
    }
    let all = ROUNDS * A_ROUND;
    // At most what was under way is sent twice, at each kill.
    assert!(taken.len() <= all + ROUNDS * 4, "{} for {all}", taken.len());
    let log = std::fs::read_to_string(&log_path).unwrap();
    assert!(log.contains("heliograph"), "{log}");
    for secret in [PATH_KEY, SECRET, &SECRET[6..]] {
        assert!(!log.contains(secret), "a secret is in the log");
    }
}

#[tokio::test]
async fn a_target_that_asks_for_time_gets_it() {
    let crm = Crm::start().await;
    let world = world(&crm, &[]).await;
    let ((_, one), (_, other)) = (world.design().await, world.design().await);
    crm.answers(|_| (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, "600")]).into_response());
    world.complete(&one, "1").await;
    hears(&world, &crm, 1).await;
    world.complete(&other, "2").await;
    pending_become(&world, 2).await;
    crm.says(200);
    // In steps, with a look at the target between them: whatever were sent too early would bear an early time.
    for _ in 0..11 {
        world.advance(Duration::from_secs(60));
        seen(&world).await;
    }
    takes(&world, &crm, 2).await;
    let said = crm.said();
    assert_eq!(said.len(), 3);
    assert!(said[1..].iter().all(|it| it.sent_at() >= said[0].sent_at() + 600), "{said:#?}");
}

/// Waits until every try that was due has come to its end: the courier answers between its turns, and counts what it tried.
async fn tries_end(world: &World, crm: &Crm) {
    let counted = async |outcome: &str| {
        world.count(&format!(r#"heliograph_outbound_tries_total{{target="crm",outcome="{outcome}"}}"#)).await
    };
    let ended = || async {
        seen(world).await;
        let ended = counted("delivered").await + counted("rejected").await + counted("given_up").await;
        ended >= crm.said().len() as u64
    };
    seen(world).await;
    // What was begun is on its way to the CRM for as long.
    tokio::time::sleep(Duration::from_millis(10)).await;
    world.eventually("the tries end", ended).await;
}

#[tokio::test]
async fn a_message_is_tried_ever_more_seldom_for_a_day_while_others_are_taken_and_then_given_up() {
    const A_DAY: i64 = 24 * 60 * 60;
    let crm = Crm::start().await;
    let world = world(&crm, &[]).await;
    let ((_, bad), (_, good)) = (world.design().await, world.design().await);
    crm.answers(|body| {
        let fails = body["data"]["jobId"] == "bad";
        if fails { StatusCode::BAD_REQUEST } else { StatusCode::OK }.into_response()
    });
    world.complete(&bad, "bad").await;
    hears(&world, &crm, 1).await;
    world.complete(&bad, "behind").await;
    pending_become(&world, 2).await;
    world.advance(Duration::from_secs(1));
    world.complete(&good, "good").await;
    takes(&world, &crm, 1).await;
    let (begun, mut passed) = (crm.said()[0].sent_at(), 0_i64);
    while seen(&world).await["givenUp"] == 0 {
        // In steps that are short beside what has passed, so that each try has nearly the time at which it was due.
        let step = (passed / 16).clamp(1, 600);
        world.advance(Duration::from_secs(step.unsigned_abs()));
        tries_end(&world, &crm).await;
        passed = world.clock.now().as_second() - begun;
        assert!(passed < 3 * A_DAY, "it is never given up");
    }
    takes(&world, &crm, 2).await;
    pending_become(&world, 0).await;
    assert_eq!(crm.taken(), ["good", "behind"]);
    let said = crm.said();
    let tries: Vec<_> = said.iter().filter(|it| it.job() == "bad").map(|it| it.sent_at() - begun).collect();
    // How long each rest may be, and that chance decides, is held where they are chosen: here a busy machine adds to them.
    let soon = |span: i64| tries.iter().filter(|at| **at <= span).count();
    assert!(soon(3_600) >= 4, "often at first: {tries:?}");
    assert!((6..40).contains(&tries.len()), "and seldom later: {tries:?}");
    // The end of the last one is what counts, for which the time may have gone a step further.
    assert!(tries.last().is_some_and(|last| *last + 600 >= A_DAY), "for a day: {tries:?}");
    assert_eq!(world.count(r#"heliograph_outbound_tries_total{target="crm",outcome="given_up"}"#).await, 1);
}

#[tokio::test]
async fn while_a_secret_changes_both_sign() {
    let crm = Crm::start().await;
    let world = world(&crm, &[("HELIOGRAPH_DELIVER__0__PREVIOUS_SECRET", OLD_SECRET)]).await;
    let (_, design) = world.design().await;
    world.complete(&design, "1").await;
    hears(&world, &crm, 1).await;
    let message = crm.said().remove(0);
    assert!(message.is_signed_by(SECRET) && message.is_signed_by(OLD_SECRET));
    assert_eq!(message.header("webhook-signature").split(' ').count(), 2);
}
