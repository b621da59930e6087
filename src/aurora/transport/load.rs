//! How many calls are under way to Aurora at once, over all keys.
//!
//! Each takes a connection and memory. Where there are too many, the next are refused at once, with an error that
//! says when to come again, rather than made to wait: a queue over all keys would let one tenant's calls wait for
//! another's. A key that has hardly anything under way is let through a little longer, so that those who cause the
//! crowd are refused before those who do not.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

/// When to come again: calls mostly end within this.
pub(super) const COME_AGAIN: Duration = Duration::from_secs(1);

/// What is kept for keys with little under way: the last quarter.
const KEPT: usize = 4;

/// As many calls of one key are little.
const LITTLE: usize = 2;

/// Calls under way.
#[derive(Debug)]
pub(super) struct Load {
    most: usize,
    under_way: AtomicUsize,
}

impl Load {
    pub(super) fn new(most: usize) -> Self {
        Self { most, under_way: AtomicUsize::new(0) }
    }

    /// Takes one more on, of a key that has so many under way, this one among them.
    pub(super) fn take_on(&self, of_key: usize) -> Option<Carried<'_>> {
        let taken = self.under_way.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |under_way| {
            fits(under_way, of_key, self.most).then_some(under_way + 1)
        });
        taken.ok().map(|_before| Carried(self))
    }

    /// How many are under way.
    pub(super) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }
}

fn fits(under_way: usize, of_key: usize, most: usize) -> bool {
    under_way < if of_key <= LITTLE { most } else { most - most / KEPT }
}

/// One call under way, until it is dropped.
pub(super) struct Carried<'a>(&'a Load);

impl Drop for Carried<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_cause_the_crowd_are_refused_first() {
        let load = Load::new(8);
        let crowd: Vec<_> = (1..=8).map_while(|of_key| load.take_on(of_key.max(3))).collect();
        assert_eq!(crowd.len(), 6);
        let others: Vec<_> = (0..8).map_while(|_| load.take_on(1)).collect();
        assert_eq!((others.len(), load.under_way()), (2, 8));
        drop((crowd, others));
        assert_eq!(load.under_way(), 0);
        assert!(Load::new(1).take_on(9).is_some(), "somebody always fits");
    }
}
