//! One key: its secret, its quota, and how long it is good.

use std::{fmt, sync::Arc, time::Duration};

use jiff::Timestamp;
use moka::Expiry;
use secrecy::{ExposeSecret, SecretString};

use crate::{
    aurora::transport::{Quota, Quotas, can_be_sent},
    clock::{between, earlier, later},
    domain::TenantId,
};

/// A key is not used any more this long before its end: a request may wait for its turn and travel.
const MARGIN: Duration = Duration::from_secs(60);

/// Of a key that lives so short that the margin would eat it up, half of its life is the margin.
const LEAST_SHARE: u32 = 2;

/// The life of a key whose end Aurora does not tell, or not readably. Documented are 13 hours.
const UNTOLD_LIFE: Duration = Duration::from_secs(10 * 60);

/// A key is never trusted for longer than this, whatever its end is said to be.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// A key that calls can be made with.
pub(in crate::aurora) struct Key {
    secret: SecretString,
    quota: Arc<Quota>,
    life: Life,
}

enum Life {
    /// The tenant's own or the application's: good until somebody takes it back.
    Lasting,
    /// Exchanged: good for hours.
    Temporary { received_at: Timestamp, expires_at: Timestamp, good_until: Timestamp },
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// A tenant's own key or the application's; none if the text can be no key.
    pub(super) fn lasting(secret: SecretString, quotas: &Quotas) -> Option<Self> {
        Self::new(secret, quotas, Life::Lasting)
    }

    /// A key from an exchange; none if the text can be no key.
    pub(super) fn temporary(
        secret: SecretString,
        told_end: Option<Timestamp>,
        received_at: Timestamp,
        quotas: &Quotas,
    ) -> Option<Self> {
        let longest = later(received_at, LONGEST_LIFE);
        let expires_at = told_end.unwrap_or_else(|| later(received_at, UNTOLD_LIFE)).min(longest);
        let life = between(received_at, expires_at);
        let good_until = earlier(expires_at, MARGIN.min(life / LEAST_SHARE));
        Self::new(secret, quotas, Life::Temporary { received_at, expires_at, good_until })
    }

    fn new(secret: SecretString, quotas: &Quotas, life: Life) -> Option<Self> {
        let quota = quotas.of(&secret);
        can_be_sent(secret.expose_secret()).then_some(Self { secret, quota, life })
    }

    pub(in crate::aurora) fn secret(&self) -> &SecretString {
        &self.secret
    }

    pub(in crate::aurora) fn quota(&self) -> &Quota {
        &self.quota
    }

    /// Whether it is not exchanged but configured.
    pub(in crate::aurora) fn is_own(&self) -> bool {
        matches!(self.life, Life::Lasting)
    }

    /// Whether another can be got in its place. One that had expired on arrival would be followed by its like.
    pub(in crate::aurora) fn is_renewable(&self) -> bool {
        matches!(&self.life, Life::Temporary { received_at, expires_at, .. } if expires_at > received_at)
    }

    pub(super) fn expires_at(&self) -> Option<Timestamp> {
        match self.life {
            Life::Lasting => None,
            Life::Temporary { expires_at, .. } => Some(expires_at),
        }
    }

    /// How long ago it was exchanged.
    pub(super) fn age(&self, now: Timestamp) -> Option<Duration> {
        match self.life {
            Life::Lasting => None,
            Life::Temporary { received_at, .. } => Some(between(received_at, now)),
        }
    }

    /// Whether a call may start with it.
    pub(super) fn is_good(&self, now: Timestamp) -> bool {
        match self.life {
            Life::Lasting => true,
            Life::Temporary { good_until, .. } => now < good_until,
        }
    }

    /// Whether more of its life is gone than is left.
    pub(super) fn is_past_half(&self, now: Timestamp) -> bool {
        match self.life {
            Life::Lasting => false,
            Life::Temporary { received_at, expires_at, .. } => {
                between(received_at, now) > between(received_at, expires_at) / 2
            }
        }
    }

    fn kept_for(&self) -> Option<Duration> {
        match self.life {
            Life::Lasting => None,
            Life::Temporary { received_at, good_until, .. } => Some(between(received_at, good_until)),
        }
    }
}

/// Lets a cache drop keys that have ended. It goes by time passed, not by the clock: good for tidying up only.
pub(super) struct WhenKeyEnds;

impl Expiry<TenantId, Arc<Key>> for WhenKeyEnds {
    fn expire_after_create(&self, _: &TenantId, key: &Arc<Key>, _: std::time::Instant) -> Option<Duration> {
        key.kept_for()
    }

    /// A newer key brings its own life; it does not inherit what was left of the older one's.
    fn expire_after_update(
        &self,
        _: &TenantId,
        key: &Arc<Key>,
        _: std::time::Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        key.kept_for()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    const RECEIVED: Timestamp = Timestamp::UNIX_EPOCH;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn living(seconds: Option<i64>) -> Key {
        let quotas = Quotas::new(NonZeroU32::MIN);
        Key::temporary("tk".into(), seconds.map(at), RECEIVED, &quotas).unwrap()
    }

    #[test]
    fn a_key_is_good_until_a_minute_before_its_end() {
        let key = living(Some(46_800));
        assert!(key.is_good(at(46_739)) && !key.is_good(at(46_740)));
        assert!(!key.is_past_half(at(23_400)) && key.is_past_half(at(23_401)));
    }

    #[test]
    fn a_short_lived_key_is_good_for_half_of_its_life() {
        let key = living(Some(30));
        assert!(key.is_good(at(14)) && !key.is_good(at(15)));
    }

    #[test]
    fn an_untold_end_means_a_short_life_and_a_far_one_is_not_believed() {
        assert_eq!(living(None).expires_at(), Some(at(600)));
        assert_eq!(living(Some(9_999_999_999)).expires_at(), Some(at(86_400)));
    }

    #[test]
    fn a_key_that_came_expired_is_neither_good_nor_renewed() {
        for end in [-7200, 0] {
            let key = living(Some(end));
            assert!(!key.is_good(RECEIVED) && !key.is_renewable());
        }
        assert!(living(Some(10)).is_renewable());
    }

    #[test]
    fn what_cannot_stand_in_a_header_is_no_key() {
        let quotas = Quotas::new(NonZeroU32::MIN);
        assert!(Key::lasting("a\nb".into(), &quotas).is_none());
        assert!(Key::lasting("".into(), &quotas).is_none());
    }
}
