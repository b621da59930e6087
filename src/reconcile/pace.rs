//! How fast one may go: a share of a key's calls, evenly, and not while others need them.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::catalog::Budget;

/// How long it waits where too little is left for those who wait for an answer.
const BUSY_PAUSE: Duration = Duration::from_secs(5);

/// When the next call may be made.
pub(super) struct Pace {
    spacing: Duration,
    next: Instant,
}

impl Pace {
    /// So many calls in any minute.
    pub(super) fn new(calls_per_minute: f64) -> Self {
        Self { spacing: Duration::from_secs_f64(60.0 / calls_per_minute), next: Instant::now() }
    }

    /// Waits for the next call's turn, which comes only while at least half of the allowance is left.
    pub(super) async fn turn(&mut self, budget: impl Fn() -> Option<Budget>) {
        loop {
            sleep_until(self.next).await;
            match budget() {
                Some(budget) if budget.remaining < budget.limit.div_ceil(2) => {
                    self.next = Instant::now() + BUSY_PAUSE.max(self.spacing);
                }
                _ => return,
            }
        }
    }

    /// So many calls were made, or will be.
    pub(super) fn spent(&mut self, calls: u32) {
        self.next = self.next.max(Instant::now()) + self.spacing.saturating_mul(calls);
    }

    /// Aurora is in trouble.
    pub(super) fn pause(&mut self, pause: Duration) {
        self.next = self.next.max(Instant::now() + pause);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn left(remaining: u32) -> Option<Budget> {
        Some(Budget { limit: 90, remaining, resets_in: Duration::ZERO })
    }

    #[tokio::test(start_paused = true)]
    async fn a_tenth_of_ninety_calls_a_minute_is_nine() {
        let (mut pace, begun) = (Pace::new(9.0), Instant::now());
        let mut calls = 0;
        while begun.elapsed() < Duration::from_secs(600) {
            pace.turn(|| left(90)).await;
            pace.spent(1);
            calls += 1;
        }
        assert_eq!(calls, 91, "the first at once, and then nine a minute");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_spent_before_the_next_turn_adds_up() {
        let (mut pace, begun) = (Pace::new(60.0), Instant::now());
        pace.turn(|| left(90)).await;
        pace.spent(2);
        pace.spent(1);
        pace.turn(|| left(90)).await;
        assert_eq!(begun.elapsed(), Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn it_waits_while_less_than_half_is_left_and_what_was_not_asked_is_free() {
        let (mut pace, begun) = (Pace::new(9.0), Instant::now());
        for _ in 0..100 {
            pace.turn(|| left(45)).await;
            pace.spent(0);
        }
        assert_eq!(begun.elapsed(), Duration::ZERO);
        let asked = Cell::new(0);
        pace.turn(|| {
            asked.set(asked.get() + 1);
            left(if asked.get() < 4 { 44 } else { 45 })
        })
        .await;
        assert!(begun.elapsed() >= 3 * BUSY_PAUSE);
    }
}
