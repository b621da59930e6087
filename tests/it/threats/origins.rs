//! Pages of other origins: none of them opens a socket or a stream, whatever it knows.

use serde_json::json;

use crate::world::{KEY, Subscriber, World};

const FRIEND: &str = "https://crm.example.com";

/// Eight that are not [`FRIEND`], nor the gateway's own page.
const FOREIGN: [&str; 8] = [
    "null",
    "https://evil.example",
    "http://crm.example.com",
    "https://crm.example.com:8443",
    "https://app.crm.example.com",
    "https://crm.example.com.evil.example",
    "https://evilcrm.example.com",
    "https://crm.example.com/",
];

#[tokio::test]
async fn of_eight_foreign_origins_none_is_served() {
    let world = World::with(|_| {}, &[("HELIOGRAPH_SERVER__ALLOWED_ORIGINS", FRIEND)]).await;
    let url = world.url("/graphql");
    let stream = |origin: &str, accept: &str| {
        let events = json!({ "query": "subscription { events { type } }" });
        let request = world.http.post(&url).bearer_auth(KEY).json(&events);
        request.header("origin", origin).header("accept", accept).send()
    };
    let media = ["text/event-stream", "multipart/mixed;subscriptionSpec=1.0"];
    for origin in [FRIEND, world.url("").as_str()] {
        assert!(Subscriber::try_connect(&url, Some(origin)).await.is_ok(), "{origin}");
        for accept in media {
            assert_eq!(stream(origin, accept).await.unwrap().status(), 200, "{origin} {accept}");
        }
    }

    let own_on_another_port = world.url("").rsplit_once(':').unwrap().0.to_owned() + ":1";
    let mut served = 0;
    for origin in FOREIGN.iter().copied().chain([own_on_another_port.as_str()]) {
        match Subscriber::try_connect(&url, Some(origin)).await {
            Ok(_) => served += 1,
            Err(status) => assert_eq!(status, 403, "{origin}"),
        }
        for accept in media {
            let answer = stream(origin, accept).await.unwrap();
            served += usize::from(answer.status().is_success());
            assert!(!answer.headers().contains_key("access-control-allow-origin"), "{origin}");
            assert_eq!(answer.status(), 403, "{origin} {accept}");
        }
    }
    assert_eq!(served, 0);
    assert_eq!(world.aurora.calls().len(), 0);
}
