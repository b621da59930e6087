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

/// A session token, and since when we have it.
#[derive(Clone)]
pub(super) struct SessionToken {
    pub(super) secret: SecretString,
    pub(super) since: Timestamp,
}

impl SessionToken {
    fn print(&self) -> Fingerprint {
        Fingerprinter::new("session token").text(self.secret.expose_secret()).finish()
    }
}

pub(super) struct Tokens {
    spares: Cache<TenantId, SessionToken>,
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
    pub(super) fn claim(&self, token: &SessionToken) -> bool {
        self.used.entry(token.print()).or_insert(()).is_fresh()
    }

    pub(super) fn is_used(&self, token: &SessionToken) -> bool {
        self.used.contains_key(&token.print())
    }

    /// Keeps the token for the tenant's next exchange, in place of an older one.
    pub(super) fn keep(&self, tenant: &TenantId, token: SessionToken) {
        self.spares.insert(tenant.clone(), token);
    }

    /// Undoes the claim of a token that was never sent. It is the tenant's spare again unless a newer one came.
    pub(super) fn take_back(&self, tenant: &TenantId, token: SessionToken) {
        self.used.invalidate(&token.print());
        self.spares.entry_by_ref(tenant).or_insert(token);
    }

    pub(super) fn has_spare(&self, tenant: &TenantId) -> bool {
        self.spares.contains_key(tenant)
    }

    /// Forgets the tenant's spare.
    pub(super) fn drop_spare(&self, tenant: &TenantId) {
        self.spares.invalidate(tenant);
    }

    /// The tenant's spare, claimed, if it is not too old to be accepted.
    pub(super) fn take(&self, tenant: &TenantId, now: Timestamp) -> Option<SessionToken> {
        let token = self.spares.remove(tenant)?;
        (between(token.since, now) < LIFE && self.claim(&token)).then_some(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::later;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn token(text: &str) -> SessionToken {
        SessionToken { secret: text.into(), since: NOW }
    }

    #[test]
    fn a_token_is_claimed_once_unless_it_was_never_sent() {
        let (tokens, tenant) = (Tokens::new(), TenantId::parse("t").unwrap());
        assert!(tokens.claim(&token("s")));
        assert!(!tokens.claim(&token("s")));
        assert!(tokens.is_used(&token("s")) && !tokens.is_used(&token("other")));
        tokens.take_back(&tenant, token("s"));
        assert!(tokens.take(&tenant, NOW).is_some());
        assert!(tokens.is_used(&token("s")) && !tokens.has_spare(&tenant));
    }

    #[test]
    fn the_newest_spare_is_taken_once_and_only_within_its_hour() {
        let (tokens, tenant) = (Tokens::new(), TenantId::parse("t").unwrap());
        tokens.keep(&tenant, token("old"));
        tokens.keep(&tenant, token("new"));
        tokens.take_back(&tenant, token("older"));
        let taken = tokens.take(&tenant, later(NOW, Duration::from_secs(3599)));
        assert_eq!(taken.unwrap().secret.expose_secret(), "new");
        assert!(tokens.take(&tenant, NOW).is_none());
        tokens.keep(&tenant, token("third"));
        assert!(tokens.take(&tenant, later(NOW, LIFE)).is_none());
    }
}
