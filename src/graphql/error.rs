//! `Code`: the closed list of errors that a client can meet, and how each is shown.
//!
//! Invariant: a message never holds a secret, an upstream body or a library's words. Each code has its page under
//! `docs/errors/`.

use std::time::Duration;

use async_graphql::{ErrorExtensionValues, ServerError, Value};

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
    /// When trying again makes sense.
    pub retry_after: Option<Duration>,
    /// Further members of `extensions`.
    pub details: Vec<(&'static str, Value)>,
}

impl Failure {
    /// A failure with nothing but its message.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after: None, details: Vec::new() }
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
        values.set("retryable", self.code.is_retryable());
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
