//! Tenants who cannot go on: they are not connected, or nothing of theirs can be looked at now.
//!
//! Invariants: a tenant without a key asks for one seldom, however many of its deliveries wait, and at once when one
//! comes; what needs no call is not kept waiting by what does, but for what is of the same design or names the same project.

use std::time::Duration;

use tokio::time::Instant;

use super::{Board, Desk, FIRST_PAUSE, WINDOW};
use crate::{
    domain::{LaneKey, Seq, TenantId},
    journal::Waiting,
};

/// The first pause of a tenant that is not connected; each further one is twice as long. Each may cost an exchange, which
/// all tenants' allowance pays for, and what really ends the wait is a key that comes.
pub(super) const FIRST_PARKING: Duration = Duration::from_secs(15);

/// The longest of those.
const LONGEST_PARKING: Duration = Duration::from_secs(10 * 60);

/// Deliveries of a tenant that need no call and are held although its [`WINDOW`] is full of others that wait.
pub(in crate::relay) const AHEAD: usize = 64;

impl Board {
    /// A tenant whose window is full of deliveries that wait, while others that need no call may be behind it on disk; and
    /// where the window ends.
    pub(in crate::relay) fn blocked(&self) -> Option<(TenantId, Seq)> {
        let blocked = |it: &Desk| {
            let full = it.behind && it.held > WINDOW / 2 && it.held < WINDOW + AHEAD;
            let stands = it.parked.is_some() || (it.looks_running == 0 && it.ready.is_empty());
            full && stands && !it.looked_ahead
        };
        self.desks.iter().find(|(_, it)| blocked(it)).map(|(tenant, it)| (tenant.clone(), it.loaded))
    }

    /// Takes in what need not wait for those before it.
    pub(in crate::relay) fn take_ahead(&mut self, tenant: &TenantId, deliveries: Vec<Waiting>) {
        let Some(desk) = self.desks.get_mut(tenant) else { return };
        desk.looked_ahead = true;
        for delivery in deliveries {
            if let Some(key) = LaneKey::of_delivery(&delivery.delivery) {
                self.enqueue(key, delivery);
            }
        }
    }

    /// Its lanes do not look until a key comes, or for a while.
    pub(super) fn park(&mut self, tenant: &TenantId, now: Instant) {
        let Some(desk) = self.desks.get_mut(tenant).filter(|it| it.parked.is_none()) else { return };
        let pause = desk.parking.max(FIRST_PARKING);
        desk.parking = LONGEST_PARKING.min(pause * 2);
        desk.parked = Some(now + pause);
        self.parked.insert((now + pause, tenant.clone()));
    }

    pub(super) fn unpark(&mut self, tenant: &TenantId) {
        let Some(desk) = self.desks.get_mut(tenant) else { return };
        let Some(until) = desk.parked.take() else { return };
        self.parked.remove(&(until, tenant.clone()));
        if !desk.ready.is_empty() && !desk.in_turns {
            desk.in_turns = true;
            self.turns.push_back(tenant.clone());
        }
    }

    /// Every tenant's lanes need not wait any longer.
    pub(in crate::relay) fn wake_all(&mut self) {
        let all: Vec<_> = self.desks.keys().cloned().collect();
        all.iter().for_each(|tenant| self.wake(tenant));
    }

    /// A tenant's lanes need not wait any longer.
    pub(in crate::relay) fn wake(&mut self, tenant: &TenantId) {
        if let Some(desk) = self.desks.get_mut(tenant) {
            desk.wakes += 1;
            desk.parking = FIRST_PARKING;
        }
        self.unpark(tenant);
        let its: Vec<_> = self.resting.iter().filter(|(_, key)| key.tenant == *tenant).cloned().collect();
        for place in its {
            self.resting.remove(&place);
            if let Some(lane) = self.desks.get_mut(tenant).and_then(|desk| desk.lanes.get_mut(&place.1)) {
                lane.pause = FIRST_PAUSE;
            }
            self.make_ready(&place.1);
        }
    }
}
