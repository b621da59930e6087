//! An issuer of tokens that shares no code with what verifies them.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    hmac,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use axum::{Router, http::StatusCode, response::IntoResponse, routing::get};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::AbortHandle};

pub(crate) const ISSUER: &str = "https://login.crm.example/";
pub(crate) const AUDIENCE: &str = "https://heliograph.crm.example";

/// A key of the issuer.
pub(crate) struct Signer {
    id: String,
    key: Key,
}

enum Key {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Signer {
    pub(crate) fn rsa(id: &str) -> Self {
        Self { id: id.to_owned(), key: Key::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()) }
    }

    pub(crate) fn ec(id: &str) -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { id: id.to_owned(), key: Key::Ec(key) }
    }

    pub(crate) fn ed(id: &str) -> Self {
        Self { id: id.to_owned(), key: Key::Ed(Ed25519KeyPair::generate().unwrap()) }
    }

    fn algorithm(&self) -> &'static str {
        match self.key {
            Key::Rsa(_) => "RS256",
            Key::Ec(_) => "ES256",
            Key::Ed(_) => "EdDSA",
        }
    }

    /// The public half, as a JSON Web Key.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = match &self.key {
            Key::Rsa(pair) => {
                let public = pair.public_key();
                let [n, e] = [public.modulus(), public.exponent()]
                    .map(|it| encode(it.big_endian_without_leading_zero()));
                json!({ "kty": "RSA", "n": n, "e": e })
            }
            Key::Ec(pair) => {
                // An uncompressed point: 4, x, y.
                let point = pair.public_key().as_ref();
                json!({ "kty": "EC", "crv": "P-256", "x": encode(&point[1..33]), "y": encode(&point[33..]) })
            }
            Key::Ed(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref()) })
            }
        };
        // A key without a name has no member for one.
        if !self.id.is_empty() {
            jwk["kid"] = json!(self.id);
        }
        jwk
    }

    /// A token with these claims.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.token_with(&self.header(), claims)
    }

    /// The same under any header.
    pub(crate) fn token_with(&self, header: &Value, claims: &Value) -> String {
        let text = unsigned(header, claims);
        let bytes = text.as_bytes();
        let signature = match &self.key {
            Key::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), bytes, &mut signature).unwrap();
                signature
            }
            Key::Ec(pair) => pair.sign(&SystemRandom::new(), bytes).unwrap().as_ref().to_vec(),
            Key::Ed(pair) => pair.sign(bytes).as_ref().to_vec(),
        };
        format!("{text}.{}", encode(&signature))
    }

    pub(crate) fn header(&self) -> Value {
        json!({ "typ": "JWT", "alg": self.algorithm(), "kid": self.id })
    }

    /// What a careless library would take the public key for: the secret of an HMAC.
    pub(crate) fn confused(&self, claims: &Value) -> Vec<String> {
        let Key::Rsa(pair) = &self.key else { panic!("an RSA key") };
        let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let pem = pem(der.as_ref());
        let secrets = [
            der.as_ref().to_vec(),
            pem.trim_end().as_bytes().to_vec(),
            pem.into_bytes(),
            pair.public_key().modulus().big_endian_without_leading_zero().to_vec(),
            self.jwk().to_string().into_bytes(),
            Vec::new(),
        ];
        let text = unsigned(&json!({ "alg": "HS256", "kid": self.id }), claims);
        let sign = |secret: &Vec<u8>| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes());
        secrets.iter().map(|secret| format!("{text}.{}", encode(sign(secret).as_ref()))).collect()
    }
}

/// Where the issuer's keys are, over HTTP.
pub(crate) struct Issuer {
    pub(crate) url: String,
    keys: Arc<Keys>,
    server: AbortHandle,
}

#[derive(Default)]
struct Keys {
    set: Mutex<Value>,
    fetches: AtomicUsize,
    down: AtomicBool,
    instead: Mutex<Option<(u16, String)>>,
}

impl Issuer {
    pub(crate) async fn start(signers: &[&Signer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks.json?tenant=7", listener.local_addr().unwrap());
        let keys = Arc::new(Keys { set: Mutex::new(set(signers)), ..Keys::default() });
        let served = Arc::clone(&keys);
        let router = Router::new().route(
            "/jwks.json",
            get(move || async move {
                served.fetches.fetch_add(1, SeqCst);
                if let Some((status, body)) = served.instead.lock().unwrap().clone() {
                    let location = [("location", body.replace(|it: char| it.is_control(), ""))];
                    return (StatusCode::from_u16(status).unwrap(), location, body).into_response();
                }
                match served.down.load(SeqCst) {
                    true => StatusCode::SERVICE_UNAVAILABLE.into_response(),
                    false => served.set.lock().unwrap().to_string().into_response(),
                }
            }),
        );
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }).abort_handle();
        Self { url, keys, server }
    }

    pub(crate) fn has(&self, signers: &[&Signer]) {
        *self.keys.set.lock().unwrap() = set(signers);
    }

    /// From now on it says this instead, also as a place to go to.
    pub(crate) fn says(&self, status: u16, body: &str) {
        *self.keys.instead.lock().unwrap() = Some((status, body.to_owned()));
    }

    pub(crate) fn goes_down(&self) {
        self.keys.down.store(true, SeqCst);
    }

    pub(crate) fn fetches(&self) -> usize {
        self.keys.fetches.load(SeqCst)
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The public keys of these.
pub(crate) fn set(signers: &[&Signer]) -> Value {
    json!({ "keys": signers.iter().map(|it| it.jwk()).collect::<Vec<_>>() })
}

/// A header and claims, without a signature.
pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()))
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn pem(der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
}
