//! Keys: exchanged once, renewed once, given up exactly; session tokens: sent once.

use std::sync::{
    Arc, Mutex, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use futures_util::future::join_all;

use super::{
    double::{Seen, answer, empty_design, token},
    *,
};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_thousand_callers_cost_one_exchange() {
    let double = Double::with_keys(|_| empty_design()).await;
    let (aurora, meter) = (client(config(&double)), Meter::default());
    let key = design();
    let answers = join_all((0..1000).map(|_| aurora.summary(&key, &meter))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(double.exchanges(), 1);
    assert_eq!(meter.calls(), 1001);
}

#[tokio::test]
async fn a_caller_who_hangs_up_does_not_stop_the_exchange_for_others() {
    let double = Double::with_keys(|_| empty_design()).await;
    let aurora = client(config(&double));
    let (key, meter) = (design(), Meter::default());
    {
        let mut hangs_up = Box::pin(aurora.summary(&key, &meter));
        assert!(futures_util::poll!(hangs_up.as_mut()).is_pending());
    }
    assert!(ask(&aurora).await.is_ok());
    assert_eq!(double.exchanges(), 1);
}

#[tokio::test]
async fn the_key_is_kept_until_a_minute_before_its_end() {
    let double = Double::with_keys(|_| empty_design()).await;
    let clock = clock();
    let aurora = Aurora::try_new(config(&double), clock.clone()).unwrap();
    ask(&aurora).await.unwrap();
    clock.advance(13 * HOUR - Duration::from_secs(61));
    ask(&aurora).await.unwrap();
    assert_eq!(double.exchanges(), 1);
    clock.advance(Duration::from_secs(1));
    ask(&aurora).await.unwrap();
    assert_eq!(double.exchanges(), 2);
}

#[tokio::test]
async fn a_key_that_came_expired_serves_its_one_call_and_no_loop_begins() {
    let works = Arc::new(AtomicBool::new(true));
    let answers = Arc::clone(&works);
    let double = Double::start(move |seen| match seen {
        it if it.is_exchange() => token("tk-old", "2024-06-21 10:00:00 UTC"),
        _ if answers.load(Ordering::SeqCst) => empty_design(),
        _ => answer(401, ""),
    })
    .await;
    let aurora = client(config(&double));
    assert!(ask(&aurora).await.is_ok());
    works.store(false, Ordering::SeqCst);
    let refused = ask(&aurora).await;
    assert!(matches!(refused, Err(Error::NotConnected { reason: NotConnected::KeyExpired })));
    assert_eq!((double.exchanges(), double.data_calls()), (2, 2));
}

/// Accepts no key but those that end in the number of a later exchange than the first.
fn second_key_only(seen: &Seen) -> axum::response::Response {
    if seen.bearer == "tk-1" { answer(401, "") } else { empty_design() }
}

#[tokio::test]
async fn a_hundred_refusals_of_one_key_cost_one_renewal() {
    let double = Double::with_keys(second_key_only).await;
    let (aurora, key) = (client(config(&double)), design());
    let meter = Meter::default();
    let answers = join_all((0..100).map(|_| aurora.summary(&key, &meter))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(double.exchanges(), 2);
}

#[tokio::test]
async fn a_refusal_that_comes_late_does_not_cost_the_newer_key() {
    let double = Double::with_keys(|_| empty_design()).await;
    let (aurora, meter) = (client(config(&double)), Meter::default());
    let credentials = &aurora.0.credentials;
    let old = credentials.key(&tenant(), &meter).await.unwrap();
    let new = credentials.renew(&tenant(), &old, &meter).await.unwrap();
    let late = credentials.renew(&tenant(), &old, &meter).await.unwrap();
    assert!(Arc::ptr_eq(&new, &late));
    assert_eq!(double.exchanges(), 2);
}

#[tokio::test]
async fn a_second_refusal_is_final() {
    let double = Double::with_keys(|_| answer(401, "")).await;
    assert!(matches!(ask(&client(config(&double))).await, Err(Error::Forbidden)));
    assert_eq!((double.exchanges(), double.data_calls()), (2, 2));
}

#[tokio::test]
async fn a_403_renews_nothing() {
    let double = Double::with_keys(|_| answer(403, "")).await;
    assert!(matches!(ask(&client(config(&double))).await, Err(Error::Forbidden)));
    assert_eq!((double.exchanges(), double.data_calls()), (1, 1));
}

#[tokio::test]
async fn a_tenants_own_key_is_used_alone_and_never_renewed() {
    let double = Double::with_keys(|_| answer(401, "")).await;
    let aurora = client(own_key(&double));
    assert!(matches!(ask(&aurora).await, Err(Error::Forbidden)));
    aurora.offer_session_token(&tenant(), "st-1".into());
    assert_eq!(aurora.connect(&tenant(), "st-1".into()).await.unwrap(), None);
    let seen = double.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].bearer, "sk-own");
}

#[tokio::test]
async fn a_failed_exchange_speaks_for_the_next_callers_until_a_token_comes() {
    let double = Double::start(|seen| match seen {
        it if it.query.contains("st-1") => token("tk-1", "2024-06-22 01:00:00 UTC"),
        it if it.is_exchange() => answer(404, r#"{"errors":[{"message":"app-key"}]}"#),
        _ => empty_design(),
    })
    .await;
    let aurora = client(config(&double));
    for _ in 0..10 {
        let refused = ask(&aurora).await;
        assert!(matches!(refused, Err(Error::NotConnected { reason: NotConnected::ExchangeRefused })));
    }
    assert_eq!(double.exchanges(), 1);
    let expiry = aurora.connect(&tenant(), "st-1".into()).await.unwrap();
    assert_eq!(expiry.unwrap().to_string(), "2024-06-22T01:00:00Z");
    assert!(ask(&aurora).await.is_ok());
}

#[tokio::test]
async fn where_a_session_token_is_required_nothing_is_tried_without() {
    let double = Double::with_keys(|_| empty_design()).await;
    let aurora = client(Config { session_tokens: SessionTokens::Required, ..config(&double) });
    let refused = ask(&aurora).await;
    assert!(matches!(refused, Err(Error::NotConnected { reason: NotConnected::SessionTokenRequired })));
    assert_eq!(double.exchanges(), 0);
    aurora.offer_session_token(&tenant(), "st 1&x".into());
    assert!(ask(&aurora).await.is_ok());
    assert_eq!(double.seen()[0].query, "session_token=st+1%26x");
}

#[tokio::test]
async fn a_session_token_is_sent_once_however_often_it_comes() {
    let double = Double::with_keys(|_| empty_design()).await;
    let aurora = client(config(&double));
    aurora.offer_session_token(&tenant(), "st-1".into());
    aurora.offer_session_token(&tenant(), "st-1".into());
    ask(&aurora).await.unwrap();
    let again = aurora.connect(&tenant(), "st-1".into()).await;
    assert!(matches!(again, Err(Error::NotConnected { reason: NotConnected::SessionTokenUsed })));
    assert_eq!(double.exchanges(), 1);
}

#[tokio::test]
async fn a_token_that_comes_for_a_young_key_is_kept_for_its_renewal() {
    let revoked = Arc::new(AtomicBool::new(false));
    let is_revoked = Arc::clone(&revoked);
    let double = Double::with_keys(move |seen| match seen.bearer.as_str() {
        "tk-1" if is_revoked.load(Ordering::SeqCst) => answer(401, ""),
        _ => empty_design(),
    })
    .await;
    let aurora = client(config(&double));
    ask(&aurora).await.unwrap();
    aurora.offer_session_token(&tenant(), "older".into());
    aurora.offer_session_token(&tenant(), "spare".into());
    ask(&aurora).await.unwrap();
    assert_eq!(double.exchanges(), 1);
    revoked.store(true, Ordering::SeqCst);
    ask(&aurora).await.unwrap();
    let queries: Vec<_> = double.seen().into_iter().filter(Seen::is_exchange).map(|it| it.query).collect();
    assert_eq!(queries, ["", "session_token=spare"]);
}

#[tokio::test]
async fn a_token_that_comes_for_an_old_key_is_exchanged_while_the_old_key_serves_on() {
    let double = Double::with_keys(|_| empty_design()).await;
    let clock = clock();
    let aurora = Aurora::try_new(config(&double), clock.clone()).unwrap();
    ask(&aurora).await.unwrap();
    clock.advance(7 * HOUR);
    aurora.offer_session_token(&tenant(), "st-1".into());
    while double.seen().last().unwrap().bearer != "tk-2" {
        ask(&aurora).await.unwrap();
    }
    let queries: Vec<_> = double.seen().into_iter().filter(Seen::is_exchange).map(|it| it.query).collect();
    assert_eq!(queries, ["", "session_token=st-1"]);
}

#[tokio::test]
async fn a_session_token_that_never_left_can_be_tried_again() {
    let double = Double::with_keys(|_| empty_design()).await;
    let session_tokens = SessionTokens::Required;
    let requests_per_minute = NonZeroU32::MIN;
    let aurora = client(Config { session_tokens, requests_per_minute, ..config(&double) });
    aurora.connect(&tenant(), "st-1".into()).await.unwrap();
    for _ in 0..2 {
        let held = aurora.connect(&tenant(), "st-2".into()).await;
        assert!(matches!(held, Err(Error::RateLimited { .. })));
    }
    assert_eq!(double.exchanges(), 1);
}

#[tokio::test]
async fn a_session_token_that_met_a_busy_aurora_or_a_wrong_application_key_is_not_spent() {
    for (status, verdict) in [(429, "RateLimited"), (401, "ApplicationRefused")] {
        let double = Double::start(move |_| answer(status, "")).await;
        let aurora = client(config(&double));
        for _ in 0..2 {
            let refused = aurora.connect(&tenant(), "st-1".into()).await.unwrap_err();
            assert!(format!("{refused:?}").starts_with(verdict), "{status}: {refused:?}");
        }
    }
}

#[tokio::test]
async fn a_wrong_application_key_is_blamed_itself_and_no_tenant() {
    let double = Double::start(|_| answer(401, "")).await;
    let aurora = client(config(&double));
    assert!(matches!(ask(&aurora).await, Err(Error::ApplicationRefused)));
    assert!(matches!(aurora.connect(&tenant(), "st-1".into()).await, Err(Error::ApplicationRefused)));
    assert!(matches!(aurora.webhooks().await, Err(Error::ApplicationRefused)));
}

#[tokio::test]
async fn junk_session_tokens_of_one_tenant_leave_the_others_their_exchanges() {
    let double = Double::start(|seen| match seen {
        it if it.query.contains("junk") => answer(404, ""),
        it if it.is_exchange() => token("tk-1", "2024-06-22 01:00:00 UTC"),
        _ => empty_design(),
    })
    .await;
    let requests_per_minute = NonZeroU32::new(6).unwrap();
    let aurora = client(Config { requests_per_minute, ..config(&double) });
    for n in 0..20 {
        assert!(aurora.connect(&tenant(), format!("junk-{n}").into()).await.is_err());
    }
    assert_eq!(double.exchanges(), 5);
    let other = DesignKey { tenant: TenantId::parse("t2").unwrap(), ..design() };
    assert!(aurora.summary(&other, &Meter::default()).await.is_ok());
}

#[tokio::test]
async fn a_caller_who_waited_for_somebodys_bad_session_token_gets_a_key_without_it() {
    let double = Double::start(|seen| match seen {
        it if it.query.contains("junk") => answer(404, ""),
        it if it.is_exchange() => token("tk-1", "2024-06-22 01:00:00 UTC"),
        _ => empty_design(),
    })
    .await;
    let aurora = client(config(&double));
    aurora.offer_session_token(&tenant(), "junk".into());
    assert!(ask(&aurora).await.is_ok());
    let queries: Vec<_> = double.seen().into_iter().filter(Seen::is_exchange).map(|it| it.query).collect();
    assert_eq!(queries, ["session_token=junk", ""]);
}

#[tokio::test]
async fn the_ages_of_the_exchanged_keys_are_told() {
    let double = Double::with_keys(|_| empty_design()).await;
    let clock = clock();
    let aurora = Aurora::try_new(config(&double), clock.clone()).unwrap();
    assert_eq!(aurora.key_lives(), KeyLives::default());
    ask(&aurora).await.unwrap();
    clock.advance(HOUR);
    let other = DesignKey { tenant: TenantId::parse("t2").unwrap(), ..design() };
    aurora.summary(&other, &Meter::default()).await.unwrap();
    clock.advance(HOUR);
    let lives = KeyLives { keys: 2, oldest: Some(2 * HOUR), ends_in: Some(11 * HOUR) };
    assert_eq!(aurora.key_lives(), lives);
    clock.advance(11 * HOUR);
    assert_eq!(aurora.key_lives(), KeyLives::default(), "those that have ended are none");
}

#[tokio::test]
async fn a_rotation_is_taken_whole_or_not_at_all() {
    let double = Double::with_keys(|_| empty_design()).await;
    let aurora = client(own_key(&double));
    let with = |application: &str, own: &str| NewKeys {
        application: Some(application.into()),
        tenants: HashMap::from([(tenant(), own.into()), (TenantId::parse("new").unwrap(), "sk-new".into())]),
    };
    assert!(aurora.rotate(with("app-key", "sk-own")).unwrap().is_empty());
    assert!(aurora.rotate(with("app-key-2", "sk\n")).is_err());
    assert!(aurora.rotate(with("app\n", "sk-2")).is_err());
    ask(&aurora).await.unwrap();
    let rotated = aurora.rotate(with("app-key-2", "sk-2")).unwrap();
    assert_eq!(rotated, Rotated { application: true, tenants: vec![tenant()] });
    ask(&aurora).await.unwrap();
    let other = DesignKey { tenant: TenantId::parse("t2").unwrap(), ..design() };
    aurora.summary(&other, &Meter::default()).await.unwrap();
    let bearers: Vec<_> = double.seen().into_iter().map(|it| it.bearer).collect();
    assert_eq!(bearers, ["sk-own", "sk-2", "app-key-2", "tk-1"]);
}

#[tokio::test]
async fn a_key_that_is_taken_back_within_the_minute_has_spent_what_it_had_spent() {
    let double = Double::with_keys(|_| empty_design()).await;
    let aurora = client(own_key(&double));
    ask(&aurora).await.unwrap();
    for (own, left) in [("sk-2", 10_000), ("sk-own", 9_999)] {
        let tenants = HashMap::from([(tenant(), own.into())]);
        aurora.rotate(NewKeys { application: None, tenants }).unwrap();
        assert_eq!(aurora.budget(&tenant()).unwrap().remaining, left, "{own}");
    }
}

#[tokio::test]
async fn an_exchange_with_a_key_that_came_meanwhile_waits_for_its_place_like_any_other() {
    let (client_of_it, left) = (Arc::new(OnceLock::<Aurora>::new()), Arc::new(Mutex::new(Vec::new())));
    let (rotates, times) = (Arc::clone(&client_of_it), Arc::clone(&left));
    let double = Double::start(move |seen| match seen {
        it if it.is_exchange() => {
            times.lock().unwrap().push(tokio::time::Instant::now());
            if it.bearer == "app-key-2" {
                return token("tk-1", "2024-06-22 01:00:00 UTC");
            }
            let new = NewKeys { application: Some("app-key-2".into()), tenants: HashMap::new() };
            rotates.get().unwrap().rotate(new).unwrap();
            answer(401, "")
        }
        _ => empty_design(),
    })
    .await;
    let aurora = client(config(&double));
    client_of_it.set(aurora.clone()).ok().unwrap();
    let begun = tokio::time::Instant::now();
    ask(&aurora).await.unwrap();
    let left = left.lock().unwrap();
    assert_eq!(left.len(), 2);
    // They leave 60 ms apart, the first no sooner than it was asked for.
    assert!(left[1] - begun >= Duration::from_millis(60), "{:?}", left[1] - begun);
}

#[tokio::test]
async fn without_an_application_only_own_keys_work() {
    let double = Double::with_keys(|_| empty_design()).await;
    let aurora = client(Config { application: None, ..own_key(&double) });
    assert!(ask(&aurora).await.is_ok());
    let other = TenantId::parse("t2").unwrap();
    let key = DesignKey { tenant: other.clone(), ..design() };
    let refused = aurora.summary(&key, &Meter::default()).await;
    assert!(matches!(refused, Err(Error::NotConnected { reason: NotConnected::NoApplication })));
    assert_eq!(aurora.budget(&tenant()).unwrap().remaining, 9_999);
    assert_eq!(aurora.budget(&other), None);
}
