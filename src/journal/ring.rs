//! The newest events in memory, so that live followers cost the database nothing.
//!
//! Invariant: every event behind `start` that is kept at all is in here.

use std::{collections::VecDeque, sync::Arc};

use super::{Filter, Slice, Stretch};
use crate::domain::{Event, Seq, TenantId, viewer::Tenants};

/// A follower who is further behind than this reads from the database: rare, and then worth a query.
const RING: usize = 1_024;

#[derive(Debug)]
pub(super) struct Ring {
    start: Seq,
    events: VecDeque<Arc<Event>>,
}

impl Ring {
    /// An empty ring, from which everything up to `start` is missing.
    pub(super) fn new(start: Seq) -> Self {
        Self { start, events: VecDeque::with_capacity(RING) }
    }

    /// Adds the event that was announced last.
    pub(super) fn push(&mut self, event: Arc<Event>) {
        if self.events.len() == RING
            && let Some(oldest) = self.events.pop_front()
        {
            self.start = oldest.seq;
        }
        self.events.push_back(event);
    }

    /// The last place known here.
    pub(super) fn head(&self) -> Seq {
        self.events.back().map_or(self.start, |event| event.seq)
    }

    /// Drops everything up to and including `seq`.
    pub(super) fn forget(&mut self, seq: Seq) {
        let gone = self.events.partition_point(|event| event.seq <= seq);
        self.events.drain(..gone);
        self.start = self.start.max(seq);
    }

    /// Every tenant's events behind a place, if all of them are in here.
    pub(super) fn since(&self, after: Seq) -> Option<Vec<Arc<Event>>> {
        if after < self.start {
            return None;
        }
        let from = self.events.partition_point(|event| event.seq <= after);
        Some(self.events.range(from..).map(Arc::clone).collect())
    }

    /// What [`Journal::events`](super::Journal::events) is to answer, if all of it is in here.
    pub(super) fn slice(
        &self,
        tenant: &TenantId,
        filter: &Filter,
        after: Seq,
        limit: usize,
    ) -> Option<Slice> {
        if after < self.start || after > self.head() {
            return None;
        }
        let from = self.events.partition_point(|event| event.seq <= after);
        let mut wanted = self
            .events
            .range(from..)
            .filter(|event| event.tenant == *tenant && filter.matches(event))
            .map(Arc::clone);
        let events = wanted.by_ref().take(limit).collect();
        Some(Slice { events, more: wanted.next().is_some() })
    }

    /// What [`Journal::stretch`](super::Journal::stretch) is to answer, if all of it is in here.
    pub(super) fn stretch(&self, of: &Tenants, after: Seq, limit: usize) -> Option<Stretch> {
        if after < self.start {
            return None;
        }
        let from = self.events.partition_point(|event| event.seq <= after);
        let wanted = self.events.range(from..).filter(|event| of.include(&event.tenant));
        Some(Stretch { events: wanted.take(limit).map(Arc::clone).collect(), gone: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::contract::{completion, event, tenant};

    fn filled(count: u64) -> Ring {
        let mut ring = Ring::new(Seq(10));
        for seq in 11..11 + count {
            ring.push(Arc::new(event(Seq(seq), completion("acme", "d", None))));
        }
        ring
    }

    #[test]
    fn it_answers_only_for_places_it_knows_everything_behind() {
        let ring = filled(RING as u64 + 5);
        let ask = |after| ring.slice(&tenant("acme"), &Filter::default(), Seq(after), 2);
        assert!(ask(14).is_none());
        assert_eq!(ask(15).unwrap().events[0].seq, Seq(16));
        assert!(ask(15).unwrap().more);
        assert!(ask(ring.head().0).unwrap().events.is_empty());
        assert!(ask(ring.head().0 + 1).is_none());
        let since = |after| ring.since(Seq(after)).map(|events| events.len());
        assert_eq!((since(14), since(15)), (None, Some(RING)));
        assert_eq!((since(ring.head().0), since(ring.head().0 + 1)), (Some(0), Some(0)));
    }

    #[test]
    fn what_is_forgotten_is_asked_for_elsewhere() {
        let mut ring = filled(5);
        ring.forget(Seq(12));
        assert!(ring.slice(&tenant("acme"), &Filter::default(), Seq(11), 9).is_none());
        assert_eq!(ring.slice(&tenant("acme"), &Filter::default(), Seq(12), 9).unwrap().events.len(), 3);
        ring.forget(Seq(99));
        assert_eq!(ring.head(), Seq(99));
    }

    #[test]
    fn a_tenant_sees_only_its_own() {
        let ring = filled(3);
        assert!(ring.slice(&tenant("other"), &Filter::default(), Seq(10), 9).unwrap().events.is_empty());
    }
}
