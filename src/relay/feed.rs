//! What subscribers hear: the announced events behind a place, and a word whenever there are more.
//!
//! There is no hand-over between replay and live: both read the journal in its order, so between them there is
//! neither gap nor repeat. New events wake those who wait for them; the journal serves recent ones from memory.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_util::sync::CancellationToken;

use super::hub::{Hub, Interest, Listener, Registration};
use crate::{
    domain::{Event, Seq, TenantId},
    journal::{Error, Journal},
};

/// Events read from the journal in one go: enough to replay quickly, little enough to hold for a slow reader.
const BATCH: usize = 64;

/// Tells of announced events, and reads them.
#[derive(Clone)]
pub struct Feed {
    journal: Arc<dyn Journal>,
    hub: Arc<Hub>,
    seats: Arc<Seats>,
}

/// Why nobody more is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the tenant has as many subscriptions as it may have: {0}")]
pub struct Full(pub usize);

/// How many subscribe to each tenant.
struct Seats {
    most: usize,
    taken: Mutex<HashMap<TenantId, usize>>,
}

/// One subscriber's seat, given up when it leaves.
pub struct Seat {
    seats: Arc<Seats>,
    tenant: TenantId,
}

/// A piece of the order of events.
#[derive(Debug, Default)]
pub struct Stretch {
    /// Those that were asked for, the oldest first.
    pub events: Vec<Arc<Event>>,
    /// The piece ends here.
    pub reached: Seq,
}

impl Seats {
    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        if let Some(count) = taken.get_mut(&self.tenant) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.tenant);
            }
        }
    }
}

impl Feed {
    /// A feed over a journal, for so many subscribers of each tenant.
    #[must_use]
    pub fn new(journal: Arc<dyn Journal>, subscribers_per_tenant: usize) -> Self {
        let told = journal.heads().borrow().events;
        let seats = Seats { most: subscribers_per_tenant, taken: Mutex::default() };
        Self { journal, hub: Arc::new(Hub::new(told)), seats: Arc::new(seats) }
    }

    /// Takes a seat among a tenant's subscribers.
    ///
    /// # Errors
    /// When the tenant has as many as it may have.
    pub fn seat(&self, tenant: &TenantId) -> Result<Seat, Full> {
        let mut taken = self.seats.lock();
        let count = taken.entry(tenant.clone()).or_default();
        if *count >= self.seats.most {
            return Err(Full(self.seats.most));
        }
        *count += 1;
        Ok(Seat { seats: Arc::clone(&self.seats), tenant: tenant.clone() })
    }

    /// The last place: what is announced after this call lies behind it.
    #[must_use]
    pub fn head(&self) -> Seq {
        self.journal.heads().borrow().events
    }

    /// The place up to which listeners have been told of everything.
    #[must_use]
    pub fn told(&self) -> Seq {
        self.hub.told()
    }

    /// Has a listener told of what it waits for, until the registration is dropped.
    #[must_use]
    pub fn listen(&self, interest: Interest, listener: &Arc<dyn Listener>) -> Registration {
        self.hub.enter(interest, listener)
    }

    /// What there is of an interest behind `after`, up to `through` and no more than some at a time.
    ///
    /// # Errors
    /// When something behind `after` is no longer kept or was never announced, or the journal cannot be read.
    pub async fn read(&self, interest: &Interest, after: Seq, through: Seq) -> Result<Stretch, Error> {
        let slice = self.journal.events(&interest.tenant, &interest.filter, Some(after), BATCH).await?;
        let mut events = slice.events;
        let read = if slice.more { events.last().map_or(through, |it| it.seq) } else { through };
        events.retain(|it| it.seq <= through);
        Ok(Stretch { events, reached: read.min(through).max(after) })
    }

    /// Tells listeners of what is announced, until it is told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let mut heads = self.journal.heads();
        loop {
            // The head is taken before looking: whatever is announced later wakes the wait below.
            let head = heads.borrow_and_update().events;
            while self.hub.told() < head {
                match self.journal.recent(self.hub.told()) {
                    Some(events) if !events.is_empty() => events.iter().for_each(|it| self.hub.tell(it)),
                    // More was announced at once than is at hand, or what was at hand has been erased.
                    _ => self.hub.tell_all(head),
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                changed = heads.changed() => if changed.is_err() { return },
            }
        }
    }
}
