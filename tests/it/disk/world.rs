//! A gateway on a disk that fails when it is told to.

use std::{
    collections::HashSet,
    future::Future,
    path::{Path, PathBuf},
    time::Duration,
};

use heliograph::sandbox::{Handle, Sandbox};
use serde_json::{Value, json};
use tokio::{
    io::{BufReader, Lines},
    net::TcpStream,
};

use crate::{
    load::{
        Gateway,
        caller::{Caller, completion},
        gateway::{KEY, SECRET, sandbox},
        listener,
    },
    preload,
};

/// How long a state may take to come about.
const PATIENCE: Duration = Duration::from_secs(30);

/// Each carries some hundred requests at a time: together more than may wait for the writer.
const FLOOD_CONNECTIONS: usize = 40;

/// What the disk does.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    None,
    Full,
    Sync,
    Write,
    ReadOnly,
    Hang,
}

/// A gateway on a disk of ours.
pub(super) struct Disk {
    pub(super) gateway: Gateway,
    place: tempfile::TempDir,
    http: reqwest::Client,
    sandbox: Sandbox,
    delivered: usize,
}

pub(super) type Listening = Lines<BufReader<TcpStream>>;

impl Disk {
    pub(super) async fn start() -> Self {
        Self::start_with(Vec::new()).await
    }

    /// With further settings than those that every gateway has here.
    pub(super) async fn start_with(settings: Vec<(String, String)>) -> Self {
        let (place, sandbox) = (tempfile::tempdir().unwrap(), sandbox().await);
        let fault = place.path().join("fault");
        std::fs::write(&fault, "-").unwrap();
        let environment = [("LD_PRELOAD", preload::library("disk/fault.c")), ("DISK_FAULT", fault)];
        let environment = environment.map(|(key, value)| (key.to_owned(), value.display().to_string()));
        let environment = environment.into_iter().chain(settings).collect();
        let gateway = Gateway::start_with(place.path(), &sandbox, environment);
        let http = reqwest::Client::builder().build().unwrap();
        Self { gateway, place, http, sandbox, delivered: 0 }
    }

    pub(super) fn set(&self, fault: Fault) {
        let letter = match fault {
            Fault::None => "-",
            Fault::Full => "f",
            Fault::Sync => "s",
            Fault::Write => "w",
            Fault::ReadOnly => "r",
            Fault::Hang => "h",
        };
        // Replaced whole, so that no reader finds it empty.
        let fresh = self.place.path().join("fault.new");
        std::fs::write(&fresh, letter).unwrap();
        std::fs::rename(fresh, self.place.path().join("fault")).unwrap();
    }

    pub(super) fn aurora(&self) -> &Handle {
        self.sandbox.handle()
    }

    pub(super) async fn ask(&self, query: &str, variables: Value) -> Value {
        let body = json!({ "query": query, "variables": variables });
        let request = self.http.post(format!("{}/graphql", self.base())).bearer_auth(KEY).json(&body);
        request.send().await.unwrap().json().await.unwrap()
    }

    pub(super) fn place(&self) -> &Path {
        self.place.path()
    }

    pub(super) fn store(&self) -> PathBuf {
        self.place.path().join("heliograph.db")
    }

    pub(super) fn beside(&self, ending: &str) -> PathBuf {
        self.place.path().join(format!("heliograph.db{ending}"))
    }

    pub(super) fn restart(&mut self) {
        tokio::task::block_in_place(|| {
            self.gateway.kill();
            self.gateway.again();
        });
    }

    /// A restart in good order.
    pub(super) fn stop_and_start(&mut self) {
        tokio::task::block_in_place(|| {
            self.gateway.stop();
            self.gateway.again();
        });
    }

    pub(super) fn start_again(&mut self) {
        tokio::task::block_in_place(|| self.gateway.again());
    }

    /// Delivers a job of that name; every answer that is no 200 says when to come again.
    pub(super) async fn deliver(&self, job: &str) -> u16 {
        let event = completion("d", job, "failed");
        let url = format!("{}/webhooks/aurora/{event}", self.base());
        let request = self.http.get(url).header("x-heliograph-webhook-token", SECRET);
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        assert!(status == 200 || answer.headers().contains_key("retry-after"), "{answer:?}");
        status
    }

    /// Delivers so many, all of which are kept.
    pub(super) async fn deliver_some(&mut self, count: usize) -> Vec<String> {
        let mut kept = Vec::new();
        for _ in 0..count {
            let job = self.job();
            assert_eq!(self.deliver(&job).await, 200);
            kept.push(job);
        }
        kept
    }

    /// Delivers until one is refused, and gives those that were kept.
    pub(super) async fn deliver_until_refused(&mut self, known: &[String]) -> Vec<String> {
        let mut kept = Vec::new();
        loop {
            let job = self.job();
            assert!(!known.contains(&job) && kept.len() < 10_000, "it is never full");
            match self.deliver(&job).await {
                200 => kept.push(job),
                503 => return kept,
                other => panic!("{other}"),
            }
        }
    }

    /// Delivers so many at the same time, each over a connection of its own. No answer is one as well.
    pub(super) async fn deliver_at_once(&mut self, count: usize) -> Vec<Option<u16>> {
        let jobs: Vec<_> = (0..count).map(|_| self.job()).collect();
        let deliver = |job: String| {
            let mut caller = Caller::new(self.gateway.addresses());
            async move { caller.deliver(&completion("d", &job, "failed")).await }
        };
        futures_util::future::join_all(jobs.into_iter().map(deliver)).await
    }

    /// Delivers as many as that as fast as they are taken, over few connections.
    pub(super) async fn flood(&mut self, count: usize) -> Vec<u16> {
        let client = |_| reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
        let clients: Vec<_> = (0..FLOOD_CONNECTIONS).map(client).collect();
        let base = self.base();
        let deliver = |(at, job): (usize, String)| {
            let url = format!("{base}/webhooks/aurora/{}", completion("d", &job, "failed"));
            let request =
                clients[at % FLOOD_CONNECTIONS].get(url).header("x-heliograph-webhook-token", SECRET);
            async move { request.send().await.unwrap().status().as_u16() }
        };
        let jobs: Vec<_> = (0..count).map(|at| (at, self.job())).collect();
        futures_util::future::join_all(jobs.into_iter().map(deliver)).await
    }

    fn job(&mut self) -> String {
        self.delivered += 1;
        format!("j{}", self.delivered)
    }

    pub(super) fn base(&self) -> String {
        format!("http://{}", *self.gateway.addresses().borrow())
    }

    /// Opens a stream of all events.
    pub(super) async fn listen(&self) -> Listening {
        let address = *self.gateway.addresses().borrow();
        listener::open(address, None).await.unwrap()
    }

    /// Reads from it until all of these have come.
    pub(super) async fn hears(&self, listening: &mut Listening, jobs: &[String]) {
        let mut missing: HashSet<&str> = jobs.iter().map(String::as_str).collect();
        let hear = async {
            while !missing.is_empty() {
                let line = listening.next_line().await.unwrap().expect("the stream goes on");
                let job = line.split("\"jobId\":\"").nth(1).and_then(|it| it.split('"').next());
                job.map(|it| missing.remove(it));
            }
        };
        let heard = tokio::time::timeout(PATIENCE, hear).await;
        assert!(heard.is_ok(), "never heard: {missing:?}");
    }

    async fn readiness(&self) -> (u16, String) {
        let url = format!("{}/readyz", self.gateway.admin());
        let answer = self.http.get(url).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    pub(super) async fn is_unready(&self, why: &str) {
        let unready = async {
            loop {
                let (status, said) = self.readiness().await;
                if status == 503 && said.contains(why) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let came = tokio::time::timeout(PATIENCE, unready).await;
        assert!(came.is_ok(), "{:?}", self.readiness().await);
        assert_eq!(self.metric("heliograph_store_writable").await, 0.0);
    }

    /// What a line of the metrics page says.
    pub(super) async fn metric(&self, line: &str) -> f64 {
        let page = self.http.get(format!("{}/metrics", self.gateway.admin())).send().await.unwrap();
        let page = page.text().await.unwrap();
        let value = page.lines().find_map(|it| it.strip_prefix(line)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("{line} is not in {page}")).parse().unwrap()
    }

    /// Waits for a state.
    pub(super) async fn eventually<F: Future<Output = bool>>(
        &self,
        what: &str,
        mut state: impl FnMut() -> F,
    ) {
        let wait = async {
            while !state().await {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let came = tokio::time::timeout(PATIENCE, wait).await;
        assert!(came.is_ok(), "never came about: {what}; {}", self.gateway.log());
    }

    pub(super) async fn becomes_ready(&self) {
        let ready = async {
            while self.readiness().await.0 != 200 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, ready).await.is_ok(), "{:?}", self.readiness().await);
    }

    /// The jobs of all announced events, in their order.
    pub(super) async fn announced(&self) -> Vec<String> {
        let query = "query($after: String) { events(first: 100, after: $after) {
            nodes { ... on DesignCompletedEvent { jobId } } pageInfo { hasNextPage endCursor } } }";
        let (mut jobs, mut after) = (Vec::new(), Value::Null);
        loop {
            let answer = self.ask(query, json!({ "after": after })).await;
            let page = &answer["data"]["events"];
            let nodes = page["nodes"].as_array().unwrap_or_else(|| panic!("{answer}"));
            jobs.extend(nodes.iter().map(|node| node["jobId"].as_str().unwrap().to_owned()));
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == false {
                return jobs;
            }
        }
    }

    /// Waits until all of these are announced, each once.
    pub(super) async fn announces_at_least(&self, jobs: &[String]) -> Vec<String> {
        let come = async {
            loop {
                let announced = self.announced().await;
                if jobs.iter().all(|job| announced.contains(job)) {
                    return announced;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let Ok(announced) = tokio::time::timeout(PATIENCE, come).await else {
            panic!("lost: of {jobs:?} there is {:?}", self.announced().await)
        };
        let distinct: HashSet<_> = announced.iter().collect();
        assert_eq!(distinct.len(), announced.len(), "announced twice: {announced:?}");
        announced
    }

    /// Waits until all of these are announced, each once and in this order, and nothing else.
    pub(super) async fn announces_exactly(&self, jobs: &[String]) {
        assert_eq!(self.announces_at_least(jobs).await, jobs);
    }
}
