//! Whether a delivery is Aurora's: it knows a secret that only Aurora was told.
//!
//! Digests are compared instead of the texts, so that the time it takes tells neither a length nor a beginning.

use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::Config;

/// What a delivery presents.
#[derive(Clone, Copy, Default)]
pub struct Presented<'a> {
    /// The value of the configured header.
    pub token: Option<&'a [u8]>,
    /// The value of `Authorization`.
    pub authorization: Option<&'a [u8]>,
}

impl std::fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Presented")
            .field("token", &self.token.is_some())
            .field("authorization", &self.authorization.is_some())
            .finish()
    }
}

/// The digests of what is accepted. Without any, nothing is.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Authentic {
    secret: Option<[u8; 32]>,
    /// The secret from before, while it is being changed at Aurora.
    previous: Option<[u8; 32]>,
    basic: Option<[u8; 32]>,
}

impl Authentic {
    /// An empty secret is none: everybody would know it.
    pub(super) fn new(config: &Config) -> Self {
        let known = |text: &&SecretString| !text.expose_secret().is_empty();
        let of = |secret: Option<&SecretString>| {
            secret.filter(known).map(|secret| digest(secret.expose_secret().as_bytes()))
        };
        let (secret, previous) = (of(config.secret.as_ref()), of(config.previous_secret.as_ref()));
        let basic = config
            .basic
            .as_ref()
            .filter(|(_, password)| known(&password))
            .map(|(user, password)| digest(format!("{user}:{}", password.expose_secret()).as_bytes()));
        Self { secret, previous, basic }
    }

    pub(super) fn is(&self, presented: &Presented<'_>) -> bool {
        // Both are compared, whatever comes of the first: the time it takes must not tell which one it was.
        let by_header =
            equal(self.secret.as_ref(), presented.token) | equal(self.previous.as_ref(), presented.token);
        let credentials = presented.authorization.and_then(basic_credentials);
        let by_basic = equal(self.basic.as_ref(), credentials.as_deref());
        (by_header | by_basic).into()
    }
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn equal(expected: Option<&[u8; 32]>, presented: Option<&[u8]>) -> Choice {
    match (expected, presented) {
        (Some(expected), Some(presented)) => expected.ct_eq(&digest(presented)),
        _ => Choice::from(0),
    }
}

/// `user:password` out of `Basic …`.
fn basic_credentials(authorization: &[u8]) -> Option<Vec<u8>> {
    let (scheme, rest) = authorization.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    STANDARD.decode(rest.trim_ascii()).ok()
}
