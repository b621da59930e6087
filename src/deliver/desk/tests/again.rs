//! What is sent once more because an operator asked for it: that, and nothing else.

use super::*;
use crate::deliver::{
    desk::{MOST_REPLAYS, TooMany, stretches::MOST_STRETCHES},
    progress,
};

fn tenant() -> TenantId {
    TenantId::parse("acme").unwrap()
}

/// Takes in what was asked for, as far as there is room, and says whether all of it was.
fn take_in(desk: &mut Desk, all: &[Arc<Event>]) -> bool {
    take_in_each(desk, all, |_| {})
}

fn take_in_each(desk: &mut Desk, all: &[Arc<Event>], mut taken_in: impl FnMut(&Event)) -> bool {
    while let Some((key, replay)) = desk.replays.first_key_value().map(|(key, it)| (key.clone(), *it)) {
        for event in all.iter().filter(|it| it.seq > replay.after && it.seq <= key.1) {
            if !desk.admit_again(event, replay.since) {
                return false;
            }
            taken_in(event);
            desk.replayed_to(&key, event.seq);
        }
        desk.replayed_to(&key, key.1);
    }
    true
}

/// The same desk behind a restart: what was under way is not known any more, nor whatever else is not written down.
fn restarted(desk: &Desk, now: Timestamp) -> Desk {
    let mut after = Desk::new(desk.scanned, desk.health.clone(), LIMITS);
    for (key, lane) in &desk.lanes {
        let further = progress::written(&lane.stretches).map(|text| progress::read(&text).unwrap());
        let stretches = lane.stretches.all().take(1).chain(further.unwrap_or_default());
        let mut kept = Lane::kept(Stretches::kept(stretches), lane.oldest);
        (kept.events, kept.failures) = (lane.events, lane.failures);
        (kept.failing_since, kept.next_at) = (lane.failing_since, lane.next_at);
        after.restore(key.clone(), kept, now);
    }
    for (key, replay) in &desk.replays {
        after.replays.insert(key.clone(), Replay::new(replay.after));
    }
    after
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
    desk.replay(&tenant(), Seq(after), Seq(through)).unwrap();
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
    desk.replay(&tenant(), Seq(0), Seq(1)).unwrap();
    assert!(!take_in(&mut desk, &all));
    assert!(!desk.takes_more_again() && desk.takes_more());
    desk.ended(&turn.lane, Ended::Delivered(Arc::clone(&all[1])), at(MINUTE), 1.0);
    assert!(desk.takes_more_again() && take_in(&mut desk, &all));
    assert_eq!(drain(&mut desk, &all, at(MINUTE)), [1, 3]);
}

#[test]
fn requests_are_kept_apart_up_to_a_limit_and_go_no_further_than_what_is_scanned() {
    let designs = ["a"; 2 * MOST_REPLAYS + 4];
    let all = all(&designs);
    let mut desk = with(&designs);
    drain(&mut desk, &all, at(MINUTE));
    let last = designs.len() as u64;
    desk.replay(&tenant(), Seq(last - 1), Seq(u64::MAX)).unwrap();
    desk.replay(&tenant(), Seq(last), Seq(u64::MAX)).unwrap();
    assert_eq!(desk.replays.keys().map(|it| it.1).collect::<Vec<_>>(), [Seq(last)]);
    // Newest first, as a script may ask that goes through what was given up.
    let odd = (0..MOST_REPLAYS as u64).map(|at| 2 * at + 1);
    for at in odd.clone().rev() {
        let asked = desk.replay(&tenant(), Seq(at - 1), Seq(at));
        assert_eq!(asked, if at == 1 { Err(TooMany) } else { Ok(()) });
    }
    // What is asked for already may be asked for again; and another tenant is not held up.
    assert_eq!(desk.replay(&tenant(), Seq(2), Seq(3)), Ok(()));
    assert_eq!(desk.replay(&TenantId::parse("other").unwrap(), Seq(0), Seq(1)), Ok(()));
    let asked: Vec<_> =
        desk.replays.iter().filter(|it| it.0.0 == tenant()).map(|it| (it.1.after, it.0.1)).collect();
    let apart = odd.skip(1).chain([last]).map(|it| (Seq(it - 1), Seq(it)));
    assert_eq!(asked, apart.collect::<Vec<_>>());
}

#[test]
fn a_lane_has_so_many_stretches_and_joins_the_nearest_above_that() {
    let designs = ["a"; 2 * MOST_STRETCHES + 4];
    let all = all(&designs);
    let mut desk = with(&designs);
    drain(&mut desk, &all, at(MINUTE));
    let odd = (0..=MOST_STRETCHES as u64).map(|at| 2 * at + 1);
    for at in odd.clone() {
        again(&mut desk, &all, at - 1, at);
    }
    assert_eq!(desk.lane(&LaneKey::of(&all[0])).unwrap().stretches.all().count(), MOST_STRETCHES);
    let sent = drain(&mut desk, &all, at(MINUTE));
    assert!(odd.clone().all(|it| sent.contains(&it)), "{sent:?}");
    assert!(sent.is_sorted_by(|one, next| one < next));
}

#[test]
fn what_is_sent_again_leaves_half_of_the_room_to_what_is_new() {
    let designs: Vec<_> = (0..MOST_LANES).map(|at| format!("d{at}")).collect();
    let designs: Vec<_> = designs.iter().map(String::as_str).collect();
    let all = all(&designs);
    let mut desk = with(&designs);
    drain(&mut desk, &all, at(MINUTE));
    desk.replay(&tenant(), Seq(0), Seq(u64::MAX)).unwrap();
    assert!(!take_in(&mut desk, &all));
    assert_eq!((desk.lanes.len(), desk.takes_more_again()), (MOST_LANES / 2, false));
    // A restart lets no more in.
    let mut behind = restarted(&desk, at(MINUTE));
    assert!(!take_in(&mut behind, &all));
    assert_eq!((behind.lanes.len(), behind.takes_more()), (MOST_LANES / 2, true));
    // What is new comes in all the same, and does not let more in.
    let new: Vec<_> = (1..=3).map(|at| event(MOST_LANES as u64 + at, &format!("new {at}"))).collect();
    for event in &new {
        assert!(desk.takes_more() && desk.admit(event));
        desk.scanned_to(event.seq);
    }
    assert!(!take_in(&mut desk, &all));
    while !desk.takes_more_again() {
        deliver(&mut desk, at(MINUTE));
    }
    // Not one by one: each is a page of the journal.
    assert_eq!(desk.lanes.len(), MOST_LANES / 4 + new.len());
    assert!(!take_in(&mut desk, &all));
    assert_eq!(desk.lanes.len(), MOST_LANES / 2 + new.len());
    let mut sent = Vec::new();
    while !desk.replays.is_empty() || desk.pending().0 > 0 {
        sent.push(deliver(&mut desk, at(MINUTE)).0);
        take_in(&mut desk, &all);
    }
    assert!(new.iter().all(|it| sent.contains(&it.seq.0)));
}

#[test]
fn what_a_lane_has_lost_is_told_once_however_many_stretches_it_lay_in() {
    let designs = ["a"; 4];
    let all = all(&designs);
    let mut desk = with(&designs);
    drain(&mut desk, &all, at(MINUTE));
    desk.disable(at(MINUTE));
    again(&mut desk, &all, 0, 1);
    again(&mut desk, &all, 2, 3);
    desk.enable();
    // The first is not held any more after a restart; by then both are too old, which the search of the first finds.
    let lane = desk.lanes.values_mut().next().unwrap();
    lane.front_is(None);
    let turn = desk.next(at(MINUTE)).unwrap();
    assert_eq!((turn.through, turn.events), (Seq(1), 2));
    desk.lost(&turn.lane, 2);
    desk.ended(&turn.lane, Ended::Empty(turn.through), at(MINUTE), 1.0);
    let turn = desk.next(at(MINUTE)).unwrap();
    assert_eq!((turn.through, turn.events), (Seq(3), 0));
}

/// What happens to a target: an event of a design comes, some are asked for once more, a try begins, or ends; or the gateway
/// ends in the middle of all that and starts again.
#[derive(Debug, Clone)]
enum Step {
    Comes(u8),
    Again(u64, u64),
    Begins,
    Ends(bool),
    Restarts,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0_u8..3).prop_map(Step::Comes),
        3 => (0_u64..12, 1_u64..4).prop_map(|(after, many)| Step::Again(after, after + many)),
        6 => Just(Step::Begins),
        5 => any::<bool>().prop_map(Step::Ends),
        1 => Just(Step::Restarts),
    ];
    prop::collection::vec(step, 0..80)
}

/// A desk, and what is to become of each event by its place.
struct History {
    desk: Desk,
    now: Timestamp,
    all: Vec<Arc<Event>>,
    open: VecDeque<(LaneKey, Arc<Event>)>,
    /// How often it was asked for.
    asked: Vec<u32>,
    taken: Vec<u32>,
    /// Whether it is to be taken, and whether it is asked for and not taken in yet.
    due: Vec<bool>,
    owed: Vec<bool>,
}

impl History {
    fn new() -> Self {
        Self {
            desk: desk(),
            now: at(MINUTE),
            all: Vec::new(),
            open: VecDeque::new(),
            asked: vec![0],
            taken: vec![0],
            due: vec![false],
            owed: vec![false],
        }
    }

    fn does(&mut self, step: &Step) {
        match *step {
            Step::Comes(design) => self.comes(design),
            Step::Again(after, through) => self.asks_again(after, through),
            Step::Begins => self.begins(),
            Step::Ends(works) => self.ends(works),
            Step::Restarts => self.restarts(),
        }
        let (due, owed) = (&mut self.due, &mut self.owed);
        take_in_each(&mut self.desk, &self.all, |event| {
            let place = event.seq.0 as usize;
            (due[place], owed[place]) = (true, false);
        });
        assert_eq!(self.desk.pending().0, self.due.iter().filter(|it| **it).count() as u64);
    }

    fn comes(&mut self, design: u8) {
        let event = event(self.all.len() as u64 + 1, &format!("{design}"));
        assert!(self.desk.admit(&event));
        self.desk.scanned_to(event.seq);
        self.all.push(event);
        self.asked.push(1);
        self.taken.push(0);
        self.due.push(true);
        self.owed.push(false);
    }

    fn asks_again(&mut self, after: u64, through: u64) {
        self.desk.replay(&tenant(), Seq(after), Seq(through)).unwrap();
        for event in self.all.iter().filter(|it| it.seq.0 > after && it.seq.0 <= through) {
            self.asked[event.seq.0 as usize] += 1;
            self.owed[event.seq.0 as usize] = true;
        }
    }

    fn begins(&mut self) {
        let Some(turn) = self.desk.next(self.now) else {
            self.now = self.desk.next_wake().unwrap_or(self.now);
            return;
        };
        let event = front(&turn, &self.all);
        let place = event.seq.0 as usize;
        assert!(self.due[place], "{place} was not asked for");
        let its = |it: &&Arc<Event>| LaneKey::of(it) == turn.lane;
        let first = self.all.iter().filter(its).find(|it| self.due[it.seq.0 as usize]).unwrap();
        assert_eq!(first.seq, event.seq, "another of its design is to come before it");
        assert!(self.open.iter().all(|(lane, _)| *lane != turn.lane), "one of a design at a time");
        self.open.push_back((turn.lane, event));
    }

    fn ends(&mut self, works: bool) {
        let Some((lane, event)) = self.open.pop_front() else { return };
        let place = event.seq.0 as usize;
        let how = if works { Ended::Delivered(event) } else { rejected(event, 503) };
        let noted = self.desk.ended(&lane, how, self.now, 0.5);
        self.taken[place] += u32::from(works);
        self.due[place] &= !works && noted != Noted::GaveUp;
    }

    fn restarts(&mut self) {
        self.open.clear();
        self.desk = restarted(&self.desk, self.now);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn each_event_is_taken_in_order_as_often_as_it_was_asked_for_or_once_where_it_still_waited(steps in steps()) {
        let mut history = History::new();
        for step in &steps {
            history.does(step);
        }
        while history.desk.pending().0 > 0 || !history.desk.replays.is_empty() {
            history.does(&Step::Begins);
            history.does(&Step::Ends(true));
        }
        prop_assert!(history.due.iter().chain(&history.owed).all(|it| !it), "not sent: {:?}", history.due);
        prop_assert!(history.taken.iter().zip(&history.asked).all(|(taken, asked)| taken <= asked));
        prop_assert!(history.desk.lanes.is_empty());
    }
}
