//! A CRM that takes webhooks: keeps what it hears, verifies by the specification and not by our code, and answers as told.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use aws_lc_rs::hmac;
use axum::{
    Router,
    body::Bytes,
    extract::Request,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    serve::Listener,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use tokio::{net::TcpListener, sync::watch, task::AbortHandle};

use super::authority::{Certificate, TlsListener};

/// A secret, and the one before it.
pub(crate) const SECRET: &str = "whsec_c2VjcmV0LW9mLXRoZS1vdXRib3VuZC10ZXN0cyE=";
pub(crate) const OLD_SECRET: &str = "whsec_dGhlLXNlY3JldC1iZWZvcmUtdGhlLWN1cnJlbnQtb25l";

/// Stands in the path of its URL, as Zapier's keys do.
pub(crate) const PATH_KEY: &str = "Qm7hX2pLw9ZsVt4RkD3y";

/// One message as it came.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Bytes,
    pub(crate) body: Value,
    /// What it was answered.
    pub(crate) status: u16,
}

impl Message {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    /// When it says that it was sent, in seconds.
    pub(crate) fn sent_at(&self) -> i64 {
        self.header("webhook-timestamp").parse().unwrap()
    }

    pub(crate) fn job(&self) -> &str {
        self.body["data"]["jobId"].as_str().unwrap_or("none")
    }

    /// Whether one of its signatures is by this secret.
    pub(crate) fn is_signed_by(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let mut signed =
            format!("{}.{}.", self.header("webhook-id"), self.header("webhook-timestamp")).into_bytes();
        signed.extend_from_slice(&self.bytes);
        let wanted = format!("v1,{}", STANDARD.encode(hmac::sign(&key, &signed)));
        self.header("webhook-signature").split(' ').any(|it| it == wanted)
    }
}

type Mood = Box<dyn Fn(&Value) -> Response + Send + Sync>;

pub(crate) struct Crm {
    pub(crate) url: String,
    said: Arc<Mutex<Vec<Message>>>,
    mood: Arc<Mutex<Mood>>,
    /// Whether it keeps its callers waiting.
    held: watch::Sender<bool>,
    arrived: Arc<AtomicUsize>,
    server: AbortHandle,
}

impl Crm {
    /// A CRM that takes everything.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hooks/{PATH_KEY}", listener.local_addr().unwrap());
        Self::serve(listener, url)
    }

    /// The same behind TLS, as `localhost`, with that certificate.
    pub(crate) async fn start_tls(certificate: Certificate) -> Self {
        let listener = TlsListener::bind(certificate).await;
        let url = format!("https://localhost:{}/hooks/{PATH_KEY}", listener.local_addr().unwrap().port());
        Self::serve(listener, url)
    }

    fn serve<L: Listener<Addr: std::fmt::Debug>>(listener: L, url: String) -> Self {
        let said: Arc<Mutex<Vec<Message>>> = Arc::default();
        let mood: Arc<Mutex<Mood>> = Arc::new(Mutex::new(Box::new(|_| StatusCode::OK.into_response())));
        let (held, arrived) = (watch::Sender::new(false), Arc::<AtomicUsize>::default());
        let (keep, felt, gate, count) =
            (Arc::clone(&said), Arc::clone(&mood), held.subscribe(), Arc::clone(&arrived));
        let router = Router::new().fallback(move |request: Request| {
            let (keep, felt, mut gate) = (Arc::clone(&keep), Arc::clone(&felt), gate.clone());
            count.fetch_add(1, SeqCst);
            async move {
                let (head, body) = request.into_parts();
                let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
                let _ = gate.wait_for(|held| !held).await;
                let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
                let answer = felt.lock().unwrap()(&body);
                let (path, status) = (head.uri.path().to_owned(), answer.status().as_u16());
                keep.lock().unwrap().push(Message { path, headers: head.headers, bytes, body, status });
                answer
            }
        });
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }).abort_handle();
        Self { url, said, mood, held, arrived, server }
    }

    /// The settings that make it the target of that number, for one tenant.
    pub(crate) fn settings(&self, at: usize, name: &str, tenants: &str) -> Vec<(String, String)> {
        [
            ("NAME", name),
            ("URL", &self.url),
            ("SECRET", SECRET),
            ("TENANTS", tenants),
            ("ALLOW_PRIVATE", "127.0.0.1,localhost"),
        ]
        .map(|(key, value)| (format!("HELIOGRAPH_DELIVER__{at}__{key}"), value.to_owned()))
        .into()
    }

    /// Answers like this from now on.
    pub(crate) fn answers(&self, mood: impl Fn(&Value) -> Response + Send + Sync + 'static) {
        *self.mood.lock().unwrap() = Box::new(mood);
    }

    /// Answers everything with this status.
    pub(crate) fn says(&self, status: u16) {
        self.answers(move |_| StatusCode::from_u16(status).unwrap().into_response());
    }

    /// Keeps its callers waiting from now on.
    pub(crate) fn hold(&self) {
        self.held.send_replace(true);
    }

    /// Answers them, and whoever comes after them.
    pub(crate) fn release(&self) {
        self.held.send_replace(false);
    }

    /// How many calls have come, answered or not.
    pub(crate) fn arrived(&self) -> usize {
        self.arrived.load(SeqCst)
    }

    /// Everything that it heard.
    pub(crate) fn said(&self) -> Vec<Message> {
        self.said.lock().unwrap().clone()
    }

    /// The jobs of what it heard, with what it answered.
    pub(crate) fn tries(&self) -> Vec<(String, u16)> {
        self.said().iter().map(|it| (it.job().to_owned(), it.status)).collect()
    }

    /// The jobs of what it took, in their order.
    pub(crate) fn taken(&self) -> Vec<String> {
        let taken = self.said().into_iter().filter(|it| (200..300).contains(&it.status));
        taken.map(|it| it.job().to_owned()).collect()
    }
}

impl Drop for Crm {
    fn drop(&mut self) {
        self.server.abort();
    }
}
