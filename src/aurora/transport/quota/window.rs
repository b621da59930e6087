//! One key's calls of the last minute, and when each lane may add one.
//!
//! Each call counts from before it is sent until a window after it ended. Aurora counts it at some moment in
//! between, so whichever moment it takes, its own count stays within the limit.
//!
//! A lane leaves room for those above it. What it must leave is not a fixed part of the window but a rate: at every
//! moment until the calls that were made have left the window, what the lanes above are likely to ask for by then
//! must be free. After a quiet minute much can be sent at once; where calls leave the window one by one, nearly all
//! of the limit is used; and who comes right behind a burst still gets a turn now and then.
//!
//! Not here: who waits, and whose turn it is. Pure: the time is an argument.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use crate::aurora::Lane;

/// The span over which Aurora counts, and a little: two machines' clocks do not run quite alike.
pub(super) const WINDOW: Duration = Duration::from_millis(60_100);

/// Calls leave the window at whole ticks, so that it stays small however high the limit is.
const TICK: Duration = Duration::from_millis(50);

/// A call whose waiting broke off may still be on its way to Aurora, and be counted there so much later: as long as the
/// system goes on trying to deliver what was written to a connection.
pub(super) const STILL_ON_ITS_WAY: Duration = Duration::from_secs(5);

/// Calls of one key that stand in the window.
#[derive(Debug, Clone)]
pub(super) struct Window {
    limit: usize,
    at_once: usize,
    under_way: usize,
    /// When how many leave, in order of time.
    leaving: VecDeque<(Instant, usize)>,
    ended: usize,
    stopped_until: Option<Instant>,
    /// What ticks are counted from.
    origin: Instant,
}

/// What a lane leaves to those above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Left {
    /// Free at any moment: several may come at once.
    always: usize,
    /// Asked for, evenly, in a window.
    in_window: usize,
}

impl Window {
    /// An empty one, for so many calls, of which so many may be under way at once.
    pub(super) fn new(limit: usize, at_once: usize, origin: Instant) -> Self {
        Self {
            limit: limit.max(1),
            at_once: at_once.max(1),
            under_way: 0,
            leaving: VecDeque::new(),
            ended: 0,
            stopped_until: None,
            origin,
        }
    }

    /// Calls under way.
    pub(super) fn under_way(&self) -> usize {
        self.under_way
    }

    /// Calls that could be made if no lane left room for another.
    pub(super) fn free(&self) -> usize {
        self.limit.saturating_sub(self.under_way + self.ended)
    }

    /// When how many leave, where those that are under way break off now.
    pub(super) fn leaving(&self, now: Instant) -> impl Iterator<Item = (Instant, usize)> {
        let under_way = (now + STILL_ON_ITS_WAY + WINDOW, self.under_way);
        self.leaving.iter().copied().chain([under_way]).filter(|(_, calls)| *calls > 0)
    }

    /// When the next call leaves, if one is in.
    pub(super) fn next_leaves(&self) -> Option<Instant> {
        self.leaving.front().map(|(at, _)| *at)
    }

    /// Until when nothing may be sent.
    pub(super) fn stopped_until(&self, now: Instant) -> Option<Instant> {
        self.stopped_until.filter(|until| *until > now)
    }

    /// Nothing may be sent before that.
    pub(super) fn stop_until(&mut self, until: Instant) {
        self.stopped_until = self.stopped_until.max(Some(until));
    }

    /// Lets those go that are a window old.
    pub(super) fn advance(&mut self, now: Instant) {
        while let Some((_, calls)) = self.leaving.pop_front_if(|(at, _)| *at <= now) {
            self.ended -= calls;
        }
    }

    /// A call is about to be sent.
    pub(super) fn begin(&mut self) {
        self.under_way += 1;
    }

    /// It ended: it counts for a window more.
    pub(super) fn end(&mut self, now: Instant) {
        self.under_way = self.under_way.saturating_sub(1);
        self.leave(now + WINDOW, 1);
    }

    /// So many calls were made before this window was, and count until then.
    pub(super) fn adopt(&mut self, calls: usize, leave_at: Instant) {
        self.leave(leave_at, calls);
    }

    /// Nobody waits for it any more, but it was sent.
    pub(super) fn abandon(&mut self, now: Instant) {
        self.end(now + STILL_ON_ITS_WAY);
    }

    /// It was not sent after all.
    pub(super) fn take_back(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    fn leave(&mut self, at: Instant, calls: usize) {
        self.ended += calls;
        let ticks = at.saturating_duration_since(self.origin).as_nanos().div_ceil(TICK.as_nanos());
        let at = self.origin + TICK * u32::try_from(ticks).unwrap_or(u32::MAX);
        let place = self.leaving.partition_point(|(leaves, _)| *leaves < at);
        match self.leaving.get_mut(place).filter(|(leaves, _)| *leaves == at) {
            Some((_, already)) => *already += calls,
            None => self.leaving.insert(place, (at, calls)),
        }
    }

    /// The earliest moment at which a call of that lane may be sent if nothing else is sent before; none if that
    /// depends on when a call ends that is under way.
    pub(super) fn when(&self, lane: Lane, now: Instant) -> Option<Instant> {
        let left = self.left(lane);
        let at_the_end = self.limit.checked_sub(self.under_way + 1 + left.always)?;
        if self.under_way >= self.at_once || at_the_end < left.in_window {
            return None;
        }
        let mut when = self.stopped_until(now).unwrap_or(now);
        let mut still_in = self.ended;
        for (leaves, calls) in &self.leaving {
            when = when.max(match at_the_end.checked_sub(still_in) {
                // What is free until then must do for what is likely to be asked until then.
                Some(free) => earlier(*leaves, lasts(free, left.in_window), now),
                None => *leaves,
            });
            still_in -= calls;
        }
        Some(when)
    }

    /// A third of the limit is for writes, a sixth for reads that somebody waits for, a sixth for events.
    fn left(&self, lane: Lane) -> Left {
        if lane == Lane::Mutation || self.limit < SMALLEST_DIVIDED {
            return Left { always: 0, in_window: 0 };
        }
        let sixths = match lane {
            Lane::Mutation => 0,
            Lane::Interactive => 2,
            Lane::Enrichment => 3,
            Lane::Refresh => 4,
        };
        let in_window = self.limit * sixths / 6;
        let always = (self.limit / 10).max(1);
        // Alone in the window, one call of any lane fits.
        Left { always, in_window: in_window.min(self.limit - 1 - always) }
    }
}

/// Below this there is nothing to divide: the lanes' order is all that counts.
const SMALLEST_DIVIDED: usize = 4;

/// How long so many calls last where so many are asked for in a window.
fn lasts(calls: usize, in_window: usize) -> Duration {
    let as_number = |it: usize| u32::try_from(it).unwrap_or(u32::MAX);
    if in_window == 0 { Duration::MAX } else { WINDOW * as_number(calls) / as_number(in_window) }
}

fn earlier(at: Instant, by: Duration, floor: Instant) -> Instant {
    at.checked_sub(by).map_or(floor, |it| it.max(floor))
}
