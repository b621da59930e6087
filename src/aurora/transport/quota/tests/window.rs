//! When a lane may add a call, at any time and after any history.

use proptest::prelude::*;
use tokio::time::Instant;

use super::super::window::{WINDOW, Window};
use super::*;

/// Sends as many as the lane may at once, each answered at once.
fn send(window: &mut Window, lane: Lane, now: Instant) -> usize {
    let mut sent = 0;
    while window.when(lane, now) == Some(now) {
        window.begin();
        window.end(now);
        sent += 1;
    }
    sent
}

#[test]
fn a_burst_of_each_lane_leaves_their_part_to_those_above_it() {
    let now = Instant::now();
    let burst = |lane| send(&mut Window::new(90, 16, now), lane, now);
    assert_eq!(Lane::ALL.map(burst), [90, 51, 36, 21]);
}

#[test]
fn however_small_the_limit_one_call_of_any_lane_fits_into_an_empty_window() {
    let now = Instant::now();
    for limit in 1..200 {
        for lane in Lane::ALL {
            let when = Window::new(limit, 16, now).when(lane, now);
            assert_eq!(when, Some(now), "{limit} {}", lane.name());
        }
    }
}

#[test]
fn after_a_burst_reads_still_get_a_turn_every_other_second() {
    let start = Instant::now();
    let mut window = Window::new(90, 16, start);
    send(&mut window, Lane::Interactive, start);
    let mut turns = Vec::new();
    let mut now = start;
    while turns.len() < 20 {
        now = window.when(Lane::Interactive, now).unwrap();
        window.begin();
        window.end(now);
        turns.push(now - start);
    }
    assert!(turns.windows(2).all(|two| two[1] - two[0] <= Duration::from_millis(2_100)), "{turns:?}");
}

#[test]
fn where_calls_leave_one_by_one_nearly_all_of_the_limit_is_used_by_reads() {
    let start = Instant::now();
    let mut window = Window::new(90, 16, start);
    let mut sent = Vec::new();
    // A call of an even stream every 2/3 of a second, for three minutes.
    for tick in 0..270_u32 {
        let now = start + Duration::from_millis(667) * tick;
        window.advance(now);
        if window.when(Lane::Interactive, now) == Some(now) {
            window.begin();
            window.end(now);
            sent.push(now);
        }
    }
    let last_minute = sent.iter().filter(|at| **at > start + Duration::from_secs(120)).count();
    assert!(last_minute >= 78, "{last_minute}");
}

#[test]
fn while_a_call_is_under_way_it_counts_and_what_was_never_sent_does_not() {
    let now = Instant::now();
    let mut window = Window::new(1, 16, now);
    window.begin();
    assert_eq!(window.when(Lane::Mutation, now + 10 * WINDOW), None);
    window.take_back();
    assert_eq!(window.when(Lane::Mutation, now), Some(now));
    window.begin();
    window.abandon(now);
    assert!(window.when(Lane::Mutation, now).unwrap() > now + WINDOW);
}

#[test]
fn no_more_calls_are_under_way_than_may_be() {
    let now = Instant::now();
    let mut window = Window::new(90, 2, now);
    window.begin();
    window.begin();
    assert_eq!(window.when(Lane::Mutation, now), None);
    window.end(now);
    assert_eq!(window.when(Lane::Mutation, now), Some(now));
}

proptest! {
    /// Whatever is asked for, in whichever lane, however long calls take and at whichever moment of a call Aurora
    /// counts it.
    #[test]
    fn no_minute_ever_holds_more_than_the_limit(
        limit in 1_usize..40,
        at_once in 1_usize..20,
        asked in prop::collection::vec((0_u64..4_000, 0_usize..4, 0_u64..3_000, 0.0..1.0_f64), 1..300),
    ) {
        let start = Instant::now();
        let mut window = Window::new(limit, at_once, start);
        let (mut now, mut under_way, mut counted) = (start, Vec::new(), Vec::new());
        for (pause, lane, takes, moment) in asked {
            now += Duration::from_millis(pause);
            under_way.sort_unstable();
            while under_way.first().is_some_and(|ends: &Instant| *ends <= now) {
                window.end(under_way.remove(0));
            }
            window.advance(now);
            if window.when(Lane::ALL[lane], now) == Some(now) {
                window.begin();
                let takes = Duration::from_millis(takes);
                under_way.push(now + takes);
                counted.push(now + takes.mul_f64(moment));
            }
        }
        counted.sort_unstable();
        for more in counted.windows(limit + 1) {
            prop_assert!(more[limit] - more[0] >= Duration::from_secs(60));
        }
    }

    /// What is foretold is what happens, if nothing comes between.
    #[test]
    fn a_lane_may_go_when_it_was_told_and_not_before(
        limit in 1_usize..60,
        history in prop::collection::vec(0_u64..1_500, 0..80),
        lane in 0_usize..4,
    ) {
        let start = Instant::now();
        let mut window = Window::new(limit, 100, start);
        let now = spend(&mut window, start, history);
        let lane = Lane::ALL[lane];
        let when = window.when(lane, now).unwrap();
        let mut before = window.clone();
        let just_before = when.checked_sub(Duration::from_millis(1)).unwrap();
        if just_before > now {
            before.advance(just_before);
            prop_assert!(before.when(lane, just_before).unwrap() > just_before);
        }
        window.advance(when);
        prop_assert_eq!(window.when(lane, when), Some(when));
    }
}
