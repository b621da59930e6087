//! Clocks that disagree.

use jiff::{SignedDuration, Timestamp};

use super::{HOUR, PROJECTS};
use crate::world::World;

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
