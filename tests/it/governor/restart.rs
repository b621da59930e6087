//! A restart is no new minute.

use std::time::Instant;

use serde_json::json;

use super::*;
use crate::world::KEY;

/// The same key of the tenant's before and after, so that Aurora counts on.
const SEALED: [(&str, &str); 1] =
    [("HELIOGRAPH_STORE__ENCRYPTION_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")];

/// Behind a burst reads get a turn now and then.
const A_FEW: usize = 8;

fn served(answers: &[Answer]) -> usize {
    answers.iter().filter(|it| it.errors() == ["NOT_FOUND at design"]).count()
}

#[tokio::test]
async fn a_restart_in_the_middle_of_a_burst_lets_no_more_out_than_aurora_allows() {
    let mut world = World::with(|aurora| aurora.requests_per_minute = 90, &SEALED).await;
    let first = served(&ask_for(&world, 0..100).await);
    assert!(first >= 45, "the first start of all waits for nothing: {first}");
    world.restart().await;
    let second = served(&ask_for(&world, 100..200).await);
    assert!(second <= A_FEW, "{second}");
    world.query(CREATE).await.sound();
    assert_eq!((too_many(&world), world.exchanges()), (0, 1));

    world.advance(Duration::from_secs(62));
    let again = served(&ask_for(&world, 200..300).await);
    assert!(again >= 45, "{again}");
    assert_eq!(too_many(&world), 0);
}

#[tokio::test]
async fn a_restart_in_good_order_costs_a_key_near_its_limit_nothing() {
    let mut world = World::with(|aurora| aurora.requests_per_minute = 90, &SEALED).await;
    for _ in 0..100 {
        create_in_rhythm(&world).await;
    }
    let before = most_in_a_minute(&world);
    assert!(before >= 80, "{before}");
    world.restart().await;
    let begun = Instant::now();
    world.query(CREATE).await.sound();
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    for _ in 0..44 {
        create_in_rhythm(&world).await;
    }
    assert_eq!((too_many(&world), world.exchanges()), (0, 1));
}

/// 88 a minute.
async fn create_in_rhythm(world: &World) {
    world.advance(Duration::from_millis(682));
    world.query(CREATE).await.sound();
}

#[tokio::test]
async fn a_kill_in_the_middle_of_a_burst_lets_no_more_out_than_aurora_allows() {
    let world = World::with(|aurora| aurora.requests_per_minute = 90, &SEALED).await;
    let slow = heliograph::sandbox::Fault::Delay { ms: 50 };
    world.aurora.fail(heliograph::sandbox::FaultRule::new("GET", "/tenants/*/designs/*", slow)).unwrap();
    let place = tempfile::tempdir().unwrap();
    let burst = |base: &str, designs: std::ops::Range<u32>| {
        let (http, url) = (world.http.clone(), format!("{base}/graphql"));
        tokio::spawn(join_all(designs.map(move |number| {
            let query = format!(r#"{{ design(designId: "no-{number}") {{ name }} }}"#);
            let request = http.post(&url).bearer_auth(KEY).json(&json!({ "query": query }));
            async move { request.send().await.is_ok_and(|it| it.status().is_success()) }
        })))
    };
    let reads = || world.aurora.calls_to("GET", "/tenants/*/designs/*");
    let (running, base) = world.process(place.path(), &[]);
    burst(&base, 0..100);
    world.eventually("the burst is under way", || async { reads() >= 45 }).await;
    drop(running);

    let (_running, base) = world.process(place.path(), &[]);
    burst(&base, 100..200).await.unwrap();
    let create =
        world.http.post(format!("{base}/graphql")).bearer_auth(KEY).json(&json!({ "query": CREATE }));
    Answer::of(create.send().await.unwrap()).await.sound();
    assert_eq!((too_many(&world), world.exchanges()), (0, 1));
    // Most of a window of reads, and the create: what is kept for writes is not read away by the next process.
    let most = most_in_a_minute(&world);
    assert!((45..=52 + A_FEW).contains(&most), "{most}");
}
