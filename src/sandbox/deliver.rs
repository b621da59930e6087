//! Calling webhooks: a bare GET, a deadline, and a ladder of retries.
//!
//! [`attempt`] makes one call and writes down how it went; a failed one is planned again on the
//! next rung. Invariants: only a 2xx is a success and no redirect is followed; the log holds a
//! session token's fingerprint, never the token, and at most [`DELIVERIES_KEPT`] attempts.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use serde::Serialize;

use super::agenda::Task;
use super::clock::Moment;
use super::webhook::Auth;
use super::world::{Shared, World};

/// As many attempts as are remembered.
pub const DELIVERIES_KEPT: usize = 10_000;

/// One call that is to be made.
#[derive(Debug, Clone)]
pub(super) struct Delivery {
    pub(super) subscription: String,
    pub(super) event: String,
    pub(super) tenant: String,
    pub(super) url: String,
    /// The URL as the log may show it.
    pub(super) shown_url: String,
    /// Counts from 1.
    pub(super) attempt: u32,
    /// 0 for the call itself, more for its duplicates.
    pub(super) copy: u32,
}

/// One call of a webhook, and how it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// Counts up from 1.
    pub seq: u64,
    /// When it ended, by the sandbox's clock.
    pub at: String,
    /// What it told.
    pub event: String,
    /// Whom it concerned.
    pub tenant: String,
    /// Whose template it filled.
    pub subscription: String,
    /// Where it went, the session token replaced by its fingerprint.
    pub url: String,
    /// 1 for the first, 2 and up for retries.
    pub attempt: u32,
    /// 0 for the call itself, 1 and up for duplicates made on demand.
    pub copy: u32,
    /// What the receiver answered, if it did.
    pub status: Option<u16>,
    /// Why there was no answer.
    pub error: Option<String>,
    /// How long until the next attempt; `None` when there will be none.
    pub retry_in_ms: Option<u64>,
}

impl Attempt {
    /// Whether the receiver took it.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.status.is_some_and(|it| (200..300).contains(&it))
    }
}

/// The attempts so far.
#[derive(Debug, Default)]
pub(super) struct DeliveryLog {
    attempts: VecDeque<Attempt>,
    seen: u64,
    planned: u64,
}

impl DeliveryLog {
    pub(super) fn next_planned(&mut self) -> u64 {
        self.planned += 1;
        self.planned
    }

    pub(super) fn all(&self) -> Vec<Attempt> {
        self.attempts.iter().cloned().collect()
    }

    pub(super) fn clear(&mut self) {
        self.attempts.clear();
    }

    /// Notes a call that was not made.
    pub(super) fn dropped(&mut self, delivery: &Delivery, why: &str, now: Moment) {
        self.push(delivery, &Err(why.to_owned()), None, now);
    }

    fn push(&mut self, delivery: &Delivery, outcome: &Outcome, retry: Option<Duration>, now: Moment) {
        if self.attempts.len() >= DELIVERIES_KEPT {
            self.attempts.pop_front();
        }
        self.seen += 1;
        self.attempts.push_back(Attempt {
            seq: self.seen,
            at: now.iso(),
            event: delivery.event.clone(),
            tenant: delivery.tenant.clone(),
            subscription: delivery.subscription.clone(),
            url: delivery.shown_url.clone(),
            attempt: delivery.attempt,
            copy: delivery.copy,
            status: outcome.as_ref().ok().copied(),
            error: outcome.as_ref().err().cloned(),
            retry_in_ms: retry.map(|it| u64::try_from(it.as_millis()).unwrap_or(u64::MAX)),
        });
    }
}

/// The receiver's status, or why there is none.
type Outcome = Result<u16, String>;

impl World {
    /// Writes an attempt down and plans the next, if it failed and the ladder goes on.
    fn delivered(&mut self, delivery: Delivery, outcome: &Outcome, now: Moment) {
        let succeeded = matches!(outcome, Ok(200..=299));
        let scale = self.config.retry_scale;
        self.webhooks.attempted(&delivery.subscription, succeeded, scale, now);
        let rung = self.config.retry_ladder.get(delivery.attempt.saturating_sub(1) as usize);
        let wait = rung.filter(|_| !succeeded).map(|it| super::clock::scaled(*it, scale));
        self.deliveries.push(&delivery, outcome, wait, now);
        if let Some(wait) = wait {
            let next = Delivery { attempt: delivery.attempt + 1, ..delivery };
            self.agenda.plan(now.plus(wait), Task::Deliver(next));
        }
    }
}

/// Makes one call. A subscription deleted or switched off meanwhile is not called any more.
pub(super) async fn attempt(shared: Arc<Shared>, delivery: Delivery) {
    let prepared = shared.with(|world, now| {
        let subscription = world.webhooks.enabled(&delivery.subscription);
        let auth = subscription.map(|it| it.auth.clone());
        if auth.is_none() {
            world.deliveries.dropped(&delivery, "the subscription is gone or switched off", now);
        }
        auth.map(|auth| (auth, world.config.webhook_timeout))
    });
    let Some((auth, timeout)) = prepared else { return };
    let request = shared.client().get(&delivery.url).timeout(timeout);
    let request = match auth {
        Some(Auth::Header { name, value }) => request.header(name, value.expose_secret()),
        Some(Auth::Basic { user, password }) => request.basic_auth(user, Some(password.expose_secret())),
        None => request,
    };
    let outcome = match request.send().await {
        Ok(response) => Ok(response.status().as_u16()),
        Err(error) => Err(reason(&error).to_owned()),
    };
    shared.with(|world, now| world.delivered(delivery, &outcome, now));
}

/// Our own words: the library's would repeat the URL, and with it the session token.
fn reason(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "the receiver took too long"
    } else if error.is_connect() {
        "the receiver could not be reached"
    } else if error.is_builder() {
        "the URL cannot be called"
    } else {
        "the receiver closed the connection"
    }
}
