//! One HTTP request, sent once.
//!
//! Invariants: no redirect is followed and no proxy asked; nothing is repeated in here; an answer is read up to
//! [`LARGEST_ANSWER`] bytes, counted after decompression. Errors lose their URL, for it may hold a token.

mod dns;
mod pool;

use std::{error::Error as _, io, sync::Arc, time::Duration};

use reqwest::{
    Client, Method, Response,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
};
use secrecy::ExposeSecret;
use tokio::time::Instant;
use url::Url;

use super::{Failure, Key, verdict::Stage};
use crate::aurora::{
    Config, Error, SetupError,
    call::{Call, Verb},
};

/// A year of hourly figures takes about 100 KiB; whatever is a hundred times that is no answer.
const LARGEST_ANSWER: usize = 10 * 1024 * 1024;

const API_VERSION: HeaderName = HeaderName::from_static("aurora-api-version");

/// Sends.
pub(super) struct Sender {
    pool: pool::Pool,
    base: Url,
}

/// An answer as it came, whatever it says.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) retry_after: Option<String>,
    pub(super) date: Option<String>,
    /// None when it was longer than we read.
    pub(super) body: Option<Vec<u8>>,
}

/// Whether a text can stand in a header.
pub(in crate::aurora) fn can_be_sent(text: &str) -> bool {
    !text.is_empty() && HeaderValue::try_from(text).is_ok()
}

impl Sender {
    pub(super) fn try_new(config: &Config) -> Result<Self, SetupError> {
        let pool = pool::Pool::try_new(headers(config)?, config.request_timeout)?;
        Ok(Self { pool, base: checked(&config.base_url)? })
    }

    /// Sends the call and reads its answer, for as long as that may take.
    pub(super) async fn send(
        &self,
        call: &Call<'_>,
        key: &Key,
        patience: Duration,
    ) -> Result<Reply, Failure> {
        let (verb, route) = (call.verb.name(), call.template);
        let sent = Instant::now();
        let pool::Numbered { client, number, .. } = self.pool.newest();
        let outcome = self.exchange(&client, call, key, patience).await;
        let elapsed_ms = u64::try_from(sent.elapsed().as_millis()).unwrap_or(u64::MAX);
        match &outcome {
            Ok(reply) => {
                tracing::debug!(route, ids = ?call.ids, status = reply.status, elapsed_ms, "Aurora answered {verb} {route}");
            }
            // Somebody has to look at the network, or at the settings.
            Err(Failure::NotSent { cause, stage }) => {
                let (failure, cause) = (stage.name(), innermost(cause.as_ref()));
                tracing::warn!(route, failure, %cause, elapsed_ms, "{verb} {route} could not be sent");
            }
            Err(failure) => {
                let word = failure.word();
                tracing::debug!(route, ids = ?call.ids, failure = word, elapsed_ms, "no answer to {verb} {route}: {failure}");
                if matches!(failure, Failure::Timeout | Failure::Lost { .. }) {
                    self.pool.renew(number).await;
                }
            }
        }
        outcome
    }

    async fn exchange(
        &self,
        client: &Client,
        call: &Call<'_>,
        key: &Key,
        patience: Duration,
    ) -> Result<Reply, Failure> {
        let mut authorization = HeaderValue::try_from(format!("Bearer {}", key.secret().expose_secret()))
            .map_err(|_| Failure::Held(Error::Forbidden))?;
        authorization.set_sensitive(true);
        let url = call.url(&self.base).map_err(Failure::Held)?;
        let mut request =
            client.request(method(call.verb), url).timeout(patience).header(AUTHORIZATION, authorization);
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let response = request.send().await.map_err(|it| failure(it, false))?;
        let text = |name: HeaderName| {
            response.headers().get(name).and_then(|it| it.to_str().ok()).map(ToOwned::to_owned)
        };
        let (retry_after, date) = (text(RETRY_AFTER), text(DATE));
        Ok(Reply { status: response.status().as_u16(), retry_after, date, body: read(response).await? })
    }
}

async fn read(mut response: Response) -> Result<Option<Vec<u8>>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|it| failure(it, true))? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// What became of a request that failed, as far as the error tells.
fn failure(error: reqwest::Error, answering: bool) -> Failure {
    let error = error.without_url();
    if error.is_connect() || error.is_builder() {
        Failure::NotSent { stage: stage(&error), cause: Arc::new(error) }
    } else if error.is_timeout() {
        Failure::Timeout
    } else if error.is_decode() {
        Failure::Torn("it cannot be decompressed, or ended early")
    } else {
        Failure::Lost { cause: Arc::new(error), answering }
    }
}

/// How far the connection came. Whatever the system says of addresses and ports comes before TLS, and whatever breaks
/// off or makes no sense after that is TLS.
fn stage(error: &reqwest::Error) -> Stage {
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.is::<dns::Unresolved>() {
            return Stage::Dns;
        }
        if let Some(cause) = cause.downcast_ref::<io::Error>() {
            use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, InvalidData, UnexpectedEof};
            let broke_off =
                |kind| matches!(kind, UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe);
            let kind = innermost_kind(cause);
            if kind == InvalidData || broke_off(kind) {
                return Stage::Tls;
            }
        }
        source = cause.source();
    }
    Stage::Connect
}

/// One such error may hold another, which its own chain passes over.
fn innermost_kind(error: &io::Error) -> io::ErrorKind {
    let mut innermost = error;
    while let Some(inner) = innermost.get_ref().and_then(|it| it.downcast_ref::<io::Error>()) {
        innermost = inner;
    }
    innermost.kind()
}

/// What lies at the bottom: the rest of the chain says in other words that there is no connection.
fn innermost<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a (dyn std::error::Error + 'static) {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost
}

fn method(verb: Verb) -> Method {
    match verb {
        Verb::Get => Method::GET,
        Verb::Post => Method::POST,
        Verb::Put => Method::PUT,
        Verb::Delete => Method::DELETE,
    }
}

fn headers(config: &Config) -> Result<HeaderMap, SetupError> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(version) = &config.api_version {
        let version = HeaderValue::try_from(version).map_err(|_| SetupError::ApiVersion)?;
        headers.insert(API_VERSION, version);
    }
    Ok(headers)
}

fn checked(base: &Url) -> Result<Url, SetupError> {
    let complaint = if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
        "must start with https:// or http:// and name a host"
    } else if !base.username().is_empty() || base.password().is_some() {
        "must not contain a user or a password"
    } else if base.query().is_some() || base.fragment().is_some() {
        "must not have a query or a fragment"
    } else {
        return Ok(base.clone());
    };
    Err(SetupError::BaseUrl(complaint))
}
