//! Who is served next.

use std::collections::HashMap;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::domain::{Delivery, DesignId, ProjectId, event::Source};

fn tenant(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

fn delivery(seq: u64, of: &str, design: Option<&str>, project: Option<&str>) -> Waiting {
    let delivery = Delivery {
        name: if design.is_some() { "performance_simulation_job_completed" } else { "project_changed" }
            .into(),
        tenant: Some(tenant(of)),
        design: design.map(|it| DesignId::parse(it).unwrap()),
        project: project.map(|it| ProjectId::parse(it).unwrap()),
        job: None,
        status: design.map(|_| "succeeded".to_owned()),
        parameters: Vec::new(),
        received_at: Timestamp::UNIX_EPOCH,
        source: Source::Webhook,
    };
    Waiting { seq: Seq(seq), delivery, replay: None }
}

fn completion(seq: u64, of: &str, design: &str) -> Waiting {
    delivery(seq, of, Some(design), None)
}

const LATER: Turn = Turn { settled: 0, wait: Some(Wait::AtLeast(Duration::ZERO)) };
const UNCONNECTED: Turn = Turn { settled: 0, wait: Some(Wait::Key) };
const DONE: Turn = Turn { settled: 1, wait: None };

fn all_next(board: &mut Board, now: Instant) -> Vec<Work> {
    std::iter::from_fn(|| board.next(now)).collect()
}

#[test]
fn a_tenant_with_a_backlog_takes_its_share_and_no_more() {
    let (mut board, now) = (Board::default(), Instant::now());
    for seq in 1..=1_000 {
        board.add(completion(seq, "many", &format!("d{seq}")));
    }
    assert!(board.add(completion(1_001, "few", "d")));
    let begun = all_next(&mut board, now);
    assert_eq!(begun.iter().filter(|it| it.lane.tenant == tenant("many")).count(), LOOKS_PER_TENANT);
    assert!(begun.iter().any(|it| it.lane.tenant == tenant("few")));
}

#[test]
fn what_needs_no_look_overtakes_the_lanes_that_do_but_not_its_own() {
    let (mut board, now) = (Board::default(), Instant::now());
    for seq in 1..=100 {
        board.add(completion(seq, "acme", &format!("d{seq}")));
    }
    board.add(delivery(101, "acme", None, Some("p")));
    let mut failed = completion(102, "acme", "d1");
    failed.delivery.status = Some("failed".to_owned());
    board.add(failed);
    let begun = all_next(&mut board, now);
    assert_eq!((begun[0].kind, begun[0].batch[0].seq), (Kind::Quick, Seq(101)));
    assert!(begun[1..].iter().all(|it| it.kind == Kind::Look));
    assert_eq!(begun[1].batch.iter().map(|it| it.seq.0).collect::<Vec<_>>(), [1, 102]);
}

#[test]
fn a_lane_that_waits_gives_its_place_to_the_next() {
    let (mut board, now) = (Board::default(), Instant::now());
    for seq in 1..=9 {
        board.add(completion(seq, "acme", &format!("d{seq}")));
    }
    let mut tried = Vec::new();
    loop {
        let begun = all_next(&mut board, now);
        if begun.is_empty() {
            break;
        }
        for work in begun {
            board.finished(&work.lane, Some(LATER), now);
            tried.push(work.batch[0].seq.0);
        }
    }
    assert_eq!(tried, (1..=9).collect::<Vec<_>>());
    assert_eq!(board.next_wake(), Some(now + FIRST_PAUSE));
    assert_eq!(all_next(&mut board, now + FIRST_PAUSE).len(), LOOKS_PER_TENANT);
}

#[test]
fn a_token_wakes_the_lanes_of_its_tenant_only() {
    let (mut board, now) = (Board::default(), Instant::now());
    for (seq, of) in [(1, "acme"), (2, "other")] {
        board.add(completion(seq, of, "d"));
    }
    for work in all_next(&mut board, now) {
        board.finished(&work.lane, Some(LATER), now);
    }
    board.wake(&tenant("acme"));
    let begun = all_next(&mut board, now);
    assert_eq!(begun.iter().map(|it| it.batch[0].seq.0).collect::<Vec<_>>(), [1]);
}

#[test]
fn a_lane_whose_worker_broke_off_is_tried_again_and_holds_up_nobody() {
    let (mut board, now) = (Board::default(), Instant::now());
    board.add(completion(1, "acme", "d"));
    let work = board.next(now).unwrap();
    board.add(completion(2, "acme", "d"));
    board.finished(&work.lane, None, now);
    assert!(board.next(now).is_none());
    let again = board.next(now + LONGEST_PAUSE).unwrap();
    assert_eq!(again.batch.len(), 2);
    board.finished(&again.lane, Some(Turn { settled: 2, wait: None }), now);
    assert!(board.desks.is_empty());
    assert_eq!((board.looks_running, board.quick_running), (0, 0));
}

#[test]
fn a_lane_that_is_gone_takes_no_place_from_the_others() {
    let (mut board, now) = (Board::default(), Instant::now());
    let gone = LaneKey::of_delivery(&completion(9, "acme", "gone").delivery).unwrap();
    board.add(completion(1, "acme", "d"));
    board.add(delivery(2, "acme", None, Some("p")));
    for _ in 0..=QUICK.max(LOOKS) {
        board.quick.push_front(gone.clone());
        board.desks.get_mut(&gone.tenant).unwrap().ready.push_front(gone.clone());
    }
    // A turn of a tenant's that comes to nothing is no turn of the next one's.
    let begun: Vec<_> = (0..=LOOKS + 1).flat_map(|_| all_next(&mut board, now)).collect();
    assert_eq!(begun.iter().map(|it| it.batch[0].seq.0).collect::<Vec<_>>(), [2, 1]);
    for work in begun {
        board.finished(&work.lane, Some(DONE), now);
    }
    assert_eq!((board.looks_running, board.quick_running), (0, 0));
}

#[test]
fn what_a_full_tenant_left_on_disk_is_asked_for_when_there_is_room() {
    let (mut board, now) = (Board::default(), Instant::now());
    let most = WINDOW as u64;
    for seq in 1..=most {
        assert!(board.add(completion(seq, "acme", &format!("d{seq}"))));
    }
    assert!(!board.add(completion(most + 1, "acme", "e")));
    assert_eq!(board.lacking(), None);
    while board.lacking().is_none() {
        let work = board.next(now).unwrap();
        board.finished(&work.lane, Some(DONE), now);
    }
    let (whose, after, room) = board.lacking().unwrap();
    assert_eq!((whose.as_str(), after, room), ("acme", Seq(most), WINDOW / 2));
    board.catch_up(&whose, vec![completion(most + 1, "acme", "e")], room);
    assert_eq!(board.lacking(), None);
    assert!(!board.add(completion(most + 1, "acme", "e")), "it is held already");
    while let Some(work) = board.next(now) {
        board.finished(&work.lane, Some(Turn { settled: work.batch.len(), wait: None }), now);
    }
    assert!(board.desks.is_empty());
}

#[test]
fn a_tenant_without_a_key_asks_seldom_however_much_of_it_waits_and_at_once_when_one_comes() {
    let (mut board, start) = (Board::default(), Instant::now());
    for seq in 1..=100 {
        board.add(completion(seq, "acme", &format!("d{seq}")));
    }
    board.add(delivery(101, "acme", None, Some("p")));
    let (mut asked, mut now) = (0, start);
    let mut wakes = Vec::new();
    for _ in 0..9 {
        for work in all_next(&mut board, now) {
            let turn = if work.kind == Kind::Quick { DONE } else { UNCONNECTED };
            asked += usize::from(work.kind == Kind::Look);
            board.finished(&work.lane, Some(turn), now);
        }
        now = board.next_wake().unwrap();
        wakes.push((now - start).as_secs());
    }
    assert_eq!(wakes, [15, 45, 105, 225, 465, 945, 1545, 2145, 2745]);
    assert_eq!(asked, 9 * LOOKS_PER_TENANT, "what needs no call went out at once");

    board.wake(&tenant("acme"));
    let begun = all_next(&mut board, start);
    assert_eq!(begun.len(), LOOKS_PER_TENANT, "a key came");
    // It came while these were being asked, so what they found says nothing any more.
    board.wake(&tenant("acme"));
    for work in &begun {
        board.finished(&work.lane, Some(UNCONNECTED), start);
    }
    assert_eq!(all_next(&mut board, start).len(), LOOKS_PER_TENANT);
}

#[test]
fn what_needs_no_call_goes_ahead_of_a_window_that_is_stuck_and_is_held_once() {
    let (mut board, now) = (Board::default(), Instant::now());
    let most = WINDOW as u64;
    for seq in 1..=most + 3 {
        board.add(completion(seq, "acme", &format!("d{seq}")));
    }
    let plain = || vec![delivery(most + 4, "acme", None, Some("p"))];
    assert!(!board.add(plain().remove(0)));
    assert_eq!(board.blocked(), None, "its lanes are not stuck yet");
    for work in all_next(&mut board, now) {
        board.finished(&work.lane, Some(UNCONNECTED), now);
    }
    assert_eq!(board.blocked(), Some((tenant("acme"), Seq(most))));
    board.take_ahead(&tenant("acme"), plain());
    assert_eq!(board.blocked(), None, "it was asked for");
    let work = board.next(now).unwrap();
    assert_eq!((work.kind, work.batch[0].seq), (Kind::Quick, Seq(most + 4)));

    // The window opens before it is settled, and reaches it.
    board.wake(&tenant("acme"));
    while board.lacking().is_none() {
        let work = board.next(now).unwrap();
        board.finished(&work.lane, Some(DONE), now);
    }
    let (whose, _, room) = board.lacking().unwrap();
    board.catch_up(&whose, plain(), room);
    board.finished(&work.lane, Some(DONE), now);
    while let Some(work) = board.next(now) {
        assert_ne!(work.batch[0].seq, Seq(most + 4), "it is held twice");
        board.finished(&work.lane, Some(Turn { settled: work.batch.len(), wait: None }), now);
    }
    assert!(board.desks.is_empty() && board.next_wake().is_none());
}

#[test]
fn what_names_a_project_waits_for_what_named_it_before_in_whichever_lane_and_nobody_else_does() {
    let (mut board, now) = (Board::default(), Instant::now());
    board.add(completion(1, "acme", "d1"));
    let mut made = delivery(2, "acme", Some("d1"), Some("p"));
    made.delivery.status = None;
    board.add(made);
    board.add(delivery(3, "acme", None, Some("p")));
    board.add(completion(4, "acme", "d2"));
    board.add(delivery(5, "acme", None, Some("q")));
    let begun = all_next(&mut board, now);
    let seqs = |work: &Work| work.batch.iter().map(|it| it.seq.0).collect::<Vec<_>>();
    assert_eq!(begun.iter().map(seqs).collect::<Vec<_>>(), [vec![5], vec![1, 2], vec![4]]);
    board.finished(&begun[1].lane, Some(DONE), now);
    let again = all_next(&mut board, now);
    assert_eq!(again.iter().map(seqs).collect::<Vec<_>>(), [[2]], "the third comes behind the second");
    board.finished(&again[0].lane, Some(DONE), now);
    assert_eq!(all_next(&mut board, now).iter().map(seqs).collect::<Vec<_>>(), [[3]]);
}

/// What a delivery of the property below names: a design, a project, and whether it is a completion.
type Named = (Option<u8>, Option<u8>, bool);

fn named(seq: u64, (design, project, completed): Named) -> Waiting {
    let (design, project) = (design.map(|it| format!("d{it}")), project.map(|it| format!("p{it}")));
    let mut waiting = delivery(seq, "acme", design.as_deref(), project.as_deref());
    waiting.delivery.status = (completed && design.is_some()).then(|| "succeeded".to_owned());
    waiting
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn in_whatever_way_workers_end_each_delivery_goes_once_and_in_the_order_of_its_design_and_its_project(
        arriving in proptest::collection::vec(
            (proptest::option::of(0_u8..3), proptest::option::of(0_u8..2), any::<bool>()), 1..40),
        chances in proptest::collection::vec(any::<u8>(), 60),
    ) {
        let (mut board, mut now) = (Board::default(), Instant::now());
        let mut chances = chances.into_iter().chain(std::iter::repeat(255));
        let mut arriving = arriving.into_iter().enumerate().map(|(at, it)| named(at as u64 + 1, it)).peekable();
        let (mut running, mut gone): (Vec<Work>, Vec<Arc<Waiting>>) = (Vec::new(), Vec::new());
        let count = arriving.len();
        while gone.len() < count {
            let chance = usize::from(chances.next().unwrap());
            if arriving.peek().is_some() && (chance % 3 == 0 || running.is_empty()) {
                board.add(arriving.next().unwrap());
            }
            running.extend(all_next(&mut board, now));
            if running.is_empty() {
                now += LONGEST_PAUSE;
                continue;
            }
            let work = running.swap_remove(chance % running.len());
            prop_assert!(!work.batch.is_empty());
            let settled = if chance == 255 { work.batch.len() } else { chance % (work.batch.len() + 1) };
            let wait = (settled < work.batch.len()).then_some(Wait::AtLeast(Duration::ZERO));
            gone.extend(work.batch[..settled].iter().cloned());
            board.finished(&work.lane, (chance != 7).then_some(Turn { settled, wait }), now);
            if chance == 7 {
                // It broke off: what it had done is not known to the board, and here it had done nothing.
                gone.truncate(gone.len() - settled);
            }
        }
        let mut last: HashMap<String, Seq> = HashMap::new();
        for waiting in &gone {
            let design = waiting.delivery.design.as_ref().map(|it| format!("design {it}"));
            let project = waiting.delivery.project.as_ref().map(|it| format!("project {it}"));
            for of in design.into_iter().chain(project) {
                let before = last.insert(of.clone(), waiting.seq);
                prop_assert!(before < Some(waiting.seq), "{of}: {:?} behind {before:?}", waiting.seq);
            }
        }
        prop_assert!(board.desks.is_empty());
        prop_assert_eq!((board.looks_running, board.quick_running), (0, 0));
    }
}
