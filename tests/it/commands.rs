//! The binary, as an operator meets it.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use heliograph::sandbox::{self, Fault, FaultRule, Sandbox};
use serde_json::{Value, json};

use crate::load::process::{BINARY, Running, command};

const SECRET: &str = "webhook-secret-of-a-process";
const KEY: &str = "key-of-a-process-0001";

fn gateway(sandbox: &Sandbox) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("SERVER__LISTEN", "127.0.0.1:0".to_owned()),
        ("SERVER__ADMIN_LISTEN", "127.0.0.1:0".to_owned()),
        ("AURORA__BASE_URL", sandbox.base_url()),
        ("AURORA__TENANTS__0__ID", sandbox::TENANT.to_owned()),
        ("AURORA__TENANTS__0__KEY", sandbox::TENANT_KEY.to_owned()),
        ("WEBHOOKS__SECRET", SECRET.to_owned()),
        ("AUTH__API_KEYS__0__NAME", "process".to_owned()),
        ("AUTH__API_KEYS__0__KEY", KEY.to_owned()),
        ("AUTH__API_KEYS__0__TENANTS", sandbox::TENANT.to_owned()),
        ("AUTH__API_KEYS__0__SCOPES", "read".to_owned()),
    ])
}

async fn sandbox() -> Sandbox {
    let config = sandbox::Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        requests_per_minute: 0,
        ..sandbox::Config::default()
    };
    Sandbox::start(config).await.unwrap()
}

async fn events(http: &reqwest::Client, base: &str) -> Vec<String> {
    let query = "query($after: String) { events(first: 100, after: $after) {
        nodes { ... on DesignCompletedEvent { jobId } } pageInfo { hasNextPage endCursor } } }";
    let (mut jobs, mut after) = (Vec::new(), Value::Null);
    loop {
        let body = json!({ "query": query, "variables": { "after": after } });
        let request = http.post(format!("{base}/graphql")).bearer_auth(KEY).json(&body);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        let page = &answer["data"]["events"];
        let nodes = page["nodes"].as_array().unwrap_or_else(|| panic!("{answer}"));
        jobs.extend(nodes.iter().map(|node| node["jobId"].as_str().unwrap().to_owned()));
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            return jobs;
        }
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_announced_once_though_the_process_is_killed_again_and_again() {
    let (sandbox, place, http) =
        (sandbox().await, tempfile::tempdir().unwrap(), reqwest::Client::builder().build().unwrap());
    sandbox.handle().plant(sandbox::TENANT, "p", "d").unwrap();
    let settings = gateway(&sandbox);
    let mut acknowledged = Vec::new();
    for round in 0..4 {
        let mut serve = command(place.path(), &settings);
        let (running, base, _) = Running::start_logging(serve.arg("serve"), "listens on ", Stdio::null());
        let (http, url) = (&http, &base);
        let deliver = |number: usize| async move {
            let job = format!("j{round}-{number}");
            let url = format!(
                "{url}/webhooks/aurora/performance_simulation_job_completed?tenant_id={}&design_id=d&job_id={job}&status=succeeded",
                sandbox::TENANT
            );
            let sent = http.get(url).header("X-Heliograph-Webhook-Token", SECRET).send().await;
            sent.is_ok_and(|it| it.status() == 200).then_some(job)
        };
        let deliveries = futures_util::future::join_all((0..60).map(deliver));
        if round < 3 {
            let kill = async {
                tokio::time::sleep(Duration::from_millis(40 * (round + 1))).await;
                drop(running);
            };
            let (done, ()) = tokio::join!(deliveries, kill);
            acknowledged.extend(done.into_iter().flatten());
            continue;
        }
        acknowledged.extend(deliveries.await.into_iter().flatten());
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut announced = events(http, &base).await;
        while !acknowledged.iter().all(|job| announced.contains(job)) {
            assert!(Instant::now() < deadline, "lost: {acknowledged:?} against {announced:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
            announced = events(http, &base).await;
        }
        let count = announced.len();
        announced.sort();
        announced.dedup();
        assert_eq!(announced.len(), count, "announced twice");
        drop(running);
    }
    assert!(acknowledged.len() >= 60, "the last round was in peace");
}

#[tokio::test]
async fn a_create_in_the_middle_of_which_the_process_is_killed_makes_one_project() {
    let (sandbox, place, http) =
        (sandbox().await, tempfile::tempdir().unwrap(), reqwest::Client::builder().build().unwrap());
    let aurora = sandbox.handle();
    let mut settings = gateway(&sandbox);
    settings.insert("AUTH__API_KEYS__0__SCOPES", "read,write".to_owned());
    let create = |base: String| {
        let query = r#"mutation { createProject(input: { idempotencyKey: "k", name: "Maple",
            location: { propertyAddress: "1 Main St" } }) { replayed project { projectId } } }"#;
        let request = http.post(format!("{base}/graphql")).bearer_auth(KEY).json(&json!({ "query": query }));
        async move { request.send().await?.json::<Value>().await }
    };
    // The effect takes place while the process dies.
    let slow = FaultRule::new("POST", "/tenants/*/projects", Fault::Delay { ms: 2_000 }).times(1);
    aurora.fail(slow).unwrap();
    let mut serve = command(place.path(), &settings);
    let (running, base, _) = Running::start_logging(serve.arg("serve"), "listens on ", Stdio::null());
    let callers = futures_util::future::join_all((0..50).map(|_| create(base.clone())));
    let deadline = Instant::now() + Duration::from_secs(20);
    let kill = async {
        while aurora.projects(sandbox::TENANT).is_empty() {
            assert!(Instant::now() < deadline, "nothing arrived at Aurora");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        drop(running);
    };
    let (answers, ()) = tokio::join!(callers, kill);
    assert!(answers.iter().all(Result::is_err), "nobody was answered");

    let mut serve = command(place.path(), &settings);
    let (running, base, _) = Running::start_logging(serve.arg("serve"), "listens on ", Stdio::null());
    let deadline = Instant::now() + Duration::from_secs(20);
    let patient = || async {
        loop {
            let answer = create(base.clone()).await.unwrap();
            if answer["data"]["createProject"]["project"].is_object() {
                return answer["data"]["createProject"].clone();
            }
            assert_eq!(answer["errors"][0]["extensions"]["code"], "OUTCOME_UNKNOWN", "{answer}");
            assert!(Instant::now() < deadline, "{answer}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let answers = futures_util::future::join_all((0..50).map(|_| patient())).await;
    assert!(answers.iter().all(|it| it["replayed"] == true && it["project"] == answers[0]["project"]));
    assert_eq!(aurora.calls_to("POST", "/tenants/*/projects"), 1);
    assert_eq!(aurora.projects(sandbox::TENANT).len(), 1);
    drop(running);
}

#[tokio::test]
async fn serve_ends_in_good_order_when_it_is_asked_to() {
    let (sandbox, place) = (sandbox().await, tempfile::tempdir().unwrap());
    let mut serve = command(place.path(), &gateway(&sandbox));
    let (mut running, base, said) = Running::start_logging(serve.arg("serve"), "listens on ", Stdio::null());
    assert!(base.starts_with("http://127.0.0.1:") && !base.ends_with(":0"), "{said}");
    let pid = running.0.id().to_string();
    assert!(Command::new("kill").arg(&pid).status().unwrap().success());
    let deadline = Instant::now() + Duration::from_secs(20);
    let status = loop {
        if let Some(status) = running.0.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < deadline, "it did not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(status.success(), "{status}");
}

#[test]
fn the_demo_says_where_it_is_and_what_to_paste() {
    let place = tempfile::tempdir().unwrap();
    let settings = BTreeMap::from([
        ("SERVER__LISTEN", "127.0.0.1:0".to_owned()),
        ("SERVER__ADMIN_LISTEN", "127.0.0.1:0".to_owned()),
        ("SANDBOX__LISTEN", "127.0.0.1:0".to_owned()),
    ]);
    // The settings of a real gateway lie in the same folder; the demo leaves them and its store alone.
    std::fs::write(place.path().join("heliograph.toml"), heliograph::config::DEFAULTS).unwrap();
    let begun = Instant::now();
    let mut demo = command(place.path(), &settings);
    let (running, _, said) = Running::start_logging(demo.arg("demo"), "Ctrl-C ", Stdio::null());
    assert!(begun.elapsed() < Duration::from_secs(5), "it took {:?}", begun.elapsed());
    let curl: String =
        said.lines().skip_while(|line| !line.contains("curl")).take(2).collect::<Vec<_>>().join("\n");
    let pasted = Command::new("bash").arg("-c").arg(&curl).output().unwrap();
    let answer: Value =
        serde_json::from_slice(&pasted.stdout).unwrap_or_else(|_| panic!("{curl}: {pasted:?}"));
    assert_eq!(answer["data"]["viewer"]["tenants"][0]["tenantId"], sandbox::TENANT, "{answer}");
    assert!(said.contains("/graphiql"));
    assert!(!place.path().join("heliograph.db").exists());
    drop(running);
}

fn refused(place: &Path, arguments: &[&str], settings: &[(&'static str, &str)]) -> Output {
    let settings = settings.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
    let output = command(place, &settings).args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    output
}

#[test]
fn a_wrong_configuration_is_refused_with_its_place_before_any_port_is_opened() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("heliograph.toml"), "[server]\nlisten = \"127.0.0.1:0\"\nlitsen = 1\n")
        .unwrap();
    let demo = ["demo", "--config", "heliograph.toml"];
    for arguments in [&["serve"][..], &["check-config"], &demo, &["sandbox"], &["webhooks", "list"]] {
        let output = refused(place.path(), arguments, &[("SERVER__DRIAN", "1s")]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("heliograph.toml:3") && said.contains("litsen"), "{said}");
        assert!(said.contains("HELIOGRAPH_SERVER__DRIAN"), "{said}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn serve_says_what_it_still_needs() {
    let place = tempfile::tempdir().unwrap();
    let said = String::from_utf8(refused(place.path(), &["serve"], &[]).stderr).unwrap();
    assert!(said.contains("webhooks.secret") && said.contains("auth.api_keys"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_registered_listed_and_deleted_and_twice_is_as_good_as_once() {
    let (sandbox, place) = (sandbox().await, tempfile::tempdir().unwrap());
    let mut settings = gateway(&sandbox);
    settings.insert("SERVER__PUBLIC_URL", "http://127.0.0.1:9/".to_owned());
    settings.insert("AURORA__APPLICATION_ID", sandbox::APPLICATION_ID.to_owned());
    settings.insert("AURORA__APPLICATION_KEY", sandbox::APPLICATION_KEY.to_owned());
    let run = |arguments: &[&str]| {
        let output = command(place.path(), &settings).arg("webhooks").args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(run(&["ensure"]).lines().all(|line| line.starts_with("created")));
    assert!(run(&["ensure"]).lines().all(|line| line.starts_with("kept")));
    let listed = run(&["list"]);
    let done = listed.lines().find(|line| line.contains("performance_simulation_job_completed")).unwrap();
    for part in ["<TENANT_ID>", "<SESSION_TOKEN>", "<JOB_ID>", "<DESIGN_ID>", "<STATUS>"] {
        assert!(done.contains(part), "{done}");
    }
    assert!(!listed.contains(SECRET));
    let id = done.split_whitespace().next().unwrap();
    assert!(run(&["delete", id]).contains(id));
    assert_eq!(run(&["list"]).lines().count(), listed.lines().count() - 1);
}

#[test]
fn every_command_explains_itself_with_an_example() {
    let commands: [&[&str]; 16] = [
        &["serve"],
        &["sandbox"],
        &["demo"],
        &["schema"],
        &["check-config"],
        &["healthcheck"],
        &["webhooks"],
        &["webhooks", "list"],
        &["webhooks", "ensure"],
        &["webhooks", "delete"],
        &["events"],
        &["events", "export"],
        &["events", "replay"],
        &["store"],
        &["store", "check"],
        &["store", "salvage"],
    ];
    for arguments in commands {
        let output = Command::new(BINARY).args(arguments).arg("--help").output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && said.contains("Example"), "{arguments:?}: {said}");
    }
}
