//! A cached design summary through the whole gateway, against a plain axum handler that returns the same bytes.
//!
//! Both run in this process, on a runtime of one thread each, and are asked in turns by the same client over
//! loopback, so that whatever else the machine does falls on both alike. The figure that counts is the ratio.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench tells its figures, and stops at the first failure"
)]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use axum::{Router, http::header::CONTENT_TYPE, routing::post};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use self::{
    gateway::{DESIGN, Gateway, KEY},
    summary::SUMMARY,
};

#[path = "common/gateway.rs"]
mod gateway;
#[path = "common/summary.rs"]
mod summary;

const CONNECTIONS: usize = 32;
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(2);

fn main() {
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (gateway_runtime, floor_runtime) = (runtime(), runtime());

    let Gateway { app, sandbox, place } = gateway_runtime.block_on(Gateway::with(&[]));
    let gateway = app.addr();
    gateway_runtime.spawn(async move {
        let _kept = (sandbox, place);
        app.run(CancellationToken::new()).await.unwrap();
    });
    let request = request(&json!({ "query": SUMMARY, "variables": { "id": DESIGN } }).to_string());
    let answer = Client::connect(gateway).ask(&request);
    let body: Value = serde_json::from_slice(&answer).unwrap();
    assert!(body["errors"].is_null(), "{body}");
    let floor = floor_runtime.block_on(plain(answer.clone().into()));

    println!(
        "{} bytes of answer, {CONNECTIONS} connections, {ROUNDS} rounds of {ROUND:?} each",
        answer.len()
    );
    let mut ratios = Vec::new();
    for round in 1..=ROUNDS {
        let (plain, cached) = (rate(floor, &request), rate(gateway, &request));
        ratios.push(cached / plain);
        println!(
            "round {round}: plain handler {plain:.0}/s, gateway {cached:.0}/s, ratio {:.3}",
            cached / plain
        );
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "median ratio {:.3} (lowest {:.3}, highest {:.3})",
        ratios[ROUNDS / 2],
        ratios[0],
        ratios[ROUNDS - 1]
    );
}

async fn plain(answer: Bytes) -> SocketAddr {
    let handler = move |_body: Bytes| {
        let answer = answer.clone();
        async move { ([(CONTENT_TYPE, "application/json")], answer) }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/graphql", post(handler));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

fn request(body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST /graphql HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {KEY}\r\ncontent-type: application/json\r\n\
         accept: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Answers in a second, over all connections.
fn rate(server: SocketAddr, request: &[u8]) -> f64 {
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let askers: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (stop, count, request) = (Arc::clone(&stop), Arc::clone(&count), request.to_vec());
            thread::spawn(move || {
                let mut client = Client::connect(server);
                while !stop.load(Ordering::Relaxed) {
                    client.ask(&request);
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let begun = Instant::now();
    thread::sleep(ROUND);
    stop.store(true, Ordering::Relaxed);
    let answered = count.load(Ordering::Relaxed);
    let seconds = begun.elapsed().as_secs_f64();
    askers.into_iter().for_each(|asker| asker.join().unwrap());
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let answered = answered as f64;
    answered / seconds
}

/// One connection that is kept.
struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    fn connect(server: SocketAddr) -> Self {
        let stream = TcpStream::connect(server).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: vec![0; 64 * 1024] }
    }

    /// Sends a request and reads its answer's body.
    fn ask(&mut self, request: &[u8]) -> Vec<u8> {
        self.stream.write_all(request).unwrap();
        let mut read = 0;
        loop {
            let more = self.stream.read(&mut self.buffer[read..]).unwrap();
            assert!(more > 0, "the server closed the connection");
            read += more;
            let Some(head) = self.buffer[..read].windows(4).position(|it| it == b"\r\n\r\n") else {
                continue;
            };
            let text = String::from_utf8_lossy(&self.buffer[..head]).to_lowercase();
            let length: usize = text
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .expect("a length")
                .parse()
                .unwrap();
            if read >= head + 4 + length {
                return self.buffer[head + 4..head + 4 + length].to_vec();
            }
        }
    }
}
