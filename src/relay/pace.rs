//! How announcing keeps pace with what comes, for the metrics: read without asking the relay.

use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

/// Upper ends of the lags that are told apart, in seconds: from one look at Aurora to a day in which there was no key.
pub const LAGS: [f64; 10] = [0.01, 0.05, 0.25, 1.0, 5.0, 30.0, 120.0, 600.0, 3_600.0, 86_400.0];

/// How long announced deliveries had waited.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lags {
    /// Those that waited no longer than each of [`LAGS`], and longer than the one before; then the rest.
    pub counts: [u64; LAGS.len() + 1],
    /// All of them together, in seconds.
    pub sum: f64,
}

/// What is counted of the relay.
#[derive(Debug, Default)]
pub struct Pace {
    counts: [AtomicU64; LAGS.len() + 1],
    millis: AtomicU64,
    waiting: AtomicUsize,
}

impl Pace {
    /// A delivery has been announced so long after it came.
    pub(super) fn announced(&self, lag: Duration) {
        let seconds = lag.as_secs_f64();
        self.counts[LAGS.partition_point(|limit| *limit < seconds)].fetch_add(1, Relaxed);
        self.millis.fetch_add(u64::try_from(lag.as_millis()).unwrap_or(u64::MAX), Relaxed);
    }

    pub(super) fn stands(&self, waiting: usize) {
        self.waiting.store(waiting, Relaxed);
    }

    /// How long what was announced had waited.
    #[must_use]
    pub fn lags(&self) -> Lags {
        let counts = std::array::from_fn(|at| self.counts[at].load(Relaxed));
        Lags { counts, sum: Duration::from_millis(self.millis.load(Relaxed)).as_secs_f64() }
    }

    /// Deliveries that are in memory and wait to be announced.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lag_counts_where_it_belongs() {
        let pace = Pace::default();
        for millis in [0, 10, 11, 5_000, 90_000_000] {
            pace.announced(Duration::from_millis(millis));
        }
        let lags = pace.lags();
        assert_eq!(lags.counts, [2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
        assert!((lags.sum - 90_005.021).abs() < 1e-6);
    }
}
