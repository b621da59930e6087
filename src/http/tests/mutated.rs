//! Bytes that are nearly a request: whatever came of them, somebody is told, and nobody else notices.

use std::time::Duration;

use futures_util::{StreamExt, future::join_all, stream};
use rand::{Rng, RngCore, SeedableRng, rngs::StdRng};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::world::{KEY, World};
use crate::http::{Config, server::Limits, websocket};

/// As many as run in some seconds.
const CASES: u64 = 300;

/// Every deadline is below this: the longest is for a farewell over HTTP/2, some five seconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// Deadlines that a test does not have to wait long for.
async fn world() -> World {
    let brisk = Duration::from_millis(700);
    let socket = websocket::Limits { init_timeout: brisk, ping_every: brisk, ..websocket::Limits::default() };
    let config = Config { body_timeout: brisk, keep_alive: brisk, socket, ..Config::default() };
    World::with(config, Limits { head: brisk, idle: brisk, ..Limits::default() }).await
}

/// What begins well.
fn sound() -> Vec<Vec<u8>> {
    let post = |body: &str, accept: &str| {
        format!(
            "POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: {KEY}\r\ncontent-type: application/json\r\n\
             accept: {accept}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    };
    let mut socket = b"GET /graphql HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        sec-websocket-protocol: graphql-transport-ws\r\n\r\n"
        .to_vec();
    for text in [
        r#"{"type":"connection_init","payload":{"Authorization":"Bearer k-crm"}}"#,
        r#"{"type":"subscribe","id":"1","payload":{"query":"{ name }"}}"#,
    ] {
        // A mask of zeros leaves the text as it is.
        socket.extend([0x81, 0x80 | u8::try_from(text.len()).unwrap(), 0, 0, 0, 0]);
        socket.extend(text.bytes());
    }
    let mut second = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    second.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    second.extend([0, 0, 6, 1, 5, 0, 0, 0, 1, 0x82, 0x86, 0x84, 0x41, 1, b'x']);
    vec![
        post(r#"{"query":"query A($id: ID!) { echo(id: $id) }","variables":{"id":"é"}}"#, "*/*"),
        post(r#"{"query":"subscription { count(until: 2) }"}"#, "text/event-stream"),
        format!("GET /graphql?query=%7Bname%7D&variables=%7B%7D HTTP/1.1\r\nhost: x\r\nauthorization: {KEY}\r\n\r\n")
            .into_bytes(),
        socket,
        second,
    ]
}

/// Changes, inserts, removes and repeats bytes, one to eight times.
fn mutate(mut bytes: Vec<u8>, chance: &mut StdRng) -> Vec<u8> {
    for _ in 0..chance.random_range(1..=8) {
        let at = chance.random_range(0..bytes.len().max(1)).min(bytes.len().saturating_sub(1));
        let byte = chance.next_u32().to_le_bytes()[0];
        match chance.random_range(0..6) {
            _ if bytes.is_empty() => bytes.push(byte),
            0 => bytes[at] = byte,
            1 => bytes[at] ^= 1 << chance.random_range(0..8),
            2 => bytes.insert(at, byte),
            3 => drop(bytes.remove(at)),
            4 => bytes.truncate(at),
            _ => {
                let end = (at + chance.random_range(1..64)).min(bytes.len());
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
        }
    }
    bytes
}

/// What the server said until it hung up.
async fn said_to(world: &World, bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let mut said = Vec::new();
    let talk = async {
        let _gone = stream.write_all(bytes).await;
        // A reset is an end as well.
        let _reset = stream.read_to_end(&mut said).await;
    };
    timeout(PATIENCE, talk).await.map_err(|_late| "neither an end nor a deadline")?;
    Ok(said)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_bytes_come_there_is_an_answer_or_an_end_and_the_neighbour_is_served() {
    let world = world().await;
    let sound_ones = async {
        let all = sound();
        for said in join_all(all.iter().map(|it| said_to(&world, it))).await {
            let said = said.unwrap();
            let text = String::from_utf8_lossy(&said);
            let good = ["HTTP/1.1 200", "HTTP/1.1 101"].iter().any(|it| text.starts_with(it));
            assert!(good || said.starts_with(&[0, 0]), "{text}");
        }
    };
    let talks = stream::iter(0..CASES).map(|seed| {
        let mut chance = StdRng::seed_from_u64(seed);
        let all = sound();
        let bytes = mutate(all[chance.random_range(0..all.len())].clone(), &mut chance);
        let world = &world;
        async move {
            let outcome = said_to(world, &bytes).await;
            assert!(outcome.is_ok(), "seed {seed}: {outcome:?} of {:?}", String::from_utf8_lossy(&bytes));
            !outcome.unwrap_or_default().is_empty()
        }
    });
    let others = talks.buffer_unordered(150).collect::<Vec<bool>>();
    let ((), answers) = tokio::join!(sound_ones, others);
    let answered = answers.iter().filter(|it| **it).count();
    assert!(answered > answers.len() / 4, "only {answered} of {} got an answer", answers.len());
    assert_eq!(world.query("{ name }").await.json()["data"]["name"], "crm");
    assert_eq!(world.metrics.sockets_open.get(), 0);
}
