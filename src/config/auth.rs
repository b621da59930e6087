//! `[auth]`: who may call, which tenants they reach, and what they may do.
//!
//! Invariant: no API key outlives the reading. What is kept is its SHA-256, which is all that a
//! comparison needs; a key long enough to be refused to guessers needs no slower hash.

mod jwt;

use std::fmt;

use sha2::{Digest as _, Sha256};

pub use jwt::{Jwks, Jwt};

use super::parse;
use super::section::{Reported, Section};
use crate::domain::viewer::{Scope, Tenants};

/// Who may call.
#[derive(Debug, Clone)]
pub struct Auth {
    /// No name and no key twice.
    pub api_keys: Vec<ApiKey>,
    /// Whose tokens are accepted, if anybody's.
    pub jwt: Option<Jwt>,
}

/// One caller's credential.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// For logs and metrics.
    pub name: String,
    /// What to compare with.
    pub digest: KeyDigest,
    /// The tenants it reaches.
    pub tenants: Tenants,
    /// What it may do; never empty.
    pub scopes: Vec<Scope>,
}

/// The SHA-256 of an API key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyDigest([u8; 32]);

impl KeyDigest {
    /// The digest of a key as a caller presents it.
    #[must_use]
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }

    /// For a comparison in constant time.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Sixteen letters of chance are beyond guessing; fewer are a word somebody thought of.
const SHORTEST_KEY: usize = 16;

impl Auth {
    /// Whether no credential could be any good.
    #[must_use]
    pub fn accepts_nobody(&self) -> bool {
        self.api_keys.is_empty() && self.jwt.is_none()
    }

    pub(super) fn read(mut section: Section<'_, '_>) -> Result<Self, Reported> {
        let jwt = Jwt::read(section.section("jwt"));
        let mut seen: Vec<(String, Option<KeyDigest>)> = Vec::new();
        let api_keys = section.tables("api_keys", |section| {
            let name = section.required("name", parse::name);
            let digest = KeyDigest::read(section);
            let tenants = read_tenants(section);
            let scopes = read_scopes(section);

            if let Ok(name) = &name {
                let digest = digest.as_ref().ok().copied();
                if seen.iter().any(|(other, _)| other == name) {
                    return Err(
                        section.refuse("name", "is taken by another key; logs could not tell them apart")
                    );
                }
                if digest.is_some() && seen.iter().any(|(_, other)| *other == digest) {
                    return Err(section.refuse("", "has the key of another name; a caller would be either"));
                }
                seen.push((name.clone(), digest));
            }
            Ok(ApiKey { name: name?, digest: digest?, tenants: tenants?, scopes: scopes? })
        });
        Ok(Self { api_keys: api_keys?, jwt: jwt? })
    }
}

impl KeyDigest {
    fn read(section: &mut Section<'_, '_>) -> Result<Self, Reported> {
        let of_key = section.secret("key", |key| {
            parse::header_text(key)?;
            if key.contains(char::is_whitespace) {
                return Err("must not contain spaces".to_owned());
            }
            if key.len() < SHORTEST_KEY {
                return Err(format!("must have at least {SHORTEST_KEY} letters, best all of them random"));
            }
            Ok(Self::of(key))
        });
        let given = section.secret("key_sha256", Self::parse);
        match (of_key?, given?) {
            (Some(digest), None) | (None, Some(digest)) => Ok(digest),
            (Some(_), Some(_)) => {
                let key = section.written(["key_sha256", "key_sha256_file"]);
                Err(section.refuse(key, "`key` is given as well; keep one of them"))
            }
            (None, None) => Err(section.refuse("key", "is required: one of `key`, `key_file`, `key_sha256`")),
        }
    }

    fn parse(hex: &str) -> Result<Self, String> {
        let reason = || "must be the SHA-256 of a key as 64 hexadecimal digits".to_owned();
        if hex.len() != 64 {
            return Err(reason());
        }
        let mut digest = [0; 32];
        for (byte, pair) in digest.iter_mut().zip(hex.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(pair).map_err(|_| reason())?;
            let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            *byte = u8::from_str_radix(digits, 16).ok().filter(|_| is_hex).ok_or_else(reason)?;
        }
        Ok(Self(digest))
    }
}

pub(super) fn read_tenants(section: &mut Section<'_, '_>) -> Result<Tenants, Reported> {
    let entries = section.list("tenants", |value| match parse::text(value)? {
        "*" => Ok(None),
        _ => parse::tenant(value).map(Some),
    })?;
    if entries.is_empty() {
        let reason = "must name at least one tenant, or be [\"*\"] for all: with none it reaches nothing";
        return Err(section.refuse("tenants", reason));
    }
    if entries.len() == 1 && entries.contains(&None) {
        return Ok(Tenants::All);
    }

    let mut tenants = Vec::new();
    for entry in entries {
        match entry {
            None => {
                return Err(section.refuse("tenants", "\"*\" stands for all tenants and must stand alone"));
            }
            Some(tenant) if tenants.contains(&tenant) => {
                return Err(section.refuse("tenants", "names a tenant twice"));
            }
            Some(tenant) => tenants.push(tenant),
        }
    }
    Ok(Tenants::Only(tenants))
}

fn read_scopes(section: &mut Section<'_, '_>) -> Result<Vec<Scope>, Reported> {
    let words = Scope::ALL.map(|scope| (scope.name(), scope));
    let mut scopes = section.list("scopes", parse::one_of(&words))?;
    if scopes.is_empty() {
        let reason = "must hold at least one of \"read\", \"write\", \"admin\": such a key may do nothing";
        return Err(section.refuse("scopes", reason));
    }
    scopes.sort_by_key(|scope| Scope::ALL.iter().position(|other| other == scope));
    scopes.dedup();
    Ok(scopes)
}
