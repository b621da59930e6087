//! What an answer means for the caller, by its status; and what is left open when there was none.
//!
//! Invariants: nothing of Aurora's body passes but the messages of a refusal, cleaned in `wire`, and without the
//! secrets that the request carried.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;

use super::{Call, Key, send::Reply};
use crate::aurora::{Cause, Error, wire};

/// When Aurora says "too many" but not for how long.
const DEFAULT_WAIT: Duration = Duration::from_secs(5);

/// An Aurora that names no time at all still said no.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// A quota of 60 seconds is not spent for longer than this; whatever says so is mistaken.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

/// A 2xx answer, not yet read.
#[derive(Debug)]
pub(in crate::aurora) struct Answer {
    pub(in crate::aurora) body: Vec<u8>,
    /// When it was given, by Aurora's clock.
    pub(in crate::aurora) date: Option<Timestamp>,
}

/// A status that says no more than itself.
#[derive(Debug, thiserror::Error)]
#[error("Aurora answered with status {0}")]
struct Status(u16);

/// Nothing came, or nothing readable.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NoVerdict(&'static str);

/// What became of a call that brought no answer to read.
#[derive(Debug, thiserror::Error)]
pub(in crate::aurora) enum Failure {
    /// Aurora does not know the key (any more).
    #[error("Aurora does not know the key")]
    Unauthorized,
    /// Aurora asked us to wait.
    #[error("Aurora asked us to wait")]
    Busy { retry_after: Duration },
    /// A clear no from Aurora: certainly not done.
    #[error("{0}")]
    Decided(Error),
    /// We did not let it out: certainly not done.
    #[error("{0}")]
    Held(Error),
    /// Aurora is at work on the same thing, or the request did not arrive whole: certainly not done.
    #[error("not now: status {0}")]
    NotNow(u16),
    /// No connection: certainly not done.
    #[error("no connection")]
    NotSent { cause: Cause, stage: Stage },
    /// It may have arrived; nobody answered in time.
    #[error("no answer in time")]
    Timeout,
    /// It may have arrived; the connection died.
    #[error("the connection died")]
    Lost { cause: Cause, answering: bool },
    /// It arrived; Aurora failed over it.
    #[error("status {0}")]
    Failed(u16),
    /// It arrived; the answer broke off.
    #[error("torn answer: {0}")]
    Torn(&'static str),
    /// It arrived; the answer cannot be read, and the next would be no better.
    #[error("unreadable answer: {0}")]
    Unreadable(&'static str),
}

/// How far a request came that did not leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::aurora) enum Stage {
    /// The host's name led nowhere.
    Dns,
    /// Nobody accepted a connection.
    Connect,
    /// The two did not agree on TLS, or Aurora's certificate is not to be trusted.
    Tls,
}

impl Stage {
    /// What it is called in logs.
    pub(in crate::aurora) fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
        }
    }
}

impl Failure {
    /// What it is called in logs: one word that says where to look.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::Busy { .. } => "busy",
            Self::Decided(_) => "refused",
            Self::Held(_) => "held",
            Self::NotNow(_) => "not_now",
            Self::NotSent { stage, .. } => stage.name(),
            Self::Timeout => "timeout",
            Self::Lost { answering: false, .. } => "lost",
            Self::Lost { answering: true, .. } | Self::Torn(_) => "torn",
            Self::Failed(_) => "status",
            Self::Unreadable(_) => "unreadable",
        }
    }

    /// Whether Aurora is in trouble, rather than the caller.
    pub(super) fn is_trouble(&self) -> bool {
        match self {
            Self::NotSent { .. }
            | Self::Timeout
            | Self::Lost { .. }
            | Self::Failed(_)
            | Self::Torn(_)
            | Self::Unreadable(_) => true,
            Self::Unauthorized | Self::Busy { .. } | Self::Decided(_) | Self::Held(_) | Self::NotNow(_) => {
                false
            }
        }
    }

    /// The same for the client's caller: if the call makes something, whatever is open stays open.
    pub(in crate::aurora) fn into_error(self, call: &Call<'_>) -> Error {
        match self {
            Self::Unauthorized => Error::Forbidden,
            Self::Busy { retry_after } => Error::RateLimited { retry_after },
            Self::Decided(error) | Self::Held(error) => error,
            Self::NotNow(status) => Error::unavailable(Status(status)),
            Self::NotSent { cause, .. } => Error::Unavailable(cause),
            Self::Timeout if call.creates => unknown(NoVerdict("Aurora did not answer in time")),
            Self::Timeout => Error::Timeout,
            Self::Lost { cause, .. } if call.creates => Error::OutcomeUnknown(cause),
            Self::Lost { cause, .. } => Error::Unavailable(cause),
            Self::Failed(status) if call.creates => unknown(Status(status)),
            Self::Failed(status) => Error::unavailable(Status(status)),
            Self::Torn(reason) | Self::Unreadable(reason) if call.creates => unknown(NoVerdict(reason)),
            Self::Torn(reason) | Self::Unreadable(reason) => Error::InvalidResponse(reason),
        }
    }
}

fn unknown(cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::OutcomeUnknown(Arc::new(cause))
}

/// What the reply means.
pub(super) fn verdict(reply: Reply, call: &Call<'_>, key: &Key, now: Timestamp) -> Result<Answer, Failure> {
    let status = reply.status;
    match status {
        200..=299 => match reply.body {
            Some(body) => Ok(Answer { body, date: reply.date.as_deref().and_then(http_date) }),
            None => Err(Failure::Unreadable("it is longer than any answer should be")),
        },
        // Whether the change was made before Aurora pointed elsewhere, it does not say.
        300..=399 => Err(Failure::Unreadable("a redirect, which we do not follow")),
        401 => Err(Failure::Unauthorized),
        403 => Err(Failure::Decided(Error::Forbidden)),
        404 => Err(Failure::Decided(Error::NotFound)),
        408 | 409 => Err(Failure::NotNow(status)),
        429 => Err(Failure::Busy { retry_after: wait(&reply, now) }),
        400..=499 => {
            let messages = wire::rejections(&reply.body.unwrap_or_default(), &secrets(call, key));
            Err(Failure::Decided(Error::Rejected { status, messages }))
        }
        _ => Err(Failure::Failed(status)),
    }
}

fn secrets<'a>(call: &'a Call<'_>, key: &'a Key) -> Vec<&'a str> {
    let of_call = call.secrets.iter().map(|it| it.expose_secret());
    of_call.chain([key.secret().expose_secret()]).collect()
}

/// For how long Aurora wants no further call: from the header, else from the body, else our own guess.
fn wait(reply: &Reply, now: Timestamp) -> Duration {
    let told = reply
        .retry_after
        .as_deref()
        .and_then(|header| seconds(header).or_else(|| until(header, reply.date.as_deref(), now)));
    let body = reply.body.as_deref().unwrap_or_default();
    told.or_else(|| wire::wait(body)).unwrap_or(DEFAULT_WAIT).clamp(SHORTEST_WAIT, LONGEST_WAIT)
}

fn seconds(header: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(header.trim().parse().ok()?).ok()
}

/// A date is told by Aurora's clock, so Aurora's own `Date` is what to compare it with; ours may be wrong. Only
/// where that makes no sense is ours used.
fn until(header: &str, date: Option<&str>, now: Timestamp) -> Option<Duration> {
    let until = http_date(header)?;
    [date.and_then(http_date), Some(now)].into_iter().flatten().find_map(|base| {
        let wait = until.duration_since(base);
        let plausible = (SignedDuration::ZERO..=SignedDuration::from_hours(1)).contains(&wait);
        Duration::try_from(wait).ok().filter(|_| plausible)
    })
}

fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(text.trim()).ok().map(|it| it.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(retry_after: Option<&str>, date: Option<&str>, body: &str) -> Reply {
        let own = |text: Option<&str>| text.map(ToOwned::to_owned);
        Reply { status: 429, retry_after: own(retry_after), date: own(date), body: Some(body.into()) }
    }

    #[test]
    fn the_wait_is_understood_in_every_form() {
        let now = "2024-06-21T21:00:00Z".parse().unwrap();
        let in_12s = "Fri, 21 Jun 2024 21:00:12 GMT";
        let skewed = Some("Fri, 21 Jun 2024 20:59:52 GMT");
        let cases = [
            (reply(Some("12"), None, ""), 12),
            (reply(Some(" 12 "), None, r#"{"retry_after": 3}"#), 12),
            (reply(Some(in_12s), None, ""), 12),
            (reply(Some(in_12s), skewed, ""), 20),
            (reply(Some(in_12s), Some("Fri, 21 Jun 2019 00:00:00 GMT"), ""), 12),
            (reply(None, None, r#"{"retry_after": "9"}"#), 9),
            (reply(None, None, r#"{"errors":[{"message":"slow down, retry in 12 seconds"}]}"#), 12),
            (reply(Some("soon"), None, "<html>"), DEFAULT_WAIT.as_secs()),
            (reply(Some("-4"), None, ""), DEFAULT_WAIT.as_secs()),
            (reply(Some("NaN"), None, ""), DEFAULT_WAIT.as_secs()),
            (reply(Some("0"), None, ""), SHORTEST_WAIT.as_secs()),
            (reply(Some("99999999"), None, ""), LONGEST_WAIT.as_secs()),
        ];
        for (n, (reply, seconds)) in cases.into_iter().enumerate() {
            assert_eq!(wait(&reply, now), Duration::from_secs(seconds), "case {n}");
        }
    }
}
