//! A small world: an Aurora sandbox, a gateway before it, and a clock that moves both.

mod answer;
pub(crate) mod authority;
pub(crate) mod crm;
pub(crate) mod issuer;
mod listener;
mod neighbour;
mod subscriber;

use std::{collections::BTreeMap, future::Future, process::Stdio, sync::Arc, time::Duration};

use heliograph::{
    app::{self, App},
    clock::Clock,
    config::Config,
    sandbox::{self, Handle, Sandbox},
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::load::process::{Running, command};

pub(crate) use answer::Answer;
pub(crate) use listener::{Listener, Reader};
pub(crate) use neighbour::Neighbour;
pub(crate) use subscriber::Subscriber;

/// The tenant that most tests live in, and another.
pub(crate) const TENANT: &str = "tenant-demo";
pub(crate) const OTHER: &str = "tenant-second";

/// Keys: of each tenant, of both, one that may only read, and the operator's.
pub(crate) const KEY: &str = "key-of-the-first-tenant";
pub(crate) const OTHER_KEY: &str = "key-of-the-second-tenant";
pub(crate) const BOTH_KEY: &str = "key-of-both-tenants";
pub(crate) const READ_KEY: &str = "key-that-may-only-read";
pub(crate) const ADMIN_KEY: &str = "key-of-the-operator";

/// What Aurora must present with a delivery.
pub(crate) const WEBHOOK_SECRET: &str = "webhook-secret-of-the-tests";

/// How long a state may take to come about. Generous: it is spent only where something is broken.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct World {
    pub(crate) aurora: Handle,
    pub(crate) clock: Clock,
    pub(crate) http: reqwest::Client,
    /// Dropping it ends it.
    sandbox: Sandbox,
    gateway: Gateway,
    store: Arc<tempfile::TempDir>,
    settings: Vec<(String, String)>,
}

struct Gateway {
    base: String,
    admin: String,
    stop: CancellationToken,
    /// Until it has been stopped.
    task: Option<JoinHandle<()>>,
}

impl World {
    /// A gateway and a sandbox on a good day.
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}, &[]).await
    }

    /// A sandbox that was adjusted, and a gateway with further settings.
    pub(crate) async fn with(adjust: impl FnOnce(&mut sandbox::Config), settings: &[(&str, &str)]) -> Self {
        let mut config = sandbox::Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            design_delay: None,
            ..sandbox::Config::default()
        };
        adjust(&mut config);
        let (application_id, application_key) =
            (config.application_id.clone(), config.application_key.clone());
        let sandbox = Sandbox::start(config).await.unwrap();
        let store = Arc::new(tempfile::tempdir().unwrap());
        let mut all = usual(&sandbox, &store, &application_id, &application_key);
        set(&mut all, settings);
        // As exact as what is kept on disk.
        let now = jiff::Timestamp::from_microsecond(Clock::system().now().as_microsecond()).unwrap();
        let clock = Clock::manual(now);
        let gateway = Gateway::start(&all, clock.clone()).await;
        let aurora = sandbox.handle().clone();
        Self { aurora, clock, http: client(), sandbox, gateway, store, settings: all }
    }

    /// The binary as a process of its own before the same Aurora, with a store of its own, and where it is.
    pub(crate) fn process(&self, place: &std::path::Path, settings: &[(&str, &str)]) -> (Running, String) {
        let own = [("HELIOGRAPH_STORE__PATH", "heliograph.db")];
        let all = self.settings.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let all = all.chain(own).chain(settings.iter().copied());
        let all: BTreeMap<_, _> =
            all.map(|(key, value)| (key.strip_prefix("HELIOGRAPH_").unwrap(), value.to_owned())).collect();
        let mut serve = command(place, &all);
        // So that its memory is what it holds, and not what its allocator keeps for later.
        serve.env("MIMALLOC_PURGE_DELAY", "0");
        let (running, base, _) = Running::start_logging(serve.arg("serve"), "listens on ", Stdio::null());
        (running, base)
    }

    /// Stops the gateway and starts it again on the same store.
    pub(crate) async fn restart(&mut self) {
        self.gateway.stop().await;
        self.gateway = Gateway::start(&self.settings, self.clock.clone()).await;
    }

    /// The same with other settings from now on.
    pub(crate) async fn restart_with(&mut self, settings: &[(&str, &str)]) {
        set(&mut self.settings, settings);
        self.restart().await;
    }

    /// A gateway with these settings from its next start on.
    pub(crate) fn set(&mut self, settings: Vec<(String, String)>) {
        self.settings.retain(|(key, _)| settings.iter().all(|(other, _)| other != key));
        self.settings.extend(settings);
    }

    /// Its settings.
    pub(crate) fn settings(&self) -> &[(String, String)] {
        &self.settings
    }

    /// Stops the gateway.
    pub(crate) async fn stop(&mut self) {
        self.gateway.stop().await;
    }

    /// Where the gateway is.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.gateway.base)
    }

    /// Where Aurora is.
    pub(crate) fn aurora_url(&self) -> String {
        self.sandbox.base_url()
    }

    /// Where its operator's routes are.
    pub(crate) fn admin_url(&self, path: &str) -> String {
        format!("{}{path}", self.gateway.admin)
    }

    /// The settings it runs with.
    pub(crate) fn config(&self) -> Config {
        Config::load(None, self.settings.clone()).unwrap()
    }

    /// Where it keeps what outlives it.
    pub(crate) fn store(&self) -> &std::path::Path {
        self.store.path()
    }

    /// Moves the clocks of the gateway and of Aurora.
    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
        self.aurora.move_clock(by);
    }

    /// Asks as the first tenant.
    pub(crate) async fn query(&self, query: &str) -> Answer {
        self.ask(KEY, query, json!({})).await
    }

    /// Asks with variables, by any key.
    pub(crate) async fn ask(&self, key: &str, query: &str, variables: Value) -> Answer {
        let request = self.http.post(self.url("/graphql")).bearer_auth(key);
        let body = json!({ "query": query, "variables": variables });
        Answer::of(request.header("x-heliograph-explain", "1").json(&body).send().await.unwrap()).await
    }

    /// A request by POST of the first tenant.
    pub(crate) fn by_post(&self, query: &str, variables: Value) -> reqwest::RequestBuilder {
        let body = json!({ "query": query, "variables": variables });
        self.http.post(self.url("/graphql")).bearer_auth(KEY).json(&body)
    }

    /// The same by GET.
    pub(crate) fn by_get(&self, query: &str, variables: &Value) -> reqwest::RequestBuilder {
        let parameters = [("query", query.to_owned()), ("variables", variables.to_string())];
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        self.http.get(self.url(&format!("/graphql?{query}"))).bearer_auth(KEY)
    }

    /// How often Aurora was asked for a key.
    pub(crate) fn exchanges(&self) -> usize {
        self.aurora.calls_to("POST", "/partner_applications/*/tenants/*/create_token")
    }

    /// The operator's page of metrics.
    pub(crate) async fn metrics(&self) -> String {
        self.http.get(self.admin_url("/metrics")).send().await.unwrap().text().await.unwrap()
    }

    /// Makes a project through the gateway and gives Aurora's id of it.
    pub(crate) async fn project(&self) -> String {
        let made = self
            .query(
                r#"mutation { createProject(input: { location: { propertyAddress: "434 Brannan St, San Francisco, CA 94107" } })
                   { project { projectId } userErrors { message } } }"#,
            )
            .await;
        made["createProject"]["project"]["projectId"].as_str().unwrap().to_owned()
    }

    /// Makes a project, and gives Aurora's ids of it and of its design.
    pub(crate) async fn design(&self) -> (String, String) {
        let project = self.project().await;
        let designs = self.aurora.designs(TENANT);
        let design = designs.into_iter().find(|it| it.project_id == project).unwrap();
        (project, design.id)
    }

    /// Delivers a webhook as Aurora would, with the right secret.
    pub(crate) async fn deliver(&self, event: &str, query: &str) -> u16 {
        let url = self.url(&format!("/webhooks/aurora/{event}?{query}"));
        let request = self.http.get(url).header("X-Heliograph-Webhook-Token", WEBHOOK_SECRET);
        request.send().await.unwrap().status().as_u16()
    }

    /// Delivers the completion of a design.
    pub(crate) async fn complete(&self, design: &str, job: &str) -> u16 {
        let query = format!("tenant_id={TENANT}&design_id={design}&job_id={job}&status=succeeded");
        self.deliver("performance_simulation_job_completed", &query).await
    }

    /// Opens a socket and subscribes as the first tenant.
    pub(crate) async fn subscribe(&self, query: &str) -> Subscriber {
        self.subscribe_as(KEY, query, json!({})).await
    }

    /// Opens a socket and subscribes.
    pub(crate) async fn subscribe_as(&self, key: &str, query: &str, variables: Value) -> Subscriber {
        Subscriber::open(&self.url("/graphql"), key, query, variables).await
    }

    /// The same where events may come at once.
    pub(crate) async fn subscribe_eager(&self, key: &str, query: &str, variables: Value) -> Subscriber {
        Subscriber::begin(&self.url("/graphql"), key, query, variables).await
    }

    /// The same where it will be refused.
    pub(crate) async fn subscribe_refused(&self, key: &str, query: &str) -> Subscriber {
        self.subscribe_eager(key, query, json!({})).await
    }

    /// Registers the webhooks for where the settings say that the gateway is.
    pub(crate) async fn ensure_webhooks(&self) -> Vec<(&'static str, heliograph::registration::Done)> {
        let config = self.config();
        let aurora = app::aurora(&config, self.clock.clone()).unwrap();
        heliograph::registration::ensure(&aurora, &app::webhook_target(&config).unwrap()).await.unwrap()
    }

    /// Registers the webhooks at Aurora, as `heliograph webhooks ensure` does.
    pub(crate) async fn register_webhooks(&self) {
        let mut settings = self.settings.clone();
        settings.push(("HELIOGRAPH_SERVER__PUBLIC_URL".to_owned(), self.url("/")));
        let config = Config::load(None, settings).unwrap();
        let aurora = app::aurora(&config, self.clock.clone()).unwrap();
        heliograph::registration::ensure(&aurora, &app::webhook_target(&config).unwrap()).await.unwrap();
    }

    /// The ids of all announced events, oldest first, read page by page.
    pub(crate) async fn all_announced(&self) -> Vec<String> {
        let query = "query($after: String) { events(first: 100, after: $after) { nodes { id } pageInfo { hasNextPage endCursor } } }";
        let (mut all, mut after) = (Vec::new(), Value::Null);
        loop {
            let answer = self.ask(KEY, query, json!({ "after": after })).await.sound();
            let nodes = answer["events"]["nodes"].as_array().unwrap().clone();
            all.extend(nodes.iter().map(|node| node["id"].as_str().unwrap().to_owned()));
            after = answer["events"]["pageInfo"]["endCursor"].clone();
            if answer["events"]["pageInfo"]["hasNextPage"] == false {
                return all;
            }
        }
    }

    /// Waits until so many events are announced, where they are more than a page.
    pub(crate) async fn announced_become_by_pages(&self, count: usize) {
        self.eventually(&format!("{count} events"), || async { self.all_announced().await.len() == count })
            .await;
    }

    /// The value of one line of the metrics page.
    pub(crate) async fn count(&self, line: &str) -> u64 {
        let page = self.http.get(self.admin_url("/metrics")).send().await.unwrap().text().await.unwrap();
        let value = page.lines().find_map(|it| it.strip_prefix(line)?.strip_prefix(' '));
        value.map_or(0, |it| it.parse().unwrap())
    }

    /// The ids of the announced events, oldest first.
    pub(crate) async fn announced(&self) -> Vec<String> {
        let answer = self.query("{ events(first: 100) { nodes { id } } }").await;
        let nodes = answer["events"]["nodes"].as_array().unwrap().clone();
        nodes.iter().map(|node| node["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until so many events are announced, and checks that there are not more. Where more could still be on their way, a
    /// delivery behind them in their lane must be among those that are waited for.
    pub(crate) async fn announced_become(&self, count: usize) {
        self.eventually(&format!("{count} events announced"), || async {
            self.announced().await.len() >= count
        })
        .await;
        assert_eq!(self.announced().await.len(), count);
    }

    /// Waits for a state.
    pub(crate) async fn eventually<F: Future<Output = bool>>(
        &self,
        what: &str,
        mut state: impl FnMut() -> F,
    ) {
        let wait = async {
            while !state().await {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            panic!("never came about: {what}; Aurora saw {:#?}", self.aurora.calls());
        }
    }
}

impl Gateway {
    async fn start(settings: &[(String, String)], clock: Clock) -> Self {
        let config = Config::load(None, settings.to_vec()).unwrap_or_else(|error| panic!("{error}"));
        let app = App::build(&config, clock).await.unwrap_or_else(|error| panic!("{error:#}"));
        let (base, admin) = (format!("http://{}", app.addr()), format!("http://{}", app.admin_addr()));
        let stop = CancellationToken::new();
        let running = app.run(stop.clone());
        let task = tokio::spawn(async move { running.await.unwrap_or_else(|error| panic!("{error:#}")) });
        Self { base, admin, stop, task: Some(task) }
    }

    async fn stop(&mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            task.await.unwrap();
        }
    }
}

/// Sets some over others. A secret that comes from a file takes the place of one that was given itself.
fn set(all: &mut Vec<(String, String)>, settings: &[(&str, &str)]) {
    let is_replaced =
        |key: &str| settings.iter().any(|(it, _)| *it == key || it.strip_suffix("_FILE") == Some(key));
    all.retain(|(key, _)| !is_replaced(key));
    all.extend(settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

/// The settings that every gateway of the tests has.
fn usual(
    sandbox: &Sandbox,
    store: &tempfile::TempDir,
    application_id: &str,
    application_key: &secrecy::SecretString,
) -> Vec<(String, String)> {
    use secrecy::ExposeSecret;
    let path = store.path().join("heliograph.db").display().to_string();
    let key = |at: usize, name: &str, key: &str, tenants: &str, scopes: &str| {
        [("NAME", name), ("KEY", key), ("TENANTS", tenants), ("SCOPES", scopes)]
            .map(|(field, value)| (format!("AUTH__API_KEYS__{at}__{field}"), value.to_owned()))
    };
    let both = format!("{TENANT},{OTHER}");
    let mut all: Vec<(String, String)> = [
        ("SERVER__LISTEN", "127.0.0.1:0"),
        ("SERVER__ADMIN_LISTEN", "127.0.0.1:0"),
        ("SERVER__DRAIN", "1s"),
        ("AURORA__BASE_URL", &sandbox.base_url()),
        ("AURORA__APPLICATION_ID", application_id),
        ("AURORA__APPLICATION_KEY", application_key.expose_secret()),
        ("AURORA__REQUEST_TIMEOUT", "2s"),
        ("WEBHOOKS__SECRET", WEBHOOK_SECRET),
        ("STORE__PATH", &path),
        // Only tests that are about it count on its calls.
        ("RECONCILE__SHARE", "0%"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    all.extend(key(0, "first", KEY, TENANT, "read,write"));
    all.extend(key(1, "second", OTHER_KEY, OTHER, "read,write"));
    all.extend(key(2, "both", BOTH_KEY, &both, "read,write"));
    all.extend(key(3, "reader", READ_KEY, TENANT, "read"));
    all.extend(key(4, "operator", ADMIN_KEY, "*", "read,write,admin"));
    all.into_iter().map(|(key, value)| (format!("HELIOGRAPH_{key}"), value)).collect()
}
