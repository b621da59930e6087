//! Real file systems on a bad day. After each, whatever was answered 200 must be announced once.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::{
    load::{
        Gateway,
        caller::{Caller, completion},
        gateway::sandbox,
    },
    mounts::{self, Mounted},
};

const CUTS: u64 = 20;
const CALLERS: usize = 16;

/// How long all may take to be announced, and a full disk to be written again once it has room.
const PATIENCE: Duration = Duration::from_secs(60);
const RECOVERED_WITHIN: Duration = Duration::from_secs(5);

/// Cuts the power at twenty moments while deliveries pour in.
pub(crate) async fn power_cuts() -> (Value, bool) {
    let (place, sandbox) = (tempfile::tempdir().unwrap(), sandbox().await);
    let (mut acknowledged, mut lost, mut proven) = (0, 0, true);
    for cut in 0..CUTS {
        let (image, copy) = (place.path().join("disk.img"), place.path().join("copy.img"));
        let disk = Mounted::new(&image, 64);
        let mut gateway = Gateway::start(disk.folder(), &sandbox);
        // Some moments fall into the first commits, some into the first folding of the log.
        let moment = Duration::from_millis(100 + cut * cut * 7);
        let kept = deliver_for(&gateway, moment).await;
        // What nobody has synced must be gone in the copy, or the copy shows nothing.
        std::fs::write(disk.folder().join("unsynced"), [b'x'; 8_192]).unwrap();
        gateway.kill();
        mounts::as_after_a_power_cut(&image, &copy);
        drop(disk);
        let after = Mounted::mount(&copy);
        proven &= std::fs::read(after.folder().join("unsynced")).map_or(true, |it| it != [b'x'; 8_192]);
        gateway = Gateway::start(after.folder(), &sandbox);
        lost += missing(&gateway, &kept).await;
        acknowledged += kept.len();
        gateway.kill();
    }
    let told =
        json!({ "cuts": CUTS, "acknowledged": acknowledged, "lost": lost, "unsynced_is_lost": proven });
    (told, lost == 0 && proven && acknowledged > 0)
}

/// Fills a small disk, and makes room again.
pub(crate) async fn full() -> (Value, bool) {
    let (place, sandbox) = (tempfile::tempdir().unwrap(), sandbox().await);
    let disk = Mounted::new(&place.path().join("disk.img"), 12);
    let ballast = disk.folder().join("ballast");
    std::fs::write(&ballast, vec![b'x'; 4 * 1024 * 1024]).unwrap();
    let mut gateway = Gateway::start(disk.folder(), &sandbox);
    let mut caller = Caller::new(gateway.addresses());
    let (mut kept, mut number) = (HashSet::new(), 0);
    let mut deliver_until = async |wanted: u16, patience: Duration, kept: &mut HashSet<String>| {
        let begun = Instant::now();
        while begun.elapsed() < patience {
            number += 1;
            let job = format!("j{number}");
            let status = caller.deliver(&completion("d", &job, "failed")).await;
            if status == Some(200) {
                kept.insert(job);
            }
            if status == Some(wanted) {
                return Some(begun.elapsed());
            }
        }
        None
    };
    let filled = deliver_until(503, PATIENCE, &mut kept).await.is_some();
    let unready = readiness(&gateway).await;
    std::fs::remove_file(&ballast).unwrap();
    let recovered = deliver_until(200, PATIENCE, &mut kept).await;
    let lost = missing(&gateway, &kept).await;
    let said = gateway.log().contains("the disk is full");
    gateway.stop();
    let told = json!({
        "acknowledged": kept.len(), "lost": lost, "filled": filled, "readiness": unready, "said": said,
        "recovered_ms": recovered.map(|it| it.as_millis() as u64),
    });
    let good = filled && unready.contains("503") && said && recovered.is_some_and(|it| it < RECOVERED_WITHIN);
    (told, good && lost == 0)
}

/// Turns the file system read-only under the gateway, and tries to start one there.
pub(crate) async fn read_only() -> (Value, bool) {
    let (place, sandbox) = (tempfile::tempdir().unwrap(), sandbox().await);
    let disk = Mounted::new(&place.path().join("disk.img"), 64);
    let mut gateway = Gateway::start(disk.folder(), &sandbox);
    let kept = deliver_for(&gateway, Duration::from_millis(300)).await;
    gateway.stop();
    disk.again("ro");
    let said = gateway.refuses();
    disk.again("rw");
    gateway.again();
    let lost = missing(&gateway, &kept).await;
    gateway.kill();
    let told = json!({ "acknowledged": kept.len(), "lost": lost, "said": said.trim() });
    (told, lost == 0 && said.contains("cannot be written"))
}

/// Delivers for that long, and gives the jobs that were answered 200.
async fn deliver_for(gateway: &Gateway, moment: Duration) -> HashSet<String> {
    let (end, kept) = (Instant::now() + moment, Arc::new(Mutex::new(HashSet::new())));
    let callers = (0..CALLERS).map(|at| {
        let (mut caller, kept) = (Caller::new(gateway.addresses()), Arc::clone(&kept));
        tokio::spawn(async move {
            for number in 0.. {
                let job = format!("{at}-{number}");
                if Instant::now() >= end {
                    return;
                }
                if caller.deliver(&completion(&format!("d{at}"), &job, "failed")).await == Some(200) {
                    kept.lock().await.insert(job);
                }
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    let kept = kept.lock().await;
    kept.clone()
}

/// How many of these are not announced in the end, or more than once.
async fn missing(gateway: &Gateway, jobs: &HashSet<String>) -> usize {
    let begun = Instant::now();
    loop {
        let output = gateway.command().args(["events", "export"]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let announced: Vec<String> = lines.filter_map(|it| it["jobId"].as_str().map(str::to_owned)).collect();
        let distinct: HashSet<&String> = announced.iter().collect();
        let missing = jobs.iter().filter(|job| !distinct.contains(job)).count();
        let twice = announced.len() - distinct.len();
        if missing == 0 || begun.elapsed() > PATIENCE {
            return missing + twice;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn readiness(gateway: &Gateway) -> String {
    let url = format!("{}/readyz", gateway.admin());
    let answer = reqwest::Client::builder().build().unwrap().get(url).send().await.unwrap();
    format!("{} {}", answer.status().as_u16(), answer.text().await.unwrap().trim())
}
