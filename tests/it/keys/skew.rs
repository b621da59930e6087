//! Clocks that disagree.

use std::{collections::BTreeMap, process::Stdio};

use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use serde_json::json;

use super::{HOUR, PROJECTS};
use crate::{
    load::process::{Running, command},
    world::{Answer, KEY, World},
};

/// Puts the gateway's clock that many hours before or behind Aurora's.
fn set_apart(world: &World, hours: i64) {
    let aurora: Timestamp = world.aurora.now().parse().unwrap();
    world.clock.set(aurora + SignedDuration::from_hours(hours));
}

/// Reads every hour of a key's life and of the next one's.
async fn read_for_a_day(world: &World) {
    for _ in 0..24 {
        world.advance(HOUR);
        world.query(PROJECTS).await.sound();
    }
}

fn assert_unnoticed(world: &World, skew: i64) {
    assert!(
        world.aurora.calls().iter().all(|it| it.status == Some(200)),
        "{skew} h: no request met a dead key"
    );
    // Two of them for a day, and one more where both were renewed early.
    assert!((2..=3).contains(&world.exchanges()), "{skew} h: {} exchanges", world.exchanges());
}

#[tokio::test]
async fn a_clock_that_is_wrong_by_hours_costs_no_error_and_no_exchange() {
    for skew in [-26, -2, 2, 26] {
        let world = World::start().await;
        set_apart(&world, skew);
        world.query(PROJECTS).await.sound();
        read_for_a_day(&world).await;
        assert_unnoticed(&world, skew);
    }
}

#[tokio::test]
async fn a_clock_that_is_put_right_while_a_key_lives_costs_no_error_and_no_exchange() {
    for skew in [-2, 2] {
        let world = World::start().await;
        set_apart(&world, skew);
        world.query(PROJECTS).await.sound();
        set_apart(&world, 0);
        world.query(PROJECTS).await.sound();
        assert_eq!(world.exchanges(), 1, "{skew} h");
        read_for_a_day(&world).await;
        assert_unnoticed(&world, skew);
    }
}

#[tokio::test]
async fn a_clock_that_is_set_over_a_restart_costs_at_most_one_exchange() {
    for skew in [-2, 2] {
        let encryption_key =
            ("HELIOGRAPH_STORE__ENCRYPTION_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
        let mut world = World::with(|_| {}, &[encryption_key]).await;
        world.query(PROJECTS).await.sound();
        world.advance(HOUR);
        set_apart(&world, skew);
        world.restart().await;
        for _ in 0..12 {
            world.query(PROJECTS).await.sound();
            world.advance(HOUR);
        }
        assert!(world.exchanges() <= 3, "{skew} h: {} exchanges", world.exchanges());
    }
}

/// The same of the binary, which asks the system: libfaketime stands between the two.
#[tokio::test]
async fn a_machine_whose_clock_is_wrong_by_hours_costs_no_error_and_no_exchange() {
    for skew in [-2, 2] {
        let world = World::with(|aurora| aurora.key_lifetime = HOUR, &[]).await;
        let place = tempfile::tempdir().unwrap();
        let mut settings: BTreeMap<&str, String> = BTreeMap::new();
        for (key, value) in world.settings() {
            settings.insert(key.trim_start_matches("HELIOGRAPH_"), value.clone());
        }
        settings.insert("STORE__PATH", "heliograph.db".to_owned());
        // The library alone: the command of that name forks, and what it started would outlive the test. Only the hands are
        // wrong: time passes as it does.
        let mut serve = command(place.path(), &settings);
        serve.env("LD_PRELOAD", "/usr/$LIB/faketime/libfaketime.so.1");
        serve.env("FAKETIME", format!("{skew:+}h")).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        let (_running, base, _) = Running::start_logging(serve.arg("serve"), "listens on ", Stdio::null());

        for number in 0..20 {
            let query = format!(r#"{{ design(designId: "no-{number}") {{ name }} }}"#);
            let request = world.http.post(format!("{base}/graphql")).bearer_auth(KEY);
            let answer = request.json(&json!({ "query": query })).send().await.unwrap();
            let date = rfc2822::parse(answer.headers()["date"].to_str().unwrap()).unwrap().timestamp();
            let aurora: Timestamp = world.aurora.now().parse().unwrap();
            let apart = date.duration_since(aurora) - SignedDuration::from_hours(skew);
            assert!(apart.abs() < SignedDuration::from_mins(1), "its clock is {skew} h apart: {date}");
            assert_eq!(Answer::of(answer).await.errors(), ["NOT_FOUND at design"], "{skew} h");
        }
        assert_eq!(world.exchanges(), 1, "{skew} h");
    }
}
