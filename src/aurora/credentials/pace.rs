//! How fast exchanges may leave, over all tenants.
//!
//! When many tenants need a key at once, after a long stop or a change at Aurora, their exchanges leave one after the
//! other. Whoever would have to wait too long is told at once, and takes no place.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use tokio::{
    sync::Mutex,
    time::{Instant, sleep_until},
};

/// Between two exchanges, counted from when the first really left, so that a machine that stalls lets none catch up. At
/// most 17 leave in a second; what bunches up on the way stays below 20.
const SPACING: Duration = Duration::from_millis(60);

/// The place where exchanges queue up.
#[derive(Default)]
pub(in crate::aurora) struct Pace {
    waiting: AtomicU32,
    /// Held by whoever is next, and handed on in the order in which they came.
    left: Mutex<Option<Instant>>,
}

impl Pace {
    /// Waits for a turn.
    ///
    /// # Errors
    /// At once, with the wait, when that is longer than `patience`.
    pub(in crate::aurora) async fn take(&self, patience: Duration) -> Result<(), Duration> {
        let waiting = Waiting::among(&self.waiting);
        let wait = SPACING.saturating_mul(waiting.ahead);
        if wait > patience {
            return Err(wait);
        }
        let mut left = self.left.lock().await;
        if let Some(before) = *left {
            sleep_until(before + SPACING).await;
        }
        *left = Some(Instant::now());
        Ok(())
    }
}

/// One who waits, until it is dropped.
struct Waiting<'a> {
    all: &'a AtomicU32,
    ahead: u32,
}

impl<'a> Waiting<'a> {
    fn among(all: &'a AtomicU32) -> Self {
        Self { all, ahead: all.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.all.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_more_than_twenty_leave_in_any_second_and_who_would_wait_too_long_is_told_at_once() {
        let (pace, begun) = (Pace::default(), Instant::now());
        let leave = || async {
            let outcome = pace.take(Duration::from_secs(10)).await;
            (outcome, Instant::now() - begun)
        };
        let all = join_all((0..500).map(|_| leave())).await;
        let left: Vec<_> = all.iter().filter(|(it, _)| it.is_ok()).map(|(_, at)| *at).collect();
        assert_eq!(left.len(), 168, "the first, and ten seconds' worth");
        assert_eq!(pace.waiting.load(Ordering::Relaxed), 0);
        for from in &left {
            let within =
                left.iter().filter(|at| (*from..*from + Duration::from_secs(1)).contains(*at)).count();
            assert!(within <= 20, "{within} from {from:?}");
        }
        let told: Vec<_> = all.iter().filter(|(it, _)| it.is_err()).map(|(_, at)| *at).collect();
        assert_eq!(told, vec![Duration::ZERO; 332]);

        tokio::time::sleep(Duration::from_secs(1)).await;
        let begun = Instant::now();
        pace.take(Duration::ZERO).await.unwrap();
        assert_eq!(Instant::now(), begun, "who comes alone waits for nobody");
    }
}
