mod again;

use proptest::prelude::*;

use super::super::sender::Failure;
use super::*;
use crate::domain::{Delivery, DesignId, event::Source};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const LIMITS: Limits = Limits { at_once: 4, retry_for: DAY, disable_after: Duration::from_secs(5 * 86_400) };

fn at(after: Duration) -> Timestamp {
    clock::later(Timestamp::UNIX_EPOCH, after)
}

fn event(seq: u64, design: &str) -> Arc<Event> {
    let tenant = TenantId::parse("acme").unwrap();
    let delivery = Delivery {
        name: "performance_simulation_job_completed".to_owned(),
        tenant: Some(tenant.clone()),
        design: Some(DesignId::parse(design).unwrap()),
        project: None,
        job: None,
        status: Some("succeeded".to_owned()),
        parameters: Vec::new(),
        received_at: at(Duration::from_secs(seq)),
        source: Source::Webhook,
    };
    Arc::new(Event { seq: Seq(seq), tenant, project: None, delivery, summary_read: true, replay_of: None })
}

fn desk() -> Desk {
    Desk::new(Seq(0), Health::default(), LIMITS)
}

/// A desk with these events, numbered from 1.
fn with(designs: &[&str]) -> Desk {
    let mut desk = desk();
    for (at, design) in designs.iter().enumerate() {
        let event = event(at as u64 + 1, design);
        assert!(desk.admit(&event));
        desk.scanned_to(event.seq);
    }
    desk
}

fn rejected(event: Arc<Event>, status: u16) -> Ended {
    Ended::Rejected(event, Failure::Status(status).into())
}

/// Takes a turn for the event in front of the next lane, which must be held.
fn turn(desk: &mut Desk, now: Timestamp) -> Option<(LaneKey, Arc<Event>)> {
    let turn = desk.next(now)?;
    Some((turn.lane, turn.head.expect("the event is held")))
}

fn fail(desk: &mut Desk, now: Timestamp) -> Noted {
    let (key, event) = turn(desk, now).expect("a turn");
    desk.ended(&key, rejected(event, 500), now, 1.0)
}

fn deliver(desk: &mut Desk, now: Timestamp) -> (u64, Noted) {
    let (key, event) = turn(desk, now).expect("a turn");
    (event.seq.0, desk.ended(&key, Ended::Delivered(event), now, 1.0))
}

#[test]
fn a_message_that_fails_holds_up_its_own_design_only() {
    let mut desk = with(&["a", "b", "a"]);
    assert_eq!(fail(&mut desk, at(MINUTE)), Noted::BeganToFail);
    assert_eq!(deliver(&mut desk, at(MINUTE)).0, 2);
    assert!(desk.next(at(MINUTE)).is_none());
    let wake = desk.next_wake().unwrap();
    assert_eq!(deliver(&mut desk, wake).0, 1);
    // The second of its lane is in the journal and not in memory.
    let next = desk.next(wake).unwrap();
    assert_eq!((next.after, next.through, next.head), (Seq(1), Seq(3), None));
    assert_eq!(desk.pending().0, 1);
}

#[test]
fn a_target_that_takes_nothing_for_days_is_disabled_and_goes_on_where_it_was() {
    let mut desk = with(&["a", "b"]);
    let mut now = at(MINUTE);
    let why = loop {
        match fail(&mut desk, now) {
            Noted::Disabled(why) => break why,
            Noted::GaveUp => panic!("nothing is given up while nothing is taken"),
            _ => now = desk.next_wake().map_or(now, |at| at.max(now)),
        }
    };
    assert_eq!(why, Disabled::Failing);
    assert!(clock::between(at(MINUTE), now) >= LIMITS.disable_after);
    now = clock::later(now, 30 * DAY);
    assert!(desk.next(now).is_none() && desk.next_wake().is_none() && !desk.takes_more());
    assert_eq!(desk.pending().0, 2);
    desk.enable();
    let mut taken = [deliver(&mut desk, now).0, deliver(&mut desk, now).0];
    taken.sort_unstable();
    assert_eq!(taken, [1, 2]);
}

#[test]
fn a_message_that_alone_fails_for_a_day_is_given_up_and_its_lane_goes_on() {
    let mut desk = with(&["a", "a"]);
    let mut now = at(MINUTE);
    let mut seq = 2;
    loop {
        seq += 1;
        desk.admit(&event(seq, &format!("other {seq}")));
        let (mut gave_up, mut turns) = (false, 0);
        while let Some((key, event)) = turn(&mut desk, now) {
            turns += 1;
            let is_bad = event.seq == Seq(1);
            let how = if is_bad { rejected(event, 400) } else { Ended::Delivered(event) };
            gave_up |= desk.ended(&key, how, now, 1.0) == Noted::GaveUp;
            if gave_up {
                break;
            }
        }
        if gave_up {
            break;
        }
        assert!(turns > 0, "nothing was due at {now}");
        now = desk.next_wake().unwrap();
    }
    assert!(clock::between(at(MINUTE), now) >= DAY);
    assert!(clock::between(at(MINUTE), now) < 2 * DAY);
    assert_eq!(desk.health.given_up, 1);
    let next = desk.next(now).unwrap();
    assert_eq!((next.after, next.through), (Seq(1), Seq(2)));
}

#[test]
fn a_suspected_target_gets_one_message_at_a_time_and_its_first_answer_lets_all_go() {
    let mut desk = with(&["a", "b", "c", "d", "e", "f", "g"]);
    for _ in 0..5 {
        fail(&mut desk, at(MINUTE));
    }
    let (key, event) = turn(&mut desk, at(MINUTE)).unwrap();
    assert!(desk.next(at(MINUTE)).is_none(), "one is under way");
    assert_eq!(desk.ended(&key, Ended::Delivered(event), at(MINUTE), 1.0), Noted::Recovered);
    for _ in 0..4 {
        assert!(desk.next(at(MINUTE)).is_some());
    }
    assert!(desk.next(at(MINUTE)).is_none());
}

#[test]
fn retry_after_holds_all_lanes_and_410_ends_them() {
    let mut desk = with(&["a", "b", "c"]);
    let (key, event) = turn(&mut desk, at(MINUTE)).unwrap();
    let busy = Rejected { failure: Failure::Status(429), retry_after: Some(10 * MINUTE) };
    desk.ended(&key, Ended::Rejected(event, busy), at(MINUTE), 0.0);
    assert!(desk.next(at(10 * MINUTE)).is_none());
    assert_eq!(desk.next_wake(), Some(at(11 * MINUTE)));
    let (key, event) = turn(&mut desk, at(11 * MINUTE)).unwrap();
    let noted = desk.ended(&key, rejected(event, 410), at(11 * MINUTE), 0.0);
    assert_eq!(noted, Noted::Disabled(Disabled::Gone));
    assert!(desk.next(at(DAY)).is_none());
}

#[test]
fn memory_is_bounded_and_what_does_not_fit_stays_in_the_journal() {
    let mut desk = desk();
    let mut seq = 0;
    loop {
        seq += 1;
        if !desk.admit(&event(seq, &format!("d{seq}"))) {
            break;
        }
        desk.scanned_to(Seq(seq));
    }
    assert_eq!(desk.lanes.len(), MOST_LANES);
    assert!(!desk.takes_more());
    // More of a design that waits already costs nothing.
    assert!(desk.admit(&event(seq, "d1")));
    for _ in 0..MOST_LANES / 2 + 1 {
        assert!(!desk.takes_more());
        deliver(&mut desk, at(MINUTE));
    }
    assert!(desk.takes_more());
}

#[test]
fn what_waits_in_the_journal_is_counted_once() {
    let mut desk = with(&["a"]);
    desk.disable(at(MINUTE));
    desk.ahead = Ahead { through: Seq(3), ..Ahead::default() };
    desk.count_ahead(&event(2, "b"));
    desk.count_ahead(&event(3, "c"));
    assert_eq!(desk.pending(), (3, Some(at(Duration::from_secs(1)))));
    desk.enable();
    for seq in [2, 3] {
        assert!(desk.admit(&event(seq, if seq == 2 { "b" } else { "c" })));
        desk.scanned_to(Seq(seq));
        assert_eq!(desk.pending().0, 3);
    }
    assert_eq!(desk.ahead.events, 0);
}

#[test]
fn what_came_into_a_lane_while_it_was_searched_in_vain_is_not_dropped_with_it() {
    let mut desk = with(&["a", "a"]);
    deliver(&mut desk, at(MINUTE));
    // The second is in the journal only, where its time runs out before its turn.
    let turn = desk.next(at(MINUTE)).unwrap();
    assert_eq!((turn.head, turn.through), (None, Seq(2)));
    assert!(desk.admit(&event(3, "a")));
    desk.ended(&turn.lane, Ended::Empty(turn.through), at(MINUTE), 1.0);
    let next = desk.next(at(MINUTE)).expect("the third waits");
    assert_eq!((next.after, next.through), (Seq(2), Seq(3)));
    desk.ended(&next.lane, Ended::Empty(next.through), at(MINUTE), 1.0);
    assert!(desk.next(at(MINUTE)).is_none() && desk.lanes.is_empty());
}

#[test]
fn a_lane_that_is_gone_costs_neither_a_place_nor_the_turn_of_another() {
    let mut desk = with(&["a", "b"]);
    let gone = LaneKey::of(&event(9, "gone"));
    for _ in 0..=LIMITS.at_once {
        desk.ready.push_front(gone.clone());
    }
    assert_eq!([deliver(&mut desk, at(MINUTE)).0, deliver(&mut desk, at(MINUTE)).0], [1, 2]);
    assert_eq!(desk.running, 0);
}

/// A receiver that fails at random, and a courier that does what the desk says. Gives what was taken, and how many were
/// given up: a day of bad luck is possible.
fn run(designs: &[u8], luck: &[bool]) -> (Vec<(u8, u64)>, usize) {
    let mut desk = desk();
    let all: Vec<_> =
        designs.iter().enumerate().map(|(at, it)| event(at as u64 + 1, &format!("{it}"))).collect();
    for event in &all {
        assert!(desk.admit(event));
        desk.scanned_to(event.seq);
    }
    let (mut now, mut taken, mut luck) = (at(MINUTE), Vec::new(), luck.iter().copied());
    let mut given_up = 0;
    loop {
        let Some(turn) = desk.next(now) else {
            match desk.next_wake() {
                Some(at) => now = at,
                None => return (taken, given_up),
            }
            continue;
        };
        let first = all.iter().find(|it| LaneKey::of(it) == turn.lane && it.seq > turn.after);
        let first = Arc::clone(first.expect("a lane has something in it"));
        assert!(turn.head.is_none_or(|it| it.seq == first.seq), "what is held is the first");
        let how = if luck.next().unwrap_or(true) {
            let design = first.delivery.design.as_ref().unwrap().as_str().parse().unwrap();
            taken.push((design, first.seq.0));
            Ended::Delivered(first)
        } else {
            rejected(first, 503)
        };
        given_up += usize::from(desk.ended(&turn.lane, how, now, 0.5) == Noted::GaveUp);
    }
}

proptest! {
    #[test]
    fn each_message_is_taken_once_and_those_of_a_design_in_their_order(
        designs in prop::collection::vec(0_u8..5, 0..40),
        luck in prop::collection::vec(any::<bool>(), 0..60),
    ) {
        let (taken, given_up) = run(&designs, &luck);
        prop_assert_eq!(taken.len() + given_up, designs.len());
        for design in 0..5 {
            let order: Vec<_> = taken.iter().filter(|it| it.0 == design).map(|it| it.1).collect();
            prop_assert!(order.is_sorted_by(|a, b| a < b), "{order:?}");
        }
    }
}
