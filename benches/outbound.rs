//! How fast a target of outbound webhooks gets what waits for it, beside the least that a delivery can be.
//!
//! The events are in the journal before the clock starts; in the figure are the reading of them, the lanes, signing,
//! HTTP over loopback, and that how far the target has come is on disk before the next messages are sent. The least is
//! posts of the same bytes and headers, so many at a time, and one commit of one row when they are answered. Bare posts,
//! without a commit, tell how much of that is the disk's. All take turns, and share a process with the receiver. One
//! figure for `at_once` as it comes, one for as many as may be set.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench tells its figures, and stops at the first failure"
)]

use std::{
    collections::HashSet,
    path::Path,
    process::ExitCode,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Bytes,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CONTENT_LENGTH, HOST},
    },
};
use heliograph::sandbox::TENANT;
use rusqlite::Connection;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use self::gateway::{Gateway, SECRET};

#[path = "common/gateway.rs"]
mod gateway;

const EVENTS: usize = 6_000;
const DESIGNS: usize = 300;
const ROUNDS: usize = 5;
/// How long each of the two that ours is held against posts in a round.
const A_WHILE: Duration = Duration::from_secs(2);
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
                let name = format!("t{at_once}-{round}");
                let (ours, commits) = deliver(&store, &receiver, &name, at_once).await;
                all_once &= receiver.has_each_once();
                let bare = post(&receiver, at_once).await;
                let least = post_and_commit(&receiver, at_once, &place.path().join(name)).await;
                receiver.forget();
                rounds.push(Round { ours, commits, bare, least });
            }
            tell(rounds, at_once, receiver.first.get().unwrap().1.len());
        }
        // Nothing went wrong here, so nothing is to come twice.
        if all_once { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    })
}

/// Messages a second, each way, and how many commits ours took.
struct Round {
    ours: f64,
    commits: u64,
    bare: f64,
    least: f64,
}

impl Round {
    fn ratio(&self) -> f64 {
        self.ours / self.least
    }
}

fn tell(mut rounds: Vec<Round>, at_once: usize, bytes: usize) {
    rounds.sort_by(|one, other| one.ratio().total_cmp(&other.ratio()));
    let (lowest, highest) = (rounds[0].ratio(), rounds[ROUNDS - 1].ratio());
    let median = &rounds[ROUNDS / 2];
    let commits = median.commits as f64 / EVENTS as f64;
    println!("{EVENTS} messages of {DESIGNS} designs, {bytes} bytes, {at_once} at once, median of {ROUNDS}:");
    println!("  bare posts         {:>8.0}/s", median.bare);
    println!("  posts and commits  {:>8.0}/s  {:.3} commits each", median.least, 1.0 / at_once as f64);
    println!("  delivered          {:>8.0}/s  {commits:.3} commits each", median.ours);
    println!("  ratio {:.2} (lowest {lowest:.2}, highest {highest:.2})", median.ratio());
}

/// Counts what it gets, and keeps the first message.
struct Receiver {
    url: String,
    count: Arc<AtomicUsize>,
    ids: Arc<Mutex<HashSet<HeaderValue>>>,
    first: Arc<OnceLock<(HeaderMap, Bytes)>>,
}

impl Receiver {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let (count, ids, first) = (
            Arc::<AtomicUsize>::default(),
            Arc::<Mutex<HashSet<_>>>::default(),
            Arc::<OnceLock<_>>::default(),
        );
        let (counting, knowing, keeping) = (Arc::clone(&count), Arc::clone(&ids), Arc::clone(&first));
        let router = Router::new().fallback(move |mut headers: HeaderMap, bytes: Bytes| {
            knowing.lock().unwrap().insert(headers["webhook-id"].clone());
            keeping.get_or_init(|| {
                // Whoever posts it again has these of its own.
                headers.remove(HOST);
                headers.remove(CONTENT_LENGTH);
                (headers, bytes)
            });
            counting.fetch_add(1, SeqCst);
            std::future::ready(StatusCode::NO_CONTENT)
        });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, count, ids, first }
    }

    async fn has_all(&self) {
        while self.count.load(SeqCst) < EVENTS {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    fn has_each_once(&self) -> bool {
        self.count.load(SeqCst) == EVENTS && self.ids.lock().unwrap().len() == EVENTS
    }

    fn forget(&self) {
        self.count.store(0, SeqCst);
        self.ids.lock().unwrap().clear();
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

/// How many a second a new target gets that begins with the oldest event, and in how many commits.
async fn deliver(store: &Path, receiver: &Receiver, name: &str, at_once: usize) -> (f64, u64) {
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
    let (stop, db) = (CancellationToken::new(), app.db());
    let (before, begun) = (db.commits(), Instant::now());
    let mut running = tokio::spawn(app.run(stop.clone()));
    tokio::select! {
        () = receiver.has_all() => {}
        ended = &mut running => ended.unwrap().unwrap(),
    }
    let (took, commits) = (begun.elapsed(), db.commits() - before);
    stop.cancel();
    running.await.unwrap().unwrap();
    (EVENTS as f64 / took.as_secs_f64(), commits)
}

/// A client that posts one message again and again, and does nothing else.
#[derive(Clone)]
struct Poster {
    http: reqwest::Client,
    url: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Poster {
    fn to(receiver: &Receiver) -> Self {
        let (headers, body) = receiver.first.get().unwrap().clone();
        Self { http: reqwest::Client::builder().build().unwrap(), url: receiver.url.clone(), headers, body }
    }

    async fn post(&self) {
        let request = self.http.post(&self.url).headers(self.headers.clone()).body(self.body.clone());
        request.send().await.unwrap().error_for_status().unwrap();
    }
}

/// How many a second are posted by so many at once.
async fn post(receiver: &Receiver, at_once: usize) -> f64 {
    let (poster, begun) = (Poster::to(receiver), Instant::now());
    let posters: Vec<_> = (0..at_once)
        .map(|_| {
            let poster = poster.clone();
            tokio::spawn(async move {
                let mut count = 0_u32;
                while begun.elapsed() < A_WHILE {
                    poster.post().await;
                    count += 1;
                }
                count
            })
        })
        .collect();
    let mut count = 0;
    for poster in posters {
        count += poster.await.unwrap();
    }
    f64::from(count) / begun.elapsed().as_secs_f64()
}

/// How many a second are posted so many at a time, with one row on disk before the next are.
async fn post_and_commit(receiver: &Receiver, at_once: usize, path: &Path) -> f64 {
    let disk = Connection::open(path).unwrap();
    disk.pragma_update(None, "journal_mode", "WAL").unwrap();
    disk.pragma_update(None, "synchronous", "FULL").unwrap();
    disk.execute_batch("CREATE TABLE progress (target TEXT PRIMARY KEY, scanned INTEGER NOT NULL) STRICT")
        .unwrap();
    let (poster, begun) = (Poster::to(receiver), Instant::now());
    let mut count = 0_u32;
    while begun.elapsed() < A_WHILE {
        let mut posts: JoinSet<_> = (0..at_once)
            .map(|_| {
                let poster = poster.clone();
                async move { poster.post().await }
            })
            .collect();
        while let Some(posted) = posts.join_next().await {
            posted.unwrap();
            count += 1;
        }
        tokio::task::block_in_place(|| {
            let mut statement = disk
                .prepare_cached("INSERT OR REPLACE INTO progress (target, scanned) VALUES ('t', ?1)")
                .unwrap();
            statement.execute([count]).unwrap();
        });
    }
    f64::from(count) / begun.elapsed().as_secs_f64()
}
