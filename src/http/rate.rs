//! How often one credential may ask: the same for every transport, counted by operation.
//!
//! Invariants: a credential that asks too often keeps no other from asking; whoever has been silent for a while takes
//! no memory. Not here: how many operations run at once, and what Aurora allows.

use std::{
    fmt,
    hash::{BuildHasher as _, RandomState},
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use governor::{
    DefaultKeyedRateLimiter, Quota,
    clock::{Clock as _, DefaultClock},
};

use crate::{
    domain::Viewer,
    graphql::{Code, Failure},
};

/// After so many operations those are forgotten who have been silent: there are never many more.
const SWEEP_EVERY: u32 = 4096;

/// What every credential may still ask.
pub struct Rate {
    /// By a hash that nobody outside can compute, so that no name has to be copied.
    limiter: DefaultKeyedRateLimiter<u64>,
    names: RandomState,
    clock: DefaultClock,
    asked: AtomicU32,
    per_minute: NonZeroU32,
}

impl Rate {
    /// So many operations in a minute for each credential, all of them at once if need be.
    #[must_use]
    pub fn per_minute(per_minute: NonZeroU32) -> Self {
        Self {
            limiter: DefaultKeyedRateLimiter::keyed(Quota::per_minute(per_minute)),
            names: RandomState::new(),
            clock: DefaultClock::default(),
            asked: AtomicU32::new(1),
            per_minute,
        }
    }

    /// Counts one operation, or says when there may be another.
    ///
    /// # Errors
    /// When the credential has asked too often.
    pub fn admit(&self, viewer: &Viewer) -> Result<(), Failure> {
        if self.asked.fetch_add(1, Ordering::Relaxed).is_multiple_of(SWEEP_EVERY) {
            self.limiter.retain_recent();
        }
        let too_often = match self.limiter.check_key(&self.names.hash_one(viewer.name())) {
            Ok(()) => return Ok(()),
            Err(too_often) => too_often,
        };
        // A whole millisecond at least: who waits for what is said here must not come too early.
        let wait = too_often.wait_time_from(self.clock.now()) + Duration::from_millis(1);
        let message = format!("this credential may ask {} times in a minute: wait a little", self.per_minute);
        Err(Failure::new(Code::RateLimited, message).retry_after(wait))
    }
}

impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rate").field("per_minute", &self.per_minute).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::viewer::Tenants;

    fn viewer(name: &str) -> Viewer {
        Viewer::new(name, Tenants::All, vec![])
    }

    fn rate(per_minute: u32) -> Rate {
        Rate::per_minute(NonZeroU32::new(per_minute).unwrap())
    }

    /// How many come through at once.
    fn burst(rate: &Rate, name: &str) -> usize {
        (0..100).take_while(|_| rate.admit(&viewer(name)).is_ok()).count()
    }

    #[test]
    fn a_minutes_worth_comes_through_at_once_and_each_credential_has_its_own() {
        let rate = rate(30);
        assert_eq!(burst(&rate, "one"), 30);
        let wait = rate.admit(&viewer("one")).unwrap_err().retry_after.unwrap();
        assert!(wait > Duration::from_millis(1900) && wait <= Duration::from_millis(2001), "{wait:?}");
        assert_eq!(burst(&rate, "two"), 30);
    }

    #[test]
    fn the_smallest_allowance_lets_one_through() {
        assert_eq!([1, 2].map(|per_minute| burst(&rate(per_minute), "one")), [1, 2]);
    }

    #[test]
    fn whoever_is_silent_is_forgotten() {
        let rate = rate(1_000_000);
        for number in 0..SWEEP_EVERY * 4 {
            rate.admit(&viewer(&number.to_string())).unwrap();
        }
        // What one of these asked for is made up for in 60 µs.
        std::thread::sleep(Duration::from_millis(2));
        rate.limiter.retain_recent();
        assert!(rate.limiter.len() < 10, "{}", rate.limiter.len());
    }
}
