//! `/webhooks/aurora/{event}`: Aurora's deliveries.
//!
//! Invariants: only GET and POST deliver, for a HEAD would publish an event that nobody sent; the query string goes to the
//! intake and nowhere else, for it may hold a session token; the answer says no more than Aurora needs. Not here:
//! what makes a delivery authentic, and what becomes of it.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{
    HeaderValue, Method, StatusCode,
    header::{ALLOW, AUTHORIZATION, RETRY_AFTER},
};

use super::edge::{Exchange, Served};
use crate::intake::{Answer, Presented};

/// When Aurora may try again, in seconds: the first rung of its own ladder.
const TRY_AGAIN: HeaderValue = HeaderValue::from_static("30");

/// Takes one delivery in.
pub(super) async fn aurora(exchange: Exchange) -> Served {
    let Exchange { state, request, .. } = exchange;
    if !matches!(*request.method(), Method::GET | Method::POST) {
        let allowed = [(ALLOW, HeaderValue::from_static("GET, POST"))];
        return (StatusCode::METHOD_NOT_ALLOWED, allowed).into_response().into();
    }
    let (parts, _body) = request.into_parts();
    let event = parts.uri.path().rsplit('/').next().unwrap_or_default();
    let presented = Presented {
        token: parts.headers.get(state.intake.header()).map(HeaderValue::as_bytes),
        authorization: parts.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes),
    };
    let answer = state.intake.receive(event, parts.uri.query().unwrap_or_default(), presented).await;
    respond(&answer).into()
}

fn respond(answer: &Answer) -> Response {
    match answer {
        Answer::New => (StatusCode::OK, "kept\n").into_response(),
        Answer::Repeat => (StatusCode::OK, "known\n").into_response(),
        Answer::Aside => (StatusCode::OK, "kept aside: it names no tenant\n").into_response(),
        Answer::Unauthenticated => StatusCode::UNAUTHORIZED.into_response(),
        Answer::Invalid(reason) => {
            (StatusCode::BAD_REQUEST, Body::from(format!("{reason}\n"))).into_response()
        }
        Answer::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, TRY_AGAIN)]).into_response(),
    }
}
