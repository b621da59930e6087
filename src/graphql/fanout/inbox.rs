//! What waits for one subscriber.
//!
//! Invariant: what is in here are the next answers behind those taken before, with none left out; where there is no room
//! for one more, that and everything behind it is for the reader to find in the journal.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use super::super::answer::Frame;

#[derive(Debug)]
pub(super) struct Inbox {
    room: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    frames: VecDeque<Arc<Frame>>,
    /// Something did not go in.
    lost: bool,
    reader: Option<Waker>,
}

impl Inbox {
    pub(super) fn new(room: usize) -> Self {
        Self { room, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an answer in, if there is room and none is missing before it.
    pub(super) fn push(&self, frame: &Arc<Frame>) {
        let mut state = self.lock();
        if state.lost {
            return;
        }
        if state.frames.len() < self.room {
            state.frames.push_back(Arc::clone(frame));
        } else {
            state.lost = true;
        }
        wake(state);
    }

    /// Leaves something out.
    pub(super) fn lose(&self) {
        let mut state = self.lock();
        state.lost = true;
        wake(state);
    }

    /// The next answer; nothing where the next one was left out.
    pub(super) fn poll(&self, context: &Context<'_>) -> Poll<Option<Arc<Frame>>> {
        let mut state = self.lock();
        if let Some(frame) = state.frames.pop_front() {
            return Poll::Ready(Some(frame));
        }
        if state.lost {
            return Poll::Ready(None);
        }
        if state.reader.as_ref().is_none_or(|it| !it.will_wake(context.waker())) {
            state.reader = Some(context.waker().clone());
        }
        Poll::Pending
    }

    /// From now on nothing is left out, until there is no room.
    pub(super) fn reopen(&self) {
        self.lock().lost = false;
    }
}

fn wake(mut state: MutexGuard<'_, State>) {
    let reader = state.reader.take();
    drop(state);
    if let Some(reader) = reader {
        reader.wake();
    }
}
