//! An issuer's public keys, read from a JSON Web Key Set.
//!
//! Invariant: which algorithm a key verifies is decided by what the key is, here, and never by a token. So `none`
//! verifies nothing, and a public key is never the secret of an HMAC. Not here: where the set comes from.

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;

/// Bytes of a set: 64 keys of 4096 bits take a third.
pub(super) const LARGEST: usize = 256 * 1024;

/// Keys of a set. Issuers have two or three, while they change from one to the next.
const MOST: usize = 64;

/// What an issuer signs with.
#[derive(Debug, Default)]
pub(super) struct Keys(Vec<Key>);

/// One key and the one algorithm that it is for.
#[derive(Debug)]
pub(super) struct Key {
    id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

/// Why a set cannot be used. What it holds is not repeated: whatever answers there may be no issuer at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoKeys {
    #[error("it is longer than 256 KiB")]
    TooLong,
    #[error("it is no JSON Web Key Set")]
    NotASet,
    #[error("it has more than 64 keys")]
    TooMany,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

impl Keys {
    /// Reads a set. A key that is not understood, or is not for verifying, is left out: a set may hold others' keys.
    pub(super) fn parse(json: &[u8]) -> Result<Self, NoKeys> {
        if json.len() > LARGEST {
            return Err(NoKeys::TooLong);
        }
        let set: Set = serde_json::from_slice(json).map_err(|_library| NoKeys::NotASet)?;
        if set.keys.len() > MOST {
            return Err(NoKeys::TooMany);
        }
        Ok(Self(set.keys.into_iter().filter_map(Key::read).collect()))
    }

    /// The key that a token of this header may be signed with. Without a key id there must be no choice.
    pub(super) fn pick(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        let mut fitting = self.0.iter().filter(|key| key.algorithm == algorithm);
        match id {
            Some(id) => fitting.find(|key| key.id.as_deref() == Some(id)),
            None => fitting.next().filter(|_| fitting.next().is_none()),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Key {
    fn read(json: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(json).ok()?;
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => Algorithm::RS256,
            AlgorithmParameters::EllipticCurve(it) if it.curve == EllipticCurve::P256 => Algorithm::ES256,
            AlgorithmParameters::OctetKeyPair(it) if it.curve == EllipticCurve::Ed25519 => Algorithm::EdDSA,
            _ => return None,
        };
        let common = &jwk.common;
        let is_for_it = common.key_algorithm.is_none_or(|it| it == KeyAlgorithm::from(algorithm));
        let signs = common.public_key_use.as_ref().is_none_or(|it| *it == PublicKeyUse::Signature);
        let verifies = common.key_operations.as_ref().is_none_or(|it| it.contains(&KeyOperations::Verify));
        if !(is_for_it && signs && verifies) {
            return None;
        }
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        Some(Self { id: jwk.common.key_id, algorithm, key })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn keys(keys: Value) -> Keys {
        Keys::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    }

    fn ed(id: &str) -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": id, "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" })
    }

    fn rsa(id: &str) -> Value {
        json!({ "kty": "RSA", "kid": id, "n": "AQAB", "e": "AQAB" })
    }

    #[test]
    fn a_key_is_found_by_its_id_and_its_own_algorithm_only() {
        let keys = keys(json!([ed("a"), rsa("b"), rsa("c")]));
        let found = |id: &str, algorithm| keys.pick(Some(id), algorithm).is_some();
        assert!(found("a", Algorithm::EdDSA) && found("b", Algorithm::RS256));
        assert!(
            !found("a", Algorithm::RS256) && !found("b", Algorithm::HS256) && !found("b", Algorithm::PS256)
        );
        assert!(!found("d", Algorithm::EdDSA));
    }

    #[test]
    fn without_an_id_there_must_be_no_choice() {
        let keys = keys(json!([ed("a"), rsa("b"), rsa("c")]));
        assert!(keys.pick(None, Algorithm::EdDSA).is_some());
        assert!(keys.pick(None, Algorithm::RS256).is_none());
        assert!(keys.pick(None, Algorithm::ES256).is_none());
    }

    #[test]
    fn keys_that_are_not_for_verifying_with_our_algorithms_are_left_out() {
        let with = |name: &str, value: Value| {
            let mut key = ed("a");
            key[name] = value;
            key
        };
        let left_out = [
            json!({ "kty": "oct", "kid": "a", "k": "c2VjcmV0" }),
            json!({ "kty": "EC", "crv": "P-384", "kid": "a", "x": "AA", "y": "AA" }),
            json!({ "kty": "AKP", "kid": "a" }),
            json!("no key"),
            with("use", json!("enc")),
            with("alg", json!("ES256")),
            with("alg", json!("new-and-unknown")),
            with("key_ops", json!(["sign"])),
            with("x", json!("not base64!")),
        ];
        for key in left_out {
            assert_eq!(keys(json!([key, rsa("b")])).len(), 1, "{key}");
        }
        for stays in
            [with("use", json!("sig")), with("alg", json!("EdDSA")), with("key_ops", json!(["verify"]))]
        {
            assert_eq!(keys(json!([stays])).len(), 1, "{stays}");
        }
    }

    #[test]
    fn a_set_that_is_none_or_too_large_is_refused() {
        for text in ["", "[]", "{}", "null", r#"{"keys":{}}"#, "<html>"] {
            assert_eq!(Keys::parse(text.as_bytes()).unwrap_err(), NoKeys::NotASet, "{text}");
        }
        let many = json!({ "keys": vec![ed("a"); 65] }).to_string();
        assert_eq!(Keys::parse(many.as_bytes()).unwrap_err(), NoKeys::TooMany);
        assert_eq!(Keys::parse(&vec![b' '; LARGEST + 1]).unwrap_err(), NoKeys::TooLong);
        assert_eq!(keys(json!([])).len(), 0);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), text in ".*") {
            let _any = Keys::parse(&bytes);
            let _any = Keys::parse(format!(r#"{{"keys":[{{"kty":"RSA","n":{text:?},"e":"AQAB"}}]}}"#).as_bytes());
        }
    }
}
