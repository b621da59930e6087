//! Faults, as a client meets them.

use std::time::{Duration, Instant};

use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::{Fault, FaultRule, TENANT, TENANT_KEY};
use super::support::{ADDRESS, World, answer};

const PATH: &str = "/tenants/tenant-demo";

impl World {
    async fn tenant(&self) -> reqwest::Result<Response> {
        self.request(Method::GET, PATH, TENANT_KEY).send().await
    }

    async fn once(&self, fault: Fault) -> reqwest::Result<Response> {
        self.handle().fail(FaultRule::new("GET", "/tenants/*", fault).times(1)).unwrap();
        self.tenant().await
    }

    /// One raw request; what comes back until the connection ends, and how it ended.
    async fn raw(&self) -> (String, std::io::Result<()>) {
        let mut stream = TcpStream::connect(self.sandbox.addr()).await.unwrap();
        let request = format!("GET {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TENANT_KEY}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = Vec::new();
        let end = stream.read_to_end(&mut text).await.map(|_| ());
        (String::from_utf8(text).unwrap(), end)
    }
}

#[tokio::test]
async fn a_status_comes_with_its_header_and_body_and_then_no_more() {
    let world = World::start().await;
    let response = world.once(Fault::status_retry_after(429, 7)).await.unwrap();
    assert_eq!(response.headers()["retry-after"], "7");
    let (status, body) = answer(response).await;
    assert_eq!((status, body["errors"].is_array()), (429, true));
    assert_eq!(world.tenant().await.unwrap().status(), 200);

    let body = json!({"error": {"base": ["Retry after 3 seconds"]}});
    let fault = Fault::Status { status: 429, retry_after: None, body: Some(body.clone()) };
    assert_eq!(answer(world.once(fault).await.unwrap()).await, (429, body));
    assert_eq!(world.handle().calls()[0].fault, Some("status"));
}

#[tokio::test]
async fn html_empty_shapeless_and_wrong_answers_can_be_had() {
    let world = World::start().await;
    let (status, html) = answer(world.once(Fault::HtmlBadGateway).await.unwrap()).await;
    assert_eq!((status, html.as_str().unwrap().starts_with("<html>")), (502, true));
    assert_eq!(answer(world.once(Fault::EmptyError).await.unwrap()).await, (500, json!("")));
    let shapeless = Fault::Body { body: json!([]) };
    assert_eq!(answer(world.once(shapeless).await.unwrap()).await, (200, json!([])));
    let (_, wrong) = answer(world.once(Fault::WrongTypes).await.unwrap()).await;
    assert_eq!(wrong, json!({"tenant": {"id": 7, "name": 7}}));
    let (status, echo) = answer(world.once(Fault::EchoAuthorization { status: 400 }).await.unwrap()).await;
    assert_eq!((status, echo.to_string().contains(TENANT_KEY)), (400, true));
    let moved = world.once(Fault::Redirect { location: "http://127.0.0.1:1/".to_owned() }).await.unwrap();
    assert_eq!(
        (moved.status().as_u16(), &moved.headers()["location"]),
        (302, &"http://127.0.0.1:1/".parse().unwrap())
    );
}

#[tokio::test]
async fn a_late_answer_and_a_slow_body_arrive_whole() {
    let world = World::start().await;
    for fault in [Fault::Delay { ms: 80 }, Fault::SlowBody { ms: 80 }] {
        let begun = Instant::now();
        let (status, body) = answer(world.once(fault).await.unwrap()).await;
        assert_eq!((status, &body["tenant"]["id"]), (200, &json!(TENANT)));
        assert!(begun.elapsed() >= Duration::from_millis(80));
    }
}

#[tokio::test]
async fn a_hanging_call_is_in_the_log_and_does_not_keep_the_sandbox_from_stopping() {
    let world = World::start().await;
    world.handle().fail(FaultRule::new("*", "/**", Fault::Hang)).unwrap();
    let request = tokio::spawn(world.request(Method::GET, PATH, TENANT_KEY).send());
    world.eventually("the call", |it| it.calls_to("GET", PATH) == 1).await;
    assert_eq!(world.handle().calls()[0].status, None);
    world.sandbox.stop().await;
    assert!(request.await.unwrap().is_err());
}

#[tokio::test]
async fn a_dropped_sandbox_leaves_neither_port_nor_connection_behind() {
    let world = World::start().await;
    let addr = world.sandbox.addr();
    let mut idle = TcpStream::connect(addr).await.unwrap();
    world.tenant().await.unwrap();
    drop(world.sandbox);
    let mut byte = [0];
    assert!(matches!(idle.read(&mut byte).await, Ok(0) | Err(_)));
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn a_connection_can_be_closed_or_reset_before_any_answer() {
    let world = World::start().await;
    world.handle().fail(FaultRule::new("*", "/**", Fault::Close).times(1)).unwrap();
    let (text, end) = world.raw().await;
    assert!(text.is_empty() && end.is_ok());

    world.handle().fail(FaultRule::new("*", "/**", Fault::Reset).times(1)).unwrap();
    let (text, end) = world.raw().await;
    assert!(text.is_empty());
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    assert!(world.once(Fault::Reset).await.is_err());
    assert_eq!(world.tenant().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_truncated_answer_stops_in_the_middle() {
    let world = World::start().await;
    for chunked in [false, true] {
        world.handle().fail(FaultRule::new("*", "/**", Fault::Truncated { chunked }).times(1)).unwrap();
        let (text, _) = world.raw().await;
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"));
        assert_eq!(head.contains("content-length"), !chunked);
        assert!(body.contains("{\"tenant\"") && !body.contains("}}") && !body.contains("\r\n0\r\n"));
        let response = world.once(Fault::Truncated { chunked }).await.unwrap();
        assert!(response.bytes().await.is_err());
    }
}

#[tokio::test]
async fn a_create_can_take_effect_and_lose_its_answer() {
    let world = World::start().await;
    let path = format!("{PATH}/projects");
    world
        .handle()
        .fail(FaultRule::new("POST", "/tenants/*/projects", Fault::CutAfterEffect).times(1))
        .unwrap();
    let body: Value = json!({"project": {"location": {"property_address": ADDRESS}}});
    // A new connection: on one used before, the client itself would try again.
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let sent = client.post(world.url(&path)).bearer_auth(TENANT_KEY).json(&body).send().await;
    assert!(sent.is_err());
    assert_eq!(world.handle().projects(TENANT).len(), 1);
}

#[tokio::test]
async fn a_fault_without_effect_spends_nothing_of_the_limit() {
    let patch = super::super::Patch { requests_per_minute: Some(1), ..Default::default() };
    let world = World::start().await;
    world.handle().configure(patch);
    for _ in 0..3 {
        assert_eq!(world.once(Fault::status(503)).await.unwrap().status(), 503);
    }
    assert_eq!(world.tenant().await.unwrap().status(), 200);
    assert_eq!(world.tenant().await.unwrap().status(), 429);
}
