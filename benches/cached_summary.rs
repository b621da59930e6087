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
use heliograph::{
    app::App,
    clock::Clock,
    config::Config,
    sandbox::{self, Sandbox},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const KEY: &str = "key-of-the-bench";
const CONNECTIONS: usize = 32;
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(2);

const SUMMARY: &str = "query($id: ID!) { designSummary(designId: $id) {
    designId projectId createdAt systemSizeStc(unit: KILOWATT) systemSizePtc systemSizeAc moduleCount fetchedAt stale
    billOfMaterials { componentType componentTypeText sku name manufacturerName quantity }
    arrays { size azimuth pitch configuration face groundMounted module { name ratingStc count orientation }
        shading { solarAccess { annual monthly } totalSolarResourceFraction } }
    stringInverters { name ratedPower } batteries { name hasIntegratedInverter }
    energyProduction { upToDate annual annualOffset monthly } } }";

fn main() {
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (gateway_runtime, floor_runtime) = (runtime(), runtime());

    let (sandbox, gateway) = gateway_runtime.block_on(start());
    let design = plant(&sandbox);
    let request = request(&json!({ "query": SUMMARY, "variables": { "id": design } }).to_string());
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

async fn start() -> (Sandbox, SocketAddr) {
    let config = sandbox::Config { listen: "127.0.0.1:0".parse().unwrap(), ..sandbox::Config::default() };
    let sandbox = Sandbox::start(config).await.unwrap();
    let place = tempfile::tempdir().unwrap();
    let settings = [
        ("SERVER__LISTEN", "127.0.0.1:0".to_owned()),
        ("SERVER__ADMIN_LISTEN", "127.0.0.1:0".to_owned()),
        ("AURORA__BASE_URL", sandbox.base_url()),
        ("AURORA__TENANTS__0__ID", sandbox::TENANT.to_owned()),
        ("AURORA__TENANTS__0__KEY", sandbox::TENANT_KEY.to_owned()),
        ("WEBHOOKS__SECRET", "secret-of-the-bench".to_owned()),
        ("AUTH__API_KEYS__0__NAME", "bench".to_owned()),
        ("AUTH__API_KEYS__0__KEY", KEY.to_owned()),
        ("AUTH__API_KEYS__0__TENANTS", sandbox::TENANT.to_owned()),
        ("AUTH__API_KEYS__0__SCOPES", "read".to_owned()),
        ("STORE__PATH", place.path().join("heliograph.db").display().to_string()),
    ];
    let settings = settings.map(|(key, value)| (format!("HELIOGRAPH_{key}"), value));
    let app = App::build(&Config::load(None, settings).unwrap(), Clock::system()).await.unwrap();
    let address = app.addr();
    tokio::spawn(async move {
        let _kept = place;
        app.run(CancellationToken::new()).await.unwrap();
    });
    (sandbox, address)
}

fn plant(sandbox: &Sandbox) -> &'static str {
    sandbox.handle().plant(sandbox::TENANT, "bench-project", "bench-design").unwrap();
    "bench-design"
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
