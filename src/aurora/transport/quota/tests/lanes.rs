//! Whose turn it is.

use proptest::prelude::*;
use tokio::time::Instant;

use super::super::{
    lanes::{Next, Queue},
    window::Window,
};
use super::*;

fn join(queue: &mut Queue, id: u64, lane: Lane) {
    queue.join(id, Urgency::new(lane));
}

/// Whose turns come, one after the other, while the window has room for everybody.
fn turns(queue: &mut Queue) -> Vec<u64> {
    let now = Instant::now();
    let mut window = Window::new(100_000, 100_000, now);
    let turn = || match queue.next(&mut window, now) {
        Next::Turn(id) => Some(id),
        _ => None,
    };
    std::iter::from_fn(turn).collect()
}

#[test]
fn the_most_urgent_goes_first_and_who_came_first_among_equals() {
    let mut queue = Queue::default();
    for (id, lane) in
        (1..).zip([Lane::Refresh, Lane::Interactive, Lane::Enrichment, Lane::Interactive, Lane::Mutation])
    {
        join(&mut queue, id, lane);
    }
    assert_eq!(turns(&mut queue), [5, 2, 4, 3, 1]);
}

#[test]
fn a_read_that_somebody_joined_goes_when_they_would() {
    let mut queue = Queue::default();
    let joined = Urgency::new(Lane::Refresh);
    queue.join(1, joined.clone());
    join(&mut queue, 2, Lane::Enrichment);
    join(&mut queue, 3, Lane::Interactive);
    joined.raise(Lane::Interactive);
    assert_eq!(turns(&mut queue), [1, 3, 2]);
}

#[test]
fn a_lane_that_waits_is_passed_so_often_and_no_more() {
    let mut queue = Queue::default();
    for id in 0..40 {
        join(&mut queue, 100 + id, Lane::Mutation);
        join(&mut queue, 200 + id, Lane::Interactive);
        join(&mut queue, 300 + id, Lane::Enrichment);
        join(&mut queue, 400 + id, Lane::Refresh);
    }
    let turns = turns(&mut queue);
    for (lane, most) in [(200, 7), (300, 9), (400, 15)] {
        let of_lane: Vec<_> = turns.iter().enumerate().filter(|(_, id)| **id / 100 * 100 == lane).collect();
        let places: Vec<_> = of_lane.iter().map(|(place, _)| *place).collect();
        assert!(
            places[0] <= most && places.windows(2).all(|two| two[1] - two[0] <= most),
            "{lane}: {places:?}"
        );
    }
    let mutations = turns[..20].iter().filter(|id| **id < 200).count();
    assert!(mutations >= 12, "most turns are the most urgent lane's: {mutations}");
}

/// Those of the moments that keep to two in five seconds, after eight at once.
fn paced(mut moments: Vec<u64>) -> Vec<u64> {
    moments.sort_unstable();
    let (mut saved, mut last) = (8.0_f64, 0);
    moments.retain(|at| {
        saved = (saved + Duration::from_millis(*at - last).as_secs_f64() * 0.4).min(8.0);
        last = *at;
        let may = saved >= 1.0;
        saved -= if may { 1.0 } else { 0.0 };
        may
    });
    moments
}

/// What a key's callers do in a second: how many of each lane come.
fn crowd() -> impl Strategy<Value = Vec<[u8; 4]>> {
    prop::collection::vec([0_u8..3, 0_u8..30, 0_u8..10, 0_u8..10], 60..200)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Under any demand every lane in which somebody waits gets a turn within two windows.
    #[test]
    fn no_lane_starves_another_for_ever(limit in 8_usize..120, crowd in crowd()) {
        let start = Instant::now();
        let mut window = Window::new(limit, 1_000, start);
        let mut queue = Queue::default();
        let (mut id, mut waits_since) = (0, [None; 4]);
        for (second, comers) in crowd.iter().enumerate() {
            let now = start + Duration::from_secs(second as u64);
            for lane in Lane::ALL {
                for _ in 0..comers[lane.index()] {
                    id += 4;
                    join(&mut queue, id + lane.index() as u64, lane);
                    waits_since[lane.index()].get_or_insert(now);
                }
            }
            while let Next::Turn(id) = queue.next(&mut window, now) {
                window.end(now);
                let lane = Lane::ALL[(id % 4) as usize];
                waits_since[lane.index()] = (queue.waiting_in(lane) > 0).then_some(now);
            }
            for since in waits_since.into_iter().flatten() {
                prop_assert!(now - since <= Duration::from_secs(125), "{:?}", now - since);
            }
        }
    }

    /// What is foretold holds if nobody comes after.
    #[test]
    fn who_joins_gets_the_turn_that_was_foretold(
        limit in 1_usize..60,
        history in prop::collection::vec(0_u64..500, 0..80),
        before in prop::collection::vec(0_usize..4, 0..30),
        lane in 0_usize..4,
    ) {
        let start = Instant::now();
        let (mut window, mut queue) = (Window::new(limit, 1_000, start), Queue::default());
        let mut now = spend(&mut window, start, history);
        for (id, lane) in (1..).zip(before) {
            join(&mut queue, id, Lane::ALL[lane]);
        }
        let lane = Lane::ALL[lane];
        let foretold = queue.turn_of_another(lane, &window, now).unwrap();
        join(&mut queue, 1_000, lane);
        loop {
            match queue.next(&mut window, now) {
                Next::Turn(1_000) => break,
                Next::Turn(_) => window.end(now),
                Next::At(later) => now = later,
                other => panic!("{other:?}"),
            }
        }
        prop_assert_eq!(now, foretold);
    }

    /// Mutations come at any moment, now and then eight at once, and otherwise two in five seconds; reads want ten
    /// times the limit.
    #[test]
    fn a_mutation_waits_less_than_two_seconds_under_any_demand(
        presses in prop::collection::vec(0_u64..60_000, 1..60),
        reads in prop::collection::vec((0_u64..60_000, 1_usize..4), 1_000),
    ) {
        let start = Instant::now();
        let (mut window, mut queue) = (Window::new(90, 1_000, start), Queue::default());
        let press = |at: u64| (at, Lane::Mutation);
        let mut comers: Vec<_> = reads.into_iter().map(|(at, lane)| (at, Lane::ALL[lane])).collect();
        comers.extend(paced(presses).into_iter().map(press));
        comers.sort_unstable();
        let at = |millis: u64| start + Duration::from_millis(millis);
        let mut comers = comers.into_iter().zip(1_u64..).peekable();
        let (mut now, mut pressed, mut served) = (start, std::collections::HashMap::new(), 0);
        while now < at(90_000) {
            while let Some(((millis, lane), id)) = comers.next_if(|((millis, _), _)| at(*millis) <= now) {
                join(&mut queue, id, lane);
                if lane == Lane::Mutation {
                    pressed.insert(id, at(millis));
                }
            }
            match queue.next(&mut window, now) {
                Next::Turn(id) => {
                    window.end(now);
                    served += 1;
                    if let Some(since) = pressed.remove(&id) {
                        let waited = now - since;
                        prop_assert!(waited < Duration::from_secs(2), "{waited:?} at {:?}", now - start);
                    }
                }
                Next::At(later) => now = comers.peek().map_or(later, |((millis, _), _)| later.min(at(*millis))),
                _ => now = comers.peek().map_or(at(90_000), |((millis, _), _)| at(*millis)),
            }
        }
        prop_assert!(pressed.is_empty() && served > 80, "{served}");
    }
}
