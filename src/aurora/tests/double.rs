//! A scripted Aurora on loopback: answers what the test says and remembers what it was asked.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Router, body::Body, extract::Request, response::Response};
use http_body_util::BodyExt;
use url::Url;

/// A request as it came.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) bearer: String,
    pub(super) headers: http::HeaderMap,
    pub(super) body: String,
}

impl Seen {
    pub(super) fn is_exchange(&self) -> bool {
        self.path.ends_with("/create_token")
    }
}

pub(super) struct Double {
    pub(super) url: Url,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Double {
    /// Answers each request by what the test says of it.
    pub(super) async fn start(answer: impl Fn(&Seen) -> Response + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&seen), Arc::new(answer));
        let routes = Router::new().fallback(move |request: Request| {
            let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
            async move {
                let one = look(request).await;
                log.lock().unwrap().push(one.clone());
                answer(&one)
            }
        });
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { url, seen }
    }

    /// Gives keys `tk-1`, `tk-2` …, good for 13 hours, and answers everything else by what the test says.
    pub(super) async fn with_keys(answer: impl Fn(&Seen) -> Response + Send + Sync + 'static) -> Self {
        let count = AtomicUsize::new(0);
        Self::start(move |seen| {
            if !seen.is_exchange() {
                return answer(seen);
            }
            let n = count.fetch_add(1, Ordering::SeqCst) + 1;
            token(&format!("tk-{n}"), "2024-06-22 01:00:00 UTC")
        })
        .await
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(super) fn exchanges(&self) -> usize {
        self.seen().iter().filter(|it| it.is_exchange()).count()
    }

    pub(super) fn data_calls(&self) -> usize {
        self.seen().len() - self.exchanges()
    }
}

async fn look(request: Request) -> Seen {
    let (head, body) = request.into_parts();
    let bearer = head.headers.get("authorization").map_or("", |it| it.to_str().unwrap());
    Seen {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        bearer: bearer.trim_start_matches("Bearer ").to_owned(),
        headers: head.headers.clone(),
        body: String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap(),
    }
}

pub(super) fn answer(status: u16, body: impl Into<Body>) -> Response {
    Response::builder().status(status).body(body.into()).unwrap()
}

pub(super) fn answer_with(status: u16, header: (&str, &str), body: impl Into<Body>) -> Response {
    Response::builder().status(status).header(header.0, header.1).body(body.into()).unwrap()
}

pub(super) fn token(key: &str, expires_at: &str) -> Response {
    answer(201, format!(r#"{{"token":{{"bearer_token":"{key}","expires_at":"{expires_at}"}}}}"#))
}

pub(super) fn empty_design() -> Response {
    answer(200, r#"{"design":{"arrays":[]}}"#)
}
