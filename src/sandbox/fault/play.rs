//! How each fault is played on a real connection.
//!
//! [`before`] plays those that keep a call from having any effect; [`after`] those that spoil the
//! answer to one that had. Where the connection itself must go, the [`Cut`] does it: the future
//! never resolves, and the server drops the socket from under it.

use std::time::Duration;

use axum::Json;
use axum::body::{self, Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};

use super::super::answer::Refusal;
use super::super::clock::Moment;
use super::super::serve::Cut;
use super::Fault;

/// The largest answer a fault takes apart; a page of 250 projects has about a quarter of it.
const LARGEST_ANSWER: usize = 4 << 20;

/// A slow body comes in this many pieces.
const PIECES: usize = 10;

/// How long a torn body stays open: the server flushes what it has as soon as nothing more comes.
const FLUSHED: Duration = Duration::from_millis(30);

/// The answer of a fault that lets nothing happen; `None` when this one comes afterwards.
pub(in crate::sandbox) async fn before(fault: &Fault, cut: &Cut, authorization: &str) -> Option<Response> {
    match fault {
        Fault::Status { status, retry_after, body } => {
            Some(with_status(*status, retry_after.as_deref(), body.as_ref()))
        }
        Fault::Hang => std::future::pending().await,
        Fault::Close => cut.close().await,
        Fault::Reset => cut.reset().await,
        Fault::HtmlBadGateway => Some(bad_gateway()),
        Fault::EmptyError => Some(StatusCode::INTERNAL_SERVER_ERROR.into_response()),
        Fault::EchoAuthorization { status } => {
            let message = format!("Invalid request with header Authorization: {authorization}");
            let body = json!({ "errors": [{ "message": message }] });
            Some(with_status(*status, None, Some(&body)))
        }
        Fault::Redirect { location } => Some(redirect(location)),
        _ => None,
    }
}

/// The answer as the fault leaves it.
pub(in crate::sandbox) async fn after(fault: Fault, cut: &Cut, response: Response, now: Moment) -> Response {
    match fault {
        Fault::Delay { ms } => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            response
        }
        Fault::CutAfterEffect => cut.reset().await,
        Fault::SlowBody { ms } => slow(response, Duration::from_millis(ms)).await,
        Fault::Truncated { chunked } => torn(response, cut.clone(), chunked).await,
        Fault::Body { body } => rewritten(response, |_| body).await,
        Fault::WrongTypes => rewritten(response, wrong_types).await,
        Fault::ExpiredToken => {
            let past = now.minus(Duration::from_secs(60)).spaced();
            rewritten(response, |it| with_expiry(it, Some(past))).await
        }
        Fault::TokenWithoutExpiry => rewritten(response, |it| with_expiry(it, None)).await,
        Fault::TokenIsoExpiry => rewritten(response, iso_expiry).await,
        _ => response,
    }
}

fn with_status(status: u16, retry_after: Option<&str>, body: Option<&Value>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match body {
        Some(body) => (status, Json(body)).into_response(),
        // Written by the gate, in the shape this sandbox speaks.
        None => Refusal::new(status, status.canonical_reason().unwrap_or("Error")).into_response(),
    };
    if let Some(value) = retry_after.and_then(|it| HeaderValue::from_str(it).ok()) {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

fn bad_gateway() -> Response {
    const PAGE: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
        <center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";
    (StatusCode::BAD_GATEWAY, [(header::CONTENT_TYPE, "text/html")], PAGE).into_response()
}

fn redirect(location: &str) -> Response {
    let mut response = Redirect::temporary(location).into_response();
    *response.status_mut() = StatusCode::FOUND;
    response
}

async fn bytes_of(response: Response) -> (axum::http::response::Parts, Bytes) {
    let (mut parts, body) = response.into_parts();
    // The length is that of the body it came with.
    parts.headers.remove(header::CONTENT_LENGTH);
    let bytes = body::to_bytes(body, LARGEST_ANSWER).await.unwrap_or_default();
    (parts, bytes)
}

/// The answer with another JSON in it.
async fn rewritten(response: Response, change: impl FnOnce(Value) -> Value) -> Response {
    let (parts, bytes) = bytes_of(response).await;
    let value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Response::from_parts(parts, Body::from(change(value).to_string()))
}

async fn slow(response: Response, span: Duration) -> Response {
    let (parts, bytes) = bytes_of(response).await;
    let size = bytes.len().div_ceil(PIECES).max(1);
    let pieces: Vec<Bytes> = bytes.chunks(size).map(Bytes::copy_from_slice).collect();
    let pause = span / u32::try_from(pieces.len().max(1)).unwrap_or(1);
    let dripping = stream::iter(pieces).then(move |piece| async move {
        tokio::time::sleep(pause).await;
        Ok::<_, std::convert::Infallible>(piece)
    });
    Response::from_parts(parts, Body::from_stream(dripping))
}

/// Half of the body, and then the connection closes.
async fn torn(response: Response, cut: Cut, chunked: bool) -> Response {
    let (mut parts, bytes) = bytes_of(response).await;
    if !chunked {
        parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    }
    let half = bytes.slice(..bytes.len() / 2);
    let then_gone = stream::once(async move {
        tokio::time::sleep(FLUSHED).await;
        cut.close::<Result<Bytes, std::convert::Infallible>>().await
    });
    Response::from_parts(parts, Body::from_stream(stream::iter([Ok(half)]).chain(then_gone)))
}

/// Texts become numbers, numbers objects, and so on; nulls and the outer object stay.
fn wrong_types(value: Value) -> Value {
    match value {
        Value::Object(members) => members.into_iter().map(|(name, it)| (name, wrong_member(it))).collect(),
        Value::Array(_) => json!({}),
        other => wrong_member(other),
    }
}

fn wrong_member(value: Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::Bool(_) => json!("perhaps"),
        Value::Number(_) => json!({"value": "a lot"}),
        Value::String(_) => json!(7),
        Value::Array(_) => json!("a, b and c"),
        Value::Object(_) => wrong_types(value),
    }
}

fn with_expiry(mut answer: Value, expires_at: Option<String>) -> Value {
    if let Some(token) = answer.get_mut("token").and_then(Value::as_object_mut) {
        token.remove("expires_at");
        token.extend(expires_at.map(|it| ("expires_at".to_owned(), json!(it))));
    }
    answer
}

fn iso_expiry(answer: Value) -> Value {
    let iso = answer
        .pointer("/token/expires_at")
        .and_then(Value::as_str)
        .map(|it| it.replacen(' ', "T", 1).replace(" UTC", "Z"));
    with_expiry(answer, iso)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_gets_another_type() {
        let value = json!({"a": "x", "b": 1, "c": [1], "d": {"e": true, "f": null}});
        let wrong =
            json!({"a": 7, "b": {"value": "a lot"}, "c": "a, b and c", "d": {"e": "perhaps", "f": null}});
        assert_eq!(wrong_types(value), wrong);
    }

    #[test]
    fn an_expiry_can_be_rewritten_and_removed() {
        let answer = json!({"token": {"bearer_token": "x", "expires_at": "2023-07-29 04:30:46 UTC"}});
        assert_eq!(iso_expiry(answer.clone())["token"]["expires_at"], "2023-07-29T04:30:46Z");
        assert_eq!(with_expiry(answer, None), json!({"token": {"bearer_token": "x"}}));
    }
}
