//! `Code`: the closed list of errors that a client can meet, and how each is shown.
//!
//! Invariant: a message never holds a secret, an upstream body or a library's words. Each code has its page under
//! `docs/errors/`.

use std::time::Duration;

use async_graphql::{ErrorExtensionValues, ServerError, Value};

use super::context::not_found;
use crate::{
    catalog::{self, LeftAlone, NotConnected, Unsettled, Upstream},
    domain::{Seq, TenantId},
    journal::{self, Cursors},
};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, retryable $retryable:literal;)*) => {
        /// What went wrong, in one word that programs may rely on.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code as it stands in `errors[].extensions.code`.
            #[must_use]
            pub fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Whether the same request may succeed later without anybody changing anything.
            #[must_use]
            pub fn is_retryable(self) -> bool {
                match self { $(Self::$name => $retryable,)* }
            }
        }
    };
}

codes! {
    /// An argument or variable is not what the field takes.
    BadUserInput = "BAD_USER_INPUT", retryable false;
    /// The document is not GraphQL.
    GraphqlParseFailed = "GRAPHQL_PARSE_FAILED", retryable false;
    /// The document does not fit the schema.
    GraphqlValidationFailed = "GRAPHQL_VALIDATION_FAILED", retryable false;
    /// The operation asks for more than one request may.
    OperationTooExpensive = "OPERATION_TOO_EXPENSIVE", retryable false;
    /// The hash of a persisted query is not known here: send the text once.
    PersistedQueryNotFound = "PERSISTED_QUERY_NOT_FOUND", retryable true;
    /// No credential, or one that is not accepted.
    Unauthenticated = "UNAUTHENTICATED", retryable false;
    /// The credential is good, but does not go that far.
    Forbidden = "FORBIDDEN", retryable false;
    /// There is no such thing, or it belongs to another tenant.
    NotFound = "NOT_FOUND", retryable false;
    /// The gateway has no key for this tenant.
    TenantNotConnected = "TENANT_NOT_CONNECTED", retryable false;
    /// The idempotency key was used with another input.
    IdempotencyConflict = "IDEMPOTENCY_CONFLICT", retryable false;
    /// Nobody knows yet whether the project was made.
    OutcomeUnknown = "OUTCOME_UNKNOWN", retryable true;
    /// The cursor is older than what is kept.
    CursorExpired = "CURSOR_EXPIRED", retryable false;
    /// The caller asks too often.
    RateLimited = "RATE_LIMITED", retryable true;
    /// Aurora's allowance is spent.
    UpstreamRateLimited = "UPSTREAM_RATE_LIMITED", retryable true;
    /// Aurora refused the request, for a reason a person can mend.
    UpstreamRejected = "UPSTREAM_REJECTED", retryable false;
    /// Aurora does not let the gateway's key do this.
    UpstreamForbidden = "UPSTREAM_FORBIDDEN", retryable false;
    /// Aurora cannot be reached, or fails.
    UpstreamUnavailable = "UPSTREAM_UNAVAILABLE", retryable true;
    /// Aurora did not answer in time.
    UpstreamTimeout = "UPSTREAM_TIMEOUT", retryable true;
    /// Aurora's answer could not be understood.
    UpstreamInvalidResponse = "UPSTREAM_INVALID_RESPONSE", retryable true;
    /// Something is wrong in the gateway itself.
    Internal = "INTERNAL", retryable true;
}

/// An error as a client sees it.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Which.
    pub code: Code,
    /// For the person who reads it.
    pub message: String,
    /// Whether trying again may help, without anybody changing anything.
    pub retryable: bool,
    /// When trying again makes sense.
    pub retry_after: Option<Duration>,
    /// Further members of `extensions`.
    pub details: Vec<(&'static str, Value)>,
}

impl Failure {
    /// A failure with nothing but its message.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let retryable = code.is_retryable();
        Self { code, message: message.into(), retryable, retry_after: None, details: Vec::new() }
    }

    /// Says whether trying again may help, where that differs from what the code says.
    #[must_use]
    pub fn retryable(self, retryable: bool) -> Self {
        Self { retryable, ..self }
    }

    /// Says when trying again makes sense.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    /// Adds a member to `extensions`.
    #[must_use]
    pub fn detail(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.details.push((name, value.into()));
        self
    }

    /// The members of `extensions`.
    #[must_use]
    pub fn extensions(&self) -> ErrorExtensionValues {
        let mut values = ErrorExtensionValues::default();
        values.set("code", self.code.text());
        values.set("retryable", self.retryable);
        if let Some(wait) = self.retry_after {
            values.set("retryAfterMs", u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        }
        for (name, value) in &self.details {
            values.set(name, value.clone());
        }
        values
    }
}

impl From<Failure> for ServerError {
    fn from(failure: Failure) -> Self {
        let mut error = Self::new(failure.message.clone(), None);
        error.extensions = Some(failure.extensions());
        error
    }
}

impl From<Failure> for async_graphql::Error {
    fn from(failure: Failure) -> Self {
        let mut error = Self::new(failure.message.clone());
        error.extensions = Some(failure.extensions());
        error
    }
}

/// What the catalog could not do, as a client sees it. `what` names the thing that was asked for.
#[must_use]
pub fn public(what: &str, error: &catalog::Error) -> Failure {
    match error {
        catalog::Error::Aurora(error) => upstream(what, error),
        catalog::Error::Overtaken => Failure::new(
            Code::UpstreamUnavailable,
            format!("the {what} changed again and again while it was read"),
        ),
        catalog::Error::Conflict => {
            Failure::new(Code::IdempotencyConflict, "this key was used before with another input")
        }
        catalog::Error::Unsettled(why) => unsettled(*why),
        catalog::Error::Store(cause) => {
            tracing::error!(error = %cause, "the store does not answer");
            internal("the gateway's store does not answer")
        }
        catalog::Error::Position => Failure::new(Code::BadUserInput, "after is no cursor of this list"),
    }
}

fn unsettled(why: Unsettled) -> Failure {
    let open = "an earlier call with this key may or may not have made the project";
    let failure = |rest: &str| Failure::new(Code::OutcomeUnknown, format!("{open}; {rest}"));
    match why {
        Unsettled::Looking { again } => {
            failure("the gateway is looking for it: the same call again is safe").retry_after(again)
        }
        Unsettled::Unclear => failure("Aurora has one that may be it and may be another: look there"),
        Unsettled::NoList => failure("the gateway's key may not list projects: look in Aurora"),
        Unsettled::Stopped => failure("the gateway stopped before it knew: the same call again is safe"),
    }
}

fn upstream(what: &str, error: &Upstream) -> Failure {
    match error {
        Upstream::NotFound => not_found(what),
        Upstream::NotConnected { reason } => not_connected(*reason),
        Upstream::Forbidden => {
            let message =
                format!("Aurora does not let the gateway's key have this {what}: a scope may be missing");
            Failure::new(Code::UpstreamForbidden, message)
        }
        Upstream::ApplicationRefused => {
            let message = "Aurora does not accept the gateway's own key: its operator has to correct it";
            Failure::new(Code::UpstreamForbidden, message)
        }
        Upstream::Rejected { status, messages } => {
            let said: Vec<_> = messages.iter().map(|it| it.message.as_str()).collect();
            let message = format!("Aurora refused: {}", said.join("; "));
            Failure::new(Code::UpstreamRejected, message).detail("upstreamStatus", i32::from(*status))
        }
        Upstream::RateLimited { retry_after } => {
            let message = "Aurora's allowance is spent, or this was asked for too often";
            Failure::new(Code::UpstreamRateLimited, message).retry_after(*retry_after)
        }
        Upstream::Timeout => Failure::new(Code::UpstreamTimeout, "Aurora did not answer in time"),
        Upstream::Unavailable(_) => Failure::new(Code::UpstreamUnavailable, "Aurora cannot be reached"),
        Upstream::LeftAlone { reason, retry_after } => {
            let message = match reason {
                LeftAlone::Failing => "Aurora fails, and is left alone for a moment",
                LeftAlone::Crowded => "too many calls to Aurora are under way",
            };
            Failure::new(Code::UpstreamUnavailable, message).retry_after(*retry_after)
        }
        Upstream::InvalidResponse(_) => {
            Failure::new(Code::UpstreamInvalidResponse, "Aurora's answer could not be understood")
        }
        Upstream::OutcomeUnknown(_) => Failure::new(
            Code::OutcomeUnknown,
            "whether Aurora made the project is not known; look there first",
        ),
    }
}

/// Why there is no key, in a word for programs, and what a person can do about it.
fn not_connected(reason: NotConnected) -> Failure {
    let (word, advice) = match reason {
        NotConnected::NoApplication => (
            "NO_APPLICATION",
            "the gateway's operator has to configure the partner application, or a key of the tenant's own",
        ),
        NotConnected::SessionTokenRequired => (
            "SESSION_TOKEN_REQUIRED",
            "open the application inside Aurora and call connectTenant with the session token that it is given, or wait \
             for the tenant's next webhook",
        ),
        NotConnected::SessionTokenUsed => (
            "SESSION_TOKEN_USED",
            "each is good for one exchange: open the application inside Aurora again and call connectTenant with the \
             new one",
        ),
        NotConnected::ExchangeRefused => (
            "EXCHANGE_REFUSED",
            "an administrator of the tenant has to enable the application in Aurora; where it is enabled, connectTenant \
             with a fresh session token connects the tenant at once",
        ),
        NotConnected::KeyExpired => (
            "KEY_EXPIRED",
            "call connectTenant with a fresh session token; if that gives the same, the gateway's operator has to look \
             at the clocks",
        ),
    };
    let message = format!("the gateway has no key for this tenant: {reason}; {advice}");
    Failure::new(Code::TenantNotConnected, message).detail("reason", word)
}

/// What the journal could not do, as a client sees it.
#[must_use]
pub fn journal(cursors: &Cursors, tenant: &TenantId, error: &journal::Error) -> Failure {
    match error {
        journal::Error::Expired { oldest } => {
            let message = "this cursor is older than what is kept: some events in between are gone";
            let failure = Failure::new(Code::CursorExpired, message);
            match oldest {
                // The cursor just before the oldest event, so that following it gives all that is left.
                Some(seq) => {
                    let before = Seq(seq.0.saturating_sub(1));
                    failure.detail("oldestCursor", cursors.seal(tenant, before))
                }
                None => failure,
            }
        }
        other => store(other),
    }
}

/// A store that does not answer.
#[must_use]
pub fn store(error: &journal::Error) -> Failure {
    tracing::error!(error = %error, "the journal does not answer");
    internal("the gateway's journal does not answer")
}

fn internal(message: &str) -> Failure {
    Failure::new(Code::Internal, message)
}
