//! Who calls: application keys, temporary keys, tenants' own keys, and session tokens.
//!
//! [`Keyring`] knows every live credential. Invariants: a session token is exchanged once; a
//! temporary key opens one tenant until it expires; a key itself is never stored, only its hash,
//! so no log and no dump of the sandbox's state can give one away.

use std::collections::HashMap;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::clock::Moment;
use super::dice;

/// The oldest go first beyond this many. A day of a busy CI suite stays far below.
const CREDENTIALS_KEPT: usize = 10_000;

/// What sort of credential a call came with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// No `Authorization: Bearer …` at all.
    Missing,
    /// A key nobody knows, or one that has expired or was revoked.
    Unknown,
    /// The partner application's key.
    Application,
    /// A `tk_…` key from `create_token`.
    Temporary,
    /// A tenant's `sk_…` key.
    Standard,
    /// A tenant's `rk_…` key.
    Restricted,
}

/// A call's credential, looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) kind: KeyKind,
    /// The tenant that the key opens; none for the application key.
    pub(super) tenant: Option<String>,
    /// The first letters of the key's hash, to tell keys apart in a log.
    pub(super) fingerprint: Option<String>,
}

/// Every credential this sandbox honours.
#[derive(Debug, Default)]
pub(super) struct Keyring {
    application: Option<String>,
    tenants: HashMap<String, (String, KeyKind)>,
    temporary: HashMap<String, Grant>,
    sessions: HashMap<String, Grant>,
}

/// What is allowed for one tenant until a moment.
#[derive(Debug)]
struct Grant {
    tenant: String,
    expires: Moment,
}

impl Keyring {
    pub(super) fn set_application(&mut self, key: &SecretString) {
        self.application = Some(hash(key.expose_secret()));
    }

    pub(super) fn add_tenant_key(&mut self, tenant: &str, key: &SecretString) {
        let key = key.expose_secret();
        let kind = if key.starts_with("rk_") { KeyKind::Restricted } else { KeyKind::Standard };
        self.tenants.insert(hash(key), (tenant.to_owned(), kind));
    }

    /// Who stands behind an `Authorization` header.
    pub(super) fn caller(&self, authorization: Option<&str>, now: Moment) -> Caller {
        let Some(key) = authorization.and_then(bearer) else {
            return Caller { kind: KeyKind::Missing, tenant: None, fingerprint: None };
        };
        let hash = hash(key);
        let (kind, tenant) = self.find(&hash, now);
        Caller { kind, tenant, fingerprint: Some(short(&hash)) }
    }

    fn find(&self, hash: &str, now: Moment) -> (KeyKind, Option<String>) {
        if self.application.as_deref() == Some(hash) {
            return (KeyKind::Application, None);
        }
        if let Some((tenant, kind)) = self.tenants.get(hash) {
            return (*kind, Some(tenant.clone()));
        }
        match self.temporary.get(hash) {
            Some(grant) if now < grant.expires => (KeyKind::Temporary, Some(grant.tenant.clone())),
            _ => (KeyKind::Unknown, None),
        }
    }

    /// A new temporary key, and until when it works.
    pub(super) fn issue_key(&mut self, tenant: &str, now: Moment, lifetime: Duration) -> (String, Moment) {
        let key = format!("tk_test_{}", dice::secret());
        let expires = now.plus(lifetime);
        make_room(&mut self.temporary, now);
        self.temporary.insert(hash(&key), Grant { tenant: tenant.to_owned(), expires });
        (key, expires)
    }

    /// Every temporary key of a tenant stops working; how many did.
    pub(super) fn revoke(&mut self, tenant: &str) -> usize {
        let before = self.temporary.len();
        self.temporary.retain(|_, grant| grant.tenant != tenant);
        before - self.temporary.len()
    }

    /// A new session token for a tenant.
    pub(super) fn issue_session(&mut self, tenant: &str, now: Moment, lifetime: Duration) -> String {
        let token = format!("st_test_{}", dice::secret());
        make_room(&mut self.sessions, now);
        let grant = Grant { tenant: tenant.to_owned(), expires: now.plus(lifetime) };
        self.sessions.insert(hash(&token), grant);
        token
    }

    /// Uses a session token up. False when it was used, has expired, or is another tenant's; a
    /// foreign one is not spent by trying.
    pub(super) fn spend_session(&mut self, tenant: &str, token: &str, now: Moment) -> bool {
        let hash = hash(token);
        let good = self.sessions.get(&hash).is_some_and(|it| it.tenant == tenant && now < it.expires);
        if good {
            self.sessions.remove(&hash);
        }
        good
    }
}

/// Tells secrets apart in a log without telling them.
pub(super) fn fingerprint(secret: &str) -> String {
    short(&hash(secret))
}

fn make_room(grants: &mut HashMap<String, Grant>, now: Moment) {
    if grants.len() < CREDENTIALS_KEPT {
        return;
    }
    grants.retain(|_, grant| now < grant.expires);
    while grants.len() >= CREDENTIALS_KEPT {
        let oldest = grants.iter().min_by_key(|(_, grant)| grant.expires).map(|(hash, _)| hash.clone());
        let Some(oldest) = oldest else { return };
        grants.remove(&oldest);
    }
}

fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, key) = authorization.split_once(' ')?;
    let key = key.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !key.is_empty()).then_some(key)
}

fn hash(secret: &str) -> String {
    Sha256::digest(secret.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_session_token_works_once_for_its_own_tenant_and_for_an_hour() {
        let start = Moment::at_second(0);
        let mut keys = Keyring::default();
        let token = keys.issue_session("t1", start, HOUR);
        assert!(!keys.spend_session("t2", &token, start));
        assert!(keys.spend_session("t1", &token, start));
        assert!(!keys.spend_session("t1", &token, start));

        let late = keys.issue_session("t1", start, HOUR);
        assert!(!keys.spend_session("t1", &late, start.plus(HOUR)));
    }

    #[test]
    fn a_temporary_key_ends_on_time_or_when_revoked() {
        let start = Moment::at_second(0);
        let mut keys = Keyring::default();
        let (key, expires) = keys.issue_key("t1", start, HOUR);
        let header = format!("Bearer {key}");
        assert_eq!(keys.caller(Some(&header), start).tenant.as_deref(), Some("t1"));
        assert_eq!(keys.caller(Some(&header), expires).kind, KeyKind::Unknown);
        assert_eq!(keys.revoke("t1"), 1);
        assert_eq!(keys.caller(Some(&header), start).kind, KeyKind::Unknown);
    }

    #[test]
    fn credentials_never_grow_without_bound() {
        let start = Moment::at_second(0);
        let mut keys = Keyring::default();
        for _ in 0..CREDENTIALS_KEPT + 5 {
            keys.issue_session("t1", start, HOUR);
        }
        assert_eq!(keys.sessions.len(), CREDENTIALS_KEPT);
    }
}
