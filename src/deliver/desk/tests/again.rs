//! What is sent once more because an operator asked for it: that, and nothing else.

use super::*;
use crate::deliver::desk::{stretches::MOST_STRETCHES, taking::MOST_REPLAYS};

fn tenant() -> TenantId {
    TenantId::parse("acme").unwrap()
}

/// Takes in what was asked for, as far as there is room, and says whether all of it was.
fn take_in(desk: &mut Desk, all: &[Arc<Event>]) -> bool {
    while let Some((key, replay)) = desk.replays.first_key_value().map(|(key, it)| (key.clone(), *it)) {
        for event in all.iter().filter(|it| it.seq > replay.after && it.seq <= key.1) {
            if !desk.admit_again(event, replay.since) {
                return false;
            }
            desk.replayed_to(&key, event.seq);
        }
        desk.replayed_to(&key, key.1);
    }
    true
}

/// The event that a turn is for.
fn front(turn: &Turn, all: &[Arc<Event>]) -> Arc<Event> {
    let its = |it: &&Arc<Event>| LaneKey::of(it) == turn.lane && it.seq > turn.after;
    let first = all.iter().find(its).expect("a turn has something to send");
    assert!(first.seq <= turn.through, "{} is behind {:?}", first.seq.0, turn.through);
    assert!(turn.head.as_ref().is_none_or(|it| it.seq == first.seq), "what is held is the first");
    Arc::clone(first)
}

/// Lets everything be taken, and gives the places in their order.
fn drain(desk: &mut Desk, all: &[Arc<Event>], now: Timestamp) -> Vec<u64> {
    let mut sent = Vec::new();
    while let Some(turn) = desk.next(now) {
        let event = front(&turn, all);
        sent.push(event.seq.0);
        desk.ended(&turn.lane, Ended::Delivered(event), now, 1.0);
    }
    sent
}

fn again(desk: &mut Desk, all: &[Arc<Event>], after: u64, through: u64) {
    desk.replay(&tenant(), Seq(after), Seq(through));
    assert!(take_in(desk, all));
}

fn all(designs: &[&str]) -> Vec<Arc<Event>> {
    designs.iter().enumerate().map(|(at, it)| event(at as u64 + 1, it)).collect()
}

#[test]
fn what_is_sent_again_begins_anew_although_what_it_goes_before_fails_for_a_day() {
    let all = all(&["a", "b", "a"]);
    let mut desk = with(&["a"]);
    deliver(&mut desk, at(MINUTE));
    for event in &all[1..] {
        desk.admit(event);
        desk.scanned_to(event.seq);
    }
    let began = at(2 * MINUTE);
    assert_eq!(deliver(&mut desk, began).0, 2);
    // The third fails until it is nearly given up, while others are taken.
    fail(&mut desk, began);
    let mut now = began;
    while let Some(at) = desk.next_wake().filter(|at| clock::between(began, *at) < DAY) {
        now = at;
        desk.health.last_success = Some(now);
        fail(&mut desk, now);
    }
    let wake = desk.next_wake().unwrap();
    assert!(desk.next(now).is_none(), "it rests until {wake}");

    again(&mut desk, &all, 0, 1);
    let (key, event) = turn(&mut desk, now).expect("it need not wait for what another's failures earned");
    assert_eq!(event.seq, Seq(1));
    let later = wake.max(clock::later(began, DAY));
    assert_ne!(desk.ended(&key, rejected(event, 500), later, 1.0), Noted::GaveUp);
    assert_eq!(desk.lane(&key).unwrap().failures, 1);
    assert_eq!(drain(&mut desk, &all, clock::later(later, MINUTE)), [1, 3]);
}

#[test]
fn one_event_that_is_sent_again_takes_none_with_it_however_its_design_waits() {
    let designs = ["a"; 9];
    let all = all(&designs);
    let mut desk = with(&designs[..6]);
    assert_eq!(drain(&mut desk, &all, at(MINUTE)), [1, 2, 3, 4, 5, 6]);
    // Into no lane, twice; then new ones come behind them.
    again(&mut desk, &all, 1, 2);
    again(&mut desk, &all, 4, 5);
    assert_eq!(desk.pending().0, 2);
    for event in &all[6..8] {
        desk.admit(event);
        desk.scanned_to(event.seq);
    }
    // Before all, between them, and what waits already.
    for (after, through) in [(0, 1), (2, 3), (1, 2), (6, 8)] {
        again(&mut desk, &all, after, through);
    }
    assert_eq!(desk.pending().0, 6);
    desk.admit(&all[8]);
    desk.scanned_to(Seq(9));
    assert_eq!(drain(&mut desk, &all, at(MINUTE)), [1, 2, 3, 5, 7, 8, 9]);
    assert_eq!(desk.pending(), (0, None));
}

#[test]
fn what_would_go_before_one_that_is_being_sent_waits_for_its_end() {
    let all = all(&["a", "a", "a"]);
    let mut desk = with(&["a", "a", "a"]);
    deliver(&mut desk, at(MINUTE));
    let turn = desk.next(at(MINUTE)).unwrap();
    desk.replay(&tenant(), Seq(0), Seq(1));
    assert!(!take_in(&mut desk, &all));
    desk.ended(&turn.lane, Ended::Delivered(Arc::clone(&all[1])), at(MINUTE), 1.0);
    assert!(take_in(&mut desk, &all));
    assert_eq!(drain(&mut desk, &all, at(MINUTE)), [1, 3]);
}

#[test]
fn requests_are_kept_apart_up_to_a_limit_and_go_no_further_than_what_is_scanned() {
    let designs = ["a"; 2 * MOST_REPLAYS + 4];
    let all = all(&designs);
    let mut desk = with(&designs);
    drain(&mut desk, &all, at(MINUTE));
    let last = designs.len() as u64;
    desk.replay(&tenant(), Seq(last - 1), Seq(u64::MAX));
    desk.replay(&tenant(), Seq(last), Seq(u64::MAX));
    assert_eq!(desk.replays.keys().map(|it| it.1).collect::<Vec<_>>(), [Seq(last)]);
    for at in 0..MOST_REPLAYS as u64 {
        desk.replay(&tenant(), Seq(2 * at), Seq(2 * at + 1));
    }
    assert_eq!(desk.replays.len(), MOST_REPLAYS, "the last two have become one");
    assert!(take_in(&mut desk, &all));
    assert_eq!(desk.lane(&LaneKey::of(&all[0])).unwrap().stretches.all().count(), MOST_STRETCHES);
    let sent = drain(&mut desk, &all, at(MINUTE));
    let odd = (0..MOST_REPLAYS as u64).map(|at| 2 * at + 1);
    assert!(odd.clone().all(|it| sent.contains(&it)), "{sent:?}");
    assert!(sent.is_sorted_by(|one, next| one < next) && sent.last() == Some(&last));
}

/// What happens to a target: an event of a design comes, some are asked for once more, or it is tried.
#[derive(Debug, Clone)]
enum Step {
    Comes(u8),
    Again(u64, u64),
    Tried(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0_u8..3).prop_map(Step::Comes),
        1 => (0_u64..12, 1_u64..4).prop_map(|(after, many)| Step::Again(after, after + many)),
        3 => any::<bool>().prop_map(Step::Tried),
    ];
    prop::collection::vec(step, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn each_event_is_taken_as_often_as_it_was_asked_for_or_once_where_it_still_waited(steps in steps()) {
        let (mut desk, mut all) = (desk(), Vec::<Arc<Event>>::new());
        // How often each was asked for, and taken, and whether it is still to be taken.
        let (mut asked, mut taken, mut due) = (vec![0], vec![0], vec![false]);
        let mut now = at(MINUTE);
        let try_one = |desk: &mut Desk, all: &[Arc<Event>], now: &mut Timestamp, works: bool| {
            let Some(turn) = desk.next(*now) else {
                *now = desk.next_wake().unwrap_or(*now);
                return None;
            };
            let event = front(&turn, all);
            let place = event.seq.0 as usize;
            let how = if works { Ended::Delivered(event) } else { rejected(event, 503) };
            desk.ended(&turn.lane, how, *now, 0.5);
            works.then_some(place)
        };
        for step in steps {
            match step {
                Step::Comes(design) => {
                    let event = event(all.len() as u64 + 1, &format!("{design}"));
                    prop_assert!(desk.admit(&event));
                    desk.scanned_to(event.seq);
                    all.push(event);
                    asked.push(1);
                    taken.push(0);
                    due.push(true);
                }
                Step::Again(after, through) => {
                    again(&mut desk, &all, after, through);
                    for place in all.iter().map(|it| it.seq.0).filter(|it| *it > after && *it <= through) {
                        asked[place as usize] += 1;
                        due[place as usize] = true;
                    }
                }
                Step::Tried(works) => {
                    if let Some(place) = try_one(&mut desk, &all, &mut now, works) {
                        prop_assert!(due[place], "{place} was not asked for");
                        taken[place] += 1;
                        due[place] = false;
                    }
                }
            }
            let waiting = due.iter().filter(|it| **it).count() as u64;
            prop_assert_eq!(desk.pending().0, waiting);
        }
        while desk.pending().0 > 0 {
            if let Some(place) = try_one(&mut desk, &all, &mut now, true) {
                prop_assert!(due[place], "{place} was not asked for");
                taken[place] += 1;
                due[place] = false;
            }
        }
        prop_assert!(due.iter().all(|it| !it), "not sent: {due:?}");
        prop_assert!(taken.iter().zip(&asked).all(|(taken, asked)| taken <= asked));
        prop_assert!(desk.lanes.is_empty());
    }
}
