//! What memory spares Aurora, how old it may be, and what makes it forget.

use std::{fs, path::Path, time::Duration};

use futures_util::future::join_all;
use heliograph::{
    catalog::freshness,
    sandbox::{Fault, FaultRule},
};
use serde_json::json;

use crate::world::{KEY, OTHER, OTHER_KEY, TENANT, World};

const SUMMARY: &str = "/tenants/*/designs/*/summary";
const LIST: &str = "/tenants/*/projects";

/// How late an answer comes that news are to overtake: long enough for a machine that has much else to do.
const LATE: u64 = 1_500;

fn summary(design: &str) -> String {
    format!(
        r#"{{ designSummary(designId: "{design}") {{ moduleCount externalProviderId stale fetchedAt }} }}"#
    )
}

fn named(project: &str) -> String {
    format!(r#"{{ project(projectId: "{project}") {{ name }} }}"#)
}

/// What somebody changes in Aurora's application.
async fn rename(world: &World, project: &str, name: &str) {
    let url = format!("{}/tenants/{TENANT}/projects/{project}", world.aurora_url());
    let request = world.http.put(url).bearer_auth(heliograph::sandbox::TENANT_KEY);
    let sent = request.json(&json!({ "project": { "name": name } })).send().await.unwrap();
    assert!(sent.status().is_success(), "{}", sent.status());
}

#[tokio::test]
async fn the_page_about_caching_has_the_table_that_the_code_has() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/caching.md")).unwrap();
    let table = freshness::table();
    assert!(page.contains(&table), "docs/caching.md should have\n\n{table}");
}

#[tokio::test]
async fn a_thousand_who_ask_while_aurora_fails_share_one_call_and_the_next_one_asks_again() {
    let world = World::with(|_| {}, &[("HELIOGRAPH_AURORA__REQUEST_TIMEOUT", "20s")]).await;
    world.aurora.plant(TENANT, "p", "d").unwrap();
    // The key comes late, so that the whole crowd is there before Aurora refuses.
    let exchange = "/partner_applications/*/tenants/*/create_token";
    world.aurora.fail(FaultRule::new("POST", exchange, Fault::Delay { ms: 6000 }).times(1)).unwrap();
    world.aurora.fail(FaultRule::new("GET", SUMMARY, Fault::status(403)).times(1)).unwrap();
    let query = summary("d");
    let answers = join_all((0..1000).map(|_| world.query(&query))).await;
    assert!(answers.iter().all(|it| it.errors() == ["UPSTREAM_FORBIDDEN at designSummary"]));
    assert_eq!(world.aurora.calls_to("GET", SUMMARY), 1);
    world.query(&query).await.sound();
    assert_eq!(world.aurora.calls_to("GET", SUMMARY), 2, "the error was not kept");
}

#[tokio::test]
async fn a_read_survives_the_caller_who_began_it_and_serves_the_next() {
    let world = World::start().await;
    let (_, design) = world.design().await;
    world.aurora.fail(FaultRule::new("GET", SUMMARY, Fault::Delay { ms: 400 }).times(1)).unwrap();
    let query = summary(&design);
    {
        let arrived =
            world.eventually("the read is sent", || async { world.aurora.calls_to("GET", SUMMARY) == 1 });
        tokio::select! {
            _ = world.query(&query) => panic!("it answered too soon"),
            () = arrived => {}
        }
    }
    let joined = world.query(&query).await.sound();
    assert_eq!((joined.calls(), joined.coalesced()), (0, 1));
    assert_eq!(world.aurora.calls_to("GET", SUMMARY), 1);
}

#[tokio::test]
async fn callers_of_one_tenant_share_and_those_of_another_do_not() {
    let world = World::start().await;
    for _ in 0..2 {
        world.ask(KEY, "{ projects { nodes { name } } }", json!({})).await.sound();
        let reader = crate::world::READ_KEY;
        assert_eq!(world.ask(reader, "{ projects { nodes { name } } }", json!({})).await.sound().calls(), 0);
        world.ask(OTHER_KEY, "{ projects { nodes { name } } }", json!({})).await.sound();
    }
    for tenant in [TENANT, OTHER] {
        assert_eq!(world.aurora.calls_to("GET", &format!("/tenants/{tenant}/projects")), 1);
    }
}

#[tokio::test]
async fn what_ages_is_answered_at_once_and_read_again_behind_the_callers_back() {
    let world = World::start().await;
    let project = world.project().await;
    rename(&world, &project, "new").await;
    world.aurora.clear_calls();
    world.advance(Duration::from_secs(61));
    let path = format!("/tenants/{TENANT}/projects/{project}");
    world.aurora.fail(FaultRule::new("GET", &path, Fault::Delay { ms: 200 }).times(1)).unwrap();
    for _ in 0..5 {
        let aging = world.query(&named(&project)).await.sound();
        assert!(aging["project"]["name"].is_null(), "the old name at once");
        assert_eq!((aging.calls(), aging.cache_hits()), (0, 1));
    }
    world
        .eventually("the new name is there", || async {
            world.query(&named(&project)).await["project"]["name"] == "new"
        })
        .await;
    assert_eq!(world.aurora.calls_to("GET", &path), 1, "one refresh, however many asked");
    world.advance(Duration::from_secs(301));
    assert_eq!(world.query(&named(&project)).await.sound().calls(), 1, "too old to be served unasked");
}

#[tokio::test]
async fn a_list_that_ages_is_refreshed_once_and_rests_while_aurora_is_out() {
    let world = World::start().await;
    world.project().await;
    let list = "{ projects { nodes { projectId } } }";
    world.query(list).await.sound();
    world.aurora.clear_calls();
    world.aurora.fail(FaultRule::new("GET", LIST, Fault::status(403))).unwrap();
    world.advance(Duration::from_secs(11));
    let ask = || async {
        assert_eq!(world.query(list).await.sound()["projects"]["nodes"].as_array().unwrap().len(), 1);
        world.aurora.calls_to("GET", LIST)
    };
    world.eventually("a refresh was tried", || async { ask().await == 1 }).await;
    for _ in 0..10 {
        assert_eq!(ask().await, 1);
    }
    world.advance(Duration::from_secs(6));
    world.eventually("it is tried again", || async { ask().await == 2 }).await;
}

#[tokio::test]
async fn a_summary_is_never_refreshed_behind_the_callers_back() {
    let world = World::start().await;
    let (_, design) = world.design().await;
    world.query(&summary(&design)).await.sound();
    world.advance(Duration::from_secs(3601));
    assert_eq!(world.query(&summary(&design)).await.sound().calls(), 1);
}

#[tokio::test]
async fn an_old_summary_says_since_when_it_is_true() {
    let world = World::start().await;
    let (_, design) = world.design().await;
    let fetched = world.query(&summary(&design)).await.sound()["designSummary"]["fetchedAt"].clone();
    world.advance(Duration::from_secs(2 * 3600));
    world.aurora.fail(FaultRule::new("GET", SUMMARY, Fault::status(503))).unwrap();
    let old = world.query(&summary(&design)).await.sound();
    assert_eq!(old["designSummary"]["stale"], true);
    assert_eq!(old["designSummary"]["fetchedAt"], fetched);
    world.advance(Duration::from_secs(22 * 3600));
    assert_eq!(world.query(&summary(&design)).await.errors(), ["UPSTREAM_UNAVAILABLE at designSummary"]);
}

#[tokio::test]
async fn what_is_not_there_is_asked_for_once_in_five_seconds_unless_news_come_of_it() {
    let world = World::start().await;
    let missing = r#"{ design(designId: "d-late") { designId } }"#;
    let path = format!("/tenants/{TENANT}/designs/d-late");
    let asked = || world.aurora.calls_to("GET", &path);
    for hits in [0, 1, 1] {
        let answer = world.query(missing).await;
        assert_eq!(answer.errors(), ["NOT_FOUND at design"]);
        assert_eq!(answer.cache_hits(), hits);
    }
    assert_eq!(asked(), 1);
    world.advance(Duration::from_secs(5));
    assert_eq!(world.query(missing).await.errors(), ["NOT_FOUND at design"]);
    assert_eq!(asked(), 2);

    world.aurora.plant(TENANT, "p-late", "d-late").unwrap();
    assert_eq!(world.query(missing).await.errors(), ["NOT_FOUND at design"]);
    let news = format!("tenant_id={TENANT}&project_id=p-late&design_id=d-late&source=app");
    assert_eq!(world.deliver("design_created", &news).await, 200);
    world.announced_become(1).await;
    assert_eq!(world.query(missing).await.sound()["design"]["designId"], "d-late");
}

#[tokio::test]
async fn a_new_project_is_in_the_list_at_once() {
    let world = World::start().await;
    let list = "{ projects { nodes { projectId } } }";
    world.query(list).await.sound();
    let made = world.project().await;
    assert_eq!(world.query(list).await.sound()["projects"]["nodes"][0]["projectId"], made);
}

#[tokio::test]
async fn a_create_whose_answer_comes_behind_news_of_its_project_leaves_nothing_old_in_memory() {
    let world = World::start().await;
    world.aurora.fail(FaultRule::new("POST", LIST, Fault::Delay { ms: LATE }).times(1)).unwrap();
    let changed = async {
        world.eventually("it is made", || async { !world.aurora.projects(TENANT).is_empty() }).await;
        let project = world.aurora.projects(TENANT)[0]["id"].as_str().unwrap().to_owned();
        rename(&world, &project, "new").await;
        let news = format!("tenant_id={TENANT}&project_id={project}&attributes=name");
        assert_eq!(world.deliver("project_changed", &news).await, 200);
        world.announced_become(1).await;
    };
    let (project, ()) = tokio::join!(world.project(), changed);
    assert_eq!(world.query(&named(&project)).await.sound()["project"]["name"], "new");
}

#[tokio::test]
async fn that_there_was_no_such_thing_before_a_tenants_news_reaches_nobody() {
    let world = World::start().await;
    let path = format!("/tenants/{TENANT}/designs/d-late");
    let query = r#"{ design(designId: "d-late") { designId } }"#;
    // The answer is as of when it was asked for, and comes late.
    world.aurora.fail(FaultRule::new("GET", &path, Fault::Delay { ms: LATE }).times(1)).unwrap();
    let late = async {
        world.eventually("it is asked", || async { world.aurora.calls_to("GET", &path) == 1 }).await;
        world.aurora.plant(TENANT, "p-late", "d-late").unwrap();
        let news = format!("tenant_id={TENANT}&app_id=a&status=enabled");
        assert_eq!(world.deliver("app_status_changed", &news).await, 200);
        world.announced_become(1).await;
        world.query(query).await
    };
    let (early, late) = tokio::join!(world.query(query), late);
    for answer in [early, late] {
        assert_eq!(answer.sound()["design"]["designId"], "d-late");
    }
    assert_eq!(world.aurora.calls_to("GET", &path), 2, "asked again, once for both");
}

#[tokio::test]
async fn news_of_a_project_outdate_the_summaries_of_its_designs_also_those_being_read() {
    let world = World::start().await;
    let (project, design) = world.design().await;
    let (_, other) = world.design().await;
    for design in [&design, &other] {
        world.query(&summary(design)).await.sound();
    }
    world.aurora.clear_calls();
    let news = format!("tenant_id={TENANT}&project_id={project}");
    assert_eq!(world.deliver("consumption_profile_changed", &news).await, 200);
    world.announced_become(1).await;
    assert_eq!(world.query(&summary(&other)).await.sound().calls(), 0, "another project's stands");

    // A read that left before the news, and whoever joins it after them, see none of what it brings.
    world.aurora.fail(FaultRule::new("GET", SUMMARY, Fault::Delay { ms: 500 }).times(1)).unwrap();
    let query = summary(&design);
    let early = world.query(&query);
    let rest = async {
        world.eventually("the read is sent", || async { world.aurora.calls_to("GET", SUMMARY) == 1 }).await;
        let job = format!("{news}&source=app&attributes=name");
        assert_eq!(world.deliver("project_changed", &job).await, 200);
        world.announced_become(2).await;
        world.query(&query).await.sound()
    };
    let (early, late) = tokio::join!(early, rest);
    early.sound();
    assert_eq!(late.body["data"]["designSummary"]["stale"], false);
    assert_eq!(world.aurora.calls_to("GET", SUMMARY), 2, "what was under way was read again, once for both");
}

#[tokio::test]
async fn a_tenant_that_switched_the_application_off_and_on_sees_nothing_from_before() {
    let world = World::start().await;
    let project = world.project().await;
    world.query(&named(&project)).await.sound();
    rename(&world, &project, "after").await;
    let news = format!("tenant_id={TENANT}&app_id=a&status=enabled");
    assert_eq!(world.deliver("app_status_changed", &news).await, 200);
    world.announced_become(1).await;
    assert_eq!(world.query(&named(&project)).await.sound()["project"]["name"], "after");
}
