//! An Aurora that is unwell, and says what it should not.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderValue, StatusCode, header::AUTHORIZATION},
    response::{IntoResponse, Response},
};
use serde_json::json;
use tokio::{net::TcpListener, task::AbortHandle};

use super::{ADDRESS, APPLICATION_KEY, PLANTED, SESSION_TOKEN, TEMPORARY_KEY};

/// An Aurora that says everything it knows, and is unwell in a way that can be chosen.
pub(super) struct Aurora {
    pub(super) url: String,
    mood: Arc<Mutex<Mood>>,
    server: AbortHandle,
}

#[derive(Clone, Copy)]
pub(super) enum Mood {
    Well,
    /// This status, with every secret in the body and the headers.
    Says(u16),
    Nonsense,
    WrongTypes,
    Cut,
    Redirects,
}

impl Aurora {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mood = Arc::new(Mutex::new(Mood::Well));
        let felt = Arc::clone(&mood);
        let router = Router::new().fallback(move |request: Request| {
            let mood = *felt.lock().unwrap();
            async move { answer(mood, &request) }
        });
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }).abort_handle();
        Self { url, mood, server }
    }

    pub(super) fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }
}

impl Drop for Aurora {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn answer(mood: Mood, request: &Request) -> Response {
    let path = request.uri().path();
    let credential = request.headers().get(AUTHORIZATION).and_then(|it| it.to_str().ok()).unwrap_or_default();
    if matches!(mood, Mood::Well) || path.ends_with("create_token") && credential.contains(APPLICATION_KEY) {
        return well(path).into_response();
    }
    let echo = format!("{PLANTED} {credential} {APPLICATION_KEY} {} {SESSION_TOKEN}", request.uri());
    let body = match mood {
        Mood::Well => unreachable!(),
        Mood::Says(400 | 422) => json!({ "errors": [{ "message": format!("no {credential}") }] }).to_string(),
        Mood::Says(_) => {
            json!({ "errors": [{ "message": echo }], "message": echo, "error": echo }).to_string()
        }
        Mood::Nonsense => format!("<html>{echo}"),
        Mood::WrongTypes => {
            json!({ "project": echo, "design": [echo], "token": { "bearer_token": [echo] } }).to_string()
        }
        Mood::Cut => format!(r#"{{"design": {{"id": "{echo}"#),
        Mood::Redirects => String::new(),
    };
    let status = match mood {
        Mood::Says(status) => StatusCode::from_u16(status).unwrap(),
        Mood::Redirects => StatusCode::FOUND,
        _ => StatusCode::OK,
    };
    let mut response = (status, Body::from(body)).into_response();
    let planted = HeaderValue::from_static(PLANTED);
    for name in ["x-request-id", "server", "set-cookie", "www-authenticate", "retry-after", "location"] {
        response.headers_mut().insert(name, planted.clone());
    }
    response
}

fn well(path: &str) -> String {
    let id = path.rsplit('/').find(|it| it.contains("-0")).unwrap_or("project-0");
    let body = match path {
        it if it.ends_with("create_token") => {
            json!({ "token": { "bearer_token": TEMPORARY_KEY, "expires_at": "2199-01-01 00:00:00 UTC" } })
        }
        it if it.ends_with("summary") => json!({ "design": { "id": id } }),
        it if it.contains("/designs") => {
            json!({ "design": { "id": id, "project_id": "project-0" }, "designs": [] })
        }
        _ => {
            json!({ "project": { "id": id, "name": "Duck", "location": { "property_address": ADDRESS } }, "projects": [] })
        }
    };
    body.to_string()
}
