//! What every request goes through, whichever route it takes: a name, a catch for panics, a count and a log line.
//!
//! One plain function instead of a stack of layers: each layer with a boxed future costs the hot path as much as a
//! look into the cache. Invariant: a log line has the route's template, never a path or a query string, for those
//! may hold secrets. Not here: anything that only one route needs.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Instant};

use axum::{extract::Request, response::Response, routing::MethodRouter};
use futures_util::FutureExt;
use http::{
    HeaderValue, Method, StatusCode,
    header::{CACHE_CONTROL, HeaderMap, VARY, X_CONTENT_TYPE_OPTIONS},
};

use super::{
    State,
    graphql::reply::{self, Media, Refusal},
    request_id::{RequestId, X_REQUEST_ID},
};
use crate::{
    domain::Viewer,
    graphql::{Code, Failure},
    telemetry::metrics,
};

/// Headers of a request. Browsers behind three proxies send some thirty; each costs memory and a look-up, whatever it says.
const MOST_HEADERS: usize = 64;

/// A request on its way in.
pub(super) struct Exchange {
    pub(super) state: Arc<State>,
    pub(super) id: RequestId,
    pub(super) request: Request,
}

/// An answer on its way out, and who gets it if that is known.
pub(super) struct Served {
    pub(super) response: Response,
    pub(super) viewer: Option<Viewer>,
}

impl From<Response> for Served {
    fn from(response: Response) -> Self {
        Self { response, viewer: None }
    }
}

/// A route that takes every method: the handler refuses those it does not know.
pub(super) fn route<F>(
    state: &Arc<State>,
    template: &'static str,
    handler: impl Fn(Exchange) -> F + Clone + Send + Sync + 'static,
) -> MethodRouter
where
    F: Future<Output = Served> + Send + 'static,
{
    let route = Arc::new(Edge { template, state: Arc::clone(state), meter: state.metrics.route(template) });
    axum::routing::any(move |request: Request| {
        let (route, handler) = (Arc::clone(&route), handler.clone());
        async move { route.serve(request, handler).await }
    })
}

struct Edge {
    template: &'static str,
    state: Arc<State>,
    meter: metrics::Route,
}

impl Edge {
    async fn serve<F>(&self, request: Request, handler: impl Fn(Exchange) -> F) -> Response
    where
        F: Future<Output = Served> + Send,
    {
        let began = Instant::now();
        let method = known(request.method());
        let id = RequestId::of(request.headers());
        let too_many = request.headers().len() > MOST_HEADERS;
        let exchange = Exchange { state: Arc::clone(&self.state), id: id.clone(), request };
        let unanswered = Unanswered { edge: self, method, id: &id, began };
        let handled = async {
            match too_many {
                true => reply::refuse(Media::Json, Refusal::too_many_headers(MOST_HEADERS)).into(),
                false => handler(exchange).await,
            }
        };
        let handled = AssertUnwindSafe(handled).catch_unwind().await;
        let Served { mut response, viewer } = handled.unwrap_or_else(|_panic| panicked(&id).into());
        finish(response.headers_mut(), &id);
        std::mem::forget(unanswered);

        let took = began.elapsed();
        let status = response.status().as_u16();
        self.meter.count(status, took);
        tracing::info!(
            target: "heliograph::request",
            method,
            route = self.template,
            status,
            duration_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            request_id = id.as_str(),
            credential = viewer.as_ref().map(Viewer::name),
        );
        response
    }
}

/// Dropped only when the client gives up before there is an answer: then nothing else would tell of its request.
struct Unanswered<'a> {
    edge: &'a Edge,
    method: &'static str,
    id: &'a RequestId,
    began: Instant,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        let took = self.began.elapsed();
        self.edge.meter.count(metrics::ABORTED, took);
        tracing::info!(
            target: "heliograph::request",
            method = self.method,
            route = self.edge.template,
            status = metrics::ABORTED,
            duration_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            request_id = self.id.as_str(),
            "the client gave up"
        );
    }
}

/// What holds for every answer that did not say otherwise.
fn finish(headers: &mut HeaderMap, id: &RequestId) {
    const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-store");
    const VARIES: HeaderValue = HeaderValue::from_static("accept, authorization, origin");
    const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
    headers.insert(X_REQUEST_ID, id.header());
    headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    headers.entry(CACHE_CONTROL).or_insert(PRIVATE);
    headers.entry(VARY).or_insert(VARIES);
}

fn panicked(id: &RequestId) -> Response {
    tracing::error!(request_id = id.as_str(), "A handler panicked; answered 500");
    let message = "something went wrong in the gateway; the request id helps to find it";
    let failure = Failure::new(Code::Internal, message).detail("requestId", id.as_str());
    reply::refuse(Media::Json, Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, failure))
}

/// A method's name for the log, from a closed list: a caller may invent methods.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "OTHER",
    }
}
