//! Why a socket was closed: the closed list of codes.
//!
//! Those below 4500 that the protocol names have its meaning. A client that follows the protocol connects anew after
//! [`Close::TOO_SLOW`], [`Close::CREDENTIAL_EXPIRED`] and [`Close::RESTARTING`], and not after a mistake of its own.

use std::borrow::Cow;

/// The longest reason that fits into a close frame.
const LONGEST_REASON: usize = 123;

/// A code and a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// The code.
    pub code: u16,
    /// For the person who debugs the client.
    pub reason: Cow<'static, str>,
}

impl Close {
    /// The client left.
    pub const LEFT: Self = Self::new(1000, "");
    /// The connection ended without a word of either side: nothing is sent.
    pub const LOST: Self = Self::new(1006, "the connection broke");
    /// The client answers no pings.
    pub const SILENT: Self = Self::new(1001, "no answer to two pings");
    /// The bytes were no WebSocket messages, or far too many.
    pub const NOT_UNDERSTOOD: Self = Self::new(1002, "not a WebSocket message, or far too long a one");
    /// Only text is read.
    pub const TOO_LONG: Self = Self::new(1009, "the message is too long");
    /// The gateway restarts: connect again and resume.
    pub const RESTARTING: Self = Self::new(1012, "the gateway restarts: connect again and resume");
    /// Answers could not be written in time: connect again and resume.
    pub const TOO_SLOW: Self = Self::new(4008, "answers were read too slowly: connect again and resume");
    /// Something was to run before there was a credential.
    pub const UNAUTHORIZED: Self = Self::new(4401, "Unauthorized");
    /// The credential was refused.
    pub const FORBIDDEN: Self =
        Self::new(4403, "Forbidden: send {\"Authorization\":\"Bearer <key>\"} in connection_init");
    /// The credential was shown too long ago.
    pub const CREDENTIAL_EXPIRED: Self =
        Self::new(4403, "the credential must be shown anew: connect again and resume");
    /// No subprotocol was offered that is spoken here.
    pub const NO_SUBPROTOCOL: Self =
        Self::new(4406, "Subprotocol not acceptable: offer graphql-transport-ws, or graphql-ws of old");
    /// No `connection_init` came.
    pub const INIT_TIMEOUT: Self = Self::new(4408, "Connection initialisation timeout");
    /// An operation with this id runs already.
    pub const DUPLICATE_ID: Self = Self::new(4409, "Subscriber for this id already exists");
    /// A second `connection_init` came.
    pub const TOO_MANY_INITS: Self = Self::new(4429, "Too many initialisation requests");

    const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason: Cow::Borrowed(reason) }
    }

    /// The same, and where to resume if that is what the reader is to do.
    #[must_use]
    pub fn after(self, cursor: &str) -> Self {
        let resumes = self.reason.ends_with("resume");
        match format!("{} after {cursor}", self.reason) {
            reason if resumes && reason.len() <= LONGEST_REASON => Self { reason: reason.into(), ..self },
            _ => self,
        }
    }

    /// A message that the protocol does not know.
    #[must_use]
    pub fn invalid(reason: impl Into<Cow<'static, str>>) -> Self {
        let mut reason = reason.into();
        if reason.len() > LONGEST_REASON {
            let end = reason.floor_char_boundary(LONGEST_REASON);
            reason.to_mut().truncate(end);
        }
        Self { code: 4400, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_fits_into_its_frame() {
        for close in [
            Close::LEFT,
            Close::LOST,
            Close::SILENT,
            Close::NOT_UNDERSTOOD,
            Close::TOO_LONG,
            Close::RESTARTING,
            Close::TOO_SLOW,
            Close::UNAUTHORIZED,
            Close::FORBIDDEN,
            Close::CREDENTIAL_EXPIRED,
            Close::NO_SUBPROTOCOL,
            Close::INIT_TIMEOUT,
            Close::DUPLICATE_ID,
            Close::TOO_MANY_INITS,
            Close::invalid("ä".repeat(100)),
        ] {
            assert!(close.reason.len() <= LONGEST_REASON, "{close:?}");
        }
    }

    #[test]
    fn whoever_is_to_resume_is_told_where() {
        let cursor = "AQ-age0xXXKrrSKrxZeUKG59MtODOSzxIA";
        for close in [Close::RESTARTING, Close::TOO_SLOW, Close::CREDENTIAL_EXPIRED] {
            let told = close.clone().after(cursor);
            assert!(told.reason.ends_with(&format!("resume after {cursor}")), "{told:?}");
            assert!(told.code == close.code && told.reason.len() <= LONGEST_REASON, "{told:?}");
            assert_eq!(close.clone().after(&"x".repeat(100)), close, "what does not fit is left out");
        }
        assert_eq!(Close::SILENT.after(cursor), Close::SILENT);
    }
}
