//! Taking events in: what is new, what is sent once more, and what has to stay in the journal for want of room.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Desk, Lane, MOST_AGAIN, MOST_LANES, lane::State};
use crate::domain::{Event, LaneKey, Seq, TenantId, viewer::Tenants};

/// Requests of one tenant that may wait to be sent once more: each is a row, and is looked at with every further one. To join
/// further ones with others would send what nobody asked for; one request that is open at its end does for many.
pub const MOST_REPLAYS: usize = 64;

/// As many requests of a tenant wait as may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{MOST_REPLAYS} requests of this tenant wait already")]
pub struct TooMany;

/// Whose events are to be sent once more, and up to where.
pub(in crate::deliver) type ReplayKey = (TenantId, Seq);

/// How far a stretch of one tenant's events that is to be sent once more has been taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::deliver) struct Replay {
    /// All of the tenant's events behind this were asked for, up to the end of the stretch.
    pub(in crate::deliver) since: Seq,
    /// Those up to this are taken in.
    pub(in crate::deliver) after: Seq,
}

impl Replay {
    /// One of which nothing is taken in yet.
    pub(in crate::deliver) fn new(after: Seq) -> Self {
        Self { since: after, after }
    }
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
            self.remove(&key);
            self.ready.retain(|it| *it != key);
            self.resting.retain(|(_, it)| *it != key);
            self.unsaved.lanes.insert(key);
        }
        let strange: Vec<_> = self.replays.keys().filter(|it| !tenants.include(&it.0)).cloned().collect();
        for key in strange {
            self.replays.remove(&key);
            self.unsaved.replays.insert(key);
        }
    }

    /// Whether further events are taken in. If not, they are only counted.
    pub(in crate::deliver) fn takes_more(&self) -> bool {
        self.health.disabled.is_none() && !self.full
    }

    /// The same for what is to be sent once more.
    pub(in crate::deliver) fn takes_more_again(&self) -> bool {
        self.takes_more() && !self.again_full && self.awaited.is_none()
    }

    /// Takes the next event in. Says no where there is no room: then it is to be offered again.
    pub(in crate::deliver) fn admit(&mut self, event: &Arc<Event>) -> bool {
        let (key, no_room) = (LaneKey::of(event), self.lanes.len() >= MOST_LANES);
        match self.lanes.get_mut(&key) {
            Some(lane) => lane.events += u64::from(lane.stretches.extend(event.seq)),
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

    /// Takes an event in once more, which was asked for together with all of its tenant's behind `since`. Says no where
    /// there is no room, or where it would go before one that is just being sent.
    pub(in crate::deliver) fn admit_again(&mut self, event: &Arc<Event>, since: Seq) -> bool {
        let (key, scanned) = (LaneKey::of(event), self.scanned);
        let Some(lane) = self.lanes.get_mut(&key) else {
            self.full |= self.lanes.len() >= MOST_LANES;
            self.again_full |= self.again >= MOST_AGAIN;
            let has_room = !self.full && !self.again_full;
            if has_room {
                self.lanes.insert(key.clone(), Lane::again(event, scanned));
                self.again += 1;
                self.ready.push_back(key.clone());
                self.unsaved.lanes.insert(key);
            }
            return has_room;
        };
        let goes_first = lane.after().is_some_and(|after| event.seq <= after);
        if goes_first && lane.state == State::Running {
            self.awaited = Some(key);
            return false;
        }
        if lane.stretches.ask_again(event.seq, since, scanned) {
            lane.events += 1;
            lane.oldest = lane.oldest.min(event.delivery.received_at);
        }
        if goes_first {
            lane.front_is(Some(Arc::clone(event)));
            if let State::Resting(until) = lane.state {
                self.resting.remove(&(until, key.clone()));
                self.wake(&key);
            }
        }
        self.unsaved.lanes.insert(key);
        true
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
    ///
    /// # Errors
    /// When as many requests of the tenant wait as may, and none of them ends there.
    pub(in crate::deliver) fn replay(
        &mut self,
        tenant: &TenantId,
        after: Seq,
        mut through: Seq,
    ) -> Result<(), TooMany> {
        through = through.min(self.scanned);
        if after >= through {
            return Ok(());
        }
        let key = (tenant.clone(), through);
        let is_new = !self.replays.contains_key(&key);
        if is_new && self.replays.keys().filter(|(whose, _)| whose == tenant).count() >= MOST_REPLAYS {
            return Err(TooMany);
        }
        let replay = self.replays.entry(key.clone()).or_insert(Replay::new(after));
        (replay.since, replay.after) = (replay.since.min(after), replay.after.min(after));
        self.unsaved.replays.insert(key);
        // It may be of another lane, and come first.
        self.awaited = None;
        Ok(())
    }

    /// A replay has come this far.
    pub(in crate::deliver) fn replayed_to(&mut self, key: &ReplayKey, seq: Seq) {
        let Some(replay) = self.replays.get_mut(key) else { return };
        replay.after = replay.after.max(seq);
        if replay.after >= key.1 {
            self.replays.remove(key);
        }
        self.unsaved.replays.insert(key.clone());
    }
}
