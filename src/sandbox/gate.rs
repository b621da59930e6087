//! What every call of the emulated Aurora passes: the log, the faults, the key, the limit.
//!
//! [`log_and_play`] wraps the whole API; [`admit`] stands before each route, where the path's
//! tenant or application is known. Invariants: a call is in the log before anything else happens
//! to it; a fault without effect spends nothing of the limit; every refusal is written here, in
//! the one shape this sandbox speaks.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{RawPathParams, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::answer::Refusal;
use super::calls::Arrival;
use super::clock::Moment;
use super::config::ErrorShape;
use super::fault::play;
use super::keys::{Caller, KeyKind};
use super::limit;
use super::serve::Cut;
use super::world::{Shared, World};

/// The outer layer: logs the call, plays its fault, writes refusals down.
pub(super) async fn log_and_play(
    State(shared): State<Arc<Shared>>,
    Extension(cut): Extension<Cut>,
    request: Request,
    next: Next,
) -> Response {
    let authorization = authorization(request.headers()).unwrap_or_default().to_owned();
    let (seq, fault, shape) = shared.with(|world, now| arrive(world, &request, now));
    let played = match &fault {
        Some(fault) => play::before(fault, &cut, &authorization).await,
        None => None,
    };
    let response = match played {
        Some(response) => written(response, shape),
        None => {
            let response = written(next.run(request).await, shape);
            let now = shared.with(|_, now| now);
            match fault {
                Some(fault) => play::after(fault, &cut, response, now).await,
                None => response,
            }
        }
    };
    let now = shared.with(|world, now| {
        world.calls.answered(seq, response.status().as_u16());
        now
    });
    dated(response, now)
}

/// Says when, by the sandbox's own clock: the server would say the machine's.
fn dated(mut response: Response, now: Moment) -> Response {
    if let Ok(date) = HeaderValue::try_from(now.http_date()) {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

type Arrived = (u64, Option<super::fault::Fault>, ErrorShape);

fn arrive(world: &mut World, request: &Request, now: Moment) -> Arrived {
    let (method, path) = (request.method().as_str(), request.uri().path());
    let caller = world.keys.caller(authorization(request.headers()), now);
    let fault = world.faults.take(method, path);
    let arrival = Arrival {
        method,
        path,
        query: request.uri().query(),
        caller: &caller,
        fault: fault.as_ref().map(super::fault::Fault::name),
    };
    (world.calls.arrived(&arrival, now), fault, world.config.error_shape)
}

/// Fills an empty refusal with its words; headers a fault added stay.
fn written(response: Response, shape: ErrorShape) -> Response {
    let Some(refusal) = response.extensions().get::<Refusal>() else { return response };
    let mut full = refusal.write(shape);
    if let Some(wait) = response.headers().get(header::RETRY_AFTER) {
        full.headers_mut().insert(header::RETRY_AFTER, wait.clone());
    }
    full
}

/// The inner layer: who may call this path, and how often.
pub(super) async fn admit(
    State(shared): State<Arc<Shared>>,
    params: RawPathParams,
    request: Request,
    next: Next,
) -> Response {
    let place = params.iter().next();
    let verdict = shared.with(|world, now| {
        let caller = world.keys.caller(authorization(request.headers()), now);
        world.admit(&caller, place, now)
    });
    match verdict {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

impl World {
    /// `place` is the path's first parameter: its name says whose path it is.
    fn admit(&mut self, caller: &Caller, place: Option<(&str, &str)>, now: Moment) -> Result<(), Refusal> {
        let known = !matches!(caller.kind, KeyKind::Missing | KeyKind::Unknown);
        let Some(fingerprint) = caller.fingerprint.as_deref().filter(|_| known) else {
            return Err(Refusal::new(StatusCode::UNAUTHORIZED, "Invalid or missing API key"));
        };
        let form = self.config.retry_after;
        self.windows
            .take(fingerprint, self.config.requests_per_minute, now)
            .map_err(|wait| limit::refusal(wait, form, now))?;
        match (place, &caller.tenant) {
            (Some(("application", id)), None) if id == self.config.application_id => Ok(()),
            (Some(("application", _)), None) => Err(Refusal::not_found()),
            (Some(("tenant", path)), Some(own)) if path == own => Ok(()),
            // Another tenant's path looks as if there were nothing.
            (Some(("tenant", _)), Some(_)) => Err(Refusal::not_found()),
            // A good key of the wrong kind.
            _ => Err(Refusal::new(StatusCode::FORBIDDEN, "This API key cannot access this endpoint")),
        }
    }
}

fn authorization(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()
}
