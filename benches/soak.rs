//! What takes too long for `make test`: the full storm, crowds of readers, and real file systems that lose their power,
//! fill up and turn read-only. Prints what it does, and one line of JSON last; fails where a promise is broken. Whether
//! the aims of speed were reached it only tells (`fast_enough`), but for those in seconds: they are a machine's too.
//!
//! `make soak` runs all. `cargo bench --bench soak -- storm stalled` runs parts; the parts `power`, `full` and
//! `readonly` mount loop devices, which needs root on Linux.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a soak tells its figures, and stops at the first failure"
)]

use std::{process::ExitCode, time::Duration};

use heliograph::sandbox::Sandbox;
use serde_json::{Map, Value, json};

use self::load::{
    Crowd, Figures, Gateway, Storm, figures::millis, gateway::sandbox, process::connections, storm::Progress,
};

#[path = "soak/disk.rs"]
mod disk;
#[path = "../tests/load/load.rs"]
mod load;
#[path = "soak/mounts.rs"]
mod mounts;

const PARTS: [&str; 8] = ["storm", "stalled", "crowd", "cuts", "return", "power", "full", "readonly"];

/// The promises of a storm.
const ACKNOWLEDGED_A_SECOND: f64 = 3_000.0;
const ANSWERED_WITHIN: Duration = Duration::from_millis(100);
const STALLED_ANSWERED_WITHIN: Duration = Duration::from_millis(50);
const MEMORY: u64 = 256 * 1024 * 1024;

/// The promises to those beside a reader that stops, and how long that one is waited for and what it may cost.
const NEIGHBOURS_WITHIN: Duration = Duration::from_millis(250);
const CLOSED_WITHIN: Duration = Duration::from_secs(10);
const STALLED_BYTES: u64 = 1_000_000;

/// The promises when all come back at once.
const BACK_WITHIN: Duration = Duration::from_secs(30);
const QUERIES_WITHIN: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let chosen: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with("--")).collect();
    let runs = |part: &str| chosen.is_empty() || chosen.iter().any(|it| it == part);
    assert!(chosen.iter().all(|it| PARTS.contains(&it.as_str())), "the parts are {PARTS:?}");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (mut told, mut kept) = (Map::new(), true);
    runtime.block_on(async {
        for part in PARTS.into_iter().filter(|part| runs(part)) {
            println!("{part} …");
            let (figures, good) = match part {
                "storm" => storm().await,
                "stalled" => stalled().await,
                "crowd" => crowd().await,
                "cuts" => cuts().await,
                "return" => all_return().await,
                "power" => disk::power_cuts().await,
                "full" => disk::full().await,
                _ => disk::read_only().await,
            };
            println!("{part}: {} {figures}", if good { "kept" } else { "BROKEN" });
            told.insert(part.to_owned(), figures);
            kept &= good;
        }
    });
    println!("{}", Value::Object(told));
    if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// 100,000 deliveries, half of them repeats, with 100 listeners, and a kill every two seconds.
async fn storm() -> (Value, bool) {
    const STORM: Storm = Storm { designs: 64, of_each: 782, listeners: 100, cuts: 0, stalled: 0 };
    const KILL_EVERY: Duration = Duration::from_secs(2);
    let (sandbox, place) = (sandbox().await, tempfile::tempdir().unwrap());
    let mut gateway = Gateway::start(place.path(), &sandbox);
    let figures = rage(STORM, &sandbox, &mut gateway, Some(KILL_EVERY)).await;
    gateway.stop();
    let fast = figures.per_second() >= ACKNOWLEDGED_A_SECOND
        && figures.answers.percentile(99) <= ANSWERED_WITHIN
        && figures.peak_bytes <= MEMORY;
    let mut told = figures.json();
    told["fast_enough"] = json!(fast);
    (told, figures.is_exact() && figures.kills > 0 && figures.peak_bytes <= MEMORY)
}

/// The same speed while every listener has stopped reading.
async fn stalled() -> (Value, bool) {
    const STORM: Storm = Storm { designs: 64, of_each: 200, listeners: 1, cuts: 0, stalled: 100 };
    let (sandbox, place) = (sandbox().await, tempfile::tempdir().unwrap());
    let mut gateway = Gateway::start(place.path(), &sandbox);
    let figures = rage(STORM, &sandbox, &mut gateway, None).await;
    gateway.stop();
    let mut told = figures.json();
    told["fast_enough"] = json!(figures.answers.percentile(99) <= STALLED_ANSWERED_WITHIN);
    (told, figures.is_exact() && figures.peak_bytes <= MEMORY)
}

/// A thousand readers, of whom one stops.
async fn crowd() -> (Value, bool) {
    const OTHERS: usize = 999;
    let (sandbox, place) = (sandbox().await, tempfile::tempdir().unwrap());
    let mut gateway = Gateway::start_with(place.path(), &sandbox, many());
    let others = connections(OTHERS);
    let beside = Crowd::beside_a_stalled_reader(&gateway, others, 100).await;
    gateway.stop();
    let kept = beside.reason.0 == 4008 && beside.differing == 0 && beside.closed_after <= CLOSED_WITHIN;
    let p99 = beside.frames.percentile(99);
    let told = json!({
        "others": others, "p50_ms": millis(beside.frames.percentile(50)), "p99_ms": millis(p99),
        "closed_after_ms": millis(beside.closed_after), "grown_bytes": beside.grown_bytes, "differing": beside.differing,
        "fast_enough": p99 <= NEIGHBOURS_WITHIN, "small_enough": beside.grown_bytes <= STALLED_BYTES,
    });
    (told, kept)
}

/// A thousand readers, each cut off five times.
async fn cuts() -> (Value, bool) {
    let (sandbox, place) = (sandbox().await, tempfile::tempdir().unwrap());
    let mut gateway = Gateway::start_with(place.path(), &sandbox, many());
    let storm = Storm { designs: 20, of_each: 25, listeners: connections(1_000), cuts: 5, stalled: 0 };
    let figures = rage(storm, &sandbox, &mut gateway, None).await;
    gateway.stop();
    (figures.json(), figures.is_exact() && figures.resumed == (storm.listeners * storm.cuts) as u64)
}

/// Five thousand readers of a gateway that restarts.
async fn all_return() -> (Value, bool) {
    let (sandbox, place) = (sandbox().await, tempfile::tempdir().unwrap());
    let mut gateway = Gateway::start_with(place.path(), &sandbox, many());
    let readers = connections(5_000);
    let back = Crowd::comes_back(&mut gateway, readers).await;
    gateway.stop();
    let (took, p99) = (back.took, back.queries.percentile(99));
    let told = json!({
        "readers": readers, "took_ms": millis(took), "queries_p99_ms": millis(p99), "differing": back.differing,
    });
    (told, back.differing == 0 && took <= BACK_WITHIN && p99 <= QUERIES_WITHIN)
}

/// More subscribers than a tenant usually has.
fn many() -> Vec<(String, String)> {
    let all = [("HELIOGRAPH_LIMITS__SUBSCRIBERS_PER_TENANT", "20000"), ("MIMALLOC_PURGE_DELAY", "0")];
    all.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

async fn rage(
    storm: Storm,
    sandbox: &Sandbox,
    gateway: &mut Gateway,
    kill_every: Option<Duration>,
) -> Figures {
    let all = (storm.designs * storm.of_each * 2) as u64;
    storm
        .rage(sandbox, gateway, async |gateway: &mut Gateway, progress: &Progress| {
            let Some(every) = kill_every else { return };
            loop {
                tokio::time::sleep(every).await;
                if progress.acknowledged() >= all {
                    return;
                }
                tokio::task::block_in_place(|| {
                    gateway.kill();
                    gateway.again();
                });
            }
        })
        .await
}
