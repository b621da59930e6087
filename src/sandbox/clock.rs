//! The sandbox's own time, which tests and CI jobs can push forward.
//!
//! [`Clock`] is the only reader of the machine's clock; everything else receives a [`Moment`].
//! Pushing it makes keys expire, rate windows empty and retries fall due at once. Invariant: it
//! never goes back.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

/// The machine's time plus whatever it was pushed by.
#[derive(Debug, Default)]
pub(super) struct Clock {
    offset_ms: AtomicI64,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "this is the sandbox's clock; all others ask it")]
    pub(super) fn now(&self) -> Moment {
        let machine = Timestamp::now().as_millisecond();
        Moment(machine.saturating_add(self.offset_ms.load(Ordering::Relaxed)))
    }

    pub(super) fn advance(&self, by: Duration) {
        let by = millis(by);
        let pushed = |offset: i64| Some(offset.saturating_add(by));
        // It always updates, so there is no refusal to look at.
        let _before = self.offset_ms.fetch_update(Ordering::Relaxed, Ordering::Relaxed, pushed);
    }
}

/// A point in the sandbox's time: milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(i64);

impl Moment {
    pub(super) fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(millis(by)))
    }

    pub(super) fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(millis(by)))
    }

    /// How long until `later`; nothing if that has passed.
    pub(super) fn until(self, later: Self) -> Duration {
        Duration::from_millis(u64::try_from(later.0.saturating_sub(self.0)).unwrap_or(0))
    }

    /// `2023-07-29 04:30:46 UTC`: the form of tokens and projects.
    pub(super) fn spaced(self) -> String {
        self.format("%Y-%m-%d %H:%M:%S UTC")
    }

    /// `2024-06-21T21:12:44.591Z`: the form of design summaries.
    pub(super) fn iso(self) -> String {
        self.format("%Y-%m-%dT%H:%M:%S%.3fZ")
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT`: the form of HTTP headers.
    pub(super) fn http_date(self) -> String {
        self.format("%a, %d %b %Y %H:%M:%S GMT")
    }

    fn format(self, form: &str) -> String {
        // Only a clock pushed past the year 9999 has no civil date; it then stands at 1970.
        Timestamp::from_millisecond(self.0).unwrap_or(Timestamp::UNIX_EPOCH).strftime(form).to_string()
    }

    #[cfg(test)]
    pub(super) fn at_second(second: i64) -> Self {
        Self(second * 1000)
    }
}

/// A span stretched by a factor that somebody set: none below zero, and never more than a span can be.
pub(super) fn scaled(span: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(span.as_secs_f64() * factor.max(0.0)).unwrap_or(Duration::MAX)
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_in_auroras_forms() {
        let moment = Moment(1_719_004_364_591);
        assert_eq!(moment.spaced(), "2024-06-21 21:12:44 UTC");
        assert_eq!(moment.iso(), "2024-06-21T21:12:44.591Z");
        assert_eq!(moment.http_date(), "Fri, 21 Jun 2024 21:12:44 GMT");
    }

    #[test]
    fn pushing_the_clock_moves_it_by_that_much() {
        let clock = Clock::default();
        let before = clock.now();
        clock.advance(Duration::from_secs(3600));
        assert!(before.until(clock.now()) >= Duration::from_secs(3600));
    }

    #[test]
    fn however_far_it_is_pushed_it_never_goes_back() {
        let clock = Clock::default();
        clock.advance(Duration::from_millis(u64::MAX));
        let before = clock.now();
        clock.advance(Duration::from_millis(u64::MAX));
        assert!(clock.now() >= before);
    }

    #[test]
    fn any_factor_gives_a_span() {
        let span = Duration::from_secs(30);
        assert_eq!(scaled(span, 0.5), Duration::from_secs(15));
        assert_eq!(scaled(span, -1.0), Duration::ZERO);
        assert_eq!(scaled(span, f64::NAN), Duration::ZERO);
        assert_eq!(scaled(span, 1e300), Duration::MAX);
    }
}
