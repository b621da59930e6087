//! A place among those who wait, and a turn that was taken: each gives back what it holds when it is dropped.

use std::sync::Arc;

use tokio::sync::Notify;

use super::{Turns, Window};

/// A place among those who wait, given up when it is dropped.
pub(super) struct Place<'a> {
    turns: &'a Turns,
    pub(super) id: u64,
    pub(super) called: Arc<Notify>,
    gone: bool,
}

impl<'a> Place<'a> {
    pub(super) fn new(turns: &'a Turns, id: u64, called: Arc<Notify>) -> Self {
        Self { turns, id, called, gone: false }
    }

    pub(super) fn into_ticket(mut self) -> Ticket<'a> {
        self.gone = true;
        self.turns.lock().called.remove(&self.id);
        Ticket { turns: self.turns, over: false }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.gone {
            return;
        }
        let mut state = self.turns.lock();
        let had_turn = state.called.remove(&self.id).is_some_and(|it| it.has_turn);
        state.queue.leave(self.id);
        drop(state);
        self.turns.change(|window, _| {
            if had_turn {
                window.take_back();
            }
        });
    }
}

/// A call's turn, taken. Its slot counts for a window more from when the call has ended.
pub(in crate::aurora::transport) struct Ticket<'a> {
    turns: &'a Turns,
    over: bool,
}

impl Ticket<'_> {
    /// How many calls of the key are under way, this one among them.
    pub(in crate::aurora::transport) fn under_way(&self) -> usize {
        self.turns.lock().window.under_way()
    }

    /// The call was answered, or certainly will not be.
    pub(in crate::aurora::transport) fn end(mut self) {
        self.over = true;
        self.turns.change(Window::end);
    }

    /// Nothing reached Aurora: the turn is free again.
    pub(in crate::aurora::transport) fn give_back(mut self) {
        self.over = true;
        self.turns.change(|window, _| window.take_back());
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.turns.change(Window::abandon);
        }
    }
}
