//! Connections that say nothing, say it slowly, or are there when the gateway stops.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};

use super::world::{KEY, World, eventually};
use crate::http::{Config, server::Limits};

/// Limits that a test does not have to wait long for.
fn short() -> Limits {
    Limits { head: Duration::from_millis(200), idle: Duration::from_millis(300), ..Limits::default() }
}

/// Everything the server says until it hangs up, and how long that took.
pub(super) async fn until_closed(mut stream: TcpStream) -> (String, Duration) {
    let began = Instant::now();
    let mut said = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut said));
    // A reset counts as hanging up.
    let _reset = read.await.expect("the server never hung up");
    (String::from_utf8_lossy(&said).into_owned(), began.elapsed())
}

pub(super) async fn connect(world: &World, say: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream.write_all(say).await.unwrap();
    stream
}

#[tokio::test]
async fn whoever_says_nothing_or_only_a_beginning_is_hung_up_on() {
    let world = World::with(Config::default(), short()).await;
    let beginnings: [&[u8]; 5] =
        [b"", b"G", b"PRI * HTTP/2.0\r\n", b"GET / HTTP/1.1\r\nx: y", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"];
    for beginning in beginnings {
        let (_, took) = until_closed(connect(&world, beginning).await).await;
        assert!(took < Duration::from_secs(2), "{:?}: {took:?}", String::from_utf8_lossy(beginning));
    }
}

#[tokio::test]
async fn a_connection_without_requests_is_closed_when_it_was_idle_long_enough() {
    let world = World::with(Config::default(), short()).await;
    let stream = connect(&world, b"GET /schema.graphql HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let (said, took) = until_closed(stream).await;
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    assert!(took >= Duration::from_millis(250) && took < Duration::from_secs(2), "{took:?}");
}

/// Says a request's head byte by byte, for ever, and gives how long the server listened.
async fn say_slowly(mut stream: TcpStream) -> Duration {
    let began = Instant::now();
    let slow = async {
        for byte in b"GET /schema.graphql HTTP/1.1\r\nx-".iter().chain(std::iter::repeat(&b'x')) {
            if stream.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), slow).await.expect("it listens for ever");
    began.elapsed()
}

#[tokio::test]
async fn a_later_head_has_no_longer_than_twice_the_first_ones_time() {
    let limits =
        Limits { head: Duration::from_millis(200), idle: Duration::from_secs(60), ..Limits::default() };
    let world = World::with(Config::default(), limits).await;
    let first = b"GET /schema.graphql HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut kept = connect(&world, first).await;
    let mut said = vec![0; 4096];
    assert!(kept.read(&mut said).await.unwrap() > 0);
    // It may be idle for longer than a head may take, and send another request in pieces.
    tokio::time::sleep(Duration::from_millis(500)).await;
    kept.write_all(&first[..20]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    kept.write_all(&first[20..]).await.unwrap();
    assert!(kept.read(&mut said).await.unwrap() > 0, "an honest client was cut off");

    let took = say_slowly(kept).await;
    assert!(took >= Duration::from_millis(200) && took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let config = Config { body_timeout: Duration::from_millis(100), ..Config::default() };
    let world = World::with(config, Limits::default()).await;
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: {KEY}\r\ncontent-type: application/json\r\n\
         content-length: 100\r\n\r\n{{"
    );
    let mut stream = connect(&world, head.as_bytes()).await;
    let mut said = [0; 12];
    stream.read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"HTTP/1.1 408");
}

#[tokio::test]
async fn a_body_that_announces_itself_as_too_long_is_refused_before_any_of_it_comes() {
    let world = World::start().await;
    let head = |length: u32| {
        format!(
            "POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: {KEY}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n"
        )
    };
    let body = r#"{"query":"{ name }"}"#;
    let mut sound = connect(&world, format!("{}{body}", head(20)).as_bytes()).await;
    let mut said = [0; 12];
    sound.read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"HTTP/1.1 200");

    let began = Instant::now();
    let mut stream = connect(&world, head(1 << 30).as_bytes()).await;
    stream.read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"HTTP/1.1 413");
    let took = began.elapsed();
    assert!(took < Duration::from_secs(1), "it waited for a body: {took:?}");
}

#[tokio::test]
async fn a_path_that_climbs_out_of_the_assets_is_not_there() {
    let world = World::start().await;
    // Clients tidy such a path before they send it, so this is said by hand.
    let head = b"GET /assets/../index.html HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let (said, _) = until_closed(connect(&world, head).await).await;
    assert!(said.starts_with("HTTP/1.1 404"), "{said}");
}

#[tokio::test]
async fn a_request_whose_client_gives_up_is_counted() {
    let world = World::start().await;
    let body = r#"{"query":"{ gated }"}"#;
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: {KEY}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let client = connect(&world, head.as_bytes()).await;
    world.script.entered.notified().await;
    drop(client);
    let line = r#"heliograph_http_requests_total{route="/graphql",status="aborted"} 1"#;
    eventually("it is counted as aborted", || world.metrics.page().unwrap().contains(line)).await;
}

#[tokio::test]
async fn whoever_comes_when_all_seats_are_taken_is_served_when_one_is_free() {
    let limits = Limits { connections: 1, ..Limits::default() };
    let world = World::with(Config::default(), limits).await;
    let request = b"GET /schema.graphql HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut first = connect(&world, request).await;
    let mut byte = [0; 1];
    first.read_exact(&mut byte).await.unwrap();
    let mut second = connect(&world, request).await;
    let waits = tokio::time::timeout(Duration::from_millis(100), second.read_exact(&mut byte)).await;
    assert!(waits.is_err(), "the second was served while the first held the only seat");
    drop(first);
    second.read_exact(&mut byte).await.unwrap();
}

#[tokio::test]
async fn a_stop_lets_a_running_request_finish_and_takes_no_new_one() {
    let world = World::start().await;
    let entered = world.script.entered.notified();
    let running = async {
        let reply = world.query("{ gated }").await;
        assert_eq!(reply.json()["data"]["gated"], true);
    };
    let stop = async {
        entered.await;
        world.shutdown.cancel();
        while TcpStream::connect(world.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        world.script.gate.notify_one();
    };
    tokio::join!(running, stop);
    assert_eq!(world.served.await.unwrap().cut_off, 0);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_idle_connections() {
    let world = World::start().await;
    let mut idle = connect(&world, b"GET /schema.graphql HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let silent = connect(&world, b"").await;
    idle.read_exact(&mut [0; 1]).await.unwrap();
    world.shutdown.cancel();
    until_closed(idle).await;
    until_closed(silent).await;
    eventually("the server ended", || world.served.is_finished()).await;
}
