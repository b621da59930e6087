//! What is sent next to one target: lanes, their rests, and how the target fares. No clock, no task, no I/O in here.
//!
//! Invariants: everything up to `scanned` is settled or waits in a lane; messages of one lane leave it in their order, and
//! one that fails holds up its own lane only; lanes are limited, and each holds one event at most, so that a target that is
//! down costs no memory: what comes then stays in the journal. What changed is noted until it has been written down.

mod changes;
mod health;
mod lane;
mod stretches;
mod taking;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

pub(super) use changes::Unsaved;
pub use health::{Disabled, Health};
use jiff::Timestamp;
pub(super) use lane::Lane;
use lane::State;
pub(super) use stretches::{Stretch, Stretches};
pub(super) use taking::{Ahead, Replay, ReplayKey};
pub use taking::{MOST_REPLAYS, TooMany};

use super::{ladder, sender::Rejected};
use crate::{
    clock,
    domain::{Event, LaneKey, Seq, TenantId},
};

/// Lanes of one target that may wait at a time. Events of further designs stay in the journal until one is through.
pub(super) const MOST_LANES: usize = 1_024;

/// How many of them may be opened for what is sent again: half, so that what is new of all others always finds room.
const MOST_AGAIN: usize = MOST_LANES / 2;

/// How long a lane rests where the journal could not be read for it. No failure of the target's.
const JOURNAL_PAUSE: Duration = Duration::from_secs(1);

/// What a target's settings allow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Messages under way at a time.
    pub(super) at_once: usize,
    /// How long one message is tried while the target takes others.
    pub(super) retry_for: Duration,
    /// How long a target may take nothing at all.
    pub(super) disable_after: Duration,
}

/// What a worker is to do: send the first event of this lane.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    pub(super) lane: LaneKey,
    pub(super) after: Seq,
    pub(super) through: Seq,
    pub(super) head: Option<Arc<Event>>,
    /// All that waits in the lane, and how many events that are.
    pub(super) stretches: Stretches,
    pub(super) events: u64,
}

/// How a worker's turn ended.
#[derive(Debug)]
pub(super) enum Ended {
    Delivered(Arc<Event>),
    Rejected(Arc<Event>, Rejected),
    /// Nothing of this lane is left in the journal, up to this place.
    Empty(Seq),
    /// The journal could not be read.
    Unread,
}

/// What an ending set in motion, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Noted {
    Nothing,
    Recovered,
    BeganToFail,
    GaveUp,
    Disabled(Disabled),
}

pub(super) struct Desk {
    pub(super) scanned: Seq,
    pub(super) health: Health,
    pub(super) ahead: Ahead,
    pub(super) replays: BTreeMap<ReplayKey, Replay>,
    lanes: HashMap<LaneKey, Lane>,
    ready: VecDeque<LaneKey>,
    resting: BTreeSet<(Timestamp, LaneKey)>,
    running: usize,
    /// Lanes ran out. More is taken in when half of them are through, so that a long backlog is not read one by one.
    full: bool,
    /// Lanes that were opened for what is sent again, and whether those ran out, in the same way.
    again: usize,
    again_full: bool,
    /// The lane whose try has to end before more is taken in again: until then the journal is not asked for it.
    awaited: Option<LaneKey>,
    limits: Limits,
    pub(super) unsaved: Unsaved,
}

impl Desk {
    /// A desk as it was left at the end of the last run.
    pub(super) fn new(scanned: Seq, health: Health, limits: Limits) -> Self {
        Self {
            scanned,
            health,
            ahead: Ahead::default(),
            replays: BTreeMap::new(),
            lanes: HashMap::new(),
            ready: VecDeque::new(),
            resting: BTreeSet::new(),
            running: 0,
            full: false,
            again: 0,
            again_full: false,
            awaited: None,
            limits,
            unsaved: Unsaved::default(),
        }
    }

    /// Puts back a lane that was kept.
    pub(super) fn restore(&mut self, key: LaneKey, mut lane: Lane, now: Timestamp) {
        // A clock that was set back must not make it wait for days.
        match lane.next_at.map(|at| at.min(clock::later(now, ladder::LONGEST))) {
            Some(at) => {
                lane.state = State::Resting(at);
                self.resting.insert((at, key.clone()));
            }
            None => self.ready.push_back(key.clone()),
        }
        // What opened it is not kept. If all counted as new, what is sent again could take the rest of the room as well.
        lane.again = true;
        self.again += 1;
        self.lanes.insert(key, lane);
    }

    /// Whose turn it is, if it is anybody's.
    pub(super) fn next(&mut self, now: Timestamp) -> Option<Turn> {
        self.wake_due(now);
        if !self.may_send() || self.health.hold_until.is_some_and(|until| until > now) {
            return None;
        }
        while let Some(key) = self.ready.pop_front() {
            if let Some(lane) = self.lanes.get_mut(&key)
                && let Some(Stretch { after, through }) = lane.stretches.first()
            {
                lane.state = State::Running;
                self.running += 1;
                let (head, stretches, events) = (lane.head.clone(), lane.stretches.clone(), lane.events);
                return Some(Turn { lane: key, after, through, head, stretches, events });
            }
        }
        None
    }

    fn may_send(&self) -> bool {
        let most = if self.health.is_suspect() { 1 } else { self.limits.at_once };
        self.health.disabled.is_none() && self.running < most
    }

    /// When to look again, if nothing else happens.
    pub(super) fn next_wake(&self) -> Option<Timestamp> {
        if !self.may_send() {
            return None;
        }
        let first = self.resting.first().map(|(at, _)| *at);
        match self.health.hold_until {
            Some(until) if !self.ready.is_empty() => Some(until),
            Some(until) => first.map(|it| it.max(until)),
            None => first,
        }
    }

    /// A worker's turn ended; `luck` is from 0 to 1.
    pub(super) fn ended(&mut self, key: &LaneKey, how: Ended, now: Timestamp, luck: f64) -> Noted {
        self.running = self.running.saturating_sub(1);
        self.awaited.take_if(|it| it == key);
        self.unsaved.lanes.insert(key.clone());
        self.unsaved.target = true;
        let Some(lane) = self.lanes.get_mut(key) else { return Noted::Nothing };
        lane.state = State::Ready;
        match how {
            Ended::Delivered(event) => {
                lane.settle(&event);
                self.go_on(key);
                if self.health.succeeded(now) {
                    self.wake_all();
                    return Noted::Recovered;
                }
                Noted::Nothing
            }
            Ended::Rejected(event, rejected) => self.rejected(key, event, rejected, now, luck),
            Ended::Empty(through) => {
                // More may have come into the lane while it was looked through.
                lane.pass_over(through);
                self.go_on(key);
                Noted::Nothing
            }
            Ended::Unread => {
                self.rest(key, clock::later(now, JOURNAL_PAUSE));
                Noted::Nothing
            }
        }
    }

    fn rejected(
        &mut self,
        key: &LaneKey,
        event: Arc<Event>,
        rejected: Rejected,
        now: Timestamp,
        luck: f64,
    ) -> Noted {
        let began = self.health.failures == 0;
        self.health.failed(rejected, now, self.limits.disable_after);
        let Some(lane) = self.lanes.get_mut(key) else { return Noted::Nothing };
        lane.failures = lane.failures.saturating_add(1);
        let since = *lane.failing_since.get_or_insert(now);
        // Only a message that fails while others are taken is given up: otherwise it is the target that fails.
        let is_its_own_fault = self.health.last_success.is_some_and(|at| at > since);
        if is_its_own_fault && clock::between(since, now) >= self.limits.retry_for {
            lane.settle(&event);
            self.health.given_up += 1;
            self.go_on(key);
            return Noted::GaveUp;
        }
        (lane.oldest, lane.head) = (event.delivery.received_at, Some(event));
        let wait = ladder::pause(lane.failures, luck).max(rejected.retry_after.unwrap_or_default());
        self.rest(key, clock::later(now, wait));
        match self.health.disabled {
            Some((_, why)) => Noted::Disabled(why),
            None if began => Noted::BeganToFail,
            None => Noted::Nothing,
        }
    }

    /// So many events that waited in a lane are gone from the journal.
    pub(super) fn lost(&mut self, key: &LaneKey, count: u64) {
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.events = lane.events.saturating_sub(count);
        }
    }

    /// Events of this target are gone from the journal.
    pub(super) fn found_gap(&mut self, now: Timestamp) {
        self.health.gap_at = Some(now);
        self.unsaved.target = true;
    }

    /// Sends nothing more until it is enabled.
    pub(super) fn disable(&mut self, now: Timestamp) {
        self.health.disable(now, Disabled::ByHand);
        self.unsaved.target = true;
    }

    /// Begins anew, with everything that waits.
    pub(super) fn enable(&mut self) {
        self.health.enable();
        self.unsaved.target = true;
        for lane in self.lanes.values_mut() {
            (lane.failures, lane.failing_since) = (0, None);
        }
        self.unsaved.lanes.extend(self.lanes.keys().cloned());
        self.wake_all();
    }

    fn remove(&mut self, key: &LaneKey) {
        if self.lanes.remove(key).is_some_and(|it| it.again) {
            self.again = self.again.saturating_sub(1);
        }
        self.full &= self.lanes.len() > MOST_LANES / 2;
        self.again_full &= self.again > MOST_AGAIN / 2;
    }

    fn go_on(&mut self, key: &LaneKey) {
        if self.lanes.get(key).is_some_and(Lane::is_done) {
            self.remove(key);
        } else {
            self.ready.push_back(key.clone());
        }
    }

    fn rest(&mut self, key: &LaneKey, until: Timestamp) {
        let Some(lane) = self.lanes.get_mut(key) else { return };
        lane.state = State::Resting(until);
        lane.next_at = Some(until);
        self.resting.insert((until, key.clone()));
    }

    fn wake_due(&mut self, now: Timestamp) {
        while let Some((until, _)) = self.resting.first()
            && *until <= now
            && let Some((_, key)) = self.resting.pop_first()
        {
            self.wake(&key);
        }
    }

    fn wake_all(&mut self) {
        for (_, key) in std::mem::take(&mut self.resting) {
            self.wake(&key);
            self.unsaved.lanes.insert(key);
        }
    }

    fn wake(&mut self, key: &LaneKey) {
        if let Some(lane) = self.lanes.get_mut(key) {
            (lane.state, lane.next_at) = (State::Ready, None);
            self.ready.push_back(key.clone());
        }
    }

    /// The lane as it is to be kept, if it is still there.
    pub(super) fn lane(&self, key: &LaneKey) -> Option<&Lane> {
        self.lanes.get(key)
    }

    /// How many events wait, in lanes and in the journal, and when the oldest of them reached the gateway.
    pub(super) fn pending(&self) -> (u64, Option<Timestamp>) {
        let events = self.lanes.values().map(|lane| lane.events).sum::<u64>() + self.ahead.events;
        let oldest = self.lanes.values().map(|lane| lane.oldest).chain(self.ahead.oldest).min();
        (events, oldest)
    }

    /// The last place up to which everything of a tenant is settled, for each that has anything waiting.
    pub(super) fn settled(&self) -> HashMap<TenantId, Seq> {
        let mut settled = HashMap::new();
        let lanes = self.lanes.iter().filter_map(|(key, lane)| Some((&key.tenant, lane.after()?)));
        let replays = self.replays.iter().map(|((tenant, _), replay)| (tenant, replay.after));
        for (tenant, after) in lanes.chain(replays) {
            let least = settled.entry(tenant.clone()).or_insert(after);
            *least = after.min(*least);
        }
        settled
    }
}
