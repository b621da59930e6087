//! Taking events in: what is new, what is sent once more, and what has to stay in the journal for want of room.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Desk, Lane, LaneKey, MOST_LANES, lane::State};
use crate::domain::{Event, Seq, TenantId, viewer::Tenants};

/// A stretch of one tenant's events that is to be sent once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::deliver) struct Replay {
    pub(in crate::deliver) after: Seq,
    pub(in crate::deliver) through: Seq,
}

/// What waits in the journal behind `scanned` while nothing more is taken in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::deliver) struct Ahead {
    pub(in crate::deliver) through: Seq,
    pub(in crate::deliver) events: u64,
    pub(in crate::deliver) oldest: Option<Timestamp>,
}

impl Desk {
    /// Forgets what waits of tenants that the target no longer has.
    pub(in crate::deliver) fn keep_only(&mut self, tenants: &Tenants) {
        let strange: Vec<_> = self.lanes.keys().filter(|it| !tenants.include(&it.tenant)).cloned().collect();
        for key in strange {
            self.lanes.remove(&key);
            self.ready.retain(|it| *it != key);
            self.resting.retain(|(_, it)| *it != key);
            self.unsaved.lanes.insert(key);
        }
        let strange: Vec<_> = self.replays.keys().filter(|it| !tenants.include(it)).cloned().collect();
        for tenant in strange {
            self.replays.remove(&tenant);
            self.unsaved.replays.insert(tenant);
        }
    }

    /// Whether further events are taken in. If not, they are only counted.
    pub(in crate::deliver) fn takes_more(&self) -> bool {
        self.health.disabled.is_none() && !self.full
    }

    /// Takes the next event in. Says no where there is no room: then it is to be offered again.
    pub(in crate::deliver) fn admit(&mut self, event: &Arc<Event>) -> bool {
        let (key, no_room) = (LaneKey::of(event), self.lanes.len() >= MOST_LANES);
        match self.lanes.get_mut(&key) {
            Some(lane) if event.seq > lane.through => {
                lane.through = event.seq;
                lane.events += 1;
            }
            Some(_) => {}
            None if no_room => {
                self.full = true;
                return false;
            }
            None => {
                self.lanes.insert(key.clone(), Lane::of(event));
                self.ready.push_back(key.clone());
            }
        }
        self.unsaved.lanes.insert(key);
        self.unsaved.target = true;
        if event.seq > self.scanned && event.seq <= self.ahead.through {
            self.ahead.events = self.ahead.events.saturating_sub(1);
            self.ahead.oldest = Some(event.delivery.received_at);
        }
        true
    }

    /// Takes an event in once more. Says no where there is no room, or its lane is just being served.
    pub(in crate::deliver) fn admit_again(&mut self, event: &Arc<Event>) -> bool {
        let key = LaneKey::of(event);
        match self.lanes.get_mut(&key) {
            Some(lane) if event.seq <= lane.after => {
                if lane.state == State::Running {
                    return false;
                }
                lane.after = Seq(event.seq.0.saturating_sub(1));
                lane.events += 1;
                lane.head = Some(Arc::clone(event));
                self.unsaved.lanes.insert(key);
                true
            }
            _ => self.admit(event),
        }
    }

    /// Everything up to here is taken in, or is none of this target's.
    pub(in crate::deliver) fn scanned_to(&mut self, seq: Seq) {
        self.scanned = self.scanned.max(seq);
        if self.scanned >= self.ahead.through {
            self.ahead = Ahead { through: self.scanned, ..Ahead::default() };
        }
    }

    /// An event waits in the journal.
    pub(in crate::deliver) fn count_ahead(&mut self, event: &Event) {
        self.ahead.events += 1;
        self.ahead.oldest.get_or_insert(event.delivery.received_at);
    }

    /// Asks for a stretch to be sent once more. What is not scanned yet comes by itself.
    pub(in crate::deliver) fn replay(&mut self, tenant: TenantId, mut wanted: Replay) {
        wanted.through = wanted.through.min(self.scanned);
        if wanted.after >= wanted.through {
            return;
        }
        let replay = self.replays.entry(tenant.clone()).or_insert(wanted);
        replay.after = replay.after.min(wanted.after);
        replay.through = replay.through.max(wanted.through);
        self.unsaved.replays.insert(tenant);
    }

    /// A replay has come this far.
    pub(in crate::deliver) fn replayed_to(&mut self, tenant: &TenantId, seq: Seq) {
        let Some(replay) = self.replays.get_mut(tenant) else { return };
        replay.after = replay.after.max(seq);
        if replay.after >= replay.through {
            self.replays.remove(tenant);
        }
        self.unsaved.replays.insert(tenant.clone());
    }
}
