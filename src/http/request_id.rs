//! The name a request has in its answer and in the logs.

use axum::{extract::Request, middleware::Next, response::Response};
use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

/// The header that carries it, both ways.
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest name that is taken over from a caller: it stands in every log line.
const LONGEST: usize = 128;

/// A name that is safe to print. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The caller's own name for its request if that is sane, else a new one.
    pub(in crate::http) fn of(headers: &HeaderMap) -> Self {
        match headers.get(X_REQUEST_ID) {
            Some(given) if is_sane(given.as_bytes()) => Self(given.clone()),
            _ => Self::new(),
        }
    }

    fn new() -> Self {
        let mut buffer = Uuid::encode_buffer();
        let text = Uuid::now_v7().hyphenated().encode_lower(&mut buffer);
        // A UUID holds nothing that a header may not.
        Self(HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("unknown")))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    pub(super) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

/// Names the answers of routes that do not pass the edge: the operator's, which are few and not in a hurry.
pub(super) async fn name(request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    let mut response = next.run(request).await;
    response.headers_mut().insert(X_REQUEST_ID, id.header());
    response
}

fn is_sane(id: &[u8]) -> bool {
    let sane = |it: &u8| it.is_ascii_alphanumeric() || b"._:-".contains(it);
    (1..=LONGEST).contains(&id.len()) && id.iter().all(sane)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(given: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(X_REQUEST_ID, HeaderValue::from_bytes(given.as_bytes()).unwrap());
        RequestId::of(&headers).as_str().to_owned()
    }

    #[test]
    fn a_sane_name_is_kept_and_any_other_replaced() {
        assert_eq!(of("Deal.42_a:b-c"), "Deal.42_a:b-c");
        for odd in ["", "a b", "a\tb", "ä", "a,b", &"a".repeat(129)] {
            assert!(Uuid::parse_str(&of(odd)).is_ok(), "{odd:?}");
        }
        assert_eq!(Uuid::parse_str(RequestId::of(&HeaderMap::new()).as_str()).unwrap().get_version_num(), 7);
    }
}
