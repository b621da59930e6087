//! The limit: what the pure parts decide at any time, and what callers notice, in paused time.

mod lanes;
mod turns;
mod window;

use tokio::time::Instant;

use super::*;
use crate::aurora::Lane;

pub(super) fn bounds(limit: u32) -> Bounds {
    Bounds { per_minute: NonZeroU32::new(limit).unwrap(), at_once: 1_000, queued: 1_000, slow: Duration::MAX }
}

pub(super) fn quota(limit: u32) -> Quota {
    unnamed(bounds(limit), Clock::system())
}

pub(super) fn unnamed(bounds: Bounds, clock: Clock) -> Quota {
    Quota::new(Fingerprinter::new("a test").finish(), bounds, clock)
}

/// A history: where there is room after each pause, in milliseconds, a call is made and answered at once. Says what time it
/// is then.
fn spend(window: &mut super::window::Window, start: Instant, pauses: Vec<u64>) -> Instant {
    let mut now = start;
    for pause in pauses {
        now += Duration::from_millis(pause);
        window.advance(now);
        if window.when(Lane::Mutation, now) == Some(now) {
            window.begin();
            window.end(now);
        }
    }
    now
}

#[test]
fn one_key_has_one_quota() {
    let quotas = Quotas::new(NonZeroU32::MIN);
    let (one, same) = (quotas.of(&"a".into()), quotas.of(&"a".into()));
    assert!(Arc::ptr_eq(&one, &same));
    assert!(!Arc::ptr_eq(&one, &quotas.of(&"b".into())));
    assert_eq!(quotas.in_use().len(), 1);
    drop((one, same));
    assert!(quotas.in_use().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_key_that_comes_back_meets_what_it_has_spent_and_one_that_has_spent_nothing_is_forgotten() {
    let quotas = Quotas::within(bounds(3), Clock::system());
    let key = quotas.of(&"a".into());
    key.take_turn(&Urgency::default(), Duration::ZERO).await.ok().unwrap().end();
    drop((key, quotas.of(&"never used".into())));
    drop(quotas.of(&"b".into()));
    assert_eq!(quotas.of(&"a".into()).budget().remaining, 2);
    tokio::time::advance(WINDOW + Duration::from_secs(1)).await;
    let _held = quotas.of(&"c".into());
    assert_eq!(quotas.lock().len(), 1, "the others are held by nobody and have nothing spent");
}

#[tokio::test(start_paused = true)]
async fn what_was_made_before_a_restart_counts_for_as_long_as_it_may_at_aurora() {
    let second = Duration::from_secs(1);
    // It was to count for so long, and does for so long: Aurora counts a call at the latest soon after the process ends that
    // made it.
    for (at_most, counts_for) in [(80, 65), (66, 65), (60, 60), (1, 1)] {
        let quotas = Quotas::within(bounds(3), Clock::system());
        let print = quotas.of(&"a".into()).print();
        quotas.adopt(print, Made { calls: 2, counts_for: at_most * second });
        let left = || quotas.of(&"a".into()).budget().remaining;
        assert_eq!(left(), 1, "{at_most}");
        tokio::time::advance(counts_for * second - second / 10).await;
        assert_eq!(left(), 1, "{at_most}");
        tokio::time::advance(second / 2).await;
        assert_eq!(left(), 3, "{at_most}");
    }
    let quotas = Quotas::within(bounds(3), Clock::system());
    quotas.adopt(Fingerprint([0; 32]), Made { calls: 2, counts_for: Duration::ZERO });
    assert!(quotas.lock().is_empty(), "what is over is not even remembered");
}

#[tokio::test(start_paused = true)]
async fn what_stands_in_a_window_stands_in_that_of_the_next_process_for_as_long() {
    let second = Duration::from_secs(1);
    let (before, after) = [0, 1].map(|_| Quotas::within(bounds(9), Clock::system())).into();
    let key = before.of(&"a".into());
    let turn = || async { key.take_turn(&Urgency::default(), Duration::ZERO).await.ok().unwrap() };
    turn().await.end();
    tokio::time::advance(20 * second).await;
    turn().await.end();
    drop(turn().await);
    let _under_way = turn().await;
    tokio::time::advance(10 * second).await;
    for (key, made) in before.made() {
        after.adopt(key, made);
    }
    let left = || after.of(&"a".into()).budget().remaining;
    for (passes, remaining) in [(30, 5), (1, 6), (19, 6), (1, 7), (4, 7), (1, 8), (9, 8), (1, 9)] {
        tokio::time::advance(passes * second).await;
        assert_eq!(left(), remaining);
    }
}
