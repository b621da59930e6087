//! What time it is: the system's clock, or one that tests move.
//!
//! Only this module asks the system. Time-outs and pauses are tokio's business; the clock is for dates that are
//! compared with Aurora's (expiry, freshness, retention) and for those that people read; and for lives that are
//! counted from a receipt, which no wrong or corrected hands must lengthen or cut.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};

/// Tells the time. Clones tell the same time.
#[derive(Debug, Clone)]
pub struct Clock(Kind);

#[derive(Debug, Clone)]
enum Kind {
    System { since: Instant },
    Manual(Arc<Mutex<Hands>>),
}

#[derive(Debug)]
struct Hands {
    now: Timestamp,
    passed: Duration,
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Kind::System { since: Instant::now() })
    }

    /// A clock that stands still at `start` until it is moved.
    #[must_use]
    pub fn manual(start: Timestamp) -> Self {
        Self(Kind::Manual(Arc::new(Mutex::new(Hands { now: start, passed: Duration::ZERO }))))
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the system")]
            Kind::System { .. } => Timestamp::now(),
            Kind::Manual(hands) => hands.lock().unwrap_or_else(PoisonError::into_inner).now,
        }
    }

    /// How much time has passed since this clock was made, whatever its hands were set to meanwhile. Clones agree.
    #[must_use]
    pub fn passed(&self) -> Duration {
        match &self.0 {
            Kind::System { since } => since.elapsed(),
            Kind::Manual(hands) => hands.lock().unwrap_or_else(PoisonError::into_inner).passed,
        }
    }

    /// Moves a manual clock on. The system's clock moves by itself and ignores this.
    pub fn advance(&self, by: Duration) {
        if let Kind::Manual(hands) = &self.0 {
            let mut hands = hands.lock().unwrap_or_else(PoisonError::into_inner);
            hands.now = later(hands.now, by);
            hands.passed = hands.passed.saturating_add(by);
        }
    }

    /// Sets a manual clock's hands, as somebody does who corrects a wrong clock: no time passes. The system's clock
    /// ignores this.
    pub fn set(&self, to: Timestamp) {
        if let Kind::Manual(hands) = &self.0 {
            hands.lock().unwrap_or_else(PoisonError::into_inner).now = to;
        }
    }
}

/// `at` moved on by `by`, or the end of time where that lies beyond it.
#[must_use]
pub fn later(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}

/// `at` moved back by `by`, or the beginning of time where that lies before it.
#[must_use]
pub fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_sub(by).ok()).unwrap_or(Timestamp::MIN)
}

/// How much time passed from `from` until `until`; none if that is the past.
#[must_use]
pub fn between(from: Timestamp, until: Timestamp) -> Duration {
    until.duration_since(from).try_into().unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_it_is_moved() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let other = clock.clone();
        clock.advance(Duration::from_secs(5));
        assert_eq!(between(Timestamp::UNIX_EPOCH, other.now()), Duration::from_secs(5));
    }

    #[test]
    fn setting_the_hands_lets_no_time_pass() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        clock.advance(Duration::from_secs(5));
        clock.set(Timestamp::MAX);
        assert_eq!((clock.now(), clock.passed()), (Timestamp::MAX, Duration::from_secs(5)));
        clock.set(Timestamp::UNIX_EPOCH);
        clock.advance(Duration::from_secs(1));
        assert_eq!(clock.passed(), Duration::from_secs(6));
    }

    #[test]
    fn time_has_ends_and_no_panics() {
        assert_eq!(later(Timestamp::MAX, Duration::MAX), Timestamp::MAX);
        assert_eq!(earlier(Timestamp::MIN, Duration::from_secs(1)), Timestamp::MIN);
        assert_eq!(between(Timestamp::MAX, Timestamp::MIN), Duration::ZERO);
    }
}
