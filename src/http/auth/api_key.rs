//! Fixed keys: a bearer's hash is compared with every one there is.
//!
//! Invariants: a key is known by its hash only; the time a refusal takes tells nothing about the keys.

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use super::Digest;
use crate::domain::Viewer;

/// A key that an operator handed to a client.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// The operator's name for it: for people and logs.
    pub name: String,
    /// SHA-256 of the key itself.
    pub key_sha256: Digest,
    /// Whom it stands for.
    pub viewer: Viewer,
}

/// Every key that is accepted.
#[derive(Debug, Clone, Default)]
pub(super) struct ApiKeys(Vec<ApiKey>);

impl ApiKeys {
    pub(super) fn new(keys: impl IntoIterator<Item = ApiKey>) -> Self {
        Self(keys.into_iter().collect())
    }

    /// Whom the key of this hash stands for. Looks at every key, also after it found the one.
    pub(super) fn find(&self, digest: &Digest) -> Option<Viewer> {
        let mut found = u32::MAX;
        for (index, key) in (0_u32..).zip(&self.0) {
            let same: Choice = key.key_sha256.ct_eq(digest);
            found.conditional_assign(&index, same);
        }
        self.0.get(usize::try_from(found).ok()?).map(|key| key.viewer.clone())
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::domain::viewer::Tenants;

    fn key(name: &str, secret: &str) -> ApiKey {
        ApiKey {
            name: name.into(),
            key_sha256: Sha256::digest(secret).into(),
            viewer: Viewer::new(name, Tenants::All, vec![]),
        }
    }

    #[test]
    fn each_key_stands_for_its_own_viewer_and_no_other_bearer_for_any() {
        let keys = ApiKeys::new([key("crm", "one"), key("ops", "two")]);
        let find = |bearer: &str| keys.find(&Sha256::digest(bearer).into());
        assert_eq!(find("one").unwrap().name(), "crm");
        assert_eq!(find("two").unwrap().name(), "ops");
        for wrong in ["", "o", "one ", "ONE", "three"] {
            assert!(find(wrong).is_none(), "{wrong:?}");
        }
        assert!(ApiKeys::default().find(&Sha256::digest("one").into()).is_none());
    }
}
