//! What a subscriber hears: the announced events behind a cursor, then each new one.
//!
//! There is no hand-over between replay and live: both read the journal in its order, so between them there is
//! neither gap nor repeat. New events wake the reader; the journal serves recent ones from memory.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::Stream;

use crate::{
    domain::{Event, Seq, TenantId},
    journal::{Error, Filter, Heads, Journal},
};

/// Events read from the journal in one go: enough to replay quickly, little enough to hold for a slow reader.
const BATCH: usize = 64;

/// Follows the announced events of a tenant.
#[derive(Clone)]
pub struct Feed {
    journal: Arc<dyn Journal>,
    seats: Arc<Seats>,
}

/// Why nobody more is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the tenant has as many subscriptions as it may have: {0}")]
pub struct Full(pub usize);

/// How many follow each tenant.
struct Seats {
    most: usize,
    taken: Mutex<HashMap<TenantId, usize>>,
}

/// One reader's seat, given up when it leaves.
struct Seat {
    seats: Arc<Seats>,
    tenant: TenantId,
}

impl Seats {
    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(self: &Arc<Self>, tenant: &TenantId) -> Result<Seat, Full> {
        let mut taken = self.lock();
        let count = taken.entry(tenant.clone()).or_default();
        if *count >= self.most {
            return Err(Full(self.most));
        }
        *count += 1;
        Ok(Seat { seats: Arc::clone(self), tenant: tenant.clone() })
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

/// One reader's place.
struct Reader {
    _seat: Seat,
    journal: Arc<dyn Journal>,
    heads: tokio::sync::watch::Receiver<Heads>,
    tenant: TenantId,
    filter: Filter,
    at: Seq,
    ready: VecDeque<Arc<Event>>,
}

impl Feed {
    /// A feed over a journal, for so many readers of each tenant.
    #[must_use]
    pub fn new(journal: Arc<dyn Journal>, readers_per_tenant: usize) -> Self {
        let seats = Seats { most: readers_per_tenant, taken: Mutex::default() };
        Self { journal, seats: Arc::new(seats) }
    }

    /// Every matching event behind `after`, or from now on: nothing that is announced after this call is missed.
    /// The stream ends with an error when `after` is older than what is kept, or the journal fails.
    ///
    /// # Errors
    /// When the tenant has as many readers as it may have.
    pub fn follow(
        &self,
        tenant: TenantId,
        filter: Filter,
        after: Option<Seq>,
    ) -> Result<impl Stream<Item = Result<Arc<Event>, Error>> + Send + 'static + use<>, Full> {
        let heads = self.journal.heads();
        let at = after.unwrap_or_else(|| heads.borrow().events);
        let reader = Reader {
            _seat: self.seats.take(&tenant)?,
            journal: Arc::clone(&self.journal),
            heads,
            tenant,
            filter,
            at,
            ready: VecDeque::new(),
        };
        Ok(futures_util::stream::unfold(Some(reader), |reader| async move {
            let mut reader = reader?;
            match reader.next().await {
                Ok(Some(event)) => Some((Ok(event), Some(reader))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        }))
    }
}

impl Reader {
    /// The next event, or `None` when the journal closes.
    async fn next(&mut self) -> Result<Option<Arc<Event>>, Error> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.at = event.seq;
                return Ok(Some(event));
            }
            // The head is taken before reading: whatever is announced later wakes the wait below.
            let head = self.heads.borrow_and_update().events;
            if head > self.at {
                let slice = self.journal.events(&self.tenant, &self.filter, Some(self.at), BATCH).await?;
                if slice.events.is_empty() {
                    self.at = head;
                } else {
                    self.ready.extend(slice.events);
                    continue;
                }
            }
            if self.heads.changed().await.is_err() {
                return Ok(None);
            }
        }
    }
}
