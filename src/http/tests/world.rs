//! A server with a small schema, on a port of its own.

use std::{
    net::SocketAddr,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use async_graphql::{
    Context, ID, Object, Schema, Subscription,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextSubscribe},
};
use futures_util::{
    Stream, StreamExt,
    stream::{self, BoxStream},
};
use reqwest::{RequestBuilder, Response, StatusCode, header::HeaderMap};
use secrecy::SecretString;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::{
    sync::{Notify, mpsc},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    domain::{Scope, Viewer, viewer::Tenants},
    graphql::{Code, Doorway, Failure, Place, Reached, engine::Engine},
    http::{
        self, ApiKey, Config, Credentials, Origin, Rate, Server, Site, State,
        page::Demo,
        server::{Drained, Limits},
    },
    intake::{self, Intake},
    journal::SqliteJournal,
    sqlite::Db,
    telemetry::Metrics,
};

/// What the schema did, and what it waits for.
#[derive(Default)]
pub(super) struct Script {
    pub(super) increments: AtomicU32,
    pub(super) gate: Notify,
    pub(super) entered: Notify,
    pub(super) listeners: AtomicU32,
    /// Whether subscriptions break off as soon as they are begun, before there is anything to listen to.
    pub(super) breaks_off_at_once: AtomicBool,
}

struct AtOnce(Arc<Script>);

impl ExtensionFactory for AtOnce {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self(Arc::clone(&self.0)))
    }
}

impl Extension for AtOnce {
    fn subscribe<'s>(
        &self,
        ctx: &ExtensionContext<'_>,
        stream: BoxStream<'s, async_graphql::Response>,
        next: NextSubscribe<'_>,
    ) -> BoxStream<'s, async_graphql::Response> {
        assert!(!self.0.breaks_off_at_once.load(SeqCst), "boom");
        next.run(ctx, stream)
    }
}

pub(super) struct Query;

#[Object]
impl Query {
    async fn name<'a>(&self, ctx: &'a Context<'_>) -> &'a str {
        ctx.data_unchecked::<Viewer>().name()
    }

    async fn echo(&self, id: ID) -> ID {
        id
    }

    async fn broken(&self) -> Option<async_graphql::Result<i32>> {
        Some(Err("it broke".into()))
    }

    async fn boom(&self) -> i32 {
        "boom".parse().unwrap()
    }

    /// Fails as the store does when it does not answer.
    async fn unwell(&self) -> Option<async_graphql::Result<i32>> {
        Some(Err(Failure::new(Code::Internal, "the store does not answer").into()))
    }

    /// Fails so often.
    async fn failures(&self, times: usize) -> Vec<Failing> {
        vec![Failing; times]
    }

    /// Waits for the gate.
    async fn gated(&self, ctx: &Context<'_>) -> bool {
        let script = ctx.data_unchecked::<Arc<Script>>();
        script.entered.notify_one();
        script.gate.notified().await;
        true
    }
}

#[derive(Clone)]
pub(super) struct Failing;

#[Object]
impl Failing {
    async fn value(&self) -> Option<async_graphql::Result<i32>> {
        Some(Err("it failed".into()))
    }
}

pub(super) struct Mutation;

#[Object]
impl Mutation {
    async fn increment(&self, ctx: &Context<'_>) -> u32 {
        ctx.data_unchecked::<Arc<Script>>().increments.fetch_add(1, SeqCst) + 1
    }

    /// Waits for the gate, then increments.
    async fn increment_late(&self, ctx: &Context<'_>) -> u32 {
        let script = ctx.data_unchecked::<Arc<Script>>();
        script.entered.notify_one();
        script.gate.notified().await;
        script.increments.fetch_add(1, SeqCst) + 1
    }
}

struct Listening(Arc<Script>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.listeners.fetch_sub(1, SeqCst);
    }
}

pub(super) struct Subscriptions;

#[Subscription]
impl Subscriptions {
    async fn count(&self, until: i32) -> impl Stream<Item = i32> {
        stream::iter(0..until)
    }

    /// Counts like `count`, each number in its place in an order.
    async fn placed(&self, ctx: &Context<'_>, until: i32) -> impl Stream<Item = i32> + use<> {
        let place = Arc::clone(ctx.data_unchecked::<Arc<Place>>());
        let seen = place.after().and_then(|it| it.strip_prefix('c')?.parse().ok());
        stream::iter(seen.map_or(0, |it: i32| it + 1)..until)
            .inspect(move |it| place.reach(Reached { seq: None, cursor: format!("c{it}") }))
    }

    /// Says nothing, for ever.
    async fn silence(&self, ctx: &Context<'_>) -> impl Stream<Item = i32> + use<> {
        let script = Arc::clone(ctx.data_unchecked::<Arc<Script>>());
        script.listeners.fetch_add(1, SeqCst);
        let listening = Listening(script);
        stream::pending().map(move |it: i32| {
            let _alive = &listening;
            it
        })
    }

    /// Says a long text, for ever.
    async fn flood(&self) -> impl Stream<Item = String> {
        stream::repeat_with(|| "x".repeat(50_000))
    }

    /// One answer, which failed as the store does.
    async fn unwell(&self) -> impl Stream<Item = async_graphql::Result<i32>> {
        stream::once(async { Err(Failure::new(Code::Internal, "the store does not answer").into()) })
    }

    async fn boom(&self) -> impl Stream<Item = i32> {
        stream::once(async { panic!("boom") })
    }
}

pub(super) struct World {
    pub(super) address: SocketAddr,
    pub(super) script: Arc<Script>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) shutdown: CancellationToken,
    pub(super) served: JoinHandle<Drained>,
    client: reqwest::Client,
    _directory: TempDir,
}

pub(super) const KEY: &str = "Bearer k-crm";
pub(super) const READER: &str = "Bearer k-reader";
pub(super) const FRIEND: &str = "https://crm.example.com";

fn key(name: &str, scopes: &[Scope]) -> ApiKey {
    ApiKey {
        name: name.into(),
        key_sha256: Sha256::digest(format!("k-{name}")).into(),
        viewer: Viewer::new(name, Tenants::All, scopes.to_vec()),
    }
}

/// What Aurora shows to be let in.
pub(super) const WEBHOOK_SECRET: &str = "a-secret-of-more-than-24-bytes";

async fn intake(directory: &TempDir) -> Intake {
    let db = Db::open(&directory.path().join("heliograph.db")).unwrap();
    let clock = Clock::system();
    let journal = SqliteJournal::open(db, clock.clone()).await.unwrap();
    let config = intake::Config {
        header: "X-Heliograph-Webhook-Token".to_owned(),
        secret: Some(SecretString::from(WEBHOOK_SECRET)),
        previous_secret: None,
        basic: None,
        default_tenant: None,
    };
    // Nobody exchanges session tokens here.
    let (grants, _nobody) = mpsc::channel(1);
    Intake::new(config, Arc::new(journal), clock, grants)
}

async fn state(config: Config, script: Arc<Script>, directory: &TempDir, graphiql: bool) -> State {
    let schema = || {
        let schema = Schema::build(Query, Mutation, Subscriptions).data(Arc::clone(&script));
        schema.extension(AtOnce(Arc::clone(&script)))
    };
    State {
        config: Config { allowed_origins: vec![Origin::parse(FRIEND).unwrap()], ..config },
        credentials: Credentials::from_api_keys([key("crm", &Scope::ALL), key("reader", &[Scope::Read])]),
        rate: Rate::per_minute(NonZeroU32::MAX),
        doorway: Doorway::new(Engine::new(schema)),
        intake: intake(directory).await,
        metrics: Arc::new(Metrics::new()),
        site: Site {
            demo: Some(Demo { api_key: "k-crm".into(), tenant_id: "t1".into() }),
            graphiql,
            sdl: "type Query { name: String! }".into(),
        },
        shutdown: CancellationToken::new(),
    }
}

impl World {
    pub(super) async fn start() -> Self {
        Self::with(Config::default(), Limits::default()).await
    }

    pub(super) async fn with(config: Config, limits: Limits) -> Self {
        Self::with_pages(config, limits, true).await
    }

    /// With GraphiQL or without.
    pub(super) async fn with_pages(config: Config, limits: Limits, graphiql: bool) -> Self {
        let script = Arc::new(Script::default());
        let directory = TempDir::new().unwrap();
        let state = state(config, Arc::clone(&script), &directory, graphiql).await;
        let (metrics, shutdown) = (Arc::clone(&state.metrics), state.shutdown.clone());
        let server = Server::bind("127.0.0.1:0".parse().unwrap(), limits).await.unwrap();
        let address = server.address();
        let drain = Duration::from_secs(5);
        let served = tokio::spawn(server.serve(http::router(state), shutdown.clone(), drain));
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { address, script, metrics, shutdown, served, client, _directory: directory }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.client.request(method.parse().unwrap(), self.url(path)).header("authorization", KEY)
    }

    pub(super) fn anonymous(&self, method: &str, path: &str) -> RequestBuilder {
        self.client.request(method.parse().unwrap(), self.url(path))
    }

    /// A POST that reads the newer media type.
    pub(super) async fn post(&self, body: impl Into<reqwest::Body>) -> Reply {
        self.post_accepting("application/graphql-response+json", body).await
    }

    pub(super) async fn post_accepting(&self, accept: &str, body: impl Into<reqwest::Body>) -> Reply {
        let request = self.request("POST", "/graphql").header("content-type", "application/json");
        Reply::to(request.header("accept", accept).body(body)).await
    }

    pub(super) async fn query(&self, document: &str) -> Reply {
        self.post(serde_json::json!({ "query": document }).to_string()).await
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Reply {
    pub(super) async fn to(request: RequestBuilder) -> Self {
        let response: Response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Self { status, headers, text: response.text().await.unwrap() }
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |it| it.to_str().unwrap())
    }

    /// Status and code, after a look at what every refusal must be.
    pub(super) fn refusal(&self) -> (u16, String) {
        let body = self.json();
        assert!(body.get("data").is_none(), "{body}");
        let extensions = &body["errors"][0]["extensions"];
        assert!(extensions["retryable"].is_boolean(), "{body}");
        assert!(body["errors"][0]["message"].as_str().is_some_and(|it| !it.is_empty()), "{body}");
        assert!(self.header("content-type").contains("json"), "{:?}", self.headers);
        (self.status.as_u16(), extensions["code"].as_str().unwrap().to_owned())
    }
}

/// Waits until something holds, and says what did not.
pub(super) async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let waited = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(5), waited).await.is_ok(), "never: {what}");
}
