//! Who sends this request: a bearer is compared with every credential there is.
//!
//! Invariants: a key is known by its hash only; the time a refusal takes tells nothing about the keys; nothing in
//! here prints a bearer. Not here: what the viewer may do, which the schema decides.

use http::{HeaderMap, header::AUTHORIZATION};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::domain::Viewer;

/// A key that an operator handed to a client.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// The operator's name for it: for people and logs.
    pub name: String,
    /// SHA-256 of the key itself.
    pub key_sha256: [u8; 32],
    /// Whom it stands for.
    pub viewer: Viewer,
}

/// The kinds of credential that a bearer may be.
#[derive(Debug, Clone)]
pub enum Credential {
    /// A fixed key.
    ApiKey(ApiKey),
}

/// All that are accepted.
#[derive(Debug, Clone, Default)]
pub struct Credentials(Vec<Credential>);

impl Credentials {
    /// Accepts these.
    #[must_use]
    pub fn new(accepted: Vec<Credential>) -> Self {
        Self(accepted)
    }

    /// Accepts these API keys.
    #[must_use]
    pub fn from_api_keys(keys: impl IntoIterator<Item = ApiKey>) -> Self {
        Self(keys.into_iter().map(Credential::ApiKey).collect())
    }

    /// Whom the bearer stands for. Looks at every key, also after it found the one.
    #[must_use]
    pub fn authenticate(&self, bearer: &[u8]) -> Option<Viewer> {
        let digest: [u8; 32] = Sha256::digest(bearer).into();
        let mut found = u32::MAX;
        for (index, credential) in (0_u32..).zip(&self.0) {
            let Credential::ApiKey(key) = credential;
            let same: Choice = key.key_sha256.ct_eq(&digest);
            found.conditional_assign(&index, same);
        }
        match self.0.get(usize::try_from(found).ok()?)? {
            Credential::ApiKey(key) => Some(key.viewer.clone()),
        }
    }

    /// Whom a request's `Authorization` header stands for.
    #[must_use]
    pub fn authenticate_headers(&self, headers: &HeaderMap) -> Option<Viewer> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let value = values.next()?;
        if values.next().is_some() {
            return None;
        }
        self.authenticate(bearer(value.as_bytes())?)
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

    use super::*;
    use crate::domain::viewer::Tenants;

    fn key(name: &str, secret: &str) -> ApiKey {
        ApiKey {
            name: name.into(),
            key_sha256: Sha256::digest(secret).into(),
            viewer: Viewer::new(name, Tenants::All, vec![]),
        }
    }

    fn two() -> Credentials {
        Credentials::from_api_keys([key("crm", "one"), key("ops", "two")])
    }

    #[test]
    fn each_key_stands_for_its_own_viewer_and_no_other_bearer_for_any() {
        assert_eq!(two().authenticate(b"one").unwrap().name(), "crm");
        assert_eq!(two().authenticate(b"two").unwrap().name(), "ops");
        for wrong in ["", "o", "one ", "ONE", "three"] {
            assert!(two().authenticate(wrong.as_bytes()).is_none(), "{wrong:?}");
        }
        assert!(Credentials::default().authenticate(b"one").is_none());
    }

    #[test]
    fn the_scheme_may_be_in_any_case_and_must_be_bearer() {
        assert_eq!(bearer(b"Bearer one"), Some(&b"one"[..]));
        assert_eq!(bearer(b"bEARER   one "), Some(&b"one"[..]));
        for wrong in ["", "Bearer", "Bearer ", "Bearerone", "Basic one", "one"] {
            assert_eq!(bearer(wrong.as_bytes()), None, "{wrong:?}");
        }
    }

    #[test]
    fn two_authorization_headers_are_no_credential() {
        let mut headers = HeaderMap::new();
        headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer one"));
        assert!(two().authenticate_headers(&headers).is_some());
        headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer two"));
        assert!(two().authenticate_headers(&headers).is_none());
    }
}
