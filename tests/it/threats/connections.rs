//! Connections that are held and not used, sixty at a time: each is closed, and nobody else waits for that.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::world::{KEY, Neighbour, World};

/// As many as hold a careless server up.
const MANY: usize = 60;

/// The time-outs of these tests, and how long a connection may last at most: one of them, twice, and what a loaded machine
/// takes on top.
const TIMEOUT: &str = "1s";
const LONGEST: Duration = Duration::from_secs(8);

/// What a neighbour may wait.
const P99: Duration = Duration::from_secs(1);

async fn world() -> World {
    let short = ["HEADER", "BODY", "IDLE"].map(|it| format!("HELIOGRAPH_LIMITS__{it}_TIMEOUT"));
    let mut settings: Vec<_> = short.iter().map(|it| (it.as_str(), TIMEOUT)).collect();
    settings.push(("HELIOGRAPH_LIMITS__REQUESTS_PER_MINUTE", "1000000"));
    World::with(|_| {}, &settings).await
}

fn head(length: usize) -> String {
    format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n"
    )
}

/// Says something at once and then a byte at a time, for as long as the server listens. How long that was, and what it said.
async fn trickle(address: &str, at_once: String, slowly: Option<u8>) -> (Duration, String) {
    let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
    let began = Instant::now();
    let say = async {
        let mut open = writer.write_all(at_once.as_bytes()).await.is_ok();
        while let (true, Some(byte)) = (open, slowly) {
            tokio::time::sleep(Duration::from_millis(50)).await;
            open = writer.write_all(&[byte]).await.is_ok();
        }
        std::future::pending::<()>().await;
    };
    let mut said = Vec::new();
    let hear = async {
        tokio::select! {
            // A reset is an end as well.
            _ended = reader.read_to_end(&mut said) => {}
            () = say => {}
        }
    };
    tokio::time::timeout(LONGEST, hear).await.expect("the server held on to it");
    (began.elapsed(), String::from_utf8_lossy(&said).into_owned())
}

/// Sixty of a kind beside a neighbour: what the server said to each.
async fn sixty(at_once: &str, slowly: Option<u8>) -> Vec<String> {
    let world = world().await;
    let (_, design) = world.design().await;
    let query = format!(r#"{{ design(designId: "{design}") {{ name summary {{ moduleCount }} }} }}"#);
    world.query(&query).await.sound();
    let calls = world.aurora.calls().len();
    let address = world.url("").trim_start_matches("http://").to_owned();

    // Somebody who is only a little slow is served.
    let body = r#"{"query":"{ viewer { name } }"}"#;
    let request = head(body.len()) + body;
    let mut honest = TcpStream::connect(&address).await.unwrap();
    for piece in request.as_bytes().chunks(request.len() / 5) {
        honest.write_all(piece).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut status = [0; 12];
    honest.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");

    let neighbour = Neighbour::beside(world.url("/graphql"), KEY, &query);
    let all = join_all((0..MANY).map(|_| trickle(&address, at_once.to_owned(), slowly))).await;
    let p99 = neighbour.p99();
    assert!(p99 <= P99, "a neighbour waited {p99:?}");
    assert_eq!(world.aurora.calls().len(), calls, "Aurora was asked");
    let closed = all.iter().filter(|(took, _)| *took < LONGEST).count();
    assert_eq!(closed, MANY);
    assert!(all.iter().all(|(took, _)| *took >= Duration::from_millis(900)), "closed before its time");
    all.into_iter().map(|(_, said)| said).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_of_sixty_that_say_nothing_are_closed() {
    let said = sixty("", None).await;
    assert!(said.iter().all(String::is_empty), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_of_sixty_slow_heads_are_closed() {
    let said = sixty("POST /graphql HTTP/1.1\r\nhost: x\r\nx: ", Some(b'x')).await;
    assert!(said.iter().all(|it| !it.starts_with("HTTP/1.1 2")), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_of_sixty_slow_bodies_are_refused_and_closed() {
    let said = sixty(&head(60_000), Some(b' ')).await;
    assert!(said.iter().all(|it| it.starts_with("HTTP/1.1 408")), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_of_sixty_slow_later_heads_are_closed() {
    let body = r#"{"query":"{ viewer { name } }"}"#;
    let said = sixty(&(head(body.len()) + body + "GET /"), Some(b'x')).await;
    assert!(said.iter().all(|it| it.matches("HTTP/1.1 200").count() == 1), "{said:?}");
}
