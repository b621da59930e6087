//! Fetches under way: one per key, joined by whoever asks meanwhile, taken off the board by news.
//!
//! Invariant: a flight that ends in whatever way, a panic included, leaves the board, and nobody waits for it for ever.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::watch;

use super::Entry;

/// How a fetch ended.
pub(super) enum Landing<V, E> {
    Current(Entry<V>),
    Failed(E),
    /// News came while it was under way.
    Overtaken,
}

impl<V, E: Clone> Clone for Landing<V, E> {
    fn clone(&self) -> Self {
        match self {
            Self::Current(entry) => Self::Current(entry.clone()),
            Self::Failed(error) => Self::Failed(error.clone()),
            Self::Overtaken => Self::Overtaken,
        }
    }
}

/// The board of fetches under way, each with a handle by which it is hastened. Clones are the same board.
pub(super) struct Flights<K, L, H> {
    board: Listed<K, L, H>,
    next: AtomicU64,
}

type Listed<K, L, H> = Arc<Mutex<HashMap<K, Flight<L, H>>>>;

struct Flight<L, H> {
    id: u64,
    landed: watch::Receiver<Option<L>>,
    handle: H,
}

impl<K, L, H> Default for Flights<K, L, H> {
    fn default() -> Self {
        Self { board: Arc::default(), next: AtomicU64::new(0) }
    }
}

/// The board while nobody else can change it.
pub(super) struct Board<'a, K, L, H>(MutexGuard<'a, HashMap<K, Flight<L, H>>>);

impl<K: Hash + Eq + Clone, L, H> Flights<K, L, H> {
    pub(super) fn lock(&self) -> Board<'_, K, L, H> {
        Board(lock(&self.board))
    }

    /// Puts a new flight on the board.
    pub(super) fn depart(
        &self,
        board: &mut Board<'_, K, L, H>,
        key: &K,
        handle: H,
    ) -> (Takeoff<K, L, H>, Ticket<L>) {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (tell, landed) = watch::channel(None);
        board.0.insert(key.clone(), Flight { id, landed: landed.clone(), handle });
        let takeoff = Takeoff { key: key.clone(), id, board: Arc::clone(&self.board), tell };
        (takeoff, Ticket(landed))
    }
}

impl<K: Hash + Eq, L, H> Board<'_, K, L, H> {
    /// A ticket for the flight under way, and what hastens it.
    pub(super) fn to(&self, key: &K) -> Option<(Ticket<L>, &H)> {
        self.0.get(key).map(|flight| (Ticket(flight.landed.clone()), &flight.handle))
    }

    /// Takes a flight off the board: it lands, and finds that it was overtaken.
    pub(super) fn cancel(&mut self, key: &K) {
        self.0.remove(key);
    }
}

/// What waits for a flight.
pub(super) struct Ticket<L>(watch::Receiver<Option<L>>);

impl<L: Clone> Ticket<L> {
    /// How it ended; nothing where it vanished.
    pub(super) async fn landed(mut self) -> Option<L> {
        self.0.wait_for(Option::is_some).await.ok()?.clone()
    }
}

/// A flight that is under way. Dropped without landing (a panic), it takes itself off the board.
pub(super) struct Takeoff<K: Hash + Eq, L, H> {
    key: K,
    id: u64,
    board: Listed<K, L, H>,
    tell: watch::Sender<Option<L>>,
}

impl<K: Hash + Eq, L, H> Takeoff<K, L, H> {
    /// Takes it off the board, works out how it ended while nobody can change that, and tells those who wait.
    pub(super) fn land(self, ending: impl FnOnce(&K, bool) -> L) {
        let landing = {
            let mut board = lock(&self.board);
            let current = board.get(&self.key).is_some_and(|flight| flight.id == self.id);
            if current {
                board.remove(&self.key);
            }
            ending(&self.key, current)
        };
        self.tell.send_replace(Some(landing));
    }
}

impl<K: Hash + Eq, L, H> Drop for Takeoff<K, L, H> {
    fn drop(&mut self) {
        let mut board = lock(&self.board);
        if board.get(&self.key).is_some_and(|flight| flight.id == self.id) {
            board.remove(&self.key);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
