//! The budget in real time: a thousand distinct reads a minute, and a create every few seconds, before a sandbox that
//! enforces 90 calls a minute. Fails when Aurora has to say "too many" once, or a create waits for two seconds.
//!
//! Two minutes, or as many as the first argument says: the second begins where calls of the first leave the window.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a soak tells its figures, and stops at the first failure"
)]

use std::time::{Duration, Instant};

use heliograph::{
    app::App,
    clock::Clock,
    config::Config,
    sandbox::{self, Sandbox},
};
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::interval};
use tokio_util::sync::CancellationToken;

const KEY: &str = "key-of-the-budgets-soak";
const READS_A_MINUTE: u32 = 1_000;
const CREATE_EVERY: Duration = Duration::from_secs(4);
const CREATE: &str = r#"mutation { createProject(input: { location: { propertyAddress: "434 Brannan St, San Francisco, CA 94107" } })
    { project { projectId } } }"#;

#[derive(Debug, Default)]
struct Figures {
    answered: u32,
    held: u32,
    other: u32,
    slowest_refusal: Duration,
}

#[tokio::main]
async fn main() {
    let minutes = std::env::args().find_map(|it| it.parse::<u32>().ok()).unwrap_or(2);
    let config = sandbox::Config { listen: "127.0.0.1:0".parse().unwrap(), ..sandbox::Config::default() };
    let sandbox = Sandbox::start(config).await.unwrap();
    let place = tempfile::tempdir().unwrap();
    let app = App::build(&settings(&sandbox, &place), Clock::system()).await.unwrap();
    let url = format!("http://{}/graphql", app.addr());
    tokio::spawn(app.run(CancellationToken::new()));

    let http = reqwest::Client::builder().build().unwrap();
    let creates = tokio::spawn(creates(http.clone(), url.clone(), minutes));
    let figures = reads(&http, &url, minutes).await;
    let mut waits = creates.await.unwrap();
    waits.sort_unstable();

    let calls = sandbox.handle().calls();
    let too_many = calls.iter().filter(|call| call.status == Some(429)).count();
    println!("{minutes} minutes: {figures:?}");
    println!("{} calls to Aurora, {too_many} of them too many", calls.len());
    println!(
        "{} creates: median {:?}, slowest {:?}",
        waits.len(),
        waits[waits.len() / 2],
        waits[waits.len() - 1]
    );
    assert_eq!(too_many, 0);
    assert_eq!(figures.other, 0);
    assert!(waits.iter().all(|it| *it < Duration::from_secs(2)));
    assert!(calls.len() <= 90 * (minutes as usize + 1));
    assert!(figures.answered >= 50 * minutes, "most of the budget is for reads");
}

fn settings(sandbox: &Sandbox, place: &tempfile::TempDir) -> Config {
    let settings = [
        ("SERVER__LISTEN", "127.0.0.1:0".to_owned()),
        ("SERVER__ADMIN_LISTEN", "127.0.0.1:0".to_owned()),
        ("AURORA__BASE_URL", sandbox.base_url()),
        ("AURORA__TENANTS__0__ID", sandbox::TENANT.to_owned()),
        ("AURORA__TENANTS__0__KEY", sandbox::TENANT_KEY.to_owned()),
        ("WEBHOOKS__SECRET", "secret-of-the-soak".to_owned()),
        ("AUTH__API_KEYS__0__NAME", "soak".to_owned()),
        ("AUTH__API_KEYS__0__KEY", KEY.to_owned()),
        ("AUTH__API_KEYS__0__TENANTS", sandbox::TENANT.to_owned()),
        ("AUTH__API_KEYS__0__SCOPES", "read,write".to_owned()),
        ("STORE__PATH", place.path().join("heliograph.db").display().to_string()),
    ];
    Config::load(None, settings.map(|(key, value)| (format!("HELIOGRAPH_{key}"), value))).unwrap()
}

async fn reads(http: &reqwest::Client, url: &str, minutes: u32) -> Figures {
    let mut ticks = interval(Duration::from_secs(60) / READS_A_MINUTE);
    let (mut asked, mut figures) = (JoinSet::new(), Figures::default());
    for number in 0..minutes * READS_A_MINUTE {
        ticks.tick().await;
        let (http, url) = (http.clone(), url.to_owned());
        asked.spawn(async move {
            let begun = Instant::now();
            let query = format!(r#"{{ design(designId: "no-{number}") {{ name }} }}"#);
            (ask(&http, &url, &query).await, begun.elapsed())
        });
    }
    while let Some(done) = asked.join_next().await {
        let (answer, took) = done.unwrap();
        match answer["errors"][0]["extensions"]["code"].as_str() {
            // No such design: Aurora has said so.
            Some("NOT_FOUND") => figures.answered += 1,
            Some("UPSTREAM_RATE_LIMITED") => {
                figures.held += 1;
                figures.slowest_refusal = figures.slowest_refusal.max(took);
            }
            _ => figures.other += 1,
        }
    }
    figures
}

async fn creates(http: reqwest::Client, url: String, minutes: u32) -> Vec<Duration> {
    let mut ticks = interval(CREATE_EVERY);
    let (begun, mut waits) = (Instant::now(), Vec::new());
    while begun.elapsed() < Duration::from_secs(60) * minutes {
        ticks.tick().await;
        let pressed = Instant::now();
        let answer = ask(&http, &url, CREATE).await;
        assert!(answer["errors"].is_null(), "{answer}");
        waits.push(pressed.elapsed());
    }
    waits
}

async fn ask(http: &reqwest::Client, url: &str, query: &str) -> Value {
    let request = http.post(url).bearer_auth(KEY).json(&json!({ "query": query }));
    request.send().await.unwrap().json().await.unwrap()
}
