//! What is repeated, after which pause, and how often at most.

use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::aurora::{Error, NotConnected, transport::verdict::Stage};

const LONG: Duration = Duration::from_secs(8);

fn failures() -> Vec<(Failure, bool)> {
    let cause = || Arc::new(NotConnected::KeyExpired);
    vec![
        (Failure::NotSent { cause: cause(), stage: Stage::Dns }, true),
        (Failure::Timeout, true),
        (Failure::Lost { cause: cause(), answering: false }, true),
        (Failure::Lost { cause: cause(), answering: true }, true),
        (Failure::Torn("torn"), true),
        (Failure::Failed(500), true),
        (Failure::Failed(502), true),
        (Failure::Failed(503), true),
        (Failure::Failed(504), true),
        (Failure::NotNow(409), true),
        (Failure::Busy { retry_after: Duration::from_secs(5) }, true),
        (Failure::Busy { retry_after: Duration::from_secs(9) }, false),
        (Failure::Failed(501), false),
        (Failure::Unreadable("a redirect"), false),
        (Failure::Unauthorized, false),
        (Failure::Decided(Error::Forbidden), false),
        (Failure::Decided(Error::NotFound), false),
        (Failure::Held(Error::Timeout), false),
    ]
}

#[test]
fn only_what_may_pass_is_tried_again_and_writes_never() {
    for (failure, again) in failures() {
        let verdict = |repeatable| verdict(repeatable, &failure, 1, LONG, 0.5);
        assert_eq!(matches!(verdict(true), Verdict::Again(_)), again, "{failure}");
        assert_eq!(verdict(false), Verdict::GiveUp, "{failure}");
    }
}

#[test]
fn a_409_is_given_time_and_a_5xx_is_spread_from_none_at_all() {
    let after = |failure: &Failure, tries, chance| match verdict(true, failure, tries, LONG, chance) {
        Verdict::Again(pause) => pause.as_millis(),
        Verdict::GiveUp => panic!("{failure} is given up"),
    };
    let (busy, failed) = (Failure::NotNow(409), Failure::Failed(503));
    assert_eq!([after(&busy, 1, 0.0), after(&busy, 1, 1.0), after(&busy, 2, 1.0)], [500, 1_000, 1_500]);
    assert_eq!([after(&failed, 1, 0.0), after(&failed, 1, 1.0), after(&failed, 2, 1.0)], [0, 250, 500]);
}

proptest! {
    #[test]
    fn there_are_three_tries_at_most_and_no_pause_beyond_the_deadline(
        which in 0_usize..18, tries in 1_u32..9, left in 0_u64..9_000, chance in 0.0..=1.0_f64,
    ) {
        let (failure, _) = failures().remove(which);
        let left = Duration::from_millis(left);
        if let Verdict::Again(pause) = verdict(true, &failure, tries, left, chance) {
            prop_assert!(tries < MOST_TRIES && pause < left);
        }
    }

    /// However calls and failures are mixed: a fifth, the start, and one in five seconds.
    #[test]
    fn repeats_stay_within_what_was_earned(calls in prop::collection::vec((0_u64..3_000, 0_u8..4), 1..400)) {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let allowance = Allowance::new(clock.clone());
        let (mut made, mut repeated, mut passed) = (0.0, 0.0, Duration::ZERO);
        for (pause, failures) in calls {
            clock.advance(Duration::from_millis(pause));
            passed += Duration::from_millis(pause);
            allowance.earn();
            made += 1.0;
            repeated += f64::from((0..failures).map(|_| u8::from(allowance.take())).sum::<u8>());
            let floor = 1.0 + passed.as_secs_f64() / 4.9;
            prop_assert!(repeated <= 0.2 * made + AT_FIRST + floor, "{repeated} of {made}");
        }
    }
}

#[test]
fn where_one_in_ten_fails_hardly_any_caller_notices() {
    let clock = Clock::manual(Timestamp::UNIX_EPOCH);
    let allowance = Allowance::new(clock.clone());
    let mut dice = 0x2545_F491_4F6C_DD1D_u64;
    let mut fails = || {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        dice.is_multiple_of(10)
    };
    let mut noticed = 0;
    for _ in 0..10_000 {
        clock.advance(Duration::from_millis(50));
        allowance.earn();
        let mut tries = 1;
        while fails() {
            if tries == MOST_TRIES || !allowance.take() {
                noticed += 1;
                break;
            }
            tries += 1;
        }
    }
    assert!(noticed <= 20, "{noticed} of 10,000");
}
