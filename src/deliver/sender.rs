//! One try of one message over HTTP.
//!
//! Invariants: nothing leads away from the target (no redirect, no proxy, no address that the guard has not judged); of
//! the answer only the status and two headers count; the URL, whose path may be a secret, is in no error and no log line.

use std::{error::Error as _, io, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;
use reqwest::{
    Certificate, Client, Response,
    header::{CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
    redirect,
};
use secrecy::ExposeSecret;
use url::Url;

use super::{
    Config,
    guard::{Complaint, Guard, Refused},
    ladder,
    signature::Signer,
};

/// Bytes of an answer's body that are read, so that the connection can be used again. Nobody looks at them.
const LARGEST_ANSWER: usize = 64 * 1024;

/// A host that does not take a connection for longer than this is down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Idle connections are given up before common load balancers do it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// Why a message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The target answered with this status. A redirect is one of them: it is not followed.
    Status(u16),
    /// The target did not answer in time.
    TimedOut,
    /// There was no connection, or it broke.
    Unreachable,
    /// Nobody who is trusted vouches for the target, or the two speak no TLS in common.
    TlsFailed,
    /// The host leads to an address that it may not have.
    AddressRefused,
}

impl Failure {
    /// "The endpoint is gone, and wants to hear no more", says the Standard Webhooks specification.
    pub(super) fn is_gone(self) -> bool {
        self == Self::Status(410)
    }

    /// As operators see it, and as it is kept.
    #[must_use]
    pub fn code(self) -> String {
        match self {
            Self::Status(status) => format!("HTTP_{status}"),
            Self::TimedOut => "TIMED_OUT".to_owned(),
            Self::Unreachable => "UNREACHABLE".to_owned(),
            Self::TlsFailed => "TLS_FAILED".to_owned(),
            Self::AddressRefused => "ADDRESS_REFUSED".to_owned(),
        }
    }

    /// Reads [`code`](Self::code) back.
    pub(super) fn from_code(code: &str) -> Option<Self> {
        match code {
            "TIMED_OUT" => Some(Self::TimedOut),
            "UNREACHABLE" => Some(Self::Unreachable),
            "TLS_FAILED" => Some(Self::TlsFailed),
            "ADDRESS_REFUSED" => Some(Self::AddressRefused),
            _ => code.strip_prefix("HTTP_")?.parse().ok().map(Self::Status),
        }
    }
}

/// A message that was not taken, and how long the target wants to be left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rejected {
    pub(super) failure: Failure,
    pub(super) retry_after: Option<Duration>,
}

impl From<Failure> for Rejected {
    fn from(failure: Failure) -> Self {
        Self { failure, retry_after: None }
    }
}

/// Why there is no sender for a target.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SetupError {
    /// Its URL is none.
    #[error("url {0}")]
    Url(#[from] Complaint),
    /// Its secret is none.
    #[error("secret {0}")]
    Key(#[from] super::signature::NotAKey),
    /// Nobody could vouch for it.
    #[error("ca_file {0}")]
    Authorities(#[from] NoAuthorities),
    /// There can be no HTTP client.
    #[error("there can be no HTTP client")]
    Client(#[source] Arc<reqwest::Error>),
}

/// Why a file names no authority.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NoAuthorities {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(Arc<io::Error>),
    /// It holds something else.
    #[error("holds no certificates in PEM")]
    NoCertificates,
}

/// Sends to one target.
pub(super) struct Sender {
    client: Client,
    url: Url,
    signer: Signer,
}

impl Sender {
    /// A sender to the target's URL, which may lead to the private hosts that are named.
    ///
    /// # Errors
    /// When the URL can be no target, or nobody could vouch for it.
    pub(super) fn try_new(config: &Config, signer: Signer) -> Result<Self, SetupError> {
        let url = Url::parse(config.url.expose_secret()).map_err(|_| Complaint::NotAUrl)?;
        let guard = Guard::try_new(&url, &config.allow_private)?;
        let authorities = config.authorities.as_deref().map(authorities).transpose()?;
        Self::guarded(url, guard, authorities, signer, config.timeout)
    }

    fn guarded(
        url: Url,
        guard: Guard,
        authorities: Option<Vec<Certificate>>,
        signer: Signer,
        timeout: Duration,
    ) -> Result<Self, SetupError> {
        let builder = match authorities {
            Some(these) => Client::builder().tls_certs_only(these),
            None => Client::builder(),
        };
        let client = builder
            .user_agent(concat!("heliograph/", env!("CARGO_PKG_VERSION")))
            .https_only(url.scheme() == "https")
            .dns_resolver(Arc::new(guard))
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .no_gzip()
            .no_brotli()
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .timeout(timeout)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build()
            .map_err(|error| SetupError::Client(Arc::new(error.without_url())))?;
        Ok(Self { client, url, signer })
    }

    /// The host, which may be shown.
    pub(super) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Sends a message once.
    ///
    /// # Errors
    /// When the target did not say that it has it.
    pub(super) async fn send(&self, id: &str, body: Bytes, now: Timestamp) -> Result<(), Rejected> {
        let headers = self.headers(id, &body, now).ok_or(Failure::Unreachable)?;
        let request = self.client.post(self.url.clone()).headers(headers).body(body);
        let response = request.send().await.map_err(|error| failure(&error))?;
        let status = response.status().as_u16();
        let retry_after = asked(response.headers(), now);
        read_away(response).await;
        if (200..300).contains(&status) {
            return Ok(());
        }
        Err(Rejected { failure: Failure::Status(status), retry_after })
    }

    fn headers(&self, id: &str, body: &[u8], now: Timestamp) -> Option<HeaderMap> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ID, HeaderValue::from_str(id).ok()?);
        headers.insert(TIMESTAMP, HeaderValue::from(now.as_second()));
        headers.insert(SIGNATURE, HeaderValue::from_str(&self.signer.sign(id, now, body)).ok()?);
        Some(headers)
    }
}

fn asked(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|it| it.to_str().ok());
    ladder::asked(text(RETRY_AFTER)?, text(DATE), now)
}

/// The status has been said: a body that is too long, or breaks off, changes nothing.
async fn read_away(mut response: Response) {
    let mut read = 0;
    while read < LARGEST_ANSWER
        && let Ok(Some(chunk)) = response.chunk().await
    {
        read += chunk.len();
    }
}

fn failure(error: &reqwest::Error) -> Failure {
    let mut cause = error.source();
    while let Some(it) = cause {
        if it.is::<Refused>() {
            return Failure::AddressRefused;
        }
        if error.is_connect() && it.downcast_ref::<io::Error>().is_some_and(is_of_tls) {
            return Failure::TlsFailed;
        }
        cause = it.source();
    }
    if error.is_timeout() { Failure::TimedOut } else { Failure::Unreachable }
}

/// What is wrong with a certificate, or with what should be TLS, comes as data that is invalid. One such error may hold
/// another, which its own chain passes over.
fn is_of_tls(error: &io::Error) -> bool {
    let mut innermost = error;
    while let Some(inner) = innermost.get_ref().and_then(|it| it.downcast_ref::<io::Error>()) {
        innermost = inner;
    }
    innermost.kind() == io::ErrorKind::InvalidData
}

/// Read while the gateway starts, before anybody is served.
fn authorities(path: &Path) -> Result<Vec<Certificate>, NoAuthorities> {
    let pem = std::fs::read(path).map_err(|error| NoAuthorities::Unreadable(Arc::new(error)))?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(these) if !these.is_empty() => Ok(these),
        _ => Err(NoAuthorities::NoCertificates),
    }
}

#[cfg(test)]
mod tests;
