//! One key: its secret, its quota, and how long it is good.
//!
//! A life is counted from the receipt, by time that passes: what our clock says of the hour does not matter, only
//! what Aurora's own clock said of the end when it gave the key.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use moka::Expiry;
use secrecy::{ExposeSecret, SecretString};

use crate::{
    aurora::transport::{Quota, Quotas, can_be_sent},
    clock::{Clock, between, later},
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

/// When a key is renewed ahead of its end: at 80 % of its life, give or take 10, so that keys that came together do
/// not go together.
const RENEWED_AT: f64 = 0.8;
const RENEWED_JITTER: f64 = 0.1;

/// A key that calls can be made with.
pub(in crate::aurora) struct Key {
    secret: SecretString,
    quota: Arc<Quota>,
    life: Life,
    /// Whether a call was made with it. One that nobody uses is left to end.
    used: AtomicBool,
}

enum Life {
    /// The tenant's own or the application's: good until somebody takes it back.
    Lasting,
    /// Exchanged: good for hours.
    Temporary(Temporary),
}

struct Temporary {
    span: Span,
    /// Its end and what leads to it, in time that has passed by our clock.
    ends: Duration,
    good_until: Duration,
    due: Duration,
}

/// From a key's receipt to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// By our clock.
    pub(super) received_at: Timestamp,
    /// As Aurora told it.
    pub(super) expires_at: Timestamp,
    pub(super) life: Duration,
}

impl Span {
    /// The end that Aurora told, on the clock that Aurora told it by. Only where that makes no sense ours is asked.
    pub(super) fn told(end: Option<Timestamp>, date: Option<Timestamp>, received_at: Timestamp) -> Self {
        let Some(end) = end else {
            let expires_at = later(received_at, UNTOLD_LIFE);
            return Self { received_at, expires_at, life: UNTOLD_LIFE };
        };
        let lives = date.into_iter().chain([received_at]).map(|base| between(base, end));
        let told = lives.into_iter().find(|life| !life.is_zero()).unwrap_or_default();
        let life = told.min(LONGEST_LIFE);
        let expires_at = if told > LONGEST_LIFE { later(received_at, LONGEST_LIFE) } else { end };
        Self { received_at, expires_at, life }
    }

    /// What is left of it. A clock that was set back since does not make it longer.
    fn left(&self, now: Timestamp) -> Duration {
        self.life.saturating_sub(between(self.received_at, now))
    }
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

    /// A key from an exchange, just now or before a restart; none if the text can be no key.
    pub(super) fn temporary(
        secret: SecretString,
        span: Span,
        clock: &Clock,
        quotas: &Quotas,
    ) -> Option<Self> {
        let ends = clock.passed().saturating_add(span.left(clock.now()));
        let before = |early: Duration| ends.saturating_sub(early);
        let share = RENEWED_AT + RENEWED_JITTER * rand::random_range(-1.0..=1.0);
        let temporary = Temporary {
            span,
            ends,
            good_until: before(MARGIN.min(span.life / LEAST_SHARE)),
            due: before(span.life.mul_f64(1.0 - share)),
        };
        Self::new(secret, quotas, Life::Temporary(temporary))
    }

    fn new(secret: SecretString, quotas: &Quotas, life: Life) -> Option<Self> {
        let quota = quotas.of(&secret);
        let used = AtomicBool::new(false);
        can_be_sent(secret.expose_secret()).then_some(Self { secret, quota, life, used })
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
        self.span().is_some_and(|it| !it.life.is_zero())
    }

    /// From its receipt to its end, if it has one.
    pub(super) fn span(&self) -> Option<Span> {
        self.in_time().map(|it| it.span)
    }

    /// What is left of its life, if it ends.
    pub(super) fn left(&self, passed: Duration) -> Option<Duration> {
        self.in_time().map(|it| it.ends.saturating_sub(passed))
    }

    /// Whether a call may start with it.
    pub(super) fn is_good(&self, passed: Duration) -> bool {
        self.in_time().is_none_or(|it| passed < it.good_until)
    }

    /// Whether more of its life is gone than is left.
    pub(super) fn is_past_half(&self, passed: Duration) -> bool {
        self.in_time().is_some_and(|it| it.ends.saturating_sub(passed) < it.span.life / 2)
    }

    /// Whether it is in use and near enough to its end to be renewed ahead of it.
    pub(super) fn is_due(&self, passed: Duration) -> bool {
        self.used.load(Ordering::Relaxed) && self.in_time().is_some_and(|it| passed >= it.due)
    }

    /// Takes note that a call is made with it.
    pub(super) fn mark_used(&self) {
        // Read first: a store for every call would have all cores fight over it.
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
    }

    fn in_time(&self) -> Option<&Temporary> {
        match &self.life {
            Life::Lasting => None,
            Life::Temporary(temporary) => Some(temporary),
        }
    }

    fn kept_for(&self) -> Option<Duration> {
        self.in_time().map(|it| it.span.life)
    }
}

/// Lets a cache drop keys that have ended. It goes by time passed since they were put there, which for a key from
/// before a restart comes late: good for tidying up only.
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
    use crate::clock::earlier;
    use std::num::NonZeroU32;

    const RECEIVED: Timestamp = Timestamp::UNIX_EPOCH;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn passed(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A key that came at second 0, at the beginning of the clock.
    fn living(seconds: Option<i64>) -> Key {
        received(Span::told(seconds.map(at), None, RECEIVED), &Clock::manual(RECEIVED))
    }

    fn received(span: Span, clock: &Clock) -> Key {
        Key::temporary("tk".into(), span, clock, &Quotas::new(NonZeroU32::MIN)).unwrap()
    }

    #[test]
    fn a_key_is_good_until_a_minute_before_its_end() {
        let key = living(Some(46_800));
        assert!(key.is_good(passed(46_739)) && !key.is_good(passed(46_740)));
        assert!(!key.is_past_half(passed(23_400)) && key.is_past_half(passed(23_401)));
    }

    #[test]
    fn a_short_lived_key_is_good_for_half_of_its_life() {
        let key = living(Some(30));
        assert!(key.is_good(passed(14)) && !key.is_good(passed(15)));
    }

    #[test]
    fn a_key_in_use_is_due_between_70_and_90_percent_of_its_life_and_not_all_at_once() {
        let keys: Vec<_> = (0..200).map(|_| living(Some(46_800))).collect();
        let due = |seconds| keys.iter().filter(|key| key.is_due(passed(seconds))).count();
        assert_eq!(due(46_799), 0, "nobody uses them");
        keys.iter().for_each(Key::mark_used);
        assert_eq!((due(32_759), due(42_121)), (0, 200));
        assert!((50..150).contains(&due(37_440)), "half of them at 80 %: {}", due(37_440));
    }

    #[test]
    fn an_untold_end_means_a_short_life_and_a_far_one_is_not_believed() {
        let untold = Span::told(None, None, RECEIVED);
        assert_eq!((untold.expires_at, untold.life), (at(600), passed(600)));
        let far = Span::told(Some(at(9_999_999_999)), Some(RECEIVED), RECEIVED);
        assert_eq!((far.expires_at, far.life), (at(86_400), passed(86_400)));
    }

    #[test]
    fn the_end_is_reckoned_by_the_clock_that_told_it() {
        for skew in [-7200, 0, 7200, 300_000] {
            let span = Span::told(Some(at(500_000 + 46_800)), Some(at(500_000)), at(500_000 + skew));
            assert_eq!((span.expires_at, span.life), (at(546_800), passed(46_800)), "{skew}");
        }
        let without_date = Span::told(Some(at(546_800)), None, at(500_000));
        assert_eq!(without_date.life, passed(46_800));
        let senseless = Span::told(Some(at(546_800)), Some(at(900_000)), at(500_000));
        assert_eq!(senseless.life, passed(46_800), "ours is asked where Aurora's makes no sense");
    }

    #[test]
    fn hands_that_are_set_neither_lengthen_nor_cut_a_life() {
        let clock = Clock::manual(at(500_000));
        let key = received(Span::told(Some(at(546_800)), None, clock.now()), &clock);
        for hands in [0, 900_000] {
            clock.set(at(hands));
            assert_eq!(key.left(clock.passed()), Some(passed(46_800)));
        }
        clock.advance(passed(46_740));
        assert!(!key.is_good(clock.passed()));
    }

    #[test]
    fn a_key_from_before_a_restart_has_what_is_left_and_never_more() {
        let span = Span::told(Some(at(546_800)), None, at(500_000));
        for (now, left) in [(500_000, 46_800), (510_000, 36_800), (400_000, 46_800), (600_000, 0)] {
            let clock = Clock::manual(at(now));
            let key = received(span, &clock);
            assert_eq!(key.left(clock.passed()), Some(passed(left)), "{now}");
            assert_eq!(key.is_good(clock.passed()), left > 60, "{now}");
        }
        assert_eq!(earlier(at(546_800), passed(46_800)), span.received_at);
    }

    #[test]
    fn a_key_that_came_expired_is_neither_good_nor_renewed() {
        for end in [-7200, 0] {
            let key = living(Some(end));
            assert!(!key.is_good(passed(0)) && !key.is_renewable());
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
