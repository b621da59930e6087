//! Signing by the Standard Webhooks specification, so that a receiver can verify with a library that others wrote.
//!
//! Signed are id, time and body with full stops between them; so the id must hold none.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretSlice};
use sha2::Sha256;

/// A key that cannot be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot be used as a key")]
pub struct NotAKey;

/// The keys of a target: the current one, and the one before it while receivers change over.
#[derive(Clone)]
pub(super) struct Signer(Vec<Hmac<Sha256>>);

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({} keys)", self.0.len())
    }
}

impl Signer {
    /// Signs with each of the keys.
    ///
    /// # Errors
    /// When a key has no bytes, or there is none.
    pub(super) fn try_new(keys: &[SecretSlice<u8>]) -> Result<Self, NotAKey> {
        let keyed = |key: &SecretSlice<u8>| match key.expose_secret() {
            [] => Err(NotAKey),
            bytes => Hmac::<Sha256>::new_from_slice(bytes).map_err(|_| NotAKey),
        };
        let all = keys.iter().map(keyed).collect::<Result<Vec<_>, _>>()?;
        if all.is_empty() { Err(NotAKey) } else { Ok(Self(all)) }
    }

    /// What stands in `webhook-signature`: one signature per key, any of which is enough.
    pub(super) fn sign(&self, id: &str, at: Timestamp, body: &[u8]) -> String {
        let seconds = at.as_second().to_string();
        let signatures = self.0.iter().map(|key| {
            let mut mac = key.clone();
            for part in [id.as_bytes(), b".", seconds.as_bytes(), b".", body] {
                mac.update(part);
            }
            format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(base64: &str) -> SecretSlice<u8> {
        SecretSlice::from(STANDARD.decode(base64).unwrap())
    }

    /// From the specification's own libraries.
    #[test]
    fn the_published_example_is_signed_as_published() {
        let signer = Signer::try_new(&[key("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]).unwrap();
        let at = Timestamp::from_second(1_614_265_330).unwrap();
        let signature = signer.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn while_a_key_changes_both_sign() {
        let (new, old) = ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        let sign = |keys: &[&str]| {
            let keys: Vec<_> = keys.iter().map(|it| key(it)).collect();
            Signer::try_new(&keys).unwrap().sign("m", Timestamp::UNIX_EPOCH, b"{}")
        };
        assert_eq!(sign(&[new, old]), format!("{} {}", sign(&[new]), sign(&[old])));
    }

    #[test]
    fn no_key_signs_nothing_and_none_is_shown() {
        assert_eq!(Signer::try_new(&[]).unwrap_err(), NotAKey);
        assert_eq!(Signer::try_new(&[SecretSlice::from(Vec::new())]).unwrap_err(), NotAKey);
        let signer = Signer::try_new(&[SecretSlice::from(vec![7; 32])]).unwrap();
        assert_eq!(format!("{signer:?}"), "Signer(1 keys)");
    }
}
