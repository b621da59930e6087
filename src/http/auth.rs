//! Who sends this request: a bearer is an API key, or a token that an issuer signed.
//!
//! [`api_key`] compares, [`jwt`] verifies, [`claims`] reads what a token says, [`jwks`] are the issuer's keys and
//! [`issuer`] fetches them. Invariants: nothing in here prints a bearer, nor the name of a token's subject; an answer
//! tells nobody why a bearer was refused. Not here: what the viewer may do, which the schema decides.

mod api_key;
mod claims;
mod issuer;
mod jwks;
pub mod jwt;

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, header::AUTHORIZATION};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use self::api_key::ApiKey;
use self::{api_key::ApiKeys, jwt::Tokens};
use crate::domain::Viewer;

/// What a bearer is known by in here.
type Digest = [u8; 32];

/// A credential that was accepted.
#[derive(Debug, Clone)]
pub struct Admission {
    /// Whom it stands for.
    pub viewer: Viewer,
    /// When it ends by itself. An API key does not.
    pub expires: Option<Instant>,
}

impl Admission {
    /// When something must end that began now and may last so long: with the credential at the latest.
    #[must_use]
    pub fn ends(&self, life: Duration) -> Instant {
        let longest = Instant::now() + life;
        self.expires.map_or(longest, |it| it.min(longest))
    }
}

/// All that are accepted.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    api_keys: ApiKeys,
    tokens: Option<Arc<Tokens>>,
}

impl Credentials {
    /// Accepts these API keys.
    #[must_use]
    pub fn from_api_keys(keys: impl IntoIterator<Item = ApiKey>) -> Self {
        Self { api_keys: ApiKeys::new(keys), tokens: None }
    }

    /// Accepts an issuer's tokens as well.
    #[must_use]
    pub fn and_tokens(self, tokens: Option<Tokens>) -> Self {
        Self { tokens: tokens.map(Arc::new), ..self }
    }

    /// Whom the bearer stands for. Only a token that is not known yet may wait, for its issuer's keys.
    pub async fn authenticate(&self, bearer: &[u8]) -> Option<Admission> {
        let digest: Digest = Sha256::digest(bearer).into();
        if let Some(viewer) = self.api_keys.find(&digest) {
            return Some(Admission { viewer, expires: None });
        }
        let tokens = self.tokens.as_deref()?;
        match tokens.recall(&digest) {
            Some(known) => Some(known),
            None => tokens.verify(bearer, digest).await,
        }
    }

    /// Whom a request's `Authorization` header stands for.
    pub async fn authenticate_headers(&self, headers: &HeaderMap) -> Option<Admission> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let value = values.next()?;
        if values.next().is_some() {
            return None;
        }
        self.authenticate(bearer(value.as_bytes())?).await
    }

    /// Keeps what changes elsewhere up to date until it is told to stop.
    pub async fn keep(self, stop: CancellationToken) {
        let work = async {
            match &self.tokens {
                Some(tokens) => tokens.keep().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = work => {}
        }
    }
}

/// The token in `Bearer <token>`. The scheme's case does not matter, as RFC 9110 has it.
#[must_use]
pub fn bearer(authorization: &[u8]) -> Option<&[u8]> {
    const SCHEME: &[u8] = b"bearer";
    let (scheme, rest) = authorization.split_at_checked(SCHEME.len())?;
    let token = rest.strip_prefix(b" ")?.trim_ascii();
    (scheme.eq_ignore_ascii_case(SCHEME) && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::viewer::Tenants;

    fn one() -> Credentials {
        Credentials::from_api_keys([ApiKey {
            name: "crm".into(),
            key_sha256: Sha256::digest("one").into(),
            viewer: Viewer::new("crm", Tenants::All, vec![]),
        }])
    }

    #[test]
    fn the_scheme_may_be_in_any_case_and_must_be_bearer() {
        assert_eq!(bearer(b"Bearer one"), Some(&b"one"[..]));
        assert_eq!(bearer(b"bEARER   one "), Some(&b"one"[..]));
        for wrong in ["", "Bearer", "Bearer ", "Bearerone", "Basic one", "one"] {
            assert_eq!(bearer(wrong.as_bytes()), None, "{wrong:?}");
        }
    }

    #[tokio::test]
    async fn two_authorization_headers_are_no_credential() {
        let mut headers = HeaderMap::new();
        headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer one"));
        assert!(one().authenticate_headers(&headers).await.is_some());
        headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer two"));
        assert!(one().authenticate_headers(&headers).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_lasts_ends_with_its_credential_or_with_its_own_life() {
        let mut admission = one().authenticate(b"one").await.unwrap();
        let (now, minute) = (Instant::now(), Duration::from_mins(1));
        assert_eq!(admission.ends(minute), now + minute);
        admission.expires = Some(now + minute / 2);
        assert_eq!(admission.ends(minute), now + minute / 2);
        assert_eq!(admission.ends(minute / 4), now + minute / 4);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_bearer_or_none(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Some(token) = bearer(&bytes) {
                prop_assert!(!token.is_empty() && token.trim_ascii() == token && bytes.trim_ascii_end().ends_with(token));
                prop_assert!(bytes[..6].eq_ignore_ascii_case(b"bearer") && bytes[6] == b' ');
            }
        }

        #[test]
        fn a_token_is_found_whatever_it_is_made_of(
            token in "[!-~]{1,40}", scheme in "[bB][eE][aA][rR][eE][rR]", spaces in " {1,3}", behind in " {0,3}"
        ) {
            let header = format!("{scheme}{spaces}{token}{behind}");
            prop_assert_eq!(bearer(header.as_bytes()), Some(token.as_bytes()));
        }
    }
}
