//! What came out, and the one line of it that a program can read.

use std::time::Duration;

use serde_json::{Value, json};

/// What a storm came to.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// What chose the moments at which listeners cut their connections.
    pub(crate) seed: u64,
    /// Deliveries that were answered 200, repeats among them.
    pub(crate) acknowledged: u64,
    /// Of those, the ones that had been answered 200 before.
    pub(crate) repeats: u64,
    /// Answers that were neither 200 nor a broken connection.
    pub(crate) refused: u64,
    pub(crate) took: Duration,
    pub(crate) kills: u32,
    /// Acknowledged, and missing at some listener.
    pub(crate) lost: u64,
    /// Heard more than once by some listener.
    pub(crate) doubled: u64,
    /// Heard by some listener before one of its design that was journalled earlier.
    pub(crate) out_of_order: u64,
    /// Heard, and never delivered.
    pub(crate) extra: u64,
    /// Listeners that heard other cursors or another order than the first.
    pub(crate) differing: u64,
    /// How often a listener came again with its cursor.
    pub(crate) resumed: u64,
    pub(crate) answers: Latencies,
    pub(crate) peak_bytes: u64,
}

impl Figures {
    pub(crate) fn per_second(&self) -> f64 {
        self.acknowledged as f64 / self.took.as_secs_f64()
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "seed": self.seed, "acknowledged": self.acknowledged, "repeats": self.repeats, "refused": self.refused,
            "seconds": round(self.took.as_secs_f64()), "per_second": self.per_second().round(),
            "kills": self.kills, "resumed": self.resumed,
            "lost": self.lost, "doubled": self.doubled, "out_of_order": self.out_of_order, "extra": self.extra,
            "differing": self.differing,
            "p50_ms": millis(self.answers.percentile(50)), "p99_ms": millis(self.answers.percentile(99)),
            "rss_mb": round(self.peak_bytes as f64 / 1e6),
        })
    }

    /// Nothing lost, nothing twice, nothing out of place, nothing made up.
    pub(crate) fn is_exact(&self) -> bool {
        [self.lost, self.doubled, self.out_of_order, self.extra, self.differing] == [0; 5]
    }
}

/// How long answers took.
#[derive(Debug, Default)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(crate) fn add(&mut self, took: Duration) {
        self.0.push(took);
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
        self.0.sort_unstable();
    }

    /// To be looked at: the shortest first.
    pub(crate) fn sorted(mut self) -> Self {
        self.0.sort_unstable();
        self
    }

    /// The time within which so many of a hundred were answered.
    pub(crate) fn percentile(&self, of_a_hundred: usize) -> Duration {
        let at = (self.0.len() * of_a_hundred / 100).min(self.0.len().saturating_sub(1));
        self.0.get(at).copied().unwrap_or_default()
    }
}

pub(crate) fn millis(took: Duration) -> f64 {
    round(took.as_secs_f64() * 1e3)
}

fn round(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}
