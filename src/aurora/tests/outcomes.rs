//! What each answer, and each way of not answering, means for the caller.

use axum::body::Body;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{
    double::{answer, answer_with, empty_design},
    *,
};
use crate::domain::{ProjectId, ProjectKey};

async fn asked(status: u16, body: &'static str) -> Error {
    let double = Double::start(move |_| answer(status, body)).await;
    ask(&client(own_key(&double))).await.unwrap_err()
}

async fn created(status: u16, body: &'static str) -> Result<crate::domain::Project, Error> {
    let double = Double::start(move |_| answer(status, body)).await;
    create(&client(own_key(&double))).await
}

#[tokio::test]
async fn each_status_has_its_meaning() {
    assert!(matches!(asked(404, "").await, Error::NotFound));
    assert!(matches!(asked(403, "<html>").await, Error::Forbidden));
    assert!(matches!(asked(409, "").await, Error::Unavailable(_)));
    assert!(matches!(asked(500, "").await, Error::Unavailable(_)));
    assert!(matches!(asked(502, "<html>").await, Error::Unavailable(_)));
    assert!(matches!(asked(304, "").await, Error::InvalidResponse(_)));
    assert!(matches!(asked(200, "<html>").await, Error::InvalidResponse(_)));
    assert!(matches!(asked(200, "{\"design\":").await, Error::InvalidResponse(_)));
    assert!(matches!(asked(200, r#"{"design":{}}"#).await, Error::InvalidResponse(_)));
    assert!(matches!(asked(200, r#"{"design":{"unheard_of":1}}"#).await, Error::InvalidResponse(_)));
    assert!(matches!(asked(200, r#"{"design":{"design_id":"d2"}}"#).await, Error::InvalidResponse(_)));
    let Error::Rejected { status: 422, messages } = asked(422, r#"{"error":{"name":["is bad"]}}"#).await
    else {
        panic!("a 422 is a rejection");
    };
    assert_eq!(messages, [Rejection { field: Some("name".into()), message: "is bad".into() }]);
}

#[tokio::test]
async fn a_create_without_a_verdict_is_left_open() {
    assert!(matches!(created(500, "").await, Err(Error::OutcomeUnknown(_))));
    assert!(matches!(created(504, "<html>").await, Err(Error::OutcomeUnknown(_))));
    for body in ["", "<html>", "{\"project\":{\"id\":\"p", "{\"project\":{}}"] {
        assert!(matches!(created(200, body).await, Err(Error::OutcomeUnknown(_))), "{body}");
    }
    for status in [301, 302, 307] {
        assert!(matches!(created(status, "").await, Err(Error::OutcomeUnknown(_))), "{status}");
    }
    assert!(matches!(created(409, "").await, Err(Error::Unavailable(_))));
    assert!(matches!(created(422, "").await, Err(Error::Rejected { .. })));
    assert!(matches!(created(429, "").await, Err(Error::RateLimited { .. })));
    assert_eq!(created(202, r#"{"project":{"id":7}}"#).await.unwrap().id.as_str(), "7");
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_made() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let double = Double::start(|_| empty_design()).await;
    let url = Url::parse(&format!("http://{free}")).unwrap();
    let aurora = client(Config { base_url: url, ..own_key(&double) });
    assert!(matches!(create(&aurora).await, Err(Error::Unavailable(_))));
    assert!(matches!(ask(&aurora).await, Err(Error::Unavailable(_))));
}

/// Accepts connections, reads a request from each, says `words[n]` to the n-th, and closes.
async fn says(words: &'static [&'static str]) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        for word in words {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let read = socket.read(&mut request).await.unwrap();
            assert!(read > 0);
            socket.write_all(word.as_bytes()).await.unwrap();
        }
    });
    url
}

const DESIGN: &str = "HTTP/1.1 200 OK\r\ncontent-length: 24\r\n\r\n{\"design\":{\"arrays\":[]}}";
const CUT: &str = "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"project\":{\"id\":\"p\"";

#[tokio::test]
async fn a_read_that_met_a_dying_connection_is_repeated_once() {
    let double = Double::start(|_| empty_design()).await;
    let meter = Meter::default();
    let aurora = client(Config { base_url: says(&["", DESIGN]).await, ..own_key(&double) });
    assert!(aurora.summary(&design(), &meter).await.is_ok());
    assert_eq!(meter.calls(), 2);
    let aurora = client(Config { base_url: says(&["", ""]).await, ..own_key(&double) });
    assert!(matches!(ask(&aurora).await, Err(Error::Unavailable(_))));
}

#[tokio::test]
async fn a_create_that_met_a_dying_connection_is_left_open() {
    let double = Double::start(|_| empty_design()).await;
    for words in [&["", CUT], &[CUT, CUT]] {
        let aurora = client(Config { base_url: says(words).await, ..own_key(&double) });
        assert!(matches!(create(&aurora).await, Err(Error::OutcomeUnknown(_))));
    }
    let aurora = client(Config { base_url: says(&[CUT]).await, ..own_key(&double) });
    assert!(ask(&aurora).await.unwrap_err().is_outage());
}

#[tokio::test]
async fn silence_is_a_timeout_for_a_read_and_open_for_a_create() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let double = Double::start(|_| empty_design()).await;
    let base_url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let request_timeout = Duration::from_millis(50);
    let aurora = client(Config { base_url, request_timeout, ..own_key(&double) });
    assert!(matches!(ask(&aurora).await, Err(Error::Timeout)));
    assert!(matches!(create(&aurora).await, Err(Error::OutcomeUnknown(_))));
}

#[tokio::test]
async fn too_many_stops_the_key_for_all_who_share_it() {
    let double = Double::start(|_| answer_with(429, ("retry-after", "30"), "")).await;
    let aurora = client(own_key(&double));
    let wait = Duration::from_secs(30);
    assert!(matches!(ask(&aurora).await, Err(Error::RateLimited { retry_after }) if retry_after == wait));
    let next = create(&aurora).await;
    assert!(matches!(next, Err(Error::RateLimited { retry_after }) if retry_after <= wait));
    assert_eq!(double.seen().len(), 1);
    let budget = aurora.budget(&tenant()).unwrap();
    assert!(budget.remaining == 0 && budget.resets_in <= wait);
}

#[tokio::test]
async fn the_limit_holds_for_each_key_apart() {
    let double = Double::with_keys(|_| empty_design()).await;
    let requests_per_minute = NonZeroU32::new(2).unwrap();
    let aurora = client(Config { requests_per_minute, ..config(&double) });
    ask(&aurora).await.unwrap();
    ask(&aurora).await.unwrap();
    assert!(matches!(ask(&aurora).await, Err(Error::RateLimited { .. })));
    let other = DesignKey { tenant: TenantId::parse("t2").unwrap(), ..design() };
    assert!(aurora.summary(&other, &Meter::default()).await.is_ok());
    assert_eq!(double.data_calls(), 3);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Double::start(|_| empty_design()).await;
    let there = elsewhere.url.to_string();
    let double = Double::start(move |_| answer_with(302, ("location", &there), "")).await;
    assert!(matches!(ask(&client(own_key(&double))).await, Err(Error::InvalidResponse(_))));
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    let double = Double::start(|_| {
        let chunks = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 1 << 20]));
        answer(200, Body::from_stream(chunks))
    })
    .await;
    let aurora = client(own_key(&double));
    assert!(matches!(ask(&aurora).await, Err(Error::InvalidResponse(_))));
    assert!(matches!(create(&aurora).await, Err(Error::OutcomeUnknown(_))));
}

/// So many MiB of zeros, gzipped as small as can be: some 1,000 to 1. The checksum is theirs, so that only their number is
/// against them.
fn zeros(mebibytes: usize, checksum: u32) -> Vec<u8> {
    const GZIP: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    // A block of one MiB with codes of its own: a zero, then "258 more of the last byte" at two bits each. It ends at a
    // whole byte, so that the next can follow.
    const BEGIN: [u8; 15] = [0xec, 0xc1, 0x31, 0x01, 0, 0, 0, 0xc2, 0xa0, 0xf5, 0x4f, 0x6d, 0x08, 0x5f, 0xa0];
    const END: [u8; 6] = [0x3e, 0x03, 0, 0, 0xff, 0xff];
    const LAST: [u8; 2] = [3, 0];
    let block = [&BEGIN[..], &[0; 1016], &END].concat();
    let length = u32::try_from(mebibytes << 20).unwrap();
    [&GZIP[..], &block.repeat(mebibytes), &LAST, &checksum.to_le_bytes(), &length.to_le_bytes()].concat()
}

async fn asked_for_zeros(gzip: Vec<u8>) -> (&'static str, Duration) {
    let double = Double::start(move |_| answer_with(200, ("content-encoding", "gzip"), gzip.clone())).await;
    let aurora = client(own_key(&double));
    let began = std::time::Instant::now();
    let Err(Error::InvalidResponse(reason)) = ask(&aurora).await else { panic!("zeros are no design") };
    (reason, began.elapsed())
}

#[tokio::test]
async fn the_cap_counts_what_was_decompressed_and_stops_there() {
    let (reason, _) = asked_for_zeros(zeros(9, 0x6321_4bad)).await;
    assert!(!reason.contains("longer") && !reason.contains("decompressed"), "nine are read: {reason}");

    let bomb = zeros(1024, 0x5b64_c2b0);
    assert!(bomb.len() < 1100 * 1024, "{}", bomb.len());
    let (reason, took) = asked_for_zeros(bomb).await;
    assert!(reason.contains("longer"), "{reason}");
    assert!(took <= Duration::from_secs(2), "a gibibyte took {took:?}");
}

#[tokio::test]
async fn what_is_sent_is_what_aurora_expects() {
    let double = Double::start(|seen| match seen.method.as_str() {
        "GET" => answer(200, r#"{"projects":[],"designs":[],"project":{}}"#),
        "DELETE" => answer(204, ""),
        "PUT" => answer(200, ""),
        _ => answer(200, r#"{"project":{"id":"p"},"webhook":{"id":"w"}}"#),
    })
    .await;
    let aurora = client(Config { api_version: Some("2024.05".into()), ..own_key(&double) });
    let (meter, project) = (Meter::default(), ProjectId::parse("%2f@h").unwrap());
    let key = ProjectKey { tenant: tenant(), project };
    aurora.projects(&tenant(), Page { number: 2, size: 999 }, &meter).await.unwrap();
    aurora.designs(&key, &meter).await.unwrap();
    aurora.project(&key, &meter).await.unwrap();
    create(&aurora).await.unwrap();
    let webhook = NewWebhook {
        event: "project_created".into(),
        url_template: "https://gateway.test/?t=<TENANT_ID>&s=<SESSION_TOKEN>".into(),
        description: None,
        enabled: true,
        header: "X-Token".into(),
        secret: "hook-secret".into(),
    };
    aurora.create_webhook(&webhook).await.unwrap();
    aurora.update_webhook("w", &webhook).await.unwrap();
    aurora.delete_webhook("w").await.unwrap();
    assert!(matches!(aurora.delete_webhook("..").await, Err(Error::NotFound)));

    let seen = double.seen();
    let lines: Vec<_> = seen.iter().map(|it| format!("{} {}?{}", it.method, it.path, it.query)).collect();
    assert_eq!(
        lines,
        [
            "GET /tenants/t1/projects?page=2&per_page=250",
            "GET /tenants/t1/projects/%252f@h/designs?",
            "GET /tenants/t1/projects/%252f@h?",
            "POST /tenants/t1/projects?",
            "POST /partner_applications/app/webhooks?",
            "PUT /partner_applications/app/webhooks/w?",
            "DELETE /partner_applications/app/webhooks/w?",
        ]
    );
    assert_eq!(seen[0].headers["aurora-api-version"], "2024.05");
    assert_eq!(seen[0].headers["accept"], "application/json");
    assert!(seen[0].headers["user-agent"].to_str().unwrap().starts_with("heliograph/"));
    assert_eq!(seen[3].headers["content-type"], "application/json");
    assert_eq!(seen[3].body, r#"{"project":{"location":{"property_address":"1 Main St"}}}"#);
    assert!(seen[4].body.contains(r#""header_auth_value":"hook-secret""#));
    assert!(seen[..4].iter().all(|it| it.bearer == "sk-own"));
    assert!(seen[4..].iter().all(|it| it.bearer == "app-key"));
}
