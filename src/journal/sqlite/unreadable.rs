//! Deliveries, of events too, that cannot be read: each is told once, and those in the way are tried once to be taken out
//! of it.
//!
//! Invariants: what the writer refused, or has not come to, is tried again by the next who reads what waits, and by one at
//! a time; what it has come to is never tried again, or one that cannot be taken out would cost a write at each reading.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::domain::Seq;

/// Rows that are counted and told one by one. A file with more of them has to be salvaged anyway.
pub(super) const COUNTED: usize = 10_000;

/// What is known of them.
#[derive(Debug)]
pub(super) struct Unreadable(Mutex<Known>);

#[derive(Debug)]
struct Known {
    told: BTreeSet<Seq>,
    /// Those that the writer has to look at still.
    suspects: BTreeSet<Seq>,
}

impl Unreadable {
    /// With those that an earlier run has told of.
    pub(super) fn new(told: BTreeSet<Seq>) -> Self {
        Self(Mutex::new(Known { told, suspects: BTreeSet::new() }))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn count(&self) -> usize {
        self.known().told.len()
    }

    pub(super) fn told(&self) -> BTreeSet<Seq> {
        self.known().told.clone()
    }

    /// Tells of those that nobody has told of.
    pub(super) fn tell<'a>(&self, found: impl IntoIterator<Item = &'a (Seq, rusqlite::Error)>) {
        for (seq, error) in found {
            let mut known = self.known();
            if known.told.len() < COUNTED && known.told.insert(*seq) {
                tracing::error!(
                    seq = seq.0, %error,
                    "a delivery cannot be read and is passed over (docs/disk-trouble.md)"
                );
            }
        }
    }

    /// The same of those that are in the way. Gives those to take out of it.
    pub(super) fn suspect(self: &Arc<Self>, found: &[(Seq, rusqlite::Error)]) -> Suspects {
        let mut known = self.known();
        for (seq, _) in found {
            if !known.told.contains(seq) && known.suspects.len() < COUNTED {
                known.suspects.insert(*seq);
            }
        }
        let seqs = std::mem::take(&mut known.suspects);
        drop(known);
        self.tell(found);
        Suspects { of: Arc::clone(self), seqs, met: AtomicBool::new(false) }
    }

    /// Counts these no more.
    pub(super) fn forget(&self, gone: &[Seq]) {
        let mut known = self.known();
        for seq in gone {
            known.told.remove(seq);
        }
    }
}

/// Some on their way to the writer. Where it never met them they come back.
#[derive(Debug)]
pub(super) struct Suspects {
    of: Arc<Unreadable>,
    seqs: BTreeSet<Seq>,
    met: AtomicBool,
}

impl Suspects {
    pub(super) fn is_empty(&self) -> bool {
        self.seqs.is_empty()
    }

    pub(super) fn seqs(&self) -> impl Iterator<Item = Seq> {
        self.seqs.iter().copied()
    }

    /// The writer has looked at them, and that is on disk.
    pub(super) fn met(&self) {
        self.met.store(true, Ordering::Relaxed);
    }
}

impl Drop for Suspects {
    fn drop(&mut self) {
        if !*self.met.get_mut() {
            self.of.known().suspects.append(&mut self.seqs);
        }
    }
}
