//! What can go wrong between us and Aurora, sorted by what the caller does about it.
//!
//! Invariants: an error holds no secret, no URL and none of Aurora's words but the messages of
//! [`Error::Rejected`], which are for the person who can correct the input. Errors are cheap to clone, since
//! callers who waited for the same answer share it.

use std::{sync::Arc, time::Duration};

/// What lies beneath an [`Error`]: for logs, not for callers.
pub type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// Why Aurora did not give what was asked for.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// It does not exist, or not for this tenant: Aurora does not say which.
    #[error("Aurora knows no such thing for this tenant")]
    NotFound,
    /// We hold no key for the tenant and could not get one.
    #[error("the tenant is not connected to Aurora")]
    NotConnected {
        /// What stood in the way.
        #[source]
        reason: NotConnected,
    },
    /// The key does not allow it. Asking again does not help until somebody changes the key at Aurora.
    #[error("Aurora does not allow this with the tenant's key")]
    Forbidden,
    /// Aurora does not know the partner application's key. No tenant can be connected until somebody corrects it.
    #[error("Aurora does not accept the partner application's key")]
    ApplicationRefused,
    /// Aurora read the request and refused it.
    #[error("Aurora refused the request (status {status})")]
    Rejected {
        /// Aurora's status.
        status: u16,
        /// What has to be corrected. Never empty.
        messages: Vec<Rejection>,
    },
    /// The key's calls are spent, or Aurora asked us to wait.
    #[error("no further call to Aurora may be made for {} ms", retry_after.as_millis())]
    RateLimited {
        /// When a call may be made again.
        retry_after: Duration,
    },
    /// Aurora took too long.
    #[error("Aurora did not answer in time")]
    Timeout,
    /// Aurora could not be reached, or said that it cannot answer now.
    #[error("Aurora could not answer")]
    Unavailable(#[source] Cause),
    /// We did not ask: Aurora fails and is left alone for a moment, or too many calls are under way.
    #[error("Aurora is not asked for {} ms: {reason}", retry_after.as_millis())]
    LeftAlone {
        /// Why.
        reason: LeftAlone,
        /// When it makes sense to ask again.
        retry_after: Duration,
    },
    /// Aurora answered with something that is no answer.
    #[error("Aurora's answer makes no sense: {0}")]
    InvalidResponse(&'static str),
    /// The change may have been made or not: Aurora never said. Look before sending it again.
    #[error("it is unknown whether Aurora made the change")]
    OutcomeUnknown(#[source] Cause),
}

impl Error {
    /// Aurora's trouble rather than the caller's: an older value may be served instead.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Timeout
            | Self::Unavailable(_)
            | Self::RateLimited { .. }
            | Self::LeftAlone { .. }
            | Self::InvalidResponse(_) => true,
            Self::NotFound
            | Self::NotConnected { .. }
            | Self::Forbidden
            | Self::ApplicationRefused
            | Self::Rejected { .. }
            | Self::OutcomeUnknown(_) => false,
        }
    }

    pub(super) fn not_connected(reason: NotConnected) -> Self {
        Self::NotConnected { reason }
    }

    pub(super) fn unavailable(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Unavailable(Arc::new(cause))
    }
}

/// Why Aurora is not asked, although the budget would allow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LeftAlone {
    /// Its last answers were failures, or slow.
    #[error("it fails, or is slow")]
    Failing,
    /// So many calls are under way that another would only add to the crowd.
    #[error("too many calls are under way")]
    Crowded,
}

/// Why there is no key for a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotConnected {
    /// The tenant has no key of its own, and no partner application is configured that could get one.
    #[error("no key is configured for the tenant, and no partner application")]
    NoApplication,
    /// A key takes a session token, and none is at hand: somebody at the tenant has to act in Aurora first.
    #[error("a key can be got only with a session token, and none is at hand")]
    SessionTokenRequired,
    /// The session token has been sent to Aurora before. It is good for one exchange.
    #[error("the session token has been used")]
    SessionTokenUsed,
    /// Aurora gave no key: the tenant has not enabled the application, or the session token is too old.
    #[error("Aurora refused to give a key")]
    ExchangeRefused,
    /// Aurora gave a key that had expired when it arrived, and did not accept it.
    #[error("Aurora gave a key that had already expired")]
    KeyExpired,
}

/// One thing that Aurora wants corrected, in its own words: cleaned, cut, and without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The field it concerns, where Aurora says so.
    pub field: Option<String>,
    /// What is wrong with it.
    pub message: String,
}

/// Why the client cannot be made from its configuration.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The base URL is not one that paths can be added to.
    #[error("aurora.base_url {0}")]
    BaseUrl(&'static str),
    /// The application id cannot stand in a path.
    #[error("aurora.application_id cannot be part of a URL path")]
    ApplicationId,
    /// The application key cannot stand in a header.
    #[error("aurora.application_key is empty or has characters that no key has")]
    ApplicationKey,
    /// A tenant's own key cannot stand in a header.
    #[error("the key of tenant {0} is empty or has characters that no key has")]
    TenantKey(crate::domain::TenantId),
    /// The API version cannot stand in a header.
    #[error("aurora.api_version has characters that no version has")]
    ApiVersion,
    /// The cipher does not take an encryption key.
    #[error("store.encryption_key or store.previous_encryption_key cannot be used")]
    EncryptionKey,
    /// The HTTP client cannot start.
    #[error("the HTTP client cannot start")]
    Client(#[source] Cause),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_auroras_own_trouble_is_an_outage() {
        let cause = || Arc::new(NotConnected::KeyExpired);
        assert!(Error::Timeout.is_outage());
        assert!(Error::Unavailable(cause()).is_outage());
        assert!(Error::RateLimited { retry_after: Duration::ZERO }.is_outage());
        assert!(Error::InvalidResponse("x").is_outage());
        assert!(!Error::NotFound.is_outage());
        assert!(!Error::OutcomeUnknown(cause()).is_outage());
        assert!(!Error::not_connected(NotConnected::NoApplication).is_outage());
    }
}
