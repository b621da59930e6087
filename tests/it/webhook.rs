//! Webhooks: forged, repeated, out of order, and the news they bring.

use std::time::Duration;

use heliograph::sandbox::{Fault, FaultRule};
use serde_json::json;

use crate::world::{ADMIN_KEY, KEY, OTHER, OTHER_KEY, TENANT, WEBHOOK_SECRET, World};

const DONE: &str = "performance_simulation_job_completed";

#[tokio::test]
async fn every_delivery_gets_the_answer_that_is_promised() {
    let world = World::start().await;
    let good = format!("tenant_id={TENANT}&design_id=d1&job_id=j1&status=failed");
    let cases = [
        ("new", DONE, good.clone(), 200),
        ("a repeat", DONE, good.clone(), 200),
        ("unknown event", "moon_landed", format!("tenant_id={TENANT}&crater=7"), 200),
        ("unknown status", DONE, format!("tenant_id={TENANT}&design_id=d1&job_id=j1&status=odd"), 200),
        ("unknown parameters", DONE, format!("{good}&zebra=1&job_id=j1"), 200),
        ("no tenant", DONE, "design_id=d1&job_id=j1&status=succeeded".to_owned(), 200),
        ("no design", DONE, format!("tenant_id={TENANT}&job_id=j1&status=succeeded"), 400),
        ("empty design", DONE, format!("tenant_id={TENANT}&design_id=&status=succeeded"), 400),
        ("unreplaced", DONE, format!("tenant_id={TENANT}&design_id=%3CDESIGN_ID%3E&status=succeeded"), 400),
        ("two designs", DONE, format!("tenant_id={TENANT}&design_id=a&design_id=b&status=succeeded"), 400),
        ("control character", DONE, format!("tenant_id={TENANT}&design_id=a%0Ab&status=succeeded"), 400),
        ("too long", DONE, format!("tenant_id={TENANT}&design_id={}", "x".repeat(5000)), 400),
        (
            "a job where there is none",
            "project_changed",
            format!("tenant_id={TENANT}&project_id=p&job_id=%3CJOB_ID%3E"),
            200,
        ),
        ("odd name", "Not-An-Event", good.clone(), 400),
    ];
    for (what, event, query, status) in cases {
        assert_eq!(world.deliver(event, &query).await, status, "{what}");
    }
    world.announced_become(4).await;
}

#[tokio::test]
async fn a_forged_delivery_keeps_nothing() {
    let world = World::start().await;
    let url = world
        .url(&format!("/webhooks/aurora/{DONE}?tenant_id={TENANT}&design_id=d&job_id=j&status=succeeded"));
    for secret in
        [None, Some(""), Some("wrong"), Some(&WEBHOOK_SECRET[1..]), Some(&*format!("{WEBHOOK_SECRET}x"))]
    {
        let request = world.http.get(&url);
        let request = match secret {
            Some(secret) => request.header("X-Heliograph-Webhook-Token", secret),
            None => request,
        };
        assert_eq!(request.send().await.unwrap().status(), 401, "{secret:?}");
    }
    let query = format!("token={WEBHOOK_SECRET}");
    assert_eq!(world.http.get(format!("{url}&{query}")).send().await.unwrap().status(), 401);
    assert_eq!(world.complete("d", "genuine").await, 200);
    world.announced_become(1).await;
}

#[tokio::test]
async fn head_and_options_publish_nothing() {
    let world = World::start().await;
    let with_job = |job: &str| {
        world.url(&format!(
            "/webhooks/aurora/{DONE}?tenant_id={TENANT}&design_id=d&job_id={job}&status=failed"
        ))
    };
    let url = with_job("never");
    for method in
        [reqwest::Method::HEAD, reqwest::Method::OPTIONS, reqwest::Method::PUT, reqwest::Method::DELETE]
    {
        let request = world.http.request(method.clone(), &url);
        let answer = request.header("X-Heliograph-Webhook-Token", WEBHOOK_SECRET).send().await.unwrap();
        assert_eq!(answer.status(), 405, "{method}");
    }
    let post =
        world.http.post(&url).header("X-Heliograph-Webhook-Token", WEBHOOK_SECRET).send().await.unwrap();
    assert_eq!(post.status(), 200);
    world.announced_become(1).await;
}

#[tokio::test]
async fn a_delivery_without_tenant_is_kept_aside_and_seen_by_the_operator() {
    let world = World::start().await;
    assert_eq!(
        world.deliver(DONE, "design_id=d1&job_id=j1&status=succeeded&session_token=st-secret").await,
        200
    );
    let query = "{ setAsideDeliveries { total newest { name parameters { name value } } } }";
    let answer = world.ask(ADMIN_KEY, query, json!({})).await.sound();
    assert_eq!(answer["setAsideDeliveries"]["total"], 1);
    assert_eq!(answer["setAsideDeliveries"]["newest"][0]["name"], DONE);
    assert!(!answer.body.to_string().contains("st-secret"));
    assert_eq!(world.announced().await.len(), 0);
}

#[tokio::test]
async fn a_delivery_without_tenant_goes_to_the_default_one() {
    let world = World::with(|_| {}, &[("HELIOGRAPH_WEBHOOKS__DEFAULT_TENANT", TENANT)]).await;
    let (_, design) = world.design().await;
    assert_eq!(world.deliver(DONE, &format!("design_id={design}&job_id=j1&status=succeeded")).await, 200);
    world.announced_become(1).await;
}

#[tokio::test]
async fn a_delivery_without_tenant_goes_to_the_only_one_that_has_its_design_before_the_default_one() {
    let world = World::with(|_| {}, &[("HELIOGRAPH_WEBHOOKS__DEFAULT_TENANT", OTHER)]).await;
    let (_, design) = world.design().await;
    world.query(&format!(r#"{{ designSummary(designId: "{design}") {{ moduleCount }} }}"#)).await.sound();
    let token = world.aurora.issue_session_token(TENANT).unwrap();
    let query = format!("design_id={design}&job_id=j1&status=succeeded&session_token={token}");
    for _ in 0..2 {
        assert_eq!(world.deliver(DONE, &query).await, 200);
    }
    world.announced_become(1).await;
    assert_eq!(
        world.ask(OTHER_KEY, "{ events { nodes { id } } }", json!({})).await.sound()["events"]["nodes"],
        json!([])
    );

    // An id that Aurora has shown to both is nobody's, and what one tenant is told never leads to another.
    for (tenant, key) in [(TENANT, KEY), (OTHER, OTHER_KEY)] {
        world.aurora.plant(tenant, &format!("p-of-{tenant}"), "shared").unwrap();
        world.ask(key, r#"{ designSummary(designId: "shared") { moduleCount } }"#, json!({})).await.sound();
    }
    world.deliver(DONE, "design_id=shared&job_id=j1&status=succeeded").await;
    let default = || world.ask(OTHER_KEY, "{ events { nodes { id } } }", json!({}));
    world
        .eventually("the default one's", || async {
            default().await["events"]["nodes"].as_array().is_some_and(|it| it.len() == 1)
        })
        .await;
    assert_eq!(world.announced().await.len(), 1);
}

#[tokio::test]
async fn a_delivery_that_was_set_aside_is_announced_when_its_design_is_first_seen() {
    let world = World::start().await;
    world.aurora.plant(TENANT, "p1", "d1").unwrap();
    world.aurora.plant(OTHER, "p2", "d2").unwrap();
    let mut subscriber =
        world.subscribe("subscription { designCompleted { designId projectId jobId receivedAt } }").await;
    let received_at = world.clock.now().to_string();
    for query in ["design_id=d1&job_id=j1&status=succeeded", "design_id=d2&job_id=j2&status=succeeded"] {
        assert_eq!(world.deliver(DONE, query).await, 200);
    }
    // Somebody's word that it is theirs leads nowhere.
    world.deliver("asset_created", &format!("tenant_id={TENANT}&design_id=d2&asset_id=a")).await;
    world.announced_become(1).await;
    let refused = world.query(r#"{ designSummary(designId: "d2") { moduleCount } }"#).await;
    assert_eq!(refused.errors(), ["NOT_FOUND at designSummary"]);

    world.advance(Duration::from_secs(3600));
    world.query(r#"{ design(designId: "d1") { name } }"#).await.sound();
    assert_eq!(
        subscriber.next("designCompleted").await,
        json!({ "designId": "d1", "projectId": "p1", "jobId": "j1", "receivedAt": received_at })
    );
    let aside =
        world.ask(ADMIN_KEY, "{ setAsideDeliveries { total newest { parameters { value } } } }", json!({}));
    let aside = aside.await.sound();
    assert_eq!(aside["setAsideDeliveries"]["total"], 1);
    assert_eq!(aside["setAsideDeliveries"]["newest"][0]["parameters"][0]["value"], "d2");
    // Its repeat is one.
    world.deliver(DONE, "design_id=d1&job_id=j1&status=succeeded").await;
    world.complete("d1", "marker").await;
    assert_eq!(subscriber.next("designCompleted").await["jobId"], "marker");
}

#[tokio::test]
async fn the_news_is_read_again_before_it_is_told() {
    let world = World::start().await;
    let (project, design) = world.design().await;
    let query = format!(r#"{{ designSummary(designId: "{design}") {{ energyProduction {{ annual }} }} }}"#);
    assert!(world.query(&query).await.sound()["designSummary"]["energyProduction"].is_null());

    let mut subscriber = world
        .subscribe(
            "subscription { designCompleted { designId projectId jobId status statusText type tenantId
            summary { energyProduction { annual } } design { designId } } }",
        )
        .await;
    world.aurora.finish_design(TENANT, &design).unwrap();
    assert_eq!(world.complete(&design, "j1").await, 200);

    let event = subscriber.next("designCompleted").await;
    assert_eq!(
        (&event["designId"], &event["projectId"], &event["jobId"]),
        (&json!(design), &json!(project), &json!("j1"))
    );
    assert_eq!((&event["status"], &event["statusText"]), (&json!("SUCCEEDED"), &json!("succeeded")));
    let annual = event["summary"]["energyProduction"]["annual"].clone();
    assert!(annual.is_number(), "the summary in the event is the new one");
    assert_eq!(world.query(&query).await.sound()["designSummary"]["energyProduction"]["annual"], annual);
}

#[tokio::test]
async fn a_read_in_flight_cannot_bring_the_old_value_back() {
    let world = World::start().await;
    let (_, design) = world.design().await;
    let slow = FaultRule::new("GET", "/tenants/*/designs/*/summary", Fault::Delay { ms: 700 }).times(1);
    world.aurora.fail(slow).unwrap();
    let query = format!(r#"{{ designSummary(designId: "{design}") {{ energyProduction {{ annual }} }} }}"#);
    let before = world.query(&query);
    let after = async {
        let path = format!("/tenants/{TENANT}/designs/{design}/summary");
        world
            .eventually("the slow read is under way", || async { world.aurora.calls_to("GET", &path) == 1 })
            .await;
        world.aurora.finish_design(TENANT, &design).unwrap();
        world.complete(&design, "j1").await;
        world.announced_become(1).await;
        world.query(&query).await
    };
    let (before, after) = tokio::join!(before, after);
    assert!(after.sound()["designSummary"]["energyProduction"]["annual"].is_number());
    assert!(before.sound()["designSummary"]["energyProduction"]["annual"].is_number(), "it read again");
    let again = world.query(&query).await.sound();
    assert!(again["designSummary"]["energyProduction"]["annual"].is_number());
    assert_eq!(again.calls(), 0);
}

#[tokio::test]
async fn a_completion_without_job_is_news_only_when_the_summary_differs() {
    let world = World::start().await;
    let (_, design) = world.design().await;
    world.aurora.finish_design(TENANT, &design).unwrap();
    let query = format!("tenant_id={TENANT}&design_id={design}&status=succeeded");
    for _ in 0..3 {
        assert_eq!(world.deliver(DONE, &query).await, 200);
    }
    // Behind them in the same lane: when it is announced, they have been settled.
    world.complete(&design, "marker").await;
    world.announced_become(2).await;
    world.aurora.change_design(TENANT, &design).unwrap();
    world.deliver(DONE, &query).await;
    world.complete(&design, "another marker").await;
    world.announced_become(4).await;
}

#[tokio::test]
async fn a_session_token_is_exchanged_once_however_often_its_delivery_comes() {
    let world = World::with(
        |aurora| aurora.session_tokens = heliograph::sandbox::SessionTokens::Required,
        &[("HELIOGRAPH_AURORA__SESSION_TOKEN", "required")],
    )
    .await;
    let unconnected = world.query("{ projects { nodes { name } } }").await;
    assert_eq!(unconnected.errors(), ["TENANT_NOT_CONNECTED at projects"]);
    assert_eq!(world.aurora.calls().len(), 0);

    world.aurora.plant(TENANT, "p1", "d1").unwrap();
    let token = world.aurora.issue_session_token(TENANT).unwrap();
    let query = format!("tenant_id={TENANT}&design_id=d1&job_id=j1&status=succeeded&session_token={token}");
    for _ in 0..5 {
        assert_eq!(world.deliver(DONE, &query).await, 200);
    }
    world.announced_become(1).await;
    let exchanges = world.aurora.calls_to("POST", "/partner_applications/*/tenants/*/create_token");
    assert_eq!(exchanges, 1);
    world.query("{ projects { nodes { name } } }").await.sound();
    for file in std::fs::read_dir(world.store()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(&token), "the token was written down");
    }
}

#[tokio::test]
async fn a_tenant_is_connected_with_a_session_token() {
    let world = World::with(
        |aurora| aurora.session_tokens = heliograph::sandbox::SessionTokens::Required,
        &[("HELIOGRAPH_AURORA__SESSION_TOKEN", "required")],
    )
    .await;
    let connect = "mutation($input: ConnectTenantInput!) { connectTenant(input: $input) {
        tenant { tenantId } keyExpiresAt userErrors { code field } } }";
    let wrong = json!({ "input": { "tenantId": TENANT, "sessionToken": "made-up" } });
    let refused = world.ask(crate::world::KEY, connect, wrong).await.sound();
    assert_eq!(refused["connectTenant"]["userErrors"][0]["code"], "TENANT_NOT_ACCEPTED");

    let token = world.aurora.issue_session_token(TENANT).unwrap();
    let right = json!({ "input": { "tenantId": TENANT, "sessionToken": token } });
    let connected = world.ask(crate::world::KEY, connect, right).await.sound();
    assert_eq!(connected["connectTenant"]["tenant"]["tenantId"], TENANT);
    assert!(connected["connectTenant"]["keyExpiresAt"].is_string());
    world.query("{ projects { nodes { name } } }").await.sound();
}

#[tokio::test]
async fn auroras_own_webhooks_find_their_way() {
    let world = World::start().await;
    world.register_webhooks().await;
    let mut subscriber =
        world.subscribe("subscription { designCompleted { designId summary { moduleCount } } }").await;
    let (_, design) = world.design().await;
    world.aurora.finish_design(TENANT, &design).unwrap();
    let event = subscriber.next("designCompleted").await;
    assert_eq!(event["designId"], *design);
    assert!(event["summary"]["moduleCount"].is_number());
    world.eventually("all events", || async { world.announced().await.len() == 3 }).await;
    assert!(world.aurora.deliveries().iter().all(heliograph::sandbox::Attempt::succeeded));
}

#[tokio::test]
async fn an_event_waits_for_aurora_and_comes_when_aurora_is_back() {
    let world = World::start().await;
    let (_, design) = world.design().await;
    let mut subscriber =
        world.subscribe("subscription { designCompleted { summary { moduleCount } } }").await;
    world
        .aurora
        .fail(FaultRule::new("GET", "/tenants/*/designs/*/summary", Fault::status(503)).times(2))
        .unwrap();
    world.complete(&design, "j1").await;
    assert!(subscriber.next("designCompleted").await["summary"]["moduleCount"].is_number());
    world.advance(Duration::from_secs(1));
}
