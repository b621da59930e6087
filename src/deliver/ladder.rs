//! When a message is tried again.
//!
//! Pauses grow to hours, and chance decides how much of each is waited ("full jitter"), so that what failed together does
//! not come back together. Chance and time are arguments.

use std::time::Duration;

use jiff::Timestamp;

use crate::clock;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// The longest pause behind the first failure, the second, and so on; the last stands for all that follow. A blip is over
/// after the first rungs, a deploy after the next; the last is a quarter of the day that a message is tried.
const RUNGS: [Duration; 9] = [
    Duration::from_secs(5),
    Duration::from_secs(20),
    Duration::from_secs(80),
    Duration::from_secs(5 * MINUTE),
    Duration::from_secs(20 * MINUTE),
    Duration::from_secs(HOUR),
    Duration::from_secs(2 * HOUR),
    Duration::from_secs(4 * HOUR),
    LONGEST,
];

/// The last rung. Nothing rests for longer by itself.
pub(super) const LONGEST: Duration = Duration::from_secs(6 * HOUR);

/// Chance may pick no pause at all, which would be no retry but a repetition.
const SHORTEST: Duration = Duration::from_secs(1);

/// A target that wants to be left alone for longer than a day says what it cannot mean.
const LONGEST_ASKED: Duration = Duration::from_secs(24 * HOUR);

/// How long to wait behind the `failures`-th failure in a row; `luck` is from 0 to 1.
pub(super) fn pause(failures: u32, luck: f64) -> Duration {
    let at = usize::try_from(failures).unwrap_or(usize::MAX).saturating_sub(1);
    let rung = RUNGS.get(at).copied().unwrap_or(LONGEST);
    rung.mul_f64(luck.clamp(0.0, 1.0)).max(SHORTEST)
}

/// How long a `Retry-After` wants us to wait: seconds, or a date by the target's clock, or by ours where it tells none.
pub(super) fn asked(retry_after: &str, date: Option<&str>, now: Timestamp) -> Option<Duration> {
    let wait = match retry_after.trim().parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => clock::between(date.and_then(http_date).unwrap_or(now), http_date(retry_after)?),
    };
    Some(wait.min(LONGEST_ASKED))
}

fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(text.trim()).ok().map(|it| it.timestamp())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_rung_is_higher_and_together_they_last_most_of_a_day() {
        assert!(RUNGS.is_sorted());
        let all: Duration = RUNGS.iter().sum();
        assert!(all > Duration::from_secs(13 * HOUR) && all < Duration::from_secs(24 * HOUR), "{all:?}");
    }

    #[test]
    fn a_date_is_told_by_the_targets_own_clock() {
        let now = "2024-06-21T21:00:00Z".parse().unwrap();
        let seconds = |header: &str, date| asked(header, date, now).map(|it| it.as_secs());
        assert_eq!(seconds(" 12 ", None), Some(12));
        assert_eq!(seconds("Fri, 21 Jun 2024 21:00:12 GMT", None), Some(12));
        assert_eq!(seconds("Fri, 21 Jun 2024 21:00:12 GMT", Some("Fri, 21 Jun 2024 20:59:52 GMT")), Some(20));
        assert_eq!(seconds("Fri, 21 Jun 2024 20:00:00 GMT", None), Some(0));
        assert_eq!(seconds("999999999999", None), Some(24 * HOUR));
        for nonsense in ["soon", "", "-4", "1.5", "NaN"] {
            assert_eq!(seconds(nonsense, None), None, "{nonsense}");
        }
    }

    proptest! {
        #[test]
        fn a_pause_is_between_a_second_and_its_rung(failures: u32, luck in 0.0..1.0) {
            let pause = pause(failures, luck);
            prop_assert!((SHORTEST..=LONGEST).contains(&pause));
            let at = usize::try_from(failures).unwrap_or(usize::MAX).saturating_sub(1).min(RUNGS.len() - 1);
            prop_assert!(pause <= RUNGS[at]);
        }

        #[test]
        fn no_header_makes_it_panic(header in ".{0,40}", date in ".{0,40}") {
            let _ = asked(&header, Some(&date), Timestamp::UNIX_EPOCH);
        }
    }
}
