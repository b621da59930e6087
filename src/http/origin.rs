//! Which web pages may talk to the gateway: CORS for requests, an allow-list for sockets.
//!
//! Invariants: an origin is compared as a whole, never by prefix or pattern; a foreign page gets no CORS header at
//! all. A page is never trusted for where it comes from: a credential is needed all the same.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HOST, ORIGIN,
    },
};
use url::Url;

/// A web page's origin: scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

/// Text that is no web origin.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not an origin such as \"https://crm.example.com\"")]
pub struct InvalidOrigin(String);

impl Origin {
    /// Reads `https://host` or `http://host:port`, with nothing behind it.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidOrigin> {
        let invalid = || InvalidOrigin(text.to_owned());
        let url = Url::parse(text).map_err(|_cause| invalid())?;
        let bare = matches!(url.scheme(), "http" | "https")
            && url.path() == "/"
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !bare {
            return Err(invalid());
        }
        Ok(Self(url.origin().ascii_serialization()))
    }

    /// The origin as browsers write it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What the page that sent a request is to this gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    /// No browser sent this, or one on the gateway's own page.
    Own,
    /// One of the pages that the operator named.
    Allowed,
    /// Some other page.
    Foreign,
}

/// Reads `Origin` against the list and against the host that was asked.
pub(super) fn page(headers: &HeaderMap, uri_host: Option<&str>, allowed: &[Origin]) -> Page {
    let mut origins = headers.get_all(ORIGIN).iter();
    let Some(origin) = origins.next() else { return Page::Own };
    let Ok(origin) = origin.to_str() else { return Page::Foreign };
    if origins.next().is_some() {
        return Page::Foreign;
    }
    if allowed.iter().any(|it| it.0 == origin) {
        return Page::Allowed;
    }
    let host = headers.get(HOST).and_then(|it| it.to_str().ok()).or(uri_host);
    let origin_host = origin.split_once("://").map(|(_, host)| host);
    match (origin_host, host) {
        (Some(theirs), Some(ours)) if theirs.eq_ignore_ascii_case(ours) => Page::Own,
        _ => Page::Foreign,
    }
}

/// Tells an allowed page's browser that it may read the answer.
pub(super) fn allow_reading(headers: &mut HeaderMap, origin: HeaderValue) {
    const EXPOSED: HeaderValue = HeaderValue::from_static("x-request-id, retry-after, www-authenticate");
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
}

/// The further headers of an answered preflight.
pub(super) const PREFLIGHT: [(HeaderName, HeaderValue); 3] = [
    (ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, POST, OPTIONS")),
    (
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static(
            "authorization, content-type, last-event-id, x-request-id, x-heliograph-explain",
        ),
    ),
    // Ten minutes: a change of the list is felt soon, and a page does not ask twice per request.
    (ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600")),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn from(origin: Option<&'static str>) -> Page {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("gateway:4000"));
        if let Some(origin) = origin {
            headers.insert(ORIGIN, HeaderValue::from_static(origin));
        }
        page(&headers, None, &[Origin::parse("https://crm.example.com:443").unwrap()])
    }

    #[test]
    fn only_whole_origins_pass() {
        assert_eq!(from(None), Page::Own);
        assert_eq!(from(Some("http://gateway:4000")), Page::Own);
        assert_eq!(from(Some("https://crm.example.com")), Page::Allowed);
        for foreign in [
            "null",
            "",
            "http://crm.example.com",
            "https://crm.example.com.evil.org",
            "https://crm.example.com:8443",
            "http://gateway:4000.evil.org",
            "http://gateway:4001",
            "http://gateway",
        ] {
            assert_eq!(from(Some(foreign)), Page::Foreign, "{foreign:?}");
        }
    }

    #[test]
    fn an_origin_has_no_path_and_no_wildcard() {
        assert_eq!(Origin::parse("HTTPS://CRM.example.com/").unwrap().as_str(), "https://crm.example.com");
        for wrong in ["*", "null", "crm.example.com", "https://a/b", "https://u@a", "ftp://a", "https://a?b"]
        {
            assert!(Origin::parse(wrong).is_err(), "{wrong}");
        }
    }
}
