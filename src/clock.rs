//! What time it is: the system's clock, or one that tests move.
//!
//! Only this module asks the system. Time-outs are tokio's business; the clock is for dates that are compared with
//! Aurora's (expiry, freshness, retention), for those that people read, and for spans that must not depend on what the
//! system takes for the date: [`Clock::instant`], by which parts rest, never goes back and never jumps by itself, and
//! [`Clock::passed`] counts lives from a receipt, which no wrong or corrected hands must lengthen or cut.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// Tells the time. Clones tell the same time.
#[derive(Debug, Clone)]
pub struct Clock(Kind);

#[derive(Debug, Clone)]
enum Kind {
    System { since: Instant },
    Manual(Arc<Manual>),
}

#[derive(Debug)]
struct Manual {
    now: Mutex<Timestamp>,
    /// How far it was moved, in all.
    moved: watch::Sender<Duration>,
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Kind::System { since: Instant::now() })
    }

    /// A clock that stands still at `start` until it is moved. Its instants pass by themselves as well.
    #[must_use]
    pub fn manual(start: Timestamp) -> Self {
        let moved = watch::Sender::new(Duration::ZERO);
        Self(Kind::Manual(Arc::new(Manual { now: Mutex::new(start), moved })))
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the system")]
            Kind::System { .. } => Timestamp::now(),
            Kind::Manual(manual) => *manual.now.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// How much time has passed since this clock was made, whatever its hands were set to meanwhile. Clones agree. Of a
    /// manual clock: how far it was moved.
    #[must_use]
    pub fn passed(&self) -> Duration {
        match &self.0 {
            Kind::System { since } => since.elapsed(),
            Kind::Manual(manual) => *manual.moved.borrow(),
        }
    }

    /// A point of time to measure spans with. Moving a manual clock moves it too.
    #[must_use]
    pub fn instant(&self) -> Instant {
        match &self.0 {
            Kind::System { .. } => Instant::now(),
            Kind::Manual(manual) => Instant::now() + *manual.moved.borrow(),
        }
    }

    /// Returns at that instant, or when the clock is moved past it.
    pub async fn sleep_until(&self, at: Instant) {
        let Kind::Manual(manual) = &self.0 else { return sleep_until(at).await };
        let mut moves = manual.moved.subscribe();
        while self.instant() < at {
            let Some(left) = at.checked_sub(*moves.borrow_and_update()) else { return };
            tokio::select! {
                () = sleep_until(left) => {}
                _moved = moves.changed() => {}
            }
        }
    }

    /// The same; where there is no instant, it never returns.
    pub async fn wake_at(&self, at: Option<Instant>) {
        match at {
            Some(at) => self.sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    /// Moves a manual clock on: its hands, what has passed, and its instants. The system's clock moves by itself and
    /// ignores this.
    pub fn advance(&self, by: Duration) {
        if let Kind::Manual(manual) = &self.0 {
            let mut now = manual.now.lock().unwrap_or_else(PoisonError::into_inner);
            *now = later(*now, by);
            manual.moved.send_modify(|moved| *moved = moved.saturating_add(by).min(FAR));
        }
    }

    /// Sets a manual clock's hands, as somebody does who corrects a wrong clock: no time passes. The system's clock
    /// ignores this.
    pub fn set(&self, to: Timestamp) {
        if let Kind::Manual(manual) = &self.0 {
            *manual.now.lock().unwrap_or_else(PoisonError::into_inner) = to;
        }
    }
}

/// As far as instants can safely be moved: a century.
const FAR: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

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

    #[tokio::test(start_paused = true)]
    async fn who_sleeps_wakes_when_the_clock_is_moved_and_by_itself() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let (begun, hour) = (Instant::now(), Duration::from_secs(3600));
        let at = clock.instant() + hour;
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep_until(at).await }
        });
        tokio::task::yield_now().await;
        clock.advance(hour);
        sleeper.await.unwrap();
        assert_eq!(begun.elapsed(), Duration::ZERO);
        clock.sleep_until(clock.instant() + Duration::from_secs(5)).await;
        assert_eq!(begun.elapsed(), Duration::from_secs(5));
    }

    #[test]
    fn setting_the_hands_lets_no_time_pass() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        clock.advance(Duration::from_secs(5));
        clock.set(Timestamp::MAX);
        assert_eq!((clock.now(), clock.passed()), (Timestamp::MAX, Duration::from_secs(5)));
        clock.set(Timestamp::UNIX_EPOCH);
        let before = clock.instant();
        clock.advance(Duration::from_secs(1));
        assert_eq!(clock.passed(), Duration::from_secs(6));
        assert!(clock.instant().duration_since(before) >= Duration::from_secs(1));
    }

    #[test]
    fn time_has_ends_and_no_panics() {
        assert_eq!(later(Timestamp::MAX, Duration::MAX), Timestamp::MAX);
        assert_eq!(earlier(Timestamp::MIN, Duration::from_secs(1)), Timestamp::MIN);
        assert_eq!(between(Timestamp::MAX, Timestamp::MIN), Duration::ZERO);
    }
}
