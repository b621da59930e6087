//! Bounded memory of what Aurora said, shared by all callers and driven by the clock.
//!
//! Invariants: identical reads at once share one fetch, which survives the caller who began it; a fetch that was
//! under way when its key was forgotten never fills the cache, and those who waited for it read again, so nobody
//! can see what was true before the news. Not here: how fresh a thing must be, which is the catalog's to say.

use std::{
    collections::HashMap,
    future::Future,
    hash::Hash,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::watch;

use crate::clock::{self, Clock};

/// What a cache can hold: it says how heavy it is.
pub trait Weigh {
    /// About how many bytes it keeps in memory.
    fn weight(&self) -> usize;
}

impl<T: Weigh> Weigh for Vec<T> {
    fn weight(&self) -> usize {
        size_of::<Self>() + self.iter().map(Weigh::weight).sum::<usize>()
    }
}

impl<T: Weigh> Weigh for Arc<T> {
    fn weight(&self) -> usize {
        size_of::<Self>() + T::weight(self)
    }
}

/// How old a value may be.
#[derive(Debug, Clone, Copy)]
pub struct Freshness {
    /// Up to this age it is served without asking Aurora.
    pub fresh: Duration,
    /// Up to this age it is served, marked stale, when Aurora cannot answer.
    pub stale: Duration,
}

/// A value and when it was fetched.
#[derive(Debug)]
pub struct Entry<V> {
    /// The value.
    pub value: Arc<V>,
    /// When it was fetched.
    pub at: Timestamp,
}

impl<V> Clone for Entry<V> {
    fn clone(&self) -> Self {
        Self { value: Arc::clone(&self.value), at: self.at }
    }
}

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

/// Why there is no answer.
#[derive(Debug, Clone)]
pub enum Failed<E> {
    /// The fetch failed.
    Fetch(E),
    /// The fetch vanished, or was overtaken by news again and again.
    Lost,
}

/// A cache of one kind of thing.
pub struct Cache<K, V, E> {
    entries: moka::sync::Cache<K, Entry<V>>,
    flights: Arc<Mutex<HashMap<K, Flight<V, E>>>>,
    next: AtomicU64,
    freshness: Freshness,
    clock: Clock,
}

struct Flight<V, E> {
    id: u64,
    landed: watch::Receiver<Option<Landed<V, E>>>,
}

type Landed<V, E> = Result<Verdict<V>, E>;

enum Verdict<V> {
    Current(Entry<V>),
    /// Its key was forgotten while it was under way.
    Overtaken,
}

impl<V> Clone for Verdict<V> {
    fn clone(&self) -> Self {
        match self {
            Self::Current(entry) => Self::Current(entry.clone()),
            Self::Overtaken => Self::Overtaken,
        }
    }
}

/// How often a reader whose fetch was overtaken by news begins again. Each round costs a call to Aurora, and
/// news of one thing does not come five times within a few round trips.
const ROUNDS: usize = 5;

impl<K, V, E> Cache<K, V, E>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Weigh + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    /// A cache that holds about `max_bytes` of values of the given freshness.
    #[must_use]
    pub fn new(max_bytes: u64, freshness: Freshness, clock: Clock) -> Self {
        let entries = moka::sync::Cache::builder()
            .weigher(|_, entry: &Entry<V>| u32::try_from(entry.value.weight()).unwrap_or(u32::MAX))
            .max_capacity(max_bytes)
            .time_to_live(freshness.stale.max(freshness.fresh))
            .build();
        Self { entries, flights: Arc::default(), next: AtomicU64::new(0), freshness, clock }
    }

    /// What is in memory and fresh.
    #[must_use]
    pub fn fresh(&self, key: &K) -> Option<Entry<V>> {
        self.younger_than(key, self.freshness.fresh)
    }

    /// What is in memory and may stand in when Aurora cannot answer.
    #[must_use]
    pub fn stale(&self, key: &K) -> Option<Entry<V>> {
        self.younger_than(key, self.freshness.stale)
    }

    fn younger_than(&self, key: &K, age: Duration) -> Option<Entry<V>> {
        self.entries.get(key).filter(|entry| clock::between(entry.at, self.clock.now()) < age)
    }

    /// Reads from memory, else joins the fetch under way, else begins one.
    ///
    /// # Errors
    /// When the fetch failed; that is shared with everyone who waited for it, and not kept.
    pub async fn read<F, Fut>(&self, key: &K, fetch: F) -> Result<(Entry<V>, Source), Failed<E>>
    where
        F: Fn() -> Fut + Send,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
    {
        for _ in 0..ROUNDS {
            let (mut landed, source) = match self.board(key, &fetch) {
                Boarding::Fresh(entry) => return Ok((entry, Source::Memory)),
                Boarding::On(landed, source) => (landed, source),
            };
            let verdict = match landed.wait_for(Option::is_some).await {
                Ok(verdict) => verdict.clone(),
                Err(_gone) => None,
            };
            match verdict {
                Some(Ok(Verdict::Current(entry))) => return Ok((entry, source)),
                Some(Ok(Verdict::Overtaken)) => {}
                Some(Err(error)) => return Err(Failed::Fetch(error)),
                None => return Err(Failed::Lost),
            }
        }
        Err(Failed::Lost)
    }

    fn board<F, Fut>(&self, key: &K, fetch: &F) -> Boarding<V, E>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
    {
        if let Some(entry) = self.fresh(key) {
            return Boarding::Fresh(entry);
        }
        let mut flights = lock(&self.flights);
        // A fetch may have landed between the look above and the lock.
        if let Some(entry) = self.fresh(key) {
            return Boarding::Fresh(entry);
        }
        if let Some(flight) = flights.get(key) {
            return Boarding::On(flight.landed.clone(), Source::Shared);
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (land, landed) = watch::channel(None);
        flights.insert(key.clone(), Flight { id, landed: landed.clone() });
        drop(flights);
        let guard = Takeoff { key: key.clone(), id, flights: Arc::clone(&self.flights) };
        let (entries, clock, work) = (self.entries.clone(), self.clock.clone(), fetch());
        tokio::spawn(async move {
            let result = work.await;
            let landing = guard.land(result, &entries, &clock);
            land.send_replace(Some(landing));
        });
        Boarding::On(landed, Source::Fetched)
    }

    /// Puts in a value that came by another way, such as the answer to a create. It overtakes a fetch under way.
    pub fn put(&self, key: K, value: V) -> Entry<V> {
        let entry = Entry { value: Arc::new(value), at: self.clock.now() };
        let mut flights = lock(&self.flights);
        flights.remove(&key);
        self.entries.insert(key, entry.clone());
        entry
    }

    /// Forgets what is known under a key, and whatever a fetch under way will say of it.
    pub fn forget(&self, key: &K) {
        let mut flights = lock(&self.flights);
        flights.remove(key);
        self.entries.invalidate(key);
    }

    /// Forgets every key that matches. Walks over all of them: for small caches.
    pub fn forget_where(&self, matches: impl Fn(&K) -> bool) {
        let mut flights = lock(&self.flights);
        flights.retain(|key, _| !matches(key));
        let known: Vec<_> = self.entries.iter().map(|(key, _)| key).filter(|key| matches(key)).collect();
        for key in known {
            self.entries.invalidate(&*key);
        }
    }
}

enum Boarding<V, E> {
    Fresh(Entry<V>),
    On(watch::Receiver<Option<Landed<V, E>>>, Source),
}

/// A flight that is under way. Dropped without landing (a panic), it takes itself off the board.
struct Takeoff<K: Hash + Eq, V, E> {
    key: K,
    id: u64,
    flights: Arc<Mutex<HashMap<K, Flight<V, E>>>>,
}

impl<K, V, E> Takeoff<K, V, E>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Weigh + Send + Sync + 'static,
{
    fn land(
        self,
        result: Result<V, E>,
        entries: &moka::sync::Cache<K, Entry<V>>,
        clock: &Clock,
    ) -> Landed<V, E> {
        let mut flights = lock(&self.flights);
        let current = flights.get(&self.key).is_some_and(|flight| flight.id == self.id);
        if current {
            flights.remove(&self.key);
        }
        let value = result?;
        if !current {
            return Ok(Verdict::Overtaken);
        }
        let entry = Entry { value: Arc::new(value), at: clock.now() };
        entries.insert(self.key.clone(), entry.clone());
        Ok(Verdict::Current(entry))
    }
}

impl<K: Hash + Eq, V, E> Drop for Takeoff<K, V, E> {
    fn drop(&mut self) {
        let mut flights = lock(&self.flights);
        if flights.get(&self.key).is_some_and(|flight| flight.id == self.id) {
            flights.remove(&self.key);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
