//! Answers as bytes: which status, which media type, which headers.
//!
//! Invariants: every body is a well-formed GraphQL response; where nothing ran it has no `data`; an error always
//! has a code. Not here: what the answer says.

use std::time::Duration;

use axum::{body::Body, response::Response};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RETRY_AFTER, WWW_AUTHENTICATE},
};
use sha2::{Digest, Sha256};

pub(in crate::http) use super::accept::Media;
use crate::graphql::{Answer, Code, Failure};

/// A request that is turned away before it reaches the schema.
#[derive(Debug)]
pub(in crate::http) struct Refusal {
    status: StatusCode,
    failure: Failure,
    remedy: Option<Remedy>,
}

/// A header that says what would have been right.
#[derive(Debug, Clone, Copy)]
enum Remedy {
    Allow(&'static str),
    Bearer,
}

impl Refusal {
    pub(in crate::http) fn new(status: StatusCode, failure: Failure) -> Self {
        Self { status, failure, remedy: None }
    }

    fn input(status: StatusCode, message: &str) -> Self {
        Self::new(status, Failure::new(Code::BadUserInput, message))
    }

    fn with(self, remedy: Remedy) -> Self {
        Self { remedy: Some(remedy), ..self }
    }

    /// The form of the request is wrong, whatever it asks for.
    pub(in crate::http) fn malformed(failure: Failure) -> Self {
        Self::new(StatusCode::BAD_REQUEST, failure)
    }

    pub(in crate::http) fn unauthenticated() -> Self {
        let message = "a credential is needed: send the header \"Authorization: Bearer <key>\"";
        let failure = Failure::new(Code::Unauthenticated, message);
        Self::new(StatusCode::UNAUTHORIZED, failure).with(Remedy::Bearer)
    }

    pub(in crate::http) fn method() -> Self {
        Self::input(StatusCode::METHOD_NOT_ALLOWED, "this method is not served here: use POST or GET")
            .with(Remedy::Allow("GET, HEAD, POST, OPTIONS"))
    }

    pub(in crate::http) fn mutation_by_get() -> Self {
        Self::input(StatusCode::METHOD_NOT_ALLOWED, "GET runs queries only: send a mutation by POST")
            .with(Remedy::Allow("POST"))
    }

    pub(in crate::http) fn subscription() -> Self {
        let message = "a subscription needs a connection that stays: open a WebSocket with the subprotocol \
                       graphql-transport-ws, or accept text/event-stream or \
                       multipart/mixed;subscriptionSpec=1.0";
        Self::input(StatusCode::BAD_REQUEST, message)
    }

    pub(in crate::http) fn not_acceptable() -> Self {
        let message = "answers are written as application/graphql-response+json, application/json or text/event-stream, \
             and those of subscriptions as multipart/mixed;subscriptionSpec=1.0 too: accept one of them";
        Self::input(StatusCode::NOT_ACCEPTABLE, message)
    }

    pub(in crate::http) fn media_type() -> Self {
        Self::input(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the request must be plain UTF-8 JSON: send the header \"Content-Type: application/json\"",
        )
    }

    pub(in crate::http) fn too_large(limit: usize) -> Self {
        Self::input(StatusCode::PAYLOAD_TOO_LARGE, &format!("the body is longer than {limit} bytes"))
    }

    pub(in crate::http) fn too_many_headers(limit: usize) -> Self {
        let message = format!("the request has more than {limit} headers");
        Self::input(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, &message)
    }

    pub(in crate::http) fn too_slow() -> Self {
        Self::input(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time")
    }

    pub(in crate::http) fn torn() -> Self {
        Self::input(StatusCode::BAD_REQUEST, "the body did not arrive whole")
    }

    pub(in crate::http) fn foreign_page() -> Self {
        let message = "pages of this origin may not open a socket here";
        Self::new(StatusCode::FORBIDDEN, Failure::new(Code::Forbidden, message))
    }

    pub(in crate::http) fn handshake() -> Self {
        Self::input(StatusCode::BAD_REQUEST, "this is no WebSocket handshake: a header is missing or wrong")
    }
}

/// The answer to a request that was turned away.
pub(in crate::http) fn refuse(media: Media, refusal: Refusal) -> Response {
    let Refusal { status, failure, remedy } = refusal;
    let wait = failure.retry_after;
    let mut response = write(media, status, Answer::refused(failure).to_json());
    let headers = response.headers_mut();
    match remedy {
        Some(Remedy::Allow(methods)) => headers.insert(ALLOW, HeaderValue::from_static(methods)),
        Some(Remedy::Bearer) => headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
        None => None,
    };
    if let Some(wait) = wait {
        say_wait(headers, wait);
    }
    response
}

fn say_wait(headers: &mut HeaderMap, wait: Duration) {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    headers.insert(RETRY_AFTER, seconds.into());
}

/// The answer to a request whose form was right.
pub(in crate::http) fn answer(media: Media, answer: &Answer) -> Response {
    let status = if answer.executed { StatusCode::OK } else { status(media, code(answer)) };
    let mut response = write(media, status, answer.to_json());
    if let Some(wait) = wait(answer).filter(|_| !answer.executed) {
        say_wait(response.headers_mut(), wait);
    }
    response
}

/// The answer to a GET, which a cache of the caller's own may keep and ask again about. It has to ask each time: an
/// answer changes whenever Aurora's webhook says so.
pub(in crate::http) fn answer_by_get(media: Media, answer: &Answer, known: &HeaderMap) -> Response {
    if !answer.executed {
        return self::answer(media, answer);
    }
    let body = answer.to_json();
    let tag = tag(media, &body);
    let mut response = match is_known(known, &tag) {
        true => Response::builder().status(StatusCode::NOT_MODIFIED).body(Body::empty()).unwrap_or_default(),
        false => write(media, StatusCode::OK, body),
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(ETAG, tag);
    response
}

/// The answers to a batch, in its order.
pub(in crate::http) fn answers(media: Media, answers: &[Answer]) -> Response {
    let mut body = vec![b'['];
    for (index, answer) in answers.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend(answer.to_json());
    }
    body.push(b']');
    write(media, StatusCode::OK, body)
}

/// A strong tag: other bytes, or the same in another type, have another.
fn tag(media: Media, body: &[u8]) -> HeaderValue {
    /// Beyond chance, and shorter than the whole.
    const BYTES: usize = 16;
    let mut hash = Sha256::new();
    hash.update(media.header().as_bytes());
    hash.update(body);
    let digest = hash.finalize();
    let text = URL_SAFE_NO_PAD.encode(digest.get(..BYTES).unwrap_or(&digest));
    HeaderValue::try_from(format!("\"{text}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Whether the caller has the answer already, by `If-None-Match`.
fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let lists = headers.get_all(IF_NONE_MATCH).iter().filter_map(|it| it.to_str().ok());
    let mut tags = lists.flat_map(|it| it.split(',')).map(str::trim);
    tags.any(|it| it == "*" || it.strip_prefix("W/").unwrap_or(it).as_bytes() == tag.as_bytes())
}

/// What refused the answer, in one word.
pub(in crate::http) fn code(answer: &Answer) -> &str {
    match extension(answer, "code") {
        Some(async_graphql::Value::String(code)) => code,
        _ => Code::Internal.text(),
    }
}

/// How long it will be refused.
fn wait(answer: &Answer) -> Option<Duration> {
    match extension(answer, "retryAfterMs") {
        Some(async_graphql::Value::Number(millis)) => millis.as_u64().map(Duration::from_millis),
        _ => None,
    }
}

fn extension<'a>(answer: &'a Answer, name: &str) -> Option<&'a async_graphql::Value> {
    answer.response.errors.first()?.extensions.as_ref()?.get(name)
}

/// A caller who reads `application/json` learns from the body that a document was refused, as the specification
/// has it; that it may not, must wait or met a fault of ours, any caller learns from the status.
fn status(media: Media, code: &str) -> StatusCode {
    match code {
        "UNAUTHENTICATED" => StatusCode::UNAUTHORIZED,
        "FORBIDDEN" => StatusCode::FORBIDDEN,
        "RATE_LIMITED" => StatusCode::TOO_MANY_REQUESTS,
        "INTERNAL" => StatusCode::INTERNAL_SERVER_ERROR,
        _ if media == Media::Json => StatusCode::OK,
        _ => StatusCode::BAD_REQUEST,
    }
}

fn write(media: Media, status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, media.header());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_tells_a_new_caller_everything_and_an_old_one_only_what_is_not_in_its_document() {
        for (code, new, old) in [
            ("GRAPHQL_PARSE_FAILED", 400, 200),
            ("OPERATION_TOO_EXPENSIVE", 400, 200),
            ("FORBIDDEN", 403, 403),
            ("RATE_LIMITED", 429, 429),
            ("INTERNAL", 500, 500),
        ] {
            assert_eq!(status(Media::GraphqlResponse, code), new, "{code}");
            assert_eq!(status(Media::Json, code), old, "{code}");
        }
    }

    #[test]
    fn a_wait_is_said_in_whole_seconds_and_never_too_short() {
        let failure = Failure::new(Code::RateLimited, "x").retry_after(Duration::from_millis(1001));
        let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, failure);
        assert_eq!(refuse(Media::Json, refusal).headers()[RETRY_AFTER], "2");
    }
}
