//! `/graphql`: GraphQL over HTTP by POST and GET, server-sent events, multipart subscriptions, and the door to
//! WebSockets.
//!
//! Invariants: nothing is read from a caller without a credential; only `application/json` is read at all, so that
//! no form on a foreign page can run anything; a GET changes nothing; what is refused is refused in GraphQL's own
//! shape. Not here: sockets, once they are open, and what a document may cost beyond its length.

mod accept;
mod events;
mod live;
pub(super) mod params;
mod parts;
pub(super) mod reply;
pub(super) mod stream;
mod tokens;

use axum::{body::Body, extract::Request, response::Response};
use bytes::{Bytes, BytesMut};
use futures_util::future::join_all;
use http::{
    HeaderMap, HeaderValue, Method, StatusCode, Version,
    header::{
        ALLOW, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, IF_NONE_MATCH, LOCATION, ORIGIN,
        UPGRADE,
    },
};
use http_body_util::BodyExt;

use self::{
    accept::{Manner, Readable},
    events::Events,
    parts::Parts,
    reply::{Media, Refusal},
};
use super::{
    Admission, Config, RequestId, State,
    edge::{Exchange, Served},
    origin::{self, Page},
    server::Seat,
    websocket,
};
use crate::{
    domain::Viewer,
    graphql::{Answer, Call, Code, Failure, Kind, Operation, Refused},
    telemetry::metrics::{By, Outcome},
};

/// Any request to `/graphql`.
pub(super) async fn handle(exchange: Exchange) -> Served {
    let (headers, uri) = (exchange.request.headers(), exchange.request.uri());
    let config = &exchange.state.config;
    let page = match headers.get(ORIGIN) {
        Some(_) => origin::page(headers, uri.authority().map(|it| it.as_str()), &config.allowed_origins),
        None => Page::Own,
    };
    let reader = headers.get(ORIGIN).filter(|_| page == Page::Allowed).cloned();
    let mut served = respond(exchange, page).await;
    if let Some(origin) = reader {
        origin::allow_reading(served.response.headers_mut(), origin);
    }
    served
}

async fn respond(exchange: Exchange, page: Page) -> Served {
    let headers = exchange.request.headers();
    match *exchange.request.method() {
        Method::OPTIONS => return preflight(page).into(),
        Method::GET if is_upgrade(headers) => return websocket::open(exchange, page).await.into(),
        Method::GET | Method::HEAD | Method::POST => {}
        _ => return reply::refuse(Media::Json, Refusal::method()).into(),
    }
    let readable = Readable::of(headers);
    // Only a GET can be a browser's address bar; a POST by somebody who names pages first wants an answer.
    let has_page = exchange.state.site.graphiql && *exchange.request.method() != Method::POST;
    if has_page && readable.prefers_page() {
        return to_graphiql().into();
    }
    let Some(media) = readable.media() else {
        return reply::refuse(Media::Json, Refusal::not_acceptable()).into();
    };
    let Some(admission) = exchange.state.credentials.authenticate_headers(headers).await else {
        return reply::refuse(media, Refusal::unauthenticated()).into();
    };
    let viewer = admission.viewer.clone();
    let response = match operate(exchange, page, readable, media, admission).await {
        Ok(response) => response,
        Err(refusal) => reply::refuse(media, refusal),
    };
    Served { response, viewer: Some(viewer) }
}

/// Runs what an authenticated caller sent.
async fn operate(
    exchange: Exchange,
    page: Page,
    readable: Readable,
    media: Media,
    admission: Admission,
) -> Result<Response, Refusal> {
    let viewer = &admission.viewer;
    let Exchange { state, id, mut request } = exchange;
    // Of a connection with one stream only: on others, streams that are read in time go on.
    let alone = request.version() != Version::HTTP_2;
    let seat = request.extensions_mut().remove::<Seat>().filter(|_| alone);
    let last_event_id = events::last_event_id(request.headers());
    let explain = explains(request.headers());
    let known = (*request.method() != Method::POST).then(|| known(request.headers()));
    let mut call = match read(request, &state.config).await? {
        Asked::One(call) => call,
        Asked::Several(_) if readable.manner(Kind::Query).is_none() => return Err(Refusal::not_acceptable()),
        Asked::Several(calls) => {
            let running = calls.into_iter().map(|call| one_of_several(&state, call, explain, viewer, &id));
            return Ok(reply::answers(media, &join_all(running).await));
        }
    };
    call.explain = explain;

    let operation = match prepare(&state, call, viewer) {
        Ok(operation) => operation,
        Err(refused) => return Ok(reply::answer(media, &Answer::refused(refused).named(id.as_str()))),
    };
    let kind = operation.kind();
    if kind == Kind::Mutation && known.is_some() {
        return Err(Refusal::mutation_by_get());
    }
    match readable.manner(kind) {
        Some(Manner::Once) => {}
        // A stream is a door that stays open: as with a socket, a page has to be known for one.
        Some(Manner::Events | Manner::Parts) if page == Page::Foreign => return Err(Refusal::foreign_page()),
        Some(Manner::Events) => {
            let operation = operation.resumed(last_event_id);
            return Ok(live::respond::<Events>(&state, &id, admission, operation, seat).await);
        }
        Some(Manner::Parts) => {
            return Ok(live::respond::<Parts>(&state, &id, admission, operation, seat).await);
        }
        None if kind == Kind::Subscription => return Err(Refusal::subscription()),
        None => return Err(Refusal::not_acceptable()),
    }
    let answer = execute(&state, operation, viewer.clone(), &id).await;
    Ok(match known {
        Some(known) => reply::answer_by_get(media, &answer, &known),
        None => reply::answer(media, &answer),
    })
}

/// Sees whether an operation may run, on whatever transport it came. Each one counts against its credential's rate.
pub(super) fn prepare(state: &State, call: Call, viewer: &Viewer) -> Result<Operation, Refused> {
    let admitted = state.rate.admit(viewer).and_then(|()| params::check_length(&call, &state.config));
    let prepared = admitted.map_err(Refused::from).and_then(|()| state.doorway.prepare(call, viewer));
    if prepared.is_err() {
        state.metrics.operations.unknown.count(Outcome::Refused);
    }
    prepared
}

async fn execute(state: &State, operation: Operation, viewer: Viewer, id: &RequestId) -> Answer {
    let counter = counter(state, operation.kind());
    let answer = state.doorway.execute(operation, viewer, id.as_str()).await;
    counter.count(outcome(&answer));
    answer
}

/// One request of a batch. What is wrong with it is its own answer, and its neighbours have theirs.
async fn one_of_several(
    state: &State,
    call: Result<Call, Failure>,
    explain: bool,
    viewer: &Viewer,
    id: &RequestId,
) -> Answer {
    let prepared =
        call.map_err(Refused::from).and_then(|call| prepare(state, Call { explain, ..call }, viewer));
    match prepared {
        Ok(operation) if operation.kind() == Kind::Subscription => {
            let message =
                "a subscription cannot be answered in a batch: send it alone, on a connection that stays";
            Answer::refused(Failure::new(Code::BadUserInput, message))
        }
        Ok(operation) => execute(state, operation, viewer.clone(), id).await,
        Err(refused) => Answer::refused(refused).named(id.as_str()),
    }
}

/// The counter of one kind of operation.
pub(super) fn counter(state: &State, kind: Kind) -> &By<Outcome> {
    let operations = &state.metrics.operations;
    match kind {
        Kind::Query => &operations.query,
        Kind::Mutation => &operations.mutation,
        Kind::Subscription => &operations.subscription,
    }
}

/// How an answer counts.
pub(super) fn outcome(answer: &Answer) -> Outcome {
    match answer {
        Answer { executed: false, .. } => Outcome::Refused,
        Answer { response, .. } if response.errors.is_empty() => Outcome::Ok,
        Answer { .. } => Outcome::Errors,
    }
}

/// Whether the caller wants to know what its operation cost.
pub(super) fn explains(headers: &HeaderMap) -> bool {
    headers.get("x-heliograph-explain").is_some_and(|it| it == "1")
}

/// What a request asks for.
enum Asked {
    One(Call),
    /// A batch, each with what is wrong with it.
    Several(Vec<Result<Call, Failure>>),
}

/// What a caller's own cache says of the answer that it has.
fn known(headers: &HeaderMap) -> HeaderMap {
    headers.get_all(IF_NONE_MATCH).iter().map(|it| (IF_NONE_MATCH, it.clone())).collect()
}

async fn read(request: Request, config: &Config) -> Result<Asked, Refusal> {
    let headers = request.headers();
    if *request.method() == Method::POST {
        if !is_json(headers) || is_encoded(headers) {
            return Err(Refusal::media_type());
        }
        let body = body(request, config).await?;
        let asked = match params::is_batch(&body) {
            true => params::from_list(&body, config.batch).map(Asked::Several),
            false => params::from_json(&body).map(Asked::One),
        };
        return asked.map_err(Refusal::malformed);
    }
    if headers.contains_key(CONTENT_TYPE) && !is_json(headers) {
        return Err(Refusal::media_type());
    }
    let query = request.uri().query().unwrap_or_default();
    params::from_query(query).map(Asked::One).map_err(Refusal::malformed)
}

/// The body, if it is short enough and arrives in time. What it announces is checked before anything is read.
async fn body(request: Request, config: &Config) -> Result<Bytes, Refusal> {
    let limit = config.body_bytes;
    let announced =
        request.headers().get(CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse::<u64>().ok());
    if announced
        .is_some_and(|it| usize::try_from(it).is_ok_and(|it| it > limit) || usize::try_from(it).is_err())
    {
        return Err(Refusal::too_large(limit));
    }
    let collected = collect(request.into_body(), limit);
    tokio::time::timeout(config.body_timeout, collected)
        .await
        .unwrap_or_else(|_late| Err(Refusal::too_slow()))
}

async fn collect(mut body: Body, limit: usize) -> Result<Bytes, Refusal> {
    let mut whole = Bytes::new();
    let mut pieces = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Err(Refusal::torn()) };
        let Ok(piece) = frame.into_data() else { continue };
        if whole.len() + pieces.len() + piece.len() > limit {
            return Err(Refusal::too_large(limit));
        }
        // Nearly every body comes in one piece, and that is then not copied.
        if whole.is_empty() && pieces.is_empty() {
            whole = piece;
        } else {
            pieces.extend_from_slice(&std::mem::take(&mut whole));
            pieces.extend_from_slice(&piece);
        }
    }
    Ok(if pieces.is_empty() { whole } else { pieces.freeze() })
}

/// `application/json` in UTF-8, and nothing else.
fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    if value == "application/json" {
        return true;
    }
    let Ok(text) = value.to_str() else { return false };
    let mut parts = text.split(';').map(str::trim);
    parts.next().is_some_and(|it| it.eq_ignore_ascii_case("application/json"))
        && parts.filter(|it| !it.is_empty()).all(|parameter| match parameter.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
                value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            Some(_) => true,
            None => false,
        })
}

/// A compressed body is not read: a small one could unfold into a large one.
fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_ENCODING).iter().any(|it| !it.as_bytes().eq_ignore_ascii_case(b"identity"))
}

fn is_upgrade(headers: &HeaderMap) -> bool {
    let names = |name, token: &str| {
        let value = headers.get(name).and_then(|it: &HeaderValue| it.to_str().ok());
        value.is_some_and(|it| it.split(',').any(|it| it.trim().eq_ignore_ascii_case(token)))
    };
    names(CONNECTION, "upgrade") && names(UPGRADE, "websocket")
}

fn to_graphiql() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(LOCATION, HeaderValue::from_static("/graphiql"));
    response
}

/// Answers a browser that asks before it sends, and anybody else who asks what is served.
fn preflight(page: Page) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST, OPTIONS"));
    if page == Page::Allowed {
        headers.extend(origin::PREFLIGHT);
    }
    response
}
