//! Who waits for a turn of one key, and whose turn it is.
//!
//! The most urgent lane goes first, and within a lane who came first. A lane that waits while others go past it is
//! passed so many times and no more: the next turn, whoever made it, is its own. So no lane starves another, and
//! the bound is a number.
//!
//! Pure: the time is an argument. Not here: when the window has room, which is [`Window`]'s to say.

use std::collections::VecDeque;

use tokio::time::Instant;

use super::window::Window;
use crate::aurora::{Lane, meter::Urgency};

/// How many turns in a row may go past a waiting lane, in quarters of a turn.
const MOST_PASSES: [u32; 4] = [u32::MAX, 4 * WHOLE, 6 * WHOLE, 12 * WHOLE];

/// What a turn that goes past counts. A write behind which no other waits counts a quarter: it takes what was kept for
/// it, and what it leaves of that is for the next.
const WHOLE: u32 = 4;
const LONE_WRITE: u32 = 1;

/// What can be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// This one's turn: it has left the queue and stands in the window.
    Turn(u64),
    /// Nobody's, until then at the earliest.
    At(Instant),
    /// Nobody's, until a call ends that is under way.
    WhenOneEnds,
    /// Nobody waits.
    Nobody,
}

/// Those who wait, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<(u64, Urgency)>,
    passed: [u32; 4],
}

impl Queue {
    pub(super) fn join(&mut self, id: u64, urgency: Urgency) {
        self.waiting.push_back((id, urgency));
    }

    pub(super) fn leave(&mut self, id: u64) {
        self.waiting.retain(|(other, _)| *other != id);
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// How many wait in that lane.
    pub(super) fn waiting_in(&self, lane: Lane) -> usize {
        self.waiting.iter().filter(|(_, urgency)| urgency.lane() == lane).count()
    }

    /// Whoever has waited longest.
    pub(super) fn first(&self) -> Option<u64> {
        self.waiting.front().map(|(id, _)| *id)
    }

    /// The next turn, if somebody can have one now.
    pub(super) fn next(&mut self, window: &mut Window, now: Instant) -> Next {
        window.advance(now);
        // A queue is read once: urgency may rise meanwhile, and what is decided must fit together.
        let first = self.first_of_each();
        let (mut soonest, mut anybody) = (None, false);
        for lane in Lane::ALL {
            if first[lane.index()].is_none() {
                continue;
            }
            anybody = true;
            match window.when(lane, now) {
                Some(when) if when <= now => {
                    let Some((lane, id)) = self.hand_on(lane, first) else { continue };
                    self.leave(id);
                    self.count_passes(lane, first);
                    window.begin();
                    return Next::Turn(id);
                }
                when => soonest = soonest.into_iter().chain(when).min(),
            }
        }
        match (anybody, soonest) {
            (false, _) => Next::Nobody,
            (true, Some(at)) => Next::At(at),
            (true, None) => Next::WhenOneEnds,
        }
    }

    /// When somebody who joined now would have a turn, if nobody joined after; none where that depends on calls that
    /// are under way.
    pub(super) fn turn_of_another(&self, lane: Lane, window: &Window, now: Instant) -> Option<Instant> {
        let mut queue = self.copy();
        queue.join(ANOTHER, Urgency::new(lane));
        queue.play(ANOTHER, window.clone(), now)
    }

    /// The same for somebody who waits.
    pub(super) fn turn_of(&self, id: u64, window: &Window, now: Instant) -> Option<Instant> {
        self.copy().play(id, window.clone(), now)
    }

    /// One in which nobody becomes more urgent.
    fn copy(&self) -> Self {
        let waiting = self.waiting.iter().map(|(id, it)| (*id, Urgency::new(it.lane()))).collect();
        Self { waiting, passed: self.passed }
    }

    /// When it is this one's turn, where calls last no time.
    fn play(mut self, whose: u64, mut window: Window, mut now: Instant) -> Option<Instant> {
        loop {
            match self.next(&mut window, now) {
                Next::Turn(id) if id == whose => return Some(now),
                Next::Turn(_) => window.end(now),
                Next::At(later) => now = later,
                Next::WhenOneEnds | Next::Nobody => return None,
            }
        }
    }

    /// Those who wait in lanes less urgent than that.
    pub(super) fn behind(&self, lane: Lane) -> impl Iterator<Item = u64> {
        self.waiting.iter().filter(move |(_, urgency)| urgency.lane() > lane).map(|(id, _)| *id)
    }

    fn first_of_each(&self) -> [Option<u64>; 4] {
        let mut first = [None; 4];
        for (id, urgency) in &self.waiting {
            first[urgency.lane().index()].get_or_insert(*id);
        }
        first
    }

    /// Who gets a turn that this lane has made: a less urgent one that was passed too often, else its own first.
    fn hand_on(&self, maker: Lane, first: [Option<u64>; 4]) -> Option<(Lane, u64)> {
        let owed = Lane::ALL.into_iter().skip(maker.index() + 1).find(|lane| {
            first[lane.index()].is_some() && self.passed[lane.index()] >= MOST_PASSES[lane.index()]
        });
        let lane = owed.unwrap_or(maker);
        first[lane.index()].map(|id| (lane, id))
    }

    /// A lane that waits was passed once more, unless the turn is its own; one in which nobody waits is owed nothing.
    fn count_passes(&mut self, gone: Lane, first: [Option<u64>; 4]) {
        let lone_write = gone == Lane::Mutation && self.waiting_in(gone) == 0;
        let weight = if lone_write { LONE_WRITE } else { WHOLE };
        for lane in Lane::ALL {
            let passed = &mut self.passed[lane.index()];
            let waits = lane != gone && first[lane.index()].is_some();
            *passed = if waits { passed.saturating_add(weight) } else { 0 };
        }
    }
}

/// Stands for somebody who has not joined. Ids are counted up from 1.
const ANOTHER: u64 = 0;
