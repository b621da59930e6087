//! The rate limit.

use std::time::Duration;

use reqwest::{Method, Response};

use super::super::{Config, RetryAfterForm, TENANT, TENANT_KEY};
use super::support::{World, answer, quiet};

async fn limited(form: RetryAfterForm) -> (World, Response) {
    let config = Config { requests_per_minute: 3, retry_after: form, ..quiet() };
    let world = World::with(config).await;
    for _ in 0..3 {
        assert_eq!(tenant(&world).await.status(), 200);
    }
    let refused = tenant(&world).await;
    assert_eq!(refused.status(), 429);
    (world, refused)
}

async fn tenant(world: &World) -> Response {
    world.request(Method::GET, &format!("/tenants/{TENANT}"), TENANT_KEY).send().await.unwrap()
}

#[tokio::test]
async fn a_key_over_its_limit_is_told_to_wait_and_served_after_that() {
    let (world, refused) = limited(RetryAfterForm::Seconds).await;
    let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait));
    world.handle().move_clock(Duration::from_secs(wait));
    assert_eq!(tenant(&world).await.status(), 200);
}

#[tokio::test]
async fn the_limit_is_each_keys_own() {
    let (world, _) = limited(RetryAfterForm::Seconds).await;
    let other = world.temporary_key(TENANT).await;
    let response = world.request(Method::GET, &format!("/tenants/{TENANT}"), &other).send().await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn the_wait_may_be_a_date_or_stand_in_the_body_alone() {
    let (_world, refused) = limited(RetryAfterForm::HttpDate).await;
    assert!(refused.headers()["retry-after"].to_str().unwrap().ends_with(" GMT"));

    let (_world, refused) = limited(RetryAfterForm::BodyOnly).await;
    assert!(refused.headers().get("retry-after").is_none());
    let (_, body) = answer(refused).await;
    assert!(body["errors"][0]["message"].as_str().unwrap().contains("Retry after"));
}

#[tokio::test]
async fn aurora_allows_90_requests_a_minute() {
    let world = World::start().await;
    for _ in 0..90 {
        assert_eq!(tenant(&world).await.status(), 200);
    }
    assert_eq!(tenant(&world).await.status(), 429);
}
