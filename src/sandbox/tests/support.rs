//! A sandbox, a client that knows its keys, and a receiver of webhooks.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::super::{APPLICATION_ID, APPLICATION_KEY, Config, Handle, Sandbox, TENANT, TENANT_KEY};

/// Far more than any state takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) const ADDRESS: &str = "434 Brannan St, San Francisco, CA, 94107";

/// A quiet Aurora: nothing happens by itself, and retries come at once.
pub(super) fn quiet() -> Config {
    Config {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        design_delay: None,
        ahj_delay: Duration::ZERO,
        ..Config::default()
    }
}

pub(super) struct World {
    pub(super) sandbox: Sandbox,
    pub(super) client: Client,
}

impl World {
    pub(super) async fn start() -> Self {
        Self::with(quiet()).await
    }

    pub(super) async fn with(config: Config) -> Self {
        let sandbox = Sandbox::start(config).await.unwrap();
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .no_proxy()
            .build()
            .unwrap();
        Self { sandbox, client }
    }

    pub(super) fn handle(&self) -> &Handle {
        self.sandbox.handle()
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.sandbox.base_url())
    }

    pub(super) fn request(&self, method: Method, path: &str, key: &str) -> RequestBuilder {
        self.client.request(method, self.url(path)).bearer_auth(key)
    }

    pub(super) async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.request(Method::GET, path, TENANT_KEY).send().await.unwrap()).await
    }

    pub(super) async fn send(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        answer(self.request(method, path, TENANT_KEY).json(body).send().await.unwrap()).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send(Method::POST, path, body).await
    }

    /// As the partner application.
    pub(super) async fn partner(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let path = format!("/partner_applications/{APPLICATION_ID}{path}");
        answer(self.request(method, &path, APPLICATION_KEY).json(body).send().await.unwrap()).await
    }

    pub(super) async fn exchange(&self, tenant: &str, session: Option<&str>) -> (u16, Value) {
        let query = session.map(|it| format!("?session_token={it}")).unwrap_or_default();
        self.partner(Method::POST, &format!("/tenants/{tenant}/create_token{query}"), &json!(null)).await
    }

    pub(super) async fn temporary_key(&self, tenant: &str) -> String {
        let (_, body) = self.exchange(tenant, None).await;
        body["token"]["bearer_token"].as_str().unwrap().to_owned()
    }

    /// A project of the default tenant.
    pub(super) async fn create(&self, project: &Value) -> Value {
        let (status, body) =
            self.post(&format!("/tenants/{TENANT}/projects"), &json!({ "project": project })).await;
        assert_eq!(status, 200, "{body}");
        body["project"].clone()
    }

    /// A project of the default tenant at the usual address, and its design's id.
    pub(super) async fn house(&self) -> (String, String) {
        let project = self.create(&json!({"location": {"property_address": ADDRESS}})).await;
        let id = project["id"].as_str().unwrap().to_owned();
        let designs = self.handle().designs(TENANT);
        let design = designs.iter().find(|it| it.project_id == id).unwrap();
        (id, design.id.clone())
    }

    pub(super) async fn summary(&self, design: &str) -> Value {
        let (status, body) = self.get(&format!("/tenants/{TENANT}/designs/{design}/summary")).await;
        assert_eq!(status, 200, "{body}");
        body["design"].clone()
    }

    /// Waits for a state of the sandbox.
    pub(super) async fn eventually(&self, what: &str, holds: impl Fn(&Handle) -> bool) {
        until(what, || holds(self.handle())).await;
    }
}

pub(super) async fn answer(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// Bounded, and says what it missed.
pub(super) async fn until(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "never happened: {what}");
}

/// One webhook call as it arrived.
#[derive(Debug, Clone)]
pub(super) struct Received {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: BTreeMap<String, String>,
    pub(super) headers: HeaderMap,
    pub(super) body: usize,
}

type Answers = dyn Fn(usize) -> Option<StatusCode> + Send + Sync;

#[derive(Clone)]
struct Inbox {
    received: Arc<Mutex<Vec<Received>>>,
    answers: Arc<Answers>,
}

/// Receives webhooks and answers the nth (from 0) as it was told; with `None`, never.
pub(super) struct Receiver {
    addr: SocketAddr,
    inbox: Inbox,
    server: JoinHandle<()>,
}

impl Receiver {
    pub(super) async fn start() -> Self {
        Self::answering(|_| Some(StatusCode::OK)).await
    }

    pub(super) async fn answering(
        answers: impl Fn(usize) -> Option<StatusCode> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let inbox = Inbox { received: Arc::default(), answers: Arc::new(answers) };
        let router = Router::new().fallback(receive).with_state(inbox.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { addr, inbox, server }
    }

    pub(super) fn url(&self, path_and_query: &str) -> String {
        format!("http://{}{path_and_query}", self.addr)
    }

    pub(super) fn all(&self) -> Vec<Received> {
        self.inbox.received.lock().unwrap().clone()
    }

    /// Waits until so many calls have come.
    pub(super) async fn wait_for(&self, count: usize) -> Vec<Received> {
        until(&format!("{count} webhook calls"), || self.all().len() >= count).await;
        self.all()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn receive(
    State(inbox): State<Inbox>,
    Query(query): Query<BTreeMap<String, String>>,
    request: axum::extract::Request,
) -> (StatusCode, [(&'static str, &'static str); 1]) {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1024).await.unwrap().len();
    let nth = {
        let mut received = inbox.received.lock().unwrap();
        received.push(Received {
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            query,
            headers: parts.headers,
            body,
        });
        received.len() - 1
    };
    match (inbox.answers)(nth) {
        Some(status) => (status, [("location", "/elsewhere")]),
        None => std::future::pending().await,
    }
}
