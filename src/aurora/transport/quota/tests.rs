//! The limit, in paused time.

use super::*;

fn quota(limit: u32) -> Quota {
    Quota::new(NonZeroU32::new(limit).unwrap())
}

const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::test(start_paused = true)]
async fn the_call_over_the_limit_is_refused_at_once_with_the_time_to_wait() {
    let quota = quota(3);
    for _ in 0..3 {
        drop(quota.take_turn(PATIENCE).await.ok().unwrap());
    }
    let asked = Instant::now();
    let refused = quota.take_turn(PATIENCE).await.err();
    assert!(
        matches!(refused, Some(Failure::Held(Error::RateLimited { retry_after })) if retry_after == WINDOW)
    );
    assert_eq!(asked.elapsed(), Duration::ZERO);
    assert_eq!(quota.budget(), Budget { limit: 3, remaining: 0, resets_in: WINDOW });
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_a_turn_that_comes_in_time() {
    let quota = quota(1);
    drop(quota.take_turn(PATIENCE).await.ok().unwrap());
    tokio::time::advance(Duration::from_secs(55)).await;
    let asked = Instant::now();
    assert!(quota.take_turn(PATIENCE).await.is_ok());
    assert!(asked.elapsed() >= Duration::from_secs(5) && asked.elapsed() < PATIENCE);
}

#[tokio::test(start_paused = true)]
async fn a_slow_call_counts_from_its_end() {
    let quota = quota(1);
    let slow = quota.take_turn(PATIENCE).await.ok().unwrap();
    tokio::time::advance(Duration::from_secs(9)).await;
    drop(slow);
    tokio::time::advance(Duration::from_secs(52)).await;
    assert_eq!(quota.budget().remaining, 0);
    tokio::time::advance(Duration::from_secs(8)).await;
    assert_eq!(quota.budget(), Budget { limit: 1, remaining: 1, resets_in: Duration::ZERO });
}

#[tokio::test(start_paused = true)]
async fn nobody_calls_before_aurora_said() {
    let quota = quota(90);
    quota.stop_for(Duration::from_secs(7));
    quota.stop_for(Duration::from_secs(2));
    assert_eq!(quota.budget().remaining, 0);
    let asked = Instant::now();
    assert!(quota.take_turn(PATIENCE).await.is_ok());
    assert!(asked.elapsed() >= Duration::from_secs(7));
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_comes_while_waiting_is_kept_too() {
    let quota = Arc::new(quota(1));
    drop(quota.take_turn(PATIENCE).await.ok().unwrap());
    tokio::time::advance(Duration::from_secs(55)).await;
    let waiting = tokio::spawn({
        let quota = Arc::clone(&quota);
        async move { quota.take_turn(PATIENCE).await.is_ok() }
    });
    tokio::time::advance(Duration::from_secs(1)).await;
    quota.stop_for(Duration::from_secs(30));
    assert!(!waiting.await.unwrap(), "thirty seconds are beyond its patience");
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_hangs_up_gives_its_turn_back() {
    let quota = quota(1);
    drop(quota.take_turn(PATIENCE).await.ok().unwrap());
    tokio::time::advance(Duration::from_secs(55)).await;
    let hung_up = tokio::time::timeout(Duration::from_secs(1), quota.take_turn(PATIENCE)).await;
    assert!(hung_up.is_err());
    assert!(quota.take_turn(PATIENCE).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn no_minute_ever_holds_more_than_the_limit() {
    let quota = Arc::new(quota(5));
    let calls = Arc::new(Mutex::new(Vec::new()));
    let callers: Vec<_> = (0..40_u64)
        .map(|n| {
            let (quota, calls) = (Arc::clone(&quota), Arc::clone(&calls));
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(n * 777)).await;
                if let Ok(_ticket) = quota.take_turn(Duration::from_secs(400)).await {
                    // Aurora counts it somewhere between its leaving and its answer.
                    tokio::time::sleep(Duration::from_millis(n * 31 % 900)).await;
                    calls.lock().unwrap().push(Instant::now());
                    tokio::time::sleep(Duration::from_millis(n * 57 % 900)).await;
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
        assert!(six[5] - six[0] >= WINDOW);
    }
}

#[test]
fn one_key_has_one_quota() {
    let quotas = Quotas::new(NonZeroU32::MIN);
    let (one, same) = (quotas.of(&"a".into()), quotas.of(&"a".into()));
    assert!(Arc::ptr_eq(&one, &same));
    assert!(!Arc::ptr_eq(&one, &quotas.of(&"b".into())));
}
