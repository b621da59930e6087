//! Aurora's deliveries, as far as HTTP is concerned.

use super::world::{Reply, WEBHOOK_SECRET, World};

const PATH: &str = "/webhooks/aurora/project_created?tenant_id=acme&project_id=p1";

#[tokio::test]
async fn a_delivery_is_answered_by_what_became_of_it() {
    let world = World::start().await;
    let deliver = |method: &str, path: &str, secret: &'static str| {
        Reply::to(world.anonymous(method, path).header("x-heliograph-webhook-token", secret))
    };
    assert_eq!(deliver("GET", PATH, WEBHOOK_SECRET).await.status, 200);
    assert_eq!(deliver("POST", PATH, WEBHOOK_SECRET).await.status, 200);
    assert_eq!(deliver("GET", PATH, "wrong").await.status, 401);
    let unreplaced = "/webhooks/aurora/project_created?tenant_id=acme&project_id=%3CPROJECT_ID%3E";
    assert_eq!(deliver("GET", unreplaced, WEBHOOK_SECRET).await.status, 400);

    let page = world.metrics.page().unwrap();
    for (answer, count) in [("kept", 1), ("repeated", 1), ("unauthenticated", 1), ("malformed", 1)] {
        let line = format!("heliograph_webhook_deliveries_total{{answer=\"{answer}\"}} {count}");
        assert!(page.contains(&line), "{line} is missing from\n{page}");
    }
}

#[tokio::test]
async fn only_get_and_post_deliver() {
    let world = World::start().await;
    for method in ["HEAD", "OPTIONS", "PUT", "DELETE"] {
        let request = world.anonymous(method, PATH).header("x-heliograph-webhook-token", WEBHOOK_SECRET);
        let reply = Reply::to(request).await;
        assert_eq!((reply.status.as_u16(), reply.header("allow")), (405, "GET, POST"), "{method}");
    }
    assert!(world.metrics.page().unwrap().contains(r#"deliveries_total{answer="kept"} 0"#));
}
