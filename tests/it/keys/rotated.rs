//! Secrets that change while the gateway runs.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::{Command, Stdio},
};

use heliograph::sandbox::{self, Sandbox};
use serde_json::{Value, json};

use super::PROJECTS;
use crate::{
    load::process::{self, Running},
    world::{TENANT, WEBHOOK_SECRET, World},
};

/// A secret in a file of its own.
struct SecretFile {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl SecretFile {
    fn new(secret: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = Self { path: folder.path().join("secret"), _folder: folder };
        file.write(secret);
        file
    }

    fn write(&self, secret: &str) {
        std::fs::write(&self.path, secret).unwrap();
    }

    fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }
}

async fn rotations(world: &World, outcome: &str, count: usize) {
    let line = format!("heliograph_secret_rotations_total{{outcome=\"{outcome}\"}} {count}");
    world.eventually(&line, || async { world.metrics().await.lines().any(|it| it == line) }).await;
}

#[tokio::test]
async fn another_application_key_in_its_file_is_taken_without_a_restart() {
    let file = SecretFile::new(sandbox::APPLICATION_KEY);
    let world = World::with(|_| {}, &[("HELIOGRAPH_AURORA__APPLICATION_KEY_FILE", file.path())]).await;
    world.query(PROJECTS).await.sound();

    world.aurora.rotate_application_key("ak_sand_new");
    world.aurora.revoke_keys(TENANT);
    // The answer in memory must not stand in for one of Aurora's.
    world.advance(super::HOUR);
    assert_eq!(
        world.query(PROJECTS).await.errors(),
        ["UPSTREAM_FORBIDDEN at projects"],
        "the old key has ended"
    );
    file.write("ak_sand_new\n");
    rotations(&world, "taken", 1).await;
    world.query(PROJECTS).await.sound();
}

#[tokio::test]
async fn a_new_key_that_cannot_be_used_leaves_the_old_one_in_use() {
    let file = SecretFile::new(sandbox::APPLICATION_KEY);
    let world = World::with(|_| {}, &[("HELIOGRAPH_AURORA__APPLICATION_KEY_FILE", file.path())]).await;
    for (count, wrong) in ["", "two words", "a\u{1}key"].into_iter().enumerate() {
        file.write(wrong);
        rotations(&world, "refused", count + 1).await;
    }
    std::fs::remove_file(file.path()).unwrap();
    rotations(&world, "refused", 4).await;
    world.query(PROJECTS).await.sound();
    file.write(sandbox::APPLICATION_KEY);
    world.aurora.rotate_application_key("ak_sand_new");
    file.write("ak_sand_new");
    rotations(&world, "taken", 1).await;
    world.aurora.revoke_keys(TENANT);
    world.advance(super::HOUR);
    world.query(PROJECTS).await.sound();
}

#[tokio::test]
async fn another_key_of_a_tenants_own_is_taken_without_a_restart() {
    let file = SecretFile::new("sk_sand_ended");
    let own = [
        ("HELIOGRAPH_AURORA__TENANTS__0__ID", TENANT),
        ("HELIOGRAPH_AURORA__TENANTS__0__KEY_FILE", file.path()),
    ];
    let world = World::with(|_| {}, &own).await;
    assert_eq!(world.query(PROJECTS).await.errors(), ["UPSTREAM_FORBIDDEN at projects"]);
    world.aurora.add_tenant_key(TENANT, "sk_sand_fresh");
    file.write("sk_sand_fresh");
    rotations(&world, "taken", 1).await;
    world.query(PROJECTS).await.sound();
    assert_eq!(world.exchanges(), 0);
}

#[tokio::test]
async fn while_the_webhooks_secret_changes_the_old_and_the_new_are_accepted_and_then_the_new_alone() {
    let (secret, previous) = (SecretFile::new(WEBHOOK_SECRET), SecretFile::new("a-secret-from-long-ago"));
    let settings = [
        ("HELIOGRAPH_WEBHOOKS__SECRET_FILE", secret.path()),
        ("HELIOGRAPH_WEBHOOKS__PREVIOUS_SECRET_FILE", previous.path()),
    ];
    let world = World::with(|_| {}, &settings).await;
    let deliver = |secret: &'static str| {
        let url = world.url(&format!("/webhooks/aurora/project_changed?tenant_id={TENANT}&project_id=p"));
        let request = world.http.get(url).header("X-Heliograph-Webhook-Token", secret);
        async move { request.send().await.unwrap().status().as_u16() }
    };
    for (presented, status) in
        [(WEBHOOK_SECRET, 200), ("a-secret-from-long-ago", 200), ("a-brand-new-secret", 401), ("", 401)]
    {
        assert_eq!(deliver(presented).await, status, "{presented}");
    }
    previous.write(WEBHOOK_SECRET);
    secret.write("a-brand-new-secret");
    world.eventually("the new is accepted", || async { deliver("a-brand-new-secret").await == 200 }).await;
    assert_eq!(deliver(WEBHOOK_SECRET).await, 200, "Aurora still sends the old one for a while");
    world.eventually("the oldest is not", || async { deliver("a-secret-from-long-ago").await == 401 }).await;
}

#[tokio::test]
async fn a_key_in_the_configuration_file_is_taken_when_the_process_is_hung_up_on() {
    let config = sandbox::Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        requests_per_minute: 0,
        ..sandbox::Config::default()
    };
    let sandbox = Sandbox::start(config).await.unwrap();
    let place = tempfile::tempdir().unwrap();
    let write = |key: &str| {
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n[webhooks]\nsecret = \"a-secret-of-a-process\"\n\
             [aurora]\nbase_url = \"{}\"\napplication_id = \"app_sandbox\"\napplication_key = \"{key}\"\n\
             [[auth.api_keys]]\nname = \"crm\"\nkey = \"key-of-a-process-0001\"\ntenants = [\"{TENANT}\"]\nscopes = [\"read\"]\n",
            sandbox.base_url()
        );
        std::fs::write(place.path().join("heliograph.toml"), text).unwrap();
    };
    write("ak_sand_wrong");
    let mut serve = process::command(place.path(), &BTreeMap::<&str, String>::new());
    let (running, base, _) = Running::start_logging(serve.arg("serve"), "listens on ", Stdio::null());
    let http = reqwest::Client::builder().build().unwrap();
    let ask = || async {
        let request = http.post(format!("{base}/graphql")).bearer_auth("key-of-a-process-0001");
        let answer: Value =
            request.json(&json!({ "query": PROJECTS })).send().await.unwrap().json().await.unwrap();
        answer["errors"][0]["extensions"]["code"].as_str().map(ToOwned::to_owned)
    };
    assert_eq!(ask().await.as_deref(), Some("UPSTREAM_FORBIDDEN"));

    write(sandbox::APPLICATION_KEY);
    let pid = running.0.id().to_string();
    assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while ask().await.is_some() {
        assert!(std::time::Instant::now() < deadline, "the new key was not taken");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    running.stop();
}
