//! Session tokens: each is good for one exchange within an hour.
//!
//! Invariants: a token is claimed before it is sent and can be claimed once; a tenant has at most one spare,
//! the newest. All of it is in memory, and bounded.

use std::time::Duration;

use jiff::Timestamp;
use moka::sync::Cache;
use secrecy::{ExposeSecret, SecretString};

use crate::{
    clock::between,
    domain::{Fingerprint, TenantId, fingerprint::Fingerprinter},
};

/// How long Aurora accepts a session token.
const LIFE: Duration = Duration::from_secs(60 * 60);

/// One spare for each tenant, as many tenants as keys are kept for.
const MOST_SPARES: u64 = super::MOST_TENANTS;

/// Remembered as used. A token that falls out early is refused by Aurora, which also knows that it was used.
const MOST_USED: u64 = 100_000;

pub(super) struct Tokens {
    spares: Cache<TenantId, (Timestamp, SecretString)>,
    used: Cache<Fingerprint, ()>,
}

impl Tokens {
    pub(super) fn new() -> Self {
        Self {
            spares: Cache::builder().max_capacity(MOST_SPARES).time_to_live(LIFE).build(),
            used: Cache::builder().max_capacity(MOST_USED).time_to_live(LIFE).build(),
        }
    }

    /// Marks the token as used. False if it was already: then it must not be sent.
    pub(super) fn claim(&self, token: &SecretString) -> bool {
        self.used.entry(print(token)).or_insert(()).is_fresh()
    }

    pub(super) fn is_used(&self, token: &SecretString) -> bool {
        self.used.contains_key(&print(token))
    }

    /// Keeps the token for the tenant's next exchange, in place of an older one.
    pub(super) fn keep(&self, tenant: &TenantId, token: SecretString, now: Timestamp) {
        self.spares.insert(tenant.clone(), (now, token));
    }

    /// The tenant's spare, claimed, if it is not too old to be accepted.
    pub(super) fn take(&self, tenant: &TenantId, now: Timestamp) -> Option<SecretString> {
        let (kept_at, token) = self.spares.remove(tenant)?;
        (between(kept_at, now) < LIFE && self.claim(&token)).then_some(token)
    }
}

fn print(token: &SecretString) -> Fingerprint {
    Fingerprinter::new("session token").text(token.expose_secret()).finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::later;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn a_token_is_claimed_once() {
        let tokens = Tokens::new();
        assert!(tokens.claim(&"s".into()));
        assert!(!tokens.claim(&"s".into()));
        assert!(tokens.is_used(&"s".into()) && !tokens.is_used(&"other".into()));
    }

    #[test]
    fn the_newest_spare_is_taken_once_and_only_within_its_hour() {
        let (tokens, tenant) = (Tokens::new(), TenantId::parse("t").unwrap());
        tokens.keep(&tenant, "old".into(), NOW);
        tokens.keep(&tenant, "new".into(), NOW);
        let taken = tokens.take(&tenant, later(NOW, Duration::from_secs(3599)));
        assert_eq!(taken.unwrap().expose_secret(), "new");
        assert!(tokens.take(&tenant, NOW).is_none());
        tokens.keep(&tenant, "third".into(), NOW);
        assert!(tokens.take(&tenant, later(NOW, LIFE)).is_none());
    }
}
