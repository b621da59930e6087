//! The disk on a bad day: full, failing, read-only, torn, damaged, or held by somebody else.
//!
//! What the disk does is played by a small library that is loaded into the real binary (`disk/fault.c`), so that it
//! happens everywhere alike. `make soak` does the same with real file systems.

mod damage;
mod flipped;
mod outbound;
mod sync;
mod world;

use std::time::{Duration, Instant};

use heliograph::sandbox::{self, FaultRule};
use rusqlite::Connection;
use serde_json::json;
use world::{Disk, Fault};

/// How soon it writes again once the disk does.
const RECOVERED_WITHIN: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_aurora_is_asked_to_come_again_reads_go_on_and_room_is_enough_to_recover() {
    let mut disk = Disk::start().await;
    let mut listener = disk.listen().await;
    let kept = disk.deliver_some(20).await;
    disk.hears(&mut listener, &kept).await;
    disk.set(Fault::Full);
    let last = disk.deliver_until_refused(&kept).await;
    disk.is_unready("the disk is full").await;
    for _ in 0..20 {
        assert_eq!(disk.deliver("refused").await, 503, "nothing is acknowledged while it is full");
    }
    assert!(disk.announced().await.len() >= 20, "what was announced is read all the same");
    assert!(
        disk.gateway.log().contains("the disk is full") && disk.gateway.log().contains("disk-trouble.md")
    );

    disk.set(Fault::None);
    let freed = Instant::now();
    disk.becomes_ready().await;
    assert!(freed.elapsed() < RECOVERED_WITHIN, "it took {:?}", freed.elapsed());
    let more = disk.deliver_some(5).await;
    disk.hears(&mut listener, &[&last[..], &more].concat()).await;
    disk.restart();
    disk.announces_exactly(&[kept, last, more].concat()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_write_or_sync_nothing_more_is_acknowledged_and_the_process_ends() {
    for (fault, name) in [(Fault::Sync, "sync"), (Fault::Write, "write"), (Fault::ReadOnly, "read-only")] {
        let mut disk = Disk::start().await;
        let kept = disk.deliver_some(20).await;
        // Nothing else is to be written any more.
        disk.announces_exactly(&kept).await;
        disk.set(fault);
        let answers = disk.deliver_at_once(16).await;
        assert!(answers.iter().all(|it| *it != Some(200)), "{name}: {answers:?}");
        assert!(answers.contains(&Some(503)), "{name}: {answers:?}");
        let status = tokio::task::block_in_place(|| disk.gateway.take().ended());
        assert_eq!(status.code(), Some(1), "{name}: {}", disk.gateway.log());
        assert!(disk.gateway.log().contains("a write to the database failed"), "{}", disk.gateway.log());

        // It is as good as ever once the disk is, and whatever was acknowledged is there.
        disk.set(Fault::None);
        disk.start_again();
        let more = disk.deliver_some(5).await;
        disk.announces_at_least(&[kept, more].concat()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_another_program_holds_the_store_nothing_is_acknowledged_and_then_all_goes_on() {
    let mut disk = Disk::start().await;
    let kept = disk.deliver_some(5).await;
    let other = Connection::open(disk.store()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let answers = disk.deliver_at_once(300).await;
    assert!(answers.iter().all(|it| *it == Some(503)), "{answers:?}");
    disk.is_unready("another program holds the store").await;
    other.execute_batch("ROLLBACK").unwrap();
    let freed = Instant::now();
    disk.becomes_ready().await;
    assert!(freed.elapsed() < RECOVERED_WITHIN, "it took {:?}", freed.elapsed());
    let more = disk.deliver_some(5).await;
    disk.announces_at_least(&[kept, more].concat()).await;
    assert!(disk.gateway.log().contains("another program holds the database"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_hangs_holds_nobody_up_and_loses_nothing_that_was_answered() {
    const CREATE: &str =
        "mutation($key: String!) { createProject(input: { idempotencyKey: $key, externalProviderId: $key,
        location: { propertyAddress: \"1 Main St\" } }) { replayed project { projectId } } }";
    let mut disk = Disk::start().await;
    let list = "/tenants/*/projects";
    let late = FaultRule::new("POST", list, sandbox::Fault::Delay { ms: 500 });
    disk.aurora().fail(late.times(1)).unwrap();
    let sent = || disk.aurora().calls_to("POST", list);
    let create = |key: &'static str| disk.ask(CREATE, json!({ "key": key }));
    let hanging = async {
        while sent() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        disk.set(Fault::Hang);
    };
    let began = Instant::now();
    let (made, ()) = tokio::join!(create("k"), hanging);
    let made = &made["data"]["createProject"];
    assert!(began.elapsed() < Duration::from_secs(10), "it took {:?}", began.elapsed());
    assert!(made["replayed"] == false && made["project"]["projectId"].is_string(), "{made}");
    let again = create("k").await;
    assert_eq!((&again["data"]["createProject"]["project"], sent()), (&made["project"], 1));
    // What cannot be written down first is not sent.
    let (refused, late) = tokio::join!(create("other"), disk.deliver("late"));
    assert!(refused["errors"].is_array() && sent() == 1, "{refused}");
    assert_eq!(late, 503, "Aurora is told before it gives up");

    disk.set(Fault::None);
    assert_eq!(disk.deliver("late").await, 200);
    // It waits behind what the create left to be written.
    let after = disk.deliver_some(1).await;
    disk.announces_exactly(&[vec!["late".to_owned()], after].concat()).await;
    // That it began was written when its caller had been told that it did not: that leaves no doubt behind.
    let create = |key: &'static str| disk.ask(CREATE, json!({ "key": key }));
    let mut then = create("other").await;
    while then["errors"][0]["extensions"]["retryable"] == true {
        assert_ne!(then["errors"][0]["extensions"]["code"], "OUTCOME_UNKNOWN", "{then}");
        tokio::time::sleep(Duration::from_millis(50)).await;
        then = create("other").await;
    }
    assert_eq!(
        (&then["data"]["createProject"]["replayed"], disk.aurora().calls_to("POST", list)),
        (&json!(false), 2),
        "{then}"
    );
    disk.restart();
    let create = |key: &'static str| disk.ask(CREATE, json!({ "key": key }));
    let kept = create("k").await;
    assert_eq!(kept["data"]["createProject"], json!({ "replayed": true, "project": made["project"] }));
    assert_eq!(disk.aurora().calls_to("POST", list), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_hangs_holds_back_no_call_to_aurora_for_long() {
    let disk = Disk::start().await;
    let read = async |id: &str| {
        let answer =
            disk.ask("query($id: ID!) { design(designId: $id) { name } }", json!({ "id": id })).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "NOT_FOUND", "{answer}");
    };
    read("brings the key").await;
    disk.set(Fault::Hang);
    let began = Instant::now();
    for id in ["a", "b", "c"] {
        read(id).await;
    }
    let took = began.elapsed();
    // Each waits a little for being written down, and none until it is.
    assert!((Duration::from_millis(300)..Duration::from_secs(2)).contains(&took), "it took {took:?}");
    disk.set(Fault::None);
    disk.becomes_ready().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_while_nothing_can_be_written_is_refused_in_bounded_memory() {
    const FLOOD: usize = 10_000;
    let mut disk = Disk::start().await;
    let kept = disk.deliver_some(5).await;
    let other = Connection::open(disk.store()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let answers = disk.flood(FLOOD).await;
    assert_eq!(answers.len(), FLOOD);
    assert!(answers.iter().all(|it| *it == 503), "{:?}", answers.iter().find(|it| **it != 503));
    assert!(disk.gateway.peak_bytes() < 256 * 1024 * 1024, "{} bytes", disk.gateway.peak_bytes());
    other.execute_batch("ROLLBACK").unwrap();
    disk.becomes_ready().await;
    let more = disk.deliver_some(5).await;
    disk.announces_at_least(&[kept, more].concat()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_gateway_on_one_store_is_refused_and_the_first_goes_on() {
    let mut disk = Disk::start().await;
    let said = disk.gateway.refuses();
    assert!(said.contains("in use by another heliograph process"), "{said}");
    let kept = disk.deliver_some(3).await;
    disk.announces_exactly(&kept).await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_may_not_be_written_is_refused_with_what_to_do() {
    use std::os::unix::{fs::PermissionsExt, process::CommandExt};
    let mut disk = Disk::start().await;
    disk.deliver_some(3).await;
    disk.gateway.kill();
    for path in [disk.store(), disk.beside(".lock")] {
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o444)).unwrap();
    }
    std::fs::set_permissions(disk.place(), PermissionsExt::from_mode(0o755)).unwrap();
    let mut serve = disk.gateway.command();
    // For root no file is read-only, so it is somebody else who tries.
    let root = std::fs::metadata("/proc/self").is_ok_and(|it| std::os::unix::fs::MetadataExt::uid(&it) == 0);
    if root {
        serve.uid(65_534).gid(65_534);
    }
    let output = serve.arg("serve").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot be written") && said.contains("permissions"), "{said}");
}
