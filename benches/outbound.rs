//! How fast a target of outbound webhooks gets what waits for it, beside bare posts of the same bytes to the same receiver.
//!
//! The events are in the journal before the clock starts; in the figure are the reading of them, the lanes, signing,
//! HTTP over loopback, and that how far the target has come is on disk before the next messages are sent. Gateway and
//! receiver share a process. One figure for `at_once` as it comes, one for as many as may be set.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench tells its figures, and stops at the first failure"
)]

use std::{
    path::Path,
    process::ExitCode,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use axum::{Router, body::Bytes, http::StatusCode};
use heliograph::sandbox::TENANT;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::gateway::{Gateway, SECRET};

#[path = "common/gateway.rs"]
mod gateway;

const EVENTS: usize = 6_000;
const DESIGNS: usize = 300;
const ROUNDS: usize = 3;
const CALLERS: usize = 32;
const AT_ONCE: [usize; 2] = [4, 64];
const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let place = tempfile::tempdir().unwrap();
        let store = place.path().join("heliograph.db");
        fill(&store).await;
        let receiver = Receiver::start().await;
        let mut all_once = true;
        for at_once in AT_ONCE {
            let mut rounds = Vec::new();
            for round in 0..ROUNDS {
                let ours = deliver(&store, &receiver, &format!("t{at_once}-{round}"), at_once).await;
                all_once &= receiver.count.swap(0, SeqCst) == EVENTS;
                let bare = post(&receiver, at_once).await;
                receiver.count.store(0, SeqCst);
                rounds.push((ours / bare, ours, bare));
            }
            rounds.sort_by(|one, other| one.0.total_cmp(&other.0));
            let (ratio, ours, bare) = rounds[ROUNDS / 2];
            let bytes = receiver.body.get().unwrap().len();
            println!("{EVENTS} messages of {DESIGNS} designs, {bytes} bytes, {at_once} at once, median of {ROUNDS}:");
            println!("  bare posts {bare:>8.0}/s");
            println!("  delivered  {ours:>8.0}/s  ratio {ratio:.2}");
        }
        // Nothing went wrong here, so nothing is to come twice.
        if all_once { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    })
}

/// Counts what it gets, and keeps one body.
struct Receiver {
    url: String,
    count: Arc<AtomicUsize>,
    body: Arc<OnceLock<Bytes>>,
}

impl Receiver {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let (count, body) = (Arc::<AtomicUsize>::default(), Arc::<OnceLock<Bytes>>::default());
        let (counting, keeping) = (Arc::clone(&count), Arc::clone(&body));
        let router = Router::new().fallback(move |bytes: Bytes| {
            counting.fetch_add(1, SeqCst);
            keeping.get_or_init(|| bytes);
            std::future::ready(StatusCode::NO_CONTENT)
        });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, count, body }
    }

    async fn has_all(&self) {
        while self.count.load(SeqCst) < EVENTS {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// Puts the events into a journal.
async fn fill(store: &Path) {
    let store = store.display().to_string();
    let Gateway { app, sandbox: _sandbox, place: _place } = Gateway::with(&[("STORE__PATH", &store)]).await;
    let (stop, http) = (CancellationToken::new(), reqwest::Client::builder().build().unwrap());
    let (base, admin) = (format!("http://{}", app.addr()), format!("http://{}/metrics", app.admin_addr()));
    let running = tokio::spawn(app.run(stop.clone()));
    let callers = (0..CALLERS).map(|caller| {
        let (http, base) = (http.clone(), base.clone());
        tokio::spawn(async move {
            for job in (caller..EVENTS).step_by(CALLERS) {
                let design = job % DESIGNS;
                let url = format!(
                    "{base}/webhooks/aurora/performance_simulation_job_completed?tenant_id={TENANT}&design_id=d{design}&job_id=j{job}&status=failed"
                );
                let request = http.get(url).header("x-heliograph-webhook-token", SECRET);
                request.send().await.unwrap().error_for_status().unwrap();
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    let all = format!("heliograph_event_lag_seconds_count {EVENTS}");
    while !http.get(&admin).send().await.unwrap().text().await.unwrap().contains(&all) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.cancel();
    running.await.unwrap().unwrap();
}

/// How many a second a new target gets that begins with the oldest event.
async fn deliver(store: &Path, receiver: &Receiver, name: &str, at_once: usize) -> f64 {
    let (store, at_once) = (store.display().to_string(), at_once.to_string());
    let settings = [
        ("STORE__PATH", store.as_str()),
        ("OUTBOUND__AT_ONCE", &at_once),
        ("DELIVER__0__NAME", name),
        ("DELIVER__0__URL", &receiver.url),
        ("DELIVER__0__SECRET", KEY),
        ("DELIVER__0__TENANTS", TENANT),
        ("DELIVER__0__TYPES", "design.simulation_ended"),
        ("DELIVER__0__ALLOW_PRIVATE", "127.0.0.1"),
        ("DELIVER__0__FROM", "oldest"),
    ];
    let Gateway { app, sandbox: _sandbox, place: _place } = Gateway::with(&settings).await;
    let stop = CancellationToken::new();
    let begun = Instant::now();
    let running = tokio::spawn(app.run(stop.clone()));
    receiver.has_all().await;
    let took = begun.elapsed();
    stop.cancel();
    running.await.unwrap().unwrap();
    per_second(took)
}

/// The same bytes, posted by as many at once, by a client that does nothing else.
async fn post(receiver: &Receiver, at_once: usize) -> f64 {
    let (http, body) = (reqwest::Client::builder().build().unwrap(), receiver.body.get().unwrap().clone());
    let begun = Instant::now();
    for one in 0..at_once {
        let (http, url, body) = (http.clone(), receiver.url.clone(), body.clone());
        tokio::spawn(async move {
            for _ in (one..EVENTS).step_by(at_once) {
                http.post(&url).body(body.clone()).send().await.unwrap().error_for_status().unwrap();
            }
        });
    }
    receiver.has_all().await;
    per_second(begun.elapsed())
}

fn per_second(took: Duration) -> f64 {
    EVENTS as f64 / took.as_secs_f64()
}
