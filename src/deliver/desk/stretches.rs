//! What waits in a lane: stretches of the journal, in their order, with what is settled between them.
//!
//! Invariants: they do not overlap; all but the last hold something; nothing of the lane lies between the last and what has
//! not been scanned, so that what is new only makes the last one longer.

use std::collections::VecDeque;

use crate::domain::Seq;

/// Stretches of one lane at a time. Each request of an operator may add one; above it, the two that are nearest to each
/// other become one, and what lies between them is sent again too.
pub(super) const MOST_STRETCHES: usize = 16;

/// The events of a lane behind `after`, up to `through`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::deliver) struct Stretch {
    pub(in crate::deliver) after: Seq,
    pub(in crate::deliver) through: Seq,
}

impl Stretch {
    /// One event.
    fn only(seq: Seq) -> Self {
        Self { after: Seq(seq.0.saturating_sub(1)), through: seq }
    }

    fn holds(&self, seq: Seq) -> bool {
        self.after < seq && seq <= self.through
    }
}

/// The stretches of one lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::deliver) struct Stretches(VecDeque<Stretch>);

impl Stretches {
    /// What waits of a lane whose first event in line is new.
    pub(super) fn new(seq: Seq) -> Self {
        Self([Stretch::only(seq)].into())
    }

    /// What waits of a lane in which nothing does but an event that is sent once more.
    pub(super) fn again(seq: Seq, scanned: Seq) -> Self {
        let mut only = Self(VecDeque::new());
        only.ask_again(seq, seq, scanned);
        only
    }

    /// What was kept, in its order.
    pub(in crate::deliver) fn kept(stretches: impl IntoIterator<Item = Stretch>) -> Self {
        Self(stretches.into_iter().collect())
    }

    /// Whether an event waits.
    pub(in crate::deliver) fn hold(&self, seq: Seq) -> bool {
        self.0.iter().any(|it| it.holds(seq))
    }

    /// All of them, in their order.
    pub(in crate::deliver) fn all(&self) -> impl Iterator<Item = Stretch> {
        self.0.iter().copied()
    }

    /// Where the last of them ends.
    pub(in crate::deliver) fn end(&self) -> Seq {
        self.0.back().map_or(Seq(0), |it| it.through)
    }

    /// The one whose turn it is, unless all is settled.
    pub(super) fn first(&self) -> Option<Stretch> {
        self.0.front().copied()
    }

    /// Everything up to there is settled.
    pub(super) fn settle(&mut self, through: Seq) {
        self.0.iter_mut().for_each(|it| it.after = it.after.max(through.min(it.through)));
        while self.0.front().is_some_and(|it| it.after >= it.through) {
            self.0.pop_front();
        }
    }

    /// Adds what is new. Says whether it was not known to wait.
    pub(super) fn extend(&mut self, seq: Seq) -> bool {
        match self.0.back_mut() {
            Some(last) if seq > last.through => last.through = seq,
            Some(_) => return false,
            None => self.0.push_back(Stretch::only(seq)),
        }
        true
    }

    /// Asks for an event once more, which is asked for together with all that lie between `since` and it. Says whether it
    /// does not wait already.
    pub(super) fn ask_again(&mut self, seq: Seq, since: Seq, scanned: Seq) -> bool {
        if self.hold(seq) {
            return false;
        }
        let at = self.0.partition_point(|it| it.through < seq);
        if at == self.0.len() {
            // What is new goes on there. What lies before it is settled.
            self.0.push_back(Stretch { after: scanned.max(seq), through: scanned.max(seq) });
        }
        let before = at.checked_sub(1).and_then(|at| self.0.get_mut(at));
        match before.filter(|it| it.through >= since) {
            Some(before) => before.through = seq,
            None => self.0.insert(at, Stretch::only(seq)),
        }
        while self.0.len() > MOST_STRETCHES {
            self.join_nearest();
        }
        true
    }

    fn join_nearest(&mut self) {
        let gaps = self.0.iter().zip(self.0.iter().skip(1)).map(|(one, next)| next.after.0 - one.through.0);
        let Some((at, _)) = gaps.enumerate().min_by_key(|(_, gap)| *gap) else { return };
        if let (Some(next), Some(one)) = (self.0.remove(at + 1), self.0.get_mut(at)) {
            one.through = next.through;
        }
    }
}
