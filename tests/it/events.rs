//! `heliograph events`: what was announced, written out and told again, beside a gateway that runs.

use std::process::Output;

use serde_json::Value;

use crate::load::{
    Gateway,
    caller::{Caller, completion},
    gateway::sandbox,
    listener,
};

const TENANT: &str = heliograph::sandbox::TENANT;

/// How long the next event may take.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

struct World {
    gateway: Gateway,
    place: tempfile::TempDir,
    _sandbox: heliograph::sandbox::Sandbox,
    heard: tokio::io::Lines<tokio::io::BufReader<tokio::net::TcpStream>>,
}

impl World {
    /// A gateway, and somebody who has heard so many events.
    async fn with_events(count: usize) -> Self {
        let (place, sandbox) = (tempfile::tempdir().unwrap(), sandbox().await);
        let gateway = Gateway::start(place.path(), &sandbox);
        let address = *gateway.addresses().borrow();
        let heard = listener::open(address, None).await.unwrap();
        let mut this = Self { gateway, place, _sandbox: sandbox, heard };
        for number in 0..count {
            assert_eq!(this.deliver(&format!("j{number}")).await, Some(200));
            assert!(this.hear().await.1.contains(&format!("\"j{number}\"")));
        }
        this
    }

    async fn deliver(&self, job: &str) -> Option<u16> {
        Caller::new(self.gateway.addresses()).deliver(&completion("d", job, "failed")).await
    }

    /// The cursor and the data of the next event.
    async fn hear(&mut self) -> (String, String) {
        let mut id = String::new();
        loop {
            let line =
                tokio::time::timeout(PATIENCE, self.heard.next_line()).await.expect("an event in time");
            let line = line.unwrap().expect("the stream goes on");
            if let Some(told) = line.strip_prefix("id: ") {
                told.clone_into(&mut id);
            } else if let Some(data) = line.strip_prefix("data: ") {
                return (id, data.to_owned());
            }
        }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.gateway.command().arg("events").args(arguments).output().unwrap()
    }

    fn export(&self, arguments: &[&str]) -> Vec<Value> {
        let output = self.run(&[&["export"], arguments].concat());
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|it| serde_json::from_str(it).unwrap())
            .collect()
    }

    fn said(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }
}

fn jobs(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["jobId"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_announced_is_written_out_with_its_cursors_while_the_gateway_runs() {
    let mut world = World::with_events(5).await;
    let all = world.export(&[]);
    assert_eq!(jobs(&all), ["j0", "j1", "j2", "j3", "j4"]);
    let first = &all[0];
    assert_eq!(
        (&first["event"], &first["tenantId"], &first["designId"], &first["status"]),
        (&"performance_simulation_job_completed".into(), &TENANT.into(), &"d".into(), &"failed".into())
    );
    assert!(first["receivedAt"].is_string() && first["replayOf"].is_null());
    assert_eq!(first["source"], "WEBHOOK");
    assert_eq!(first["parameters"][1], serde_json::json!({ "name": "design_id", "value": "d" }));

    // The cursors are those that subscribers hold, with a tenant or without.
    let third = all[2]["cursor"].as_str().unwrap().to_owned();
    assert_eq!(jobs(&world.export(&["--from", &third])), ["j3", "j4"]);
    assert_eq!(jobs(&world.export(&["--tenant", TENANT, "--from", &third])), ["j3", "j4"]);
    assert!(world.export(&["--tenant", "somebody-else"]).is_empty());
    assert!(world.refused(&["export", "--tenant", "somebody-else", "--from", &third]).contains("no cursor"));
    let address = *world.gateway.addresses().borrow();
    world.heard = listener::open(address, Some(&third)).await.unwrap();
    assert!(world.hear().await.1.contains("\"j3\""));

    let file = world.place.path().join("events.jsonl").display().to_string();
    assert!(world.export(&["--to", &file]).is_empty());
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 5);
    assert!(
        world.refused(&["export", "--to", &file]).contains("cannot be made"),
        "a file is never written over"
    );
    world.gateway.stop();
    assert_eq!(jobs(&world.export(&[])).len(), 5, "as well when no gateway runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_again_gets_new_cursors_is_marked_and_comes_once_to_who_listens() {
    let mut world = World::with_events(4).await;
    let known = world.export(&[]);
    let from = known[1]["cursor"].as_str().unwrap().to_owned();
    let again = ["replay", "--tenant", TENANT, "--from", &from];

    let dry = world.said(&[&again[..], &["--dry-run"]].concat());
    assert!(dry.contains("2 events of tenant-demo would be announced again"), "{dry}");
    assert!(dry.contains("2  performance_simulation_job_completed"), "{dry}");
    let refused = world.refused(&[&again[..], &["--limit", "1"]].concat());
    assert!(refused.contains("2 events are behind this cursor, and 1 were allowed"), "{refused}");
    assert_eq!(world.export(&[]).len(), 4, "neither did anything");

    assert!(world.said(&again).contains("2 events of tenant-demo wait to be announced again"));
    let (one, other) = (world.hear().await, world.hear().await);
    assert!(one.1.contains("\"j2\"") && other.1.contains("\"j3\""), "{one:?} {other:?}");
    assert!(known.iter().all(|line| line["cursor"] != one.0.as_str() && line["cursor"] != other.0.as_str()));

    let all = world.export(&[]);
    assert_eq!(jobs(&all), ["j0", "j1", "j2", "j3", "j2", "j3"]);
    assert_eq!((&all[4]["replayOf"], &all[5]["replayOf"]), (&known[2]["cursor"], &known[3]["cursor"]));
    assert_eq!(all[..4], known, "what had been announced stands as it stood");
    // Aurora's own repeat of the same delivery is still one.
    assert_eq!(world.deliver("j3").await, Some(200));
    assert_eq!(world.deliver("j4").await, Some(200));
    assert!(world.hear().await.1.contains("\"j4\""));
    // Only what was news is told again, however often.
    assert!(world.said(&again).contains("3 events of tenant-demo wait"));
    for job in ["j2", "j3", "j4"] {
        assert!(world.hear().await.1.contains(&format!("\"{job}\"")));
    }
    assert_eq!(world.export(&[]).len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_again_while_no_gateway_runs_is_announced_once_by_the_next() {
    let mut world = World::with_events(3).await;
    let known = world.export(&[]);
    let from = known[0]["cursor"].as_str().unwrap().to_owned();
    let last = known[2]["cursor"].as_str().unwrap().to_owned();
    world.gateway.stop();
    let again = ["replay", "--tenant", TENANT, "--from", &from];
    assert!(world.said(&again).contains("2 events"));
    let twice = world.said(&again);
    assert!(twice.contains("0 events") && twice.contains("2 more wait already"), "{twice}");
    world.gateway.again();
    let address = *world.gateway.addresses().borrow();
    world.heard = listener::open(address, Some(&last)).await.unwrap();
    assert!(world.hear().await.1.contains("\"j1\""));
    assert!(world.hear().await.1.contains("\"j2\""));
    assert_eq!(world.export(&[]).len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_that_is_told_again_switches_nothing() {
    let mut world = World::with_events(1).await;
    let from = world.export(&[])[0]["cursor"].as_str().unwrap().to_owned();
    let mut caller = Caller::new(world.gateway.addresses());
    for status in ["disabled", "enabled"] {
        let query = format!("app_status_changed?tenant_id={TENANT}&app_id=app&status={status}");
        assert_eq!(caller.deliver(&query).await, Some(200));
    }
    assert_eq!(world.deliver("j1").await, Some(200));
    let deadline = std::time::Instant::now() + PATIENCE;
    while world.export(&[]).len() < 4 {
        assert!(std::time::Instant::now() < deadline, "{:?}", world.export(&[]));
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    // Whoever listened then was cut off; whoever listens now is not, though the word is said once more.
    let last = world.export(&[])[3]["cursor"].as_str().unwrap().to_owned();
    let address = *world.gateway.addresses().borrow();
    world.heard = listener::open(address, Some(&last)).await.unwrap();
    assert!(world.said(&["replay", "--tenant", TENANT, "--from", &from]).contains("2  app_status_changed"));
    let mut all = String::new();
    for _ in 0..3 {
        all.push_str(&world.hear().await.1);
    }
    assert!(all.contains("\"j1\"") && !all.contains("TENANT_NOT_CONNECTED"), "{all}");
    assert_eq!(world.deliver("j2").await, Some(200));
    assert!(world.hear().await.1.contains("\"j2\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_disk_has_changed_is_left_out_of_what_is_told_again_and_that_is_said() {
    let mut world = World::with_events(3).await;
    let known = world.export(&[]);
    let from = known[0]["cursor"].as_str().unwrap().to_owned();
    let last = known[2]["cursor"].as_str().unwrap().to_owned();
    world.gateway.stop();
    let path = world.place.path().join("heliograph.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(4).position(|it| it == b"\"j1\"").unwrap();
    bytes[at + 2] ^= 1 << 3;
    std::fs::write(&path, bytes).unwrap();
    assert!(world.refused(&["export"]).contains("1 events cannot be read"));
    let again = world.said(&["replay", "--tenant", TENANT, "--from", &from]);
    assert!(again.contains("1 events of tenant-demo wait to be announced again"), "{again}");
    assert!(again.contains("1 cannot be read and are left out"), "{again}");
    world.gateway.again();
    let address = *world.gateway.addresses().borrow();
    world.heard = listener::open(address, Some(&last)).await.unwrap();
    assert!(world.hear().await.1.contains("\"j2\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_not_there_is_not_made() {
    let (place, sandbox) = (tempfile::tempdir().unwrap(), sandbox().await);
    let mut gateway = Gateway::start(place.path(), &sandbox);
    gateway.stop();
    for file in ["heliograph.db", "heliograph.db.lock"] {
        std::fs::remove_file(place.path().join(file)).unwrap();
    }
    let output = gateway.command().args(["events", "export"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("does not exist: check store.path"));
    assert!(!place.path().join("heliograph.db").exists());
}
