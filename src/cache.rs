//! Bounded memory of what Aurora said, shared by all callers and driven by the clock.
//!
//! [`flight`] is a fetch under way, [`news`] outdate what many keys hang on, [`entry`] is what is kept and how old it
//! may be. Invariants: identical reads at once share one fetch, which survives the caller who began it; a fetch that
//! was under way when news came of its key, or of what its value hangs on, never fills the cache, and those who waited
//! for it read again, so nobody can see what was true before the news. Not here: which noun may be how old, which is
//! the catalog's to say.

mod entry;
mod flight;
pub mod news;

use std::{future::Future, hash::Hash, sync::Arc};

pub use entry::{Absence, Entry, Freshness, Hangs, Weigh};
use entry::{Held, Kept, UntilUseless};
pub use news::News;

use crate::clock::{self, Clock};
use flight::{Flights, Landing, Ticket};

/// Where an answer came from: what it cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// From memory.
    Memory,
    /// From a fetch that another caller had begun.
    Shared,
    /// From a fetch of its own.
    Fetched,
}

/// What a fetch is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand {
    /// Somebody waits for it.
    Asked,
    /// Nobody waits: what is in memory was good enough, and is made newer.
    Refresh,
}

/// Why there is no answer.
#[derive(Debug, Clone)]
pub enum Failed<E> {
    /// The fetch failed.
    Fetch(E),
    /// Memory says that there is no such thing.
    Absent(E),
    /// The fetch vanished, or was overtaken by news again and again.
    Lost,
}

/// A cache of one kind of thing. `H` is what a fetch under way is hastened by.
pub struct Cache<K: Hangs<V>, V, E, H>(Arc<Shelf<K, V, E, H>>);

struct Shelf<K: Hangs<V>, V, E, H> {
    entries: moka::sync::Cache<K, Kept<V, E>>,
    flights: Flights<K, Landing<V, E>, H>,
    news: Arc<News<K::On>>,
    freshness: Freshness,
    clock: Clock,
}

/// What a look into memory gives.
enum Known<V, E> {
    Fresh(Entry<V>),
    /// Good enough to be served while a newer one is fetched; `false` where that has just failed.
    Aging(Entry<V>, bool),
    Absent(E),
    Nothing,
}

/// How often a reader whose fetch was overtaken by news begins again. Each round costs a call to Aurora, and
/// news of one thing does not come five times within a few round trips.
const ROUNDS: usize = 5;

impl<K, V, E, H> Cache<K, V, E, H>
where
    K: Hangs<V> + Weigh + Hash + Eq + Clone + Send + Sync + 'static,
    K::On: Send + Sync,
    V: Weigh + Send + Sync + 'static,
    E: Absence + Clone + Send + Sync + 'static,
    H: Send + 'static,
{
    /// A cache that holds about `max_bytes`, keys and bookkeeping included, of values of the given freshness.
    #[must_use]
    pub fn new(max_bytes: u64, freshness: Freshness, clock: Clock, news: Arc<News<K::On>>) -> Self {
        let entries = moka::sync::Cache::builder()
            .weigher(|key: &K, kept: &Kept<V, E>| kept.weight_with(key))
            .max_capacity(max_bytes)
            .expire_after(UntilUseless(freshness))
            .build();
        Self(Arc::new(Shelf { entries, flights: Flights::default(), news, freshness, clock }))
    }

    /// What is in memory and fresh.
    #[must_use]
    pub fn fresh(&self, key: &K) -> Option<Entry<V>> {
        match self.0.look(key) {
            Known::Fresh(entry) => Some(entry),
            _ => None,
        }
    }

    /// What a read would be answered with from memory alone: a value, or that there is none.
    #[must_use]
    pub fn at_once(&self, key: &K) -> Option<Result<Entry<V>, E>> {
        match self.0.look(key) {
            Known::Fresh(entry) | Known::Aging(entry, _) => Some(Ok(entry)),
            Known::Absent(error) => Some(Err(error)),
            Known::Nothing => None,
        }
    }

    /// What is in memory and may stand in when Aurora cannot answer.
    #[must_use]
    pub fn stale(&self, key: &K) -> Option<Entry<V>> {
        let kept = self.0.standing(key)?;
        let young = clock::between(kept.at, self.0.clock.now()) < self.0.freshness.stale;
        kept.value().filter(|_| young)
    }

    /// Reads from memory, else joins the fetch under way, else begins one. Where memory is good enough but no longer
    /// fresh, it answers at once and has a newer value fetched behind the caller's back. A fetch comes with its handle;
    /// who joins it tells the handle so.
    ///
    /// # Errors
    /// When the fetch failed; that is shared with everyone who waited for it, and kept only where it says that there
    /// is no such thing.
    pub async fn read<F, Fut, J>(&self, key: &K, fetch: F, join: J) -> Result<(Entry<V>, Source), Failed<E>>
    where
        F: Fn(Errand) -> (H, Fut) + Send,
        J: Fn(&H) + Send,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
    {
        for _ in 0..ROUNDS {
            let (ticket, source) = match self.board(key, &fetch, &join) {
                Boarding::Known(entry) => return Ok((entry, Source::Memory)),
                Boarding::Absent(error) => return Err(Failed::Absent(error)),
                Boarding::On(ticket, source) => (ticket, source),
            };
            match ticket.landed().await {
                Some(Landing::Current(entry)) => return Ok((entry, source)),
                Some(Landing::Failed(error)) => return Err(Failed::Fetch(error)),
                Some(Landing::Overtaken) => {}
                None => return Err(Failed::Lost),
            }
        }
        Err(Failed::Lost)
    }

    fn board<F, Fut>(&self, key: &K, fetch: &F, join: impl Fn(&H)) -> Boarding<V, E>
    where
        F: Fn(Errand) -> (H, Fut),
        Fut: Future<Output = Result<V, E>> + Send + 'static,
    {
        match self.0.look(key) {
            Known::Fresh(entry) | Known::Aging(entry, false) => return Boarding::Known(entry),
            Known::Aging(entry, true) => {
                self.refresh(key, fetch);
                return Boarding::Known(entry);
            }
            Known::Absent(error) => return Boarding::Absent(error),
            Known::Nothing => {}
        }
        let mut flights = self.0.flights.lock();
        // A fetch may have landed between the look above and the lock.
        match self.0.look(key) {
            Known::Fresh(entry) | Known::Aging(entry, _) => return Boarding::Known(entry),
            Known::Absent(error) => return Boarding::Absent(error),
            Known::Nothing => {}
        }
        if let Some((ticket, handle)) = flights.to(key) {
            join(handle);
            return Boarding::On(ticket, Source::Shared);
        }
        let (handle, work) = fetch(Errand::Asked);
        let (takeoff, ticket) = self.0.flights.depart(&mut flights, key, handle);
        drop(flights);
        self.send(takeoff, work);
        Boarding::On(ticket, Source::Fetched)
    }

    /// Has a newer value fetched, unless that is under way.
    fn refresh<F, Fut>(&self, key: &K, fetch: &F)
    where
        F: Fn(Errand) -> (H, Fut),
        Fut: Future<Output = Result<V, E>> + Send + 'static,
    {
        let mut flights = self.0.flights.lock();
        if flights.to(key).is_some() || !matches!(self.0.look(key), Known::Aging(_, true)) {
            return;
        }
        let (handle, work) = fetch(Errand::Refresh);
        let (takeoff, _nobody_waits) = self.0.flights.depart(&mut flights, key, handle);
        drop(flights);
        self.send(takeoff, work);
    }

    fn send<Fut>(&self, takeoff: flight::Takeoff<K, Landing<V, E>, H>, work: Fut)
    where
        Fut: Future<Output = Result<V, E>> + Send + 'static,
    {
        let (shelf, number) = (Arc::clone(&self.0), self.0.news.number());
        tokio::spawn(async move {
            let result = work.await;
            takeoff.land(|key, current| shelf.keep(key, result, number, current));
        });
    }

    /// Puts in a value that came by another way, such as the answer to a create, and was asked for when the news had that
    /// number. It overtakes a fetch under way; where news have come of what it hangs on, memory stays as it is.
    pub fn put(&self, key: K, value: V, number: u64) -> Entry<V> {
        let shelf = &self.0;
        let entry = Entry { value: Arc::new(value), at: shelf.clock.now() };
        let mut flights = shelf.flights.lock();
        if shelf.stands(&key, Some(&entry.value), number) {
            flights.cancel(&key);
            shelf.entries.insert(key, Kept::of(entry.clone(), number));
        }
        entry
    }

    /// Forgets what is known under a key, and whatever a fetch under way will say of it.
    pub fn forget(&self, key: &K) {
        let mut flights = self.0.flights.lock();
        flights.cancel(key);
        self.0.entries.invalidate(key);
    }
}

impl<K, V, E, H> Shelf<K, V, E, H>
where
    K: Hangs<V> + Hash + Eq + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
    E: Absence + Clone + Send + Sync + 'static,
    H: Send + 'static,
{
    /// What is kept under a key, unless news have come of what it hangs on.
    fn standing(&self, key: &K) -> Option<Kept<V, E>> {
        self.entries.get(key).filter(|kept| self.stands(key, kept.held.value(), kept.number))
    }

    fn stands(&self, key: &K, value: Option<&Arc<V>>, number: u64) -> bool {
        number >= self.news.number()
            || self.news.stands(number, key.hangs_on(value.map(|it| &**it)).into_iter().flatten())
    }

    fn look(&self, key: &K) -> Known<V, E> {
        let Some(kept) = self.standing(key) else { return Known::Nothing };
        let (now, freshness) = (self.clock.now(), &self.freshness);
        let age = clock::between(kept.at, now);
        match kept.held {
            Held::Value(value) => {
                let entry = Entry { value, at: kept.at };
                match age {
                    age if age < freshness.fresh => Known::Fresh(entry),
                    age if age < freshness.revalidate => Known::Aging(entry, now >= kept.rest_until),
                    _ => Known::Nothing,
                }
            }
            Held::Absent(error) if age < freshness.absent => Known::Absent(error),
            Held::Absent(_) => Known::Nothing,
        }
    }

    /// Keeps what a fetch brought, if no news came meanwhile. The flights are locked meanwhile.
    fn keep(&self, key: &K, result: Result<V, E>, number: u64, current: bool) -> Landing<V, E> {
        let now = self.clock.now();
        match result {
            Ok(value) => {
                let entry = Entry { value: Arc::new(value), at: now };
                if !current || !self.stands(key, Some(&entry.value), number) {
                    return Landing::Overtaken;
                }
                self.entries.insert(key.clone(), Kept::of(entry.clone(), number));
                Landing::Current(entry)
            }
            Err(error) => {
                let current = current && self.stands(key, None, number);
                if !current && !error.is_outage() {
                    // What Aurora refused before the news, it may give now: those who joined since must not hear of it.
                    return Landing::Overtaken;
                }
                if error.is_absence() {
                    self.entries.insert(key.clone(), Kept::absent(error.clone(), now, number));
                } else if let Some(kept) = self.entries.get(key).filter(|_| current) {
                    self.entries.insert(key.clone(), kept.resting(now));
                }
                Landing::Failed(error)
            }
        }
    }
}

enum Boarding<V, E> {
    Known(Entry<V>),
    Absent(E),
    On(Ticket<Landing<V, E>>, Source),
}

#[cfg(test)]
mod tests;
