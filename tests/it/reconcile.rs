//! News that Aurora never delivered: found, announced once, and never made up.

use std::time::Duration;

use heliograph::{
    domain::{Seq, TenantId},
    journal::Archive,
    sandbox::{self, Fault, FaultRule},
};
use serde_json::{Value, json};

use crate::world::{KEY, TENANT, World};

const DONE: &str = "performance_simulation_job_completed";

/// From a start or a sign of life to the first round, and a little more.
const FIRST_ROUND: Duration = Duration::from_secs(2 * 60);

const HOUR: Duration = Duration::from_secs(60 * 60);

/// A share that makes a round of some hundred designs a matter of seconds.
const LOOKING: [(&str, &str); 2] =
    [("HELIOGRAPH_RECONCILE__SHARE", "20%"), ("HELIOGRAPH_AURORA__REQUESTS_PER_MINUTE", "10000")];

fn unlimited(aurora: &mut sandbox::Config) {
    aurora.requests_per_minute = 0;
}

fn address(number: usize) -> Value {
    json!({ "location": { "property_address": format!("{number} Brannan St, San Francisco, CA 94107") } })
}

/// Every completion that was announced, as design and source.
async fn completions(world: &World) -> Vec<(String, String)> {
    let query = "query($after: String) { events(first: 100, after: $after, types: [PERFORMANCE_SIMULATION_JOB_COMPLETED]) {
        nodes { source ... on DesignCompletedEvent { designId } } pageInfo { hasNextPage endCursor } } }";
    let (mut all, mut after) = (Vec::new(), Value::Null);
    loop {
        let answer = world.ask(KEY, query, json!({ "after": after })).await.sound();
        let text = |it: &Value| it.as_str().unwrap().to_owned();
        let nodes = answer["events"]["nodes"].as_array().unwrap().iter();
        all.extend(nodes.map(|it| (text(&it["designId"]), text(&it["source"]))));
        after = answer["events"]["pageInfo"]["endCursor"].clone();
        if answer["events"]["pageInfo"]["hasNextPage"] == false {
            return all;
        }
    }
}

async fn reconciled_at(world: &World) -> Value {
    let query = "query($t: ID) { webhookHealth(tenantId: $t) { tenants { reconciledAt } } }";
    let answer = world.ask(crate::world::ADMIN_KEY, query, json!({ "t": TENANT })).await.sound();
    answer["webhookHealth"]["tenants"][0]["reconciledAt"].clone()
}

/// Moves the clock so that a round is due, and waits until it has come to its end.
async fn a_round(world: &World, by: Duration) {
    let before = reconciled_at(world).await;
    world.advance(by);
    world.eventually("a round", || async { reconciled_at(world).await != before }).await;
}

#[tokio::test]
async fn of_a_hundred_completions_those_that_were_never_delivered_are_found_in_one_round() {
    let world = World::with(unlimited, &LOOKING).await;
    world.register_webhooks().await;
    // Of everything that Aurora would tell, one in twenty is lost.
    world.aurora.set_lost_percent(5);
    for number in 0..100 {
        world.aurora.create_project(TENANT, &address(number)).unwrap();
    }
    let designs = world.aurora.designs(TENANT);
    for design in &designs {
        world.aurora.finish_design(TENANT, &design.id).unwrap();
    }
    let lost = world.aurora.deliveries().iter().filter(|it| it.event == DONE && it.error.is_some()).count();
    assert!((1..=10).contains(&lost), "{lost} of a hundred completions were lost");
    world
        .eventually("what was delivered", || async {
            completions(&world).await.len() == designs.len() - lost
        })
        .await;
    world.aurora.clear_calls();
    world.aurora.set_lost_percent(0);

    let round = std::time::Instant::now();
    a_round(&world, FIRST_ROUND).await;
    let allowed = round.elapsed().as_secs_f64() * 10_000.0 / 60.0 / 5.0;
    let calls = world.aurora.calls().len();
    // Those that were found are read again by the relay, as any delivery is; that too is within the share. The other
    // tenant has a share of its own, and nothing to spend it on.
    assert!(calls as f64 <= allowed + 4.0, "{calls} calls where the share is {allowed}");
    world.eventually("what was lost", || async { completions(&world).await.len() == designs.len() }).await;
    let calls = world.aurora.calls().len();
    assert!(calls <= 4 + 2 * designs.len() + lost, "{calls} calls for {} designs", designs.len());
    let mut told = completions(&world).await;
    assert_eq!(told.iter().filter(|(_, source)| source == "RECONCILED").count(), lost);
    told.sort();
    told.dedup_by(|one, other| one.0 == other.0);
    assert_eq!(told.len(), designs.len(), "each of them once");

    // Aurora delivers them after all, and another round is made: neither is news.
    for design in world.aurora.designs(TENANT) {
        assert_eq!(world.complete(&design.id, design.job_id.as_deref().unwrap()).await, 200);
    }
    a_round(&world, HOUR).await;
    // A marker in the lane of each that was found: when it is announced, the late delivery before it has been settled.
    let found = told.iter().filter(|(_, source)| source == "RECONCILED");
    let mut markers = 0;
    for (design, _) in found {
        world.complete(design, "marker").await;
        markers += 1;
    }
    world
        .eventually("the markers", || async { completions(&world).await.len() >= designs.len() + markers })
        .await;
    assert_eq!(completions(&world).await.len(), designs.len() + markers);
}

#[tokio::test]
async fn what_was_complete_before_anybody_listened_is_no_news_and_its_change_is() {
    let mut world = World::with(unlimited, &LOOKING[1..]).await;
    for design in ["d1", "d2"] {
        world.aurora.plant(TENANT, &format!("p-{design}"), design).unwrap();
    }
    world.advance(24 * HOUR);
    world.restart_with(&LOOKING).await;
    a_round(&world, FIRST_ROUND).await;
    assert_eq!(completions(&world).await, []);

    // Nobody tells of it: Aurora holds no webhook at all.
    world.aurora.edit_design(TENANT, "d1").unwrap();
    a_round(&world, HOUR).await;
    assert_eq!(completions(&world).await, [], "it is not complete");
    world.aurora.change_design(TENANT, "d1").unwrap();
    a_round(&world, HOUR).await;
    let told = [("d1".to_owned(), "RECONCILED".to_owned())];
    world.eventually("the change", || async { completions(&world).await == told }).await;
    a_round(&world, HOUR).await;
    assert_eq!(completions(&world).await, told);
}

#[tokio::test]
async fn a_subscriber_hears_of_what_was_found_as_of_anything_else() {
    let world = World::with(unlimited, &LOOKING).await;
    let (project, design) = world.design().await;
    let query = format!(
        "subscription {{ designCompleted(projectId: \"{project}\") {{ designId jobId status source announcedWithSummary
         summary {{ energyProduction {{ upToDate }} }} }} }}"
    );
    let mut subscriber = world.subscribe(&query).await;
    // What a reader has in memory is from before.
    world.query(&format!(r#"{{ designSummary(designId: "{design}") {{ moduleCount }} }}"#)).await.sound();
    world.aurora.finish_design(TENANT, &design).unwrap();
    world.advance(FIRST_ROUND);
    assert_eq!(
        subscriber.next("designCompleted").await,
        json!({ "designId": design, "jobId": null, "status": "SUCCEEDED", "source": "RECONCILED",
            "announcedWithSummary": true, "summary": { "energyProduction": { "upToDate": true } } })
    );
}

#[tokio::test]
async fn a_round_compares_with_what_is_at_aurora_and_not_with_what_somebody_has_read() {
    let world = World::with(unlimited, &LOOKING).await;
    let list = "{ projects { nodes { projectId designs { designId } } } }";
    world.project().await;
    // What is in memory is good enough for a reader, and would be made newer behind a reader's back.
    world.advance(Duration::from_secs(49));
    world.query(list).await.sound();
    world.aurora.plant(TENANT, "p2", "d2").unwrap();
    world.aurora.clear_calls();
    a_round(&world, Duration::from_secs(11)).await;
    let told = [("d2".to_owned(), "RECONCILED".to_owned())];
    world.eventually("the completion", || async { completions(&world).await == told }).await;
    let paths = ["projects", "projects/*/designs", "designs/*/summary"];
    let calls = paths.map(|it| world.aurora.calls_to("GET", &format!("/tenants/{TENANT}/{it}")));
    // One list; the designs of two projects; a summary of each, and one more of what was found.
    assert_eq!(calls, [1, 2, 3]);
    let ours = world.aurora.calls().iter().filter(|it| it.path.contains(TENANT)).count();
    assert_eq!(ours, 6, "nothing else is asked for on its account");
}

#[tokio::test]
async fn what_a_round_finds_is_read_again_within_its_share() {
    const DESIGNS: usize = 40;
    // Nobody tells of any of them: Aurora holds no webhook.
    let world = World::with(unlimited, &LOOKING).await;
    for number in 0..DESIGNS {
        world.aurora.plant(TENANT, &format!("p{number}"), &format!("d{number}")).unwrap();
    }
    world.aurora.clear_calls();
    world.advance(FIRST_ROUND);
    world.eventually("it begins", || async { !world.aurora.calls().is_empty() }).await;
    let begun = std::time::Instant::now();
    world.eventually("all of them", || async { completions(&world).await.len() == DESIGNS }).await;
    let allowed = begun.elapsed().as_secs_f64() * 10_000.0 / 60.0 / 5.0;
    let calls = world.aurora.calls().len();
    assert!(
        calls >= 3 * DESIGNS,
        "{calls} calls: the designs of each project, its summary, and that once more"
    );
    // The first call comes at once, and the other tenant has a share of its own.
    assert!(calls as f64 <= allowed + 4.0, "{calls} calls where the share is {allowed}");
}

#[tokio::test]
async fn a_share_of_nought_asks_nothing() {
    let world = World::with(unlimited, &[("HELIOGRAPH_RECONCILE__SHARE", "0%")]).await;
    let (_, design) = world.design().await;
    world.aurora.finish_design(TENANT, &design).unwrap();
    world.aurora.clear_calls();
    world.advance(FIRST_ROUND + HOUR);
    world.complete(&design, "marker").await;
    world.eventually("the marker", || async { completions(&world).await.len() == 1 }).await;
    assert_eq!(world.aurora.calls_to("GET", "/tenants/*/projects/*/designs"), 0);
    assert_eq!(reconciled_at(&world).await, Value::Null);
}

/// Aurora tells nothing of the design but that it is there.
fn hide(world: &World, design: &str) {
    let path = format!("/tenants/{TENANT}/designs/{design}");
    for path in [format!("{path}/summary"), path] {
        world.aurora.fail(FaultRule::new("GET", &path, Fault::status(503))).unwrap();
    }
}

#[tokio::test]
async fn what_is_told_again_has_its_own_time_to_be_read_and_hides_nothing_that_was_missed() {
    let mut world = World::with(unlimited, &LOOKING[1..]).await;
    let (_, design) = world.design().await;
    world.aurora.finish_design(TENANT, &design).unwrap();
    world.complete(&design, "j1").await;
    world.announced_become(1).await;
    world.advance(HOUR);
    // Nobody tells of the change, and then the old news are told again while Aurora cannot be asked.
    world.aurora.change_design(TENANT, &design).unwrap();
    hide(&world, &design);
    world.aurora.clear_calls();
    let mut archive = Archive::open(&world.store().join("heliograph.db")).unwrap();
    let tenant = TenantId::parse(TENANT).unwrap();
    let again = archive.tell_again(&tenant, Seq(0), 10, world.clock.now()).unwrap();
    assert_eq!(again.total(), 1);
    let looks = || world.aurora.calls_to("GET", "/tenants/*/designs/*/summary");
    // One read has up to three tries.
    world.eventually("it is read once more", || async { looks() > 3 }).await;
    assert_eq!(world.announced().await.len(), 1, "it waits for its summary as when it first came");
    world.advance(Duration::from_secs(121));
    world.announced_become(2).await;

    world.aurora.clear_faults();
    world.restart_with(&LOOKING).await;
    a_round(&world, FIRST_ROUND).await;
    let told = ["WEBHOOK", "WEBHOOK", "RECONCILED"].map(|source| (design.clone(), source.to_owned()));
    world.eventually("what was missed", || async { completions(&world).await == told }).await;
}

#[tokio::test]
async fn a_bit_that_flipped_in_what_waits_hides_no_completion_and_holds_nothing_up() {
    let mut world = World::with(unlimited, &LOOKING).await;
    let (project, design) = world.design().await;
    world.aurora.finish_design(TENANT, &design).unwrap();
    hide(&world, &design);
    world.complete(&design, "job-that-waits").await;
    let asset = format!("tenant_id={TENANT}&project_id={project}&design_id={design}&asset_id=behind-it");
    assert_eq!(world.deliver("asset_created", &asset).await, 200);
    assert_eq!(world.announced().await.len(), 0);

    world.stop().await;
    let path = world.store().join("heliograph.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let job = b"job-that-waits";
    let at: Vec<_> = (0..bytes.len() - job.len()).filter(|at| bytes[*at..].starts_with(job)).collect();
    assert!(!at.is_empty(), "the log was folded in");
    at.iter().for_each(|at| bytes[*at] ^= 1);
    std::fs::write(&path, bytes).unwrap();

    world.aurora.clear_faults();
    world.restart().await;
    world.announced_become(1).await;
    a_round(&world, FIRST_ROUND).await;
    let told = [(design, "RECONCILED".to_owned())];
    world.eventually("the completion", || async { completions(&world).await == told }).await;
    for _ in 0..2 {
        let counted = "\nheliograph_store_unreadable_rows 1";
        assert!(world.metrics().await.contains(counted), "{}", world.metrics().await);
        world.restart().await;
    }
}
