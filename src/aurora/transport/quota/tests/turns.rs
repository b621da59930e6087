//! What callers notice of the limit, in paused time.

use std::sync::Mutex;

use tokio::time::Instant;

use super::super::window::WINDOW;
use super::*;

const PATIENCE: Duration = Duration::from_secs(10);

/// A write, which nothing is kept from.
fn write() -> Urgency {
    Urgency::new(Lane::Mutation)
}

async fn spend(quota: &Quota, calls: usize) {
    for _ in 0..calls {
        quota.take_turn(&write(), PATIENCE).await.ok().unwrap().end();
    }
}

#[tokio::test(start_paused = true)]
async fn the_call_over_the_limit_is_refused_at_once_with_the_time_to_wait() {
    let quota = quota(3);
    spend(&quota, 3).await;
    let asked = Instant::now();
    let refused = quota.take_turn(&write(), PATIENCE).await.err().unwrap();
    assert!(refused.retry_after >= WINDOW && refused.retry_after < WINDOW + Duration::from_millis(100));
    assert_eq!(asked.elapsed(), Duration::ZERO);
    let budget = quota.budget();
    assert_eq!((budget.limit, budget.remaining), (3, 0));
    assert_eq!(budget.resets_in, refused.retry_after);
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_a_turn_that_comes_in_time() {
    let quota = quota(1);
    spend(&quota, 1).await;
    tokio::time::advance(Duration::from_secs(55)).await;
    let asked = Instant::now();
    assert!(quota.take_turn(&write(), PATIENCE).await.is_ok());
    assert!(asked.elapsed() >= Duration::from_secs(5) && asked.elapsed() < PATIENCE);
}

#[tokio::test(start_paused = true)]
async fn who_could_not_be_served_in_time_behind_those_who_wait_is_refused_at_once() {
    let quota = Arc::new(quota(1));
    spend(&quota, 1).await;
    tokio::time::advance(Duration::from_secs(55)).await;
    let waiting = tokio::spawn({
        let quota = Arc::clone(&quota);
        async move { quota.take_turn(&write(), PATIENCE).await.is_ok() }
    });
    tokio::task::yield_now().await;
    let asked = Instant::now();
    let refused = quota.take_turn(&write(), PATIENCE).await.err().unwrap();
    assert!(refused.retry_after > Duration::from_secs(60), "{refused:?}");
    assert_eq!(asked.elapsed(), Duration::ZERO);
    assert!(waiting.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn who_would_be_too_late_behind_somebody_more_urgent_is_told_when_that_one_comes() {
    let quota = Arc::new(quota(3));
    for _ in 0..3 {
        spend(&quota, 1).await;
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    tokio::time::advance(Duration::from_secs(50)).await;
    let take = |lane: Lane| {
        let quota = Arc::clone(&quota);
        tokio::spawn(async move {
            let begun = Instant::now();
            let turn = quota.take_turn(&Urgency::new(lane), Duration::from_millis(7_500)).await;
            (turn.map(|it| it.end()).err(), begun.elapsed())
        })
    };
    let read = take(Lane::Interactive);
    tokio::task::yield_now().await;
    tokio::time::advance(Duration::from_secs(1)).await;
    let press = take(Lane::Mutation);
    let (refused, waited) = read.await.unwrap();
    assert_eq!(waited, Duration::from_secs(1), "at once");
    assert!(refused.unwrap().retry_after >= Duration::from_secs(7));
    assert_eq!(press.await.unwrap().0, None);
}

#[tokio::test(start_paused = true)]
async fn a_slow_call_counts_from_its_end() {
    let quota = quota(1);
    let slow = quota.take_turn(&write(), PATIENCE).await.ok().unwrap();
    tokio::time::advance(Duration::from_secs(9)).await;
    slow.end();
    tokio::time::advance(Duration::from_secs(52)).await;
    assert_eq!(quota.budget().remaining, 0);
    tokio::time::advance(Duration::from_secs(9)).await;
    assert_eq!(quota.budget(), Budget { limit: 1, remaining: 1, resets_in: Duration::ZERO });
}

#[tokio::test(start_paused = true)]
async fn nobody_calls_before_aurora_said() {
    let quota = quota(90);
    quota.stop_for(Duration::from_secs(7));
    quota.stop_for(Duration::from_secs(2));
    assert_eq!(quota.budget().remaining, 0);
    let asked = Instant::now();
    assert!(quota.take_turn(&write(), PATIENCE).await.is_ok());
    assert!(asked.elapsed() >= Duration::from_secs(7));
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_is_too_long_is_told_at_once_to_those_who_wait() {
    let quota = Arc::new(quota(1));
    spend(&quota, 1).await;
    tokio::time::advance(Duration::from_secs(55)).await;
    let waiting = tokio::spawn({
        let quota = Arc::clone(&quota);
        async move { quota.take_turn(&write(), PATIENCE).await.err() }
    });
    tokio::time::advance(Duration::from_secs(1)).await;
    let stopped = Instant::now();
    quota.stop_for(Duration::from_secs(30));
    let refused = waiting.await.unwrap().unwrap();
    assert_eq!((refused.retry_after, stopped.elapsed()), (Duration::from_secs(30), Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_hangs_up_gives_its_turn_back() {
    let quota = quota(1);
    spend(&quota, 1).await;
    tokio::time::advance(Duration::from_secs(55)).await;
    let hung_up = tokio::time::timeout(Duration::from_secs(1), quota.take_turn(&write(), PATIENCE)).await;
    assert!(hung_up.is_err());
    assert!(quota.take_turn(&write(), PATIENCE).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn who_joins_a_read_that_waits_takes_it_along_past_the_others() {
    let quota = Arc::new(quota(1));
    spend(&quota, 1).await;
    tokio::time::advance(Duration::from_secs(30)).await;
    let patience = Duration::from_secs(200);
    let order = Arc::new(Mutex::new(Vec::new()));
    let joined = Urgency::new(Lane::Refresh);
    let take = |name: &'static str, urgency: Urgency| {
        let (quota, order) = (Arc::clone(&quota), Arc::clone(&order));
        tokio::spawn(async move {
            let ticket = quota.take_turn(&urgency, patience).await.ok().unwrap();
            order.lock().unwrap().push(name);
            ticket.end();
        })
    };
    let both = [take("event", Urgency::new(Lane::Enrichment)), take("joined", joined.clone())];
    tokio::time::advance(Duration::from_secs(1)).await;
    joined.raise(Lane::Interactive);
    for one in both {
        one.await.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), ["joined", "event"]);
}

#[tokio::test(start_paused = true)]
async fn a_lanes_crowd_takes_nobody_elses_place() {
    let quota = Arc::new(unnamed(Bounds { queued: 2, at_once: 1, ..bounds(10_000) }, Clock::system()));
    let held = quota.take_turn(&write(), PATIENCE).await.ok().unwrap();
    let wait = |lane: Lane| {
        let quota = Arc::clone(&quota);
        tokio::spawn(async move {
            quota.take_turn(&Urgency::new(lane), PATIENCE).await.map(|it| it.end()).is_ok()
        })
    };
    let reads = [wait(Lane::Interactive), wait(Lane::Interactive), wait(Lane::Interactive)];
    tokio::task::yield_now().await;
    let press = wait(Lane::Mutation);
    tokio::task::yield_now().await;
    assert_eq!(quota.waiting(), 3);
    held.end();
    assert!(press.await.unwrap());
    let [first, second, third] = reads;
    assert!(first.await.unwrap() && second.await.unwrap() && !third.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn no_minute_ever_holds_more_than_the_limit_whoever_calls() {
    let quota = Arc::new(quota(5));
    let calls = Arc::new(Mutex::new(Vec::new()));
    let callers: Vec<_> = (0..40_u64)
        .map(|n| {
            let (quota, calls) = (Arc::clone(&quota), Arc::clone(&calls));
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(n * 777)).await;
                let urgency = Urgency::new(Lane::ALL[(n % 4) as usize]);
                if let Ok(ticket) = quota.take_turn(&urgency, Duration::from_secs(500)).await {
                    // Aurora counts it somewhere between its leaving and its answer.
                    tokio::time::sleep(Duration::from_millis(n * 31 % 900)).await;
                    calls.lock().unwrap().push(Instant::now());
                    tokio::time::sleep(Duration::from_millis(n * 57 % 900)).await;
                    ticket.end();
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    let mut calls = calls.lock().unwrap().clone();
    calls.sort_unstable();
    assert!(calls.len() >= 30, "waiting calls get their turn: {}", calls.len());
    for six in calls.windows(6) {
        assert!(six[5] - six[0] >= Duration::from_secs(60));
    }
}

#[tokio::test]
async fn moving_the_clock_brings_the_turn_of_who_waits() {
    let clock = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
    let quota = Arc::new(unnamed(bounds(1), clock.clone()));
    spend(&quota, 1).await;
    clock.advance(Duration::from_secs(55));
    let waiting = tokio::spawn({
        let quota = Arc::clone(&quota);
        async move { quota.take_turn(&write(), PATIENCE).await.map(|it| it.end()).is_ok() }
    });
    while quota.waiting() == 0 {
        tokio::task::yield_now().await;
    }
    let begun = std::time::Instant::now();
    clock.advance(Duration::from_secs(6));
    assert!(waiting.await.unwrap() && begun.elapsed() < Duration::from_secs(4));
}
