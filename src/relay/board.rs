//! Who is served next: what is held of each tenant, lane by lane. No clock, no task, no I/O in here.
//!
//! Invariants: deliveries of one lane leave it in their order, and so do those that name one project, over all lanes; a
//! lane is with at most one worker; a tenant that is full, waits or is slow takes nothing from the others. A worker that
//! broke off keeps nothing.

mod order;
mod stopped;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use order::Projects;
pub(super) use stopped::AHEAD;
use stopped::FIRST_PARKING;
use tokio::time::Instant;

use crate::{
    domain::{LaneKey, Seq, TenantId},
    journal::Waiting,
};

/// Deliveries of a tenant that are held in memory. The rest waits on disk.
pub(super) const WINDOW: usize = 256;

/// Lanes that ask Aurora at the same time. A lane that has to wait gives its place back, so this bounds calls.
const LOOKS: usize = 64;

/// The same of one tenant. Aurora allows a key about 90 calls a minute, so more would only queue in the client.
const LOOKS_PER_TENANT: usize = 4;

/// Lanes that announce what needs no call at the same time. Each is a short write.
const QUICK: usize = 16;

/// The first pause of a lane that has to wait; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// What a worker is to do.
#[derive(Debug, Clone)]
pub(super) struct Work {
    pub(super) lane: LaneKey,
    pub(super) kind: Kind,
    pub(super) batch: Vec<Arc<Waiting>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Announce; nothing has to be asked.
    Quick,
    /// Ask Aurora, then announce.
    Look,
}

/// How a worker's turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn {
    /// So many, from the front, are settled.
    pub(super) settled: usize,
    /// The next one has to wait.
    pub(super) wait: Option<Wait>,
}

/// What a delivery waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// A better moment, in so long at the earliest.
    AtLeast(Duration),
    /// A key for its tenant: the others of the tenant need not ask.
    Key,
}

#[derive(Default)]
pub(super) struct Board {
    /// How far everybody's deliveries have been seen.
    pub(super) seen: Seq,
    desks: HashMap<TenantId, Desk>,
    /// Tenants with lanes that are ready to look, each once, in the order of their turns.
    turns: VecDeque<TenantId>,
    quick: VecDeque<LaneKey>,
    resting: BTreeSet<(Instant, LaneKey)>,
    /// Tenants that are not connected, by when one of their lanes may try again.
    parked: BTreeSet<(Instant, TenantId)>,
    looks_running: usize,
    quick_running: usize,
}

/// What is held of one tenant.
#[derive(Default)]
struct Desk {
    loaded: Seq,
    /// More of it waits on disk.
    behind: bool,
    held: usize,
    lanes: HashMap<LaneKey, Lane>,
    projects: Projects,
    ready: VecDeque<LaneKey>,
    in_turns: bool,
    looks_running: usize,
    /// Until when its lanes do not look, and how long the next such pause is to be.
    parked: Option<Instant>,
    parking: Duration,
    /// How often it was woken. What a lane found before says nothing of what is true since.
    wakes: u64,
    /// Whether those behind the window that need no call have been asked for since the last time that this could help.
    looked_ahead: bool,
}

struct Lane {
    queue: VecDeque<Arc<Waiting>>,
    state: State,
    pause: Duration,
    /// [`Desk::wakes`] when its worker began.
    begun_at: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Ready,
    Running(Kind),
    Resting(Instant),
    /// Something of another lane comes first, by the order of its project.
    Blocked,
}

impl Desk {
    /// How many of a lane, from the front, may go now.
    fn free(&self, key: &LaneKey) -> usize {
        let lane = self.lanes.get(key);
        lane.map_or(0, |lane| lane.queue.iter().take_while(|it| self.projects.allow(it, key)).count())
    }
}

impl Board {
    /// Takes a delivery in. One of a tenant that is full is left on disk, to be [asked for](Self::lacking) later.
    /// Says whether it is held now.
    pub(super) fn add(&mut self, delivery: Waiting) -> bool {
        let Some(key) = LaneKey::of_delivery(&delivery.delivery) else { return false };
        let desk = self.desks.entry(key.tenant.clone()).or_default();
        if delivery.seq <= desk.loaded {
            return false;
        }
        if desk.held >= WINDOW || desk.behind {
            desk.behind = true;
            desk.looked_ahead = false;
            return false;
        }
        self.hold(key, delivery);
        true
    }

    fn hold(&mut self, key: LaneKey, delivery: Waiting) {
        let desk = self.desks.entry(key.tenant.clone()).or_default();
        desk.loaded = delivery.seq.max(desk.loaded);
        self.enqueue(key, delivery);
    }

    fn enqueue(&mut self, key: LaneKey, delivery: Waiting) {
        let desk = self.desks.entry(key.tenant.clone()).or_default();
        let lane = desk.lanes.entry(key.clone()).or_insert_with(|| Lane {
            queue: VecDeque::new(),
            state: State::Idle,
            pause: FIRST_PAUSE,
            begun_at: 0,
        });
        if lane.queue.iter().any(|held| held.seq == delivery.seq) {
            // It was taken ahead of its turn.
            return;
        }
        desk.held += 1;
        desk.projects.hold(&delivery, &key);
        lane.queue.push_back(Arc::new(delivery));
        if lane.state == State::Idle {
            self.make_ready(&key);
        }
    }

    /// A tenant whose deliveries wait on disk and who has room: the tenant, where to go on, and how many to take.
    pub(super) fn lacking(&self) -> Option<(TenantId, Seq, usize)> {
        // Half a window at a time, so that a long backlog is not read one by one.
        let (tenant, desk) = self.desks.iter().find(|(_, it)| it.behind && it.held <= WINDOW / 2)?;
        Some((tenant.clone(), desk.loaded, WINDOW - desk.held))
    }

    /// Takes in what was asked for.
    pub(super) fn catch_up(&mut self, tenant: &TenantId, deliveries: Vec<Waiting>, asked: usize) {
        if let Some(desk) = self.desks.get_mut(tenant) {
            desk.behind = deliveries.len() == asked;
        }
        for delivery in deliveries {
            if let Some(key) = LaneKey::of_delivery(&delivery.delivery) {
                self.hold(key, delivery);
            }
        }
        self.tidy(tenant);
    }

    /// What the next worker is to do, if there is work and a place for it.
    pub(super) fn next(&mut self, now: Instant) -> Option<Work> {
        self.wake_due(now);
        while self.quick_running < QUICK
            && let Some(key) = self.quick.pop_front()
        {
            if let Some(work) = self.begin(key, Kind::Quick) {
                return Some(work);
            }
        }
        if self.looks_running >= LOOKS {
            return None;
        }
        for _ in 0..self.turns.len() {
            let tenant = self.turns.pop_front()?;
            let Some(desk) = self.desks.get_mut(&tenant) else { continue };
            if desk.parked.is_some() {
                desk.in_turns = false;
                continue;
            }
            if desk.looks_running >= LOOKS_PER_TENANT {
                self.turns.push_back(tenant);
                continue;
            }
            let key = desk.ready.pop_front();
            desk.in_turns = !desk.ready.is_empty();
            if desk.in_turns {
                self.turns.push_back(tenant);
            }
            if let Some(work) = key.and_then(|key| self.begin(key, Kind::Look)) {
                return Some(work);
            }
        }
        None
    }

    /// Gives a place to a lane, if it is there: a place that nobody has is never given back.
    fn begin(&mut self, key: LaneKey, kind: Kind) -> Option<Work> {
        let desk = self.desks.get_mut(&key.tenant)?;
        let free = desk.free(&key);
        let lane = desk.lanes.get_mut(&key)?;
        lane.state = State::Running(kind);
        lane.begun_at = desk.wakes;
        match kind {
            Kind::Quick => self.quick_running += 1,
            Kind::Look => {
                self.looks_running += 1;
                desk.looks_running += 1;
            }
        }
        let may_go = lane.queue.iter().take(free);
        let batch = match kind {
            Kind::Quick => may_go.take_while(|it| !it.delivery.is_completion()).cloned().collect(),
            Kind::Look => may_go.cloned().collect(),
        };
        Some(Work { lane: key, kind, batch })
    }

    /// A worker ended its turn, or broke off without one.
    pub(super) fn finished(&mut self, key: &LaneKey, turn: Option<Turn>, now: Instant) {
        let Some(desk) = self.desks.get_mut(&key.tenant) else { return };
        let Some(lane) = desk.lanes.get_mut(key) else { return };
        let looked = lane.state == State::Running(Kind::Look);
        match lane.state {
            State::Running(Kind::Look) => {
                self.looks_running -= 1;
                desk.looks_running -= 1;
            }
            State::Running(Kind::Quick) => self.quick_running -= 1,
            State::Idle | State::Ready | State::Resting(_) | State::Blocked => {}
        }
        let turn = turn.unwrap_or(Turn { settled: 0, wait: Some(Wait::AtLeast(LONGEST_PAUSE)) });
        let settled = turn.settled.min(lane.queue.len());
        let gone: Vec<_> = lane.queue.drain(..settled).collect();
        desk.held -= settled;
        if settled > 0 {
            lane.pause = FIRST_PAUSE;
            desk.looked_ahead = false;
        }
        let woken = lane.begun_at != desk.wakes;
        if turn.wait != Some(Wait::Key) && looked {
            desk.parking = FIRST_PARKING;
        }
        let is_empty = lane.queue.is_empty();
        let turns = gone.iter().filter_map(|it| desk.projects.settle(it)).collect();
        if is_empty {
            desk.lanes.remove(key);
        } else {
            self.rest(key, turn.wait, woken, now);
        }
        self.unblock(turns);
        self.tidy(&key.tenant.clone());
    }

    /// A lane that is not done yet waits for its time, for its turn, or for a key.
    fn rest(&mut self, key: &LaneKey, wait: Option<Wait>, woken: bool, now: Instant) {
        let lane = self.desks.get_mut(&key.tenant).and_then(|desk| desk.lanes.get_mut(key));
        let Some(lane) = lane else { return };
        match wait {
            // What was found before a key came, is asked again.
            Some(Wait::Key) => {
                self.make_ready(key);
                if !woken {
                    self.park(&key.tenant, now);
                }
            }
            Some(Wait::AtLeast(at_least)) => {
                let until = now + lane.pause.max(at_least).min(LONGEST_PAUSE);
                lane.pause = LONGEST_PAUSE.min(lane.pause * 2);
                lane.state = State::Resting(until);
                self.resting.insert((until, key.clone()));
            }
            None => self.make_ready(key),
        }
    }

    /// Lanes whose turn it is in the order of a project.
    fn unblock(&mut self, lanes: BTreeSet<LaneKey>) {
        for key in lanes {
            let lane = self.desks.get(&key.tenant).and_then(|desk| desk.lanes.get(&key));
            if lane.is_some_and(|lane| lane.state == State::Blocked) {
                self.make_ready(&key);
            }
        }
    }

    /// How many deliveries are held.
    pub(super) fn waiting(&self) -> usize {
        self.desks.values().map(|desk| desk.held).sum()
    }

    /// When the next lane has rested.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        let resting = self.resting.first().map(|(until, _)| *until);
        let parked = self.parked.first().map(|(until, _)| *until);
        resting.into_iter().chain(parked).min()
    }

    fn wake_due(&mut self, now: Instant) {
        while let Some((until, _)) = self.resting.first()
            && *until <= now
            && let Some((_, key)) = self.resting.pop_first()
        {
            self.make_ready(&key);
        }
        while let Some((until, _)) = self.parked.first()
            && *until <= now
            && let Some((_, tenant)) = self.parked.pop_first()
        {
            self.unpark(&tenant);
        }
    }

    fn make_ready(&mut self, key: &LaneKey) {
        let Some(desk) = self.desks.get_mut(&key.tenant) else { return };
        let blocked = desk.free(key) == 0;
        let Some(lane) = desk.lanes.get_mut(key) else { return };
        if blocked {
            lane.state = State::Blocked;
            return;
        }
        lane.state = State::Ready;
        if lane.queue.front().is_some_and(|first| !first.delivery.is_completion()) {
            self.quick.push_back(key.clone());
            return;
        }
        desk.ready.push_back(key.clone());
        if !desk.in_turns {
            desk.in_turns = true;
            self.turns.push_back(key.tenant.clone());
        }
    }

    /// Nothing is kept of a tenant of whom nothing waits.
    fn tidy(&mut self, tenant: &TenantId) {
        if self.desks.get(tenant).is_some_and(|desk| desk.lanes.is_empty()) {
            // Nobody is left who could ask whether it is connected by now.
            self.unpark(tenant);
        }
        if self.desks.get(tenant).is_some_and(|desk| desk.lanes.is_empty() && !desk.behind) {
            self.desks.remove(tenant);
        }
    }
}
