//! When it opens, for how long, and when it closes; with a clock that is moved.

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn breaker() -> (Breaker, Clock) {
    let clock = Clock::manual(Timestamp::UNIX_EPOCH);
    (Breaker::new(5 * SECOND, clock.clone()), clock)
}

fn call(breaker: &Breaker, health: Health) -> Option<Turned> {
    breaker.admit().ok().unwrap().end(health, None, 0.0)
}

fn open(breaker: &Breaker) {
    while breaker.check().is_ok() {
        call(breaker, Health::Trouble);
    }
}

#[test]
fn five_failures_in_a_row_open_it_and_a_success_between_begins_anew() {
    let (breaker, _clock) = breaker();
    for _ in 0..4 {
        assert_eq!(call(&breaker, Health::Trouble), None);
    }
    call(&breaker, Health::Good);
    for _ in 0..4 {
        call(&breaker, Health::Trouble);
    }
    assert_eq!(breaker.standing(), Standing::Closed);
    assert_eq!(call(&breaker, Health::Trouble), Some(Turned::Opened { pause: 5 * SECOND }));
    let left = breaker.check().unwrap_err().retry_after;
    assert!(left <= 5 * SECOND && left > 4 * SECOND, "{left:?}");
    assert!(breaker.admit().is_err());
}

#[test]
fn half_of_twenty_failures_open_it_within_ten_seconds_and_not_over_a_longer_time() {
    for (pause, expected) in [(SECOND / 10, Standing::Open), (SECOND, Standing::Closed)] {
        let (breaker, clock) = breaker();
        for number in 0..20 {
            let health = if number % 2 == 0 { Health::Good } else { Health::Trouble };
            call(&breaker, health);
            clock.advance(pause);
        }
        assert_eq!(breaker.standing(), expected, "{pause:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn answers_that_take_too_long_open_it_though_they_are_good() {
    let breaker = Breaker::new(5 * SECOND, Clock::system());
    for _ in 0..IN_A_ROW {
        let pass = breaker.admit().ok().unwrap();
        tokio::time::advance(6 * SECOND).await;
        pass.end(Health::Good, None, 0.0);
    }
    assert_eq!(breaker.standing(), Standing::Open);
}

#[test]
fn where_tenants_share_a_key_one_tenants_trouble_is_not_the_others() {
    let (breaker, _clock) = breaker();
    let fails = |tenant: &str| breaker.admit().ok().unwrap().end(Health::Trouble, Some(tenant), 0.0);
    for _ in 0..50 {
        fails("one");
    }
    assert_eq!(breaker.standing(), Standing::Closed);
    for tenant in ["two", "three", "two", "three"] {
        fails(tenant);
    }
    assert_eq!(breaker.standing(), Standing::Open);
}

#[test]
fn after_the_pause_one_call_is_tried_and_its_success_closes_it() {
    let (breaker, clock) = breaker();
    open(&breaker);
    clock.advance(5 * SECOND);
    let probe = breaker.admit().ok().unwrap();
    assert_eq!(breaker.standing(), Standing::HalfOpen);
    assert!(breaker.admit().is_err() && breaker.check().is_err());
    assert_eq!(probe.end(Health::Good, None, 0.0), Some(Turned::Closed));
    assert!(breaker.check().is_ok());
}

#[test]
fn each_probe_that_fails_makes_the_next_pause_longer_up_to_half_a_minute() {
    let (breaker, clock) = breaker();
    open(&breaker);
    let mut pauses = Vec::new();
    for _ in 0..4 {
        clock.advance(Duration::from_secs(30));
        match call(&breaker, Health::Trouble) {
            Some(Turned::Opened { pause }) => pauses.push(pause.as_secs()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(pauses, [10, 20, 24, 24]);
}

/// However the threads interleave: none gets in between another's look and its probe.
#[test]
fn of_many_who_come_at_the_end_of_the_pause_one_tries_and_none_right_after_it() {
    for _ in 0..2_000 {
        let (breaker, clock) = breaker();
        open(&breaker);
        clock.advance(5 * SECOND);
        let together = std::sync::Barrier::new(4);
        let tries = || {
            together.wait();
            breaker.admit().ok().map(|pass| pass.end(Health::Trouble, None, 0.0))
        };
        let probes = std::thread::scope(|scope| {
            let all: Vec<_> = (0..4).map(|_| scope.spawn(tries)).collect();
            all.into_iter().filter_map(|it| it.join().unwrap()).count()
        });
        assert_eq!(probes, 1);
    }
}

#[test]
fn a_probe_that_nobody_waits_for_leaves_room_for_the_next() {
    let (breaker, clock) = breaker();
    open(&breaker);
    clock.advance(5 * SECOND);
    drop(breaker.admit());
    assert_eq!(breaker.standing(), Standing::Open);
    assert_eq!(call(&breaker, Health::Good), Some(Turned::Closed));
}

#[test]
fn what_was_under_way_when_it_opened_changes_nothing() {
    let (breaker, clock) = breaker();
    let early: Vec<_> = (0..3).map(|_| breaker.admit().ok().unwrap()).collect();
    open(&breaker);
    let mut early = early.into_iter();
    assert_eq!(early.next().unwrap().end(Health::Good, None, 0.0), None);
    clock.advance(5 * SECOND);
    let probe = breaker.admit().ok().unwrap();
    assert_eq!(early.next().unwrap().end(Health::Good, None, 0.0), None);
    drop(early);
    assert_eq!(breaker.standing(), Standing::HalfOpen);
    probe.end(Health::Good, None, 0.0);
    assert_eq!(breaker.standing(), Standing::Closed);
}

/// Aurora fails for 20 seconds under 200 calls a second, and then no more.
#[test]
fn an_outage_costs_few_calls_and_ends_soon_after_aurora_does() {
    let (breaker, clock) = breaker();
    let (mut sent, mut recovered) = (0, None);
    for tick in 0..200 * 60_u32 {
        let at = Duration::from_millis(5) * tick;
        let failing = at < 20 * SECOND;
        if let Ok(pass) = breaker.admit() {
            sent += u32::from(failing);
            pass.end(if failing { Health::Trouble } else { Health::Good }, None, 1.0);
            if !failing {
                recovered.get_or_insert(at);
            }
        }
        clock.advance(Duration::from_millis(5));
    }
    assert!(sent <= 40, "{sent}");
    assert!(recovered.unwrap() <= 55 * SECOND, "{recovered:?}");
}

proptest! {
    #[test]
    fn every_pause_is_between_five_and_thirty_seconds(times in any::<u32>(), chance in 0.0..=1.0_f64) {
        prop_assert!((5 * SECOND..=30 * SECOND).contains(&pause(times, chance)));
    }
}
