//! Waiting for a turn: who may not have one in time is told at once, who may waits, and gives way when it hangs up.
//!
//! There is no task behind this. Whoever comes, ends or wakes hands out the turns that can be had; of those who
//! wait, the first keeps the time for all.
//!
//! Invariant: what waits is bounded for each lane, so that one lane's crowd never takes another's place.

mod ticket;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::{
    Budget, Made,
    lanes::{Next, Queue},
    window::Window,
};
use crate::{
    aurora::{Lane, meter::Urgency},
    clock::Clock,
};

/// How long it is remembered that a lane had no turn in time. Under a flood the next caller need not be reckoned anew.
const REFUSAL_HELD: Duration = Duration::from_millis(50);

/// In a longer queue it is not reckoned anew for each who waits what somebody more urgent changed: they hear of it when
/// their time is up.
const FORETOLD: usize = 64;

/// When to ask again where nobody can say when there will be a turn: calls mostly end within this.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

use ticket::Place;
pub(in crate::aurora::transport) use ticket::Ticket;

/// No turn can be had in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::aurora::transport) struct NoTurn {
    /// When it makes sense to ask again.
    pub(in crate::aurora::transport) retry_after: Duration,
}

/// The turns of one key.
pub(super) struct Turns {
    state: Mutex<State>,
    limit: usize,
    /// How many may wait in each lane.
    queued: usize,
    clock: Clock,
}

struct State {
    window: Window,
    queue: Queue,
    /// How those are called who wait, and whether they have their turn.
    called: HashMap<u64, Called>,
    last_id: u64,
    /// For each lane, when somebody was last refused, and when the turn would have come.
    refused: [Option<(Instant, Instant)>; 4],
}

#[derive(Clone)]
struct Called {
    by: Arc<Notify>,
    has_turn: bool,
}

impl Turns {
    pub(super) fn new(limit: usize, at_once: usize, queued: usize, clock: Clock) -> Self {
        let state = State {
            window: Window::new(limit, at_once, clock.instant()),
            queue: Queue::default(),
            called: HashMap::new(),
            last_id: 0,
            refused: [None; 4],
        };
        Self { state: Mutex::new(state), limit, queued, clock }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// At once when the turn would come only after `patience`, or the lane has no place left to wait in; later only
    /// where others who are more urgent, or Aurora itself, came between.
    pub(super) async fn take(&self, urgency: &Urgency, patience: Duration) -> Result<Ticket<'_>, NoTurn> {
        let deadline = Instant::now() + patience;
        let place = self.join(urgency, patience)?;
        loop {
            // Before the look, so that nothing that happens after it is missed.
            let raised = urgency.raised();
            tokio::pin!(raised);
            let wake = match self.look(&place, deadline.saturating_duration_since(Instant::now()))? {
                Look::Turn => return Ok(place.into_ticket()),
                Look::Wait(wake) => wake,
            };
            tokio::select! {
                () = place.called.notified() => {}
                () = &mut raised => {}
                () = self.clock.sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
                () = sleep_until(deadline) => return Err(self.too_late(urgency.lane())),
            }
        }
    }

    fn join(&self, urgency: &Urgency, patience: Duration) -> Result<Place<'_>, NoTurn> {
        let (now, lane) = (self.clock.instant(), urgency.lane());
        let mut state = self.lock();
        state.admit(lane, now, patience, self.queued)?;
        state.last_id += 1;
        let id = state.last_id;
        let called = Arc::new(Notify::new());
        state.queue.join(id, urgency.clone());
        state.call_those_behind(lane);
        state.called.insert(id, Called { by: Arc::clone(&called), has_turn: false });
        Ok(Place::new(self, id, called))
    }

    /// Hands out what can be had, and sees what is there for this one, which waits for `left` more.
    fn look(&self, place: &Place<'_>, left: Duration) -> Result<Look, NoTurn> {
        let now = self.clock.instant();
        let mut state = self.lock();
        let wake = state.hand_out(now);
        if state.called.get(&place.id).is_some_and(|it| it.has_turn) {
            return Ok(Look::Turn);
        }
        let stopped = state.window.stopped_until(now);
        let foretold = || state.queue.turn_of(place.id, &state.window, now);
        let turn = if state.queue.len() <= FORETOLD { stopped.max(foretold()) } else { stopped };
        if let Some(turn) = turn.filter(|turn| turn.saturating_duration_since(now) > left) {
            return Err(NoTurn { retry_after: turn - now });
        }
        Ok(Look::Wait(wake.filter(|_| state.queue.first() == Some(place.id))))
    }

    /// Others came between.
    fn too_late(&self, lane: Lane) -> NoTurn {
        let now = self.clock.instant();
        let state = self.lock();
        let turn = state.queue.turn_of_another(lane, &state.window, now);
        NoTurn { retry_after: turn.map_or(SHORTEST_WAIT, |turn| (turn - now).max(SHORTEST_WAIT)) }
    }

    /// Aurora said "wait": nobody calls with this key for so long. Those who cannot wait so long are told.
    pub(super) fn stop_for(&self, wait: Duration) {
        let until = self.clock.instant() + wait;
        let mut state = self.lock();
        state.window.stop_until(until);
        state.called.values().for_each(|it| it.by.notify_one());
    }

    /// What may still be spent.
    pub(super) fn budget(&self) -> Budget {
        let now = self.clock.instant();
        let mut state = self.lock();
        state.window.advance(now);
        let window = &state.window;
        let stopped = window.stopped_until(now);
        let until = stopped.or_else(|| window.next_leaves());
        Budget {
            limit: count(self.limit),
            remaining: if stopped.is_some() { 0 } else { count(window.free()) },
            resets_in: until.map_or(Duration::ZERO, |until| until - now),
        }
    }

    /// These were made before this was.
    pub(super) fn adopt(&self, made: Made) {
        let calls = usize::try_from(made.calls).unwrap_or(usize::MAX);
        self.change(|window, now| window.adopt(calls, now + made.counts_for));
    }

    /// What stands in the window.
    pub(super) fn made(&self) -> Vec<Made> {
        let now = self.clock.instant();
        let mut state = self.lock();
        state.window.advance(now);
        let made = |(at, calls): (Instant, usize)| Made { calls: count(calls), counts_for: at - now };
        state.window.leaving(now).map(made).collect()
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.lock().queue.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the window, and hands out what that made free.
    fn change(&self, change: impl FnOnce(&mut Window, Instant)) {
        let now = self.clock.instant();
        let mut state = self.lock();
        change(&mut state.window, now);
        state.hand_out(now);
        state.call_first();
    }
}

fn count(calls: usize) -> u32 {
    u32::try_from(calls).unwrap_or(u32::MAX)
}

enum Look {
    Turn,
    /// To be called, or to look again then.
    Wait(Option<Instant>),
}

impl State {
    fn admit(&mut self, lane: Lane, now: Instant, patience: Duration, queued: usize) -> Result<(), NoTurn> {
        let too_late = |turn: Instant| turn.saturating_duration_since(now) > patience;
        let known =
            self.refused[lane.index()].filter(|(at, turn)| now < *at + REFUSAL_HELD && too_late(*turn));
        let turn =
            known.map(|(_, turn)| turn).or_else(|| self.queue.turn_of_another(lane, &self.window, now));
        if let Some(turn) = turn.filter(|turn| too_late(*turn)) {
            if known.is_none() {
                self.refused[lane.index()] = Some((now, turn));
            }
            return Err(NoTurn { retry_after: turn - now });
        }
        if self.queue.waiting_in(lane) >= queued {
            let wait = turn.map_or(Duration::ZERO, |turn| turn.saturating_duration_since(now));
            return Err(NoTurn { retry_after: wait.max(SHORTEST_WAIT) });
        }
        Ok(())
    }

    /// Gives every turn that can be had now, and says when the next may come.
    fn hand_out(&mut self, now: Instant) -> Option<Instant> {
        loop {
            match self.queue.next(&mut self.window, now) {
                Next::Turn(id) => {
                    if let Some(called) = self.called.get_mut(&id) {
                        called.has_turn = true;
                        called.by.notify_one();
                    }
                    self.call_first();
                }
                Next::At(at) => return Some(at),
                Next::WhenOneEnds | Next::Nobody => return None,
            }
        }
    }

    /// Somebody more urgent has come: for those behind it may be too late now, and they are to hear of it at once.
    fn call_those_behind(&self, lane: Lane) {
        for called in self.queue.behind(lane).filter_map(|id| self.called.get(&id)) {
            called.by.notify_one();
        }
    }

    /// The first keeps the time; who became it must look at what time that is.
    fn call_first(&self) {
        if let Some(called) = self.queue.first().and_then(|id| self.called.get(&id)) {
            called.by.notify_one();
        }
    }
}
