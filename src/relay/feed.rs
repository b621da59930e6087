//! What a subscriber hears: the announced events behind a cursor, then each new one.
//!
//! There is no hand-over between replay and live: both read the journal in its order, so between them there is
//! neither gap nor repeat. New events wake the reader; the journal serves recent ones from memory.

use std::{collections::VecDeque, sync::Arc};

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
}

/// One reader's place.
struct Reader {
    journal: Arc<dyn Journal>,
    heads: tokio::sync::watch::Receiver<Heads>,
    tenant: TenantId,
    filter: Filter,
    at: Seq,
    ready: VecDeque<Arc<Event>>,
}

impl Feed {
    /// A feed over a journal.
    #[must_use]
    pub fn new(journal: Arc<dyn Journal>) -> Self {
        Self { journal }
    }

    /// Every matching event behind `after`, or from now on: nothing that is announced after this call is missed.
    /// The stream ends with an error when `after` is older than what is kept, or the journal fails.
    pub fn follow(
        &self,
        tenant: TenantId,
        filter: Filter,
        after: Option<Seq>,
    ) -> impl Stream<Item = Result<Arc<Event>, Error>> + Send + 'static + use<> {
        let heads = self.journal.heads();
        let at = after.unwrap_or_else(|| heads.borrow().events);
        let reader =
            Reader { journal: Arc::clone(&self.journal), heads, tenant, filter, at, ready: VecDeque::new() };
        futures_util::stream::unfold(Some(reader), |reader| async move {
            let mut reader = reader?;
            match reader.next().await {
                Ok(Some(event)) => Some((Ok(event), Some(reader))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        })
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
