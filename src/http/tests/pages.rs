//! What people and operators read.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use axum::body::Body;
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::world::{Reply, World};
use crate::{
    http::{Admin, Config, admin_router, server::Limits},
    telemetry::Metrics,
};

#[tokio::test]
async fn the_schema_and_the_explorers_settings_need_no_credential() {
    let world = World::start().await;
    let schema = Reply::to(world.anonymous("GET", "/schema.graphql")).await;
    assert_eq!(schema.text, "type Query { name: String! }");
    assert_eq!(schema.header("content-type"), "text/plain; charset=utf-8");
    let config = Reply::to(world.anonymous("GET", "/graphiql/config.json")).await.json();
    assert_eq!(config["demo"], serde_json::json!({ "apiKey": "k-crm", "tenantId": "t1" }));
    assert_eq!(config["version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn a_page_is_there_or_says_how_to_build_it() {
    let world = World::start().await;
    for path in ["/", "/graphiql"] {
        let page = Reply::to(world.anonymous("GET", path)).await;
        if page.status == 404 {
            assert!(page.text.contains("make web") && page.text.lines().count() == 1, "{}", page.text);
            continue;
        }
        assert!(page.header("content-security-policy").contains("frame-ancestors 'none'"));
        assert_eq!(page.header("cache-control"), "no-cache");
        let again = world.anonymous("GET", path).header("if-none-match", page.header("etag"));
        assert_eq!(Reply::to(again).await.status, 304, "{path}");
    }
}

#[tokio::test]
async fn the_explorer_can_be_switched_off() {
    let browser = "text/html,application/xhtml+xml,*/*;q=0.8";
    let ask = async |world: &World, path: &str| {
        Reply::to(world.anonymous("GET", path).header("accept", browser)).await
    };
    let on = World::start().await;
    assert_eq!(ask(&on, "/graphiql/config.json").await.json()["explorer"], true);
    assert_eq!(ask(&on, "/graphql").await.header("location"), "/graphiql");

    let off = World::with_pages(Config::default(), Limits::default(), false).await;
    let gone = ask(&off, "/graphiql").await;
    assert!(gone.status == 404 && gone.text.contains("nothing here"), "{}", gone.text);
    assert_eq!(ask(&off, "/graphiql/config.json").await.json()["explorer"], false, "the front page knows");
    let api = ask(&off, "/graphql").await;
    assert_eq!(api.refusal(), (401, "UNAUTHENTICATED".to_owned()), "an API like any other");
    assert_eq!(api.header("location"), "");
    assert_eq!(off.query("{ name }").await.json()["data"]["name"], "crm");
}

#[tokio::test]
async fn a_path_that_is_not_there_is_404_and_never_a_file_of_the_host() {
    let world = World::start().await;
    for path in
        ["/nowhere", "/assets/none.js", "/assets/..%2f..%2fCargo.toml", "/assets/%2e%2e/%2e%2e/Cargo.toml"]
    {
        let reply = Reply::to(world.anonymous("GET", path)).await;
        assert_eq!(reply.status, 404, "{path}");
        assert!(!reply.text.contains("[package]"));
    }
    assert_eq!(Reply::to(world.anonymous("POST", "/schema.graphql")).await.header("allow"), "GET, HEAD");
}

#[tokio::test]
async fn the_operator_is_told_what_lives_what_is_ready_and_how_busy_it_is() {
    let draining = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&draining);
    let router = admin_router(Admin {
        metrics: Arc::new(Metrics::new()),
        ready: Box::new(move || if flag.load(SeqCst) { Err("draining") } else { Ok(()) }),
    });
    let ask = |path: &str| {
        let request = http::Request::get(path).body(Body::empty()).unwrap();
        let answer = router.clone().oneshot(request);
        async {
            let response = answer.await.unwrap();
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            (status, String::from_utf8(body.to_vec()).unwrap())
        }
    };
    assert_eq!(ask("/healthz").await, (200, "ok\n".into()));
    assert_eq!(ask("/readyz").await, (200, "ready\n".into()));
    assert!(ask("/metrics").await.1.contains("heliograph_build_info"));
    draining.store(true, SeqCst);
    assert_eq!(ask("/readyz").await, (503, "not ready: draining\n".into()));
    assert_eq!(ask("/healthz").await.0, 200);
}

#[tokio::test]
async fn metrics_are_told_in_the_format_that_the_scraper_asks_for() {
    let ready = Box::new(|| Ok(()));
    let router = admin_router(Admin { metrics: Arc::new(Metrics::new()), ready });
    let scrape = |accept: &'static str| {
        let request = http::Request::get("/metrics").header("accept", accept).body(Body::empty()).unwrap();
        let answer = router.clone().oneshot(request);
        async {
            let response = answer.await.unwrap();
            let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            (kind, String::from_utf8(body.to_vec()).unwrap())
        }
    };
    let open = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.4,*/*;q=0.2";
    let (kind, page) = scrape(open).await;
    assert!(kind.starts_with("application/openmetrics-text") && page.ends_with("# EOF\n"), "{kind}\n{page}");
    let (kind, page) = scrape("*/*").await;
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    assert!(page.contains("# TYPE heliograph_build_info gauge\nheliograph_build_info{"), "{page}");
    assert!(page.contains("# TYPE heliograph_webhook_deliveries_total counter"), "{page}");
    assert!(!page.contains("# EOF"), "{page}");
}
