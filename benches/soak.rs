//! What takes too long for `make test`: the full storm, and real file systems that lose their power, fill up and turn
//! read-only. Prints what it does, and one line of JSON last; fails where a promise is broken.
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

use self::load::{Figures, Gateway, Storm, gateway::sandbox, storm::Progress};

#[path = "soak/disk.rs"]
mod disk;
#[path = "../tests/load/load.rs"]
mod load;
#[path = "soak/mounts.rs"]
mod mounts;

const PARTS: [&str; 5] = ["storm", "stalled", "power", "full", "readonly"];

/// The promises of a storm.
const ACKNOWLEDGED_A_SECOND: f64 = 3_000.0;
const ANSWERED_WITHIN: Duration = Duration::from_millis(100);
const STALLED_ANSWERED_WITHIN: Duration = Duration::from_millis(50);
const MEMORY: u64 = 256 * 1024 * 1024;

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
    const STORM: Storm = Storm { designs: 64, of_each: 782, listeners: 100, stalled: 0 };
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
    const STORM: Storm = Storm { designs: 64, of_each: 200, listeners: 1, stalled: 100 };
    let (sandbox, place) = (sandbox().await, tempfile::tempdir().unwrap());
    let mut gateway = Gateway::start(place.path(), &sandbox);
    let figures = rage(STORM, &sandbox, &mut gateway, None).await;
    gateway.stop();
    let mut told = figures.json();
    told["fast_enough"] = json!(figures.answers.percentile(99) <= STALLED_ANSWERED_WITHIN);
    (told, figures.is_exact() && figures.peak_bytes <= MEMORY)
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
