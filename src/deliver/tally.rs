//! What is counted of a target, for the metrics: a closed list, and read without asking the courier.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use super::sender::Failure;

/// How a try of a message ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The target has it.
    Delivered,
    /// A status from 300 to 499.
    Rejected,
    /// Any other status, no connection, or no TLS.
    Failed,
    /// No answer in time.
    TimedOut,
    /// The host leads to an address that it may not have.
    AddressRefused,
    /// It was not tried any more: a day of failures, while the target took others.
    GivenUp,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 6] =
        [Self::Delivered, Self::Rejected, Self::Failed, Self::TimedOut, Self::AddressRefused, Self::GivenUp];

    /// As it stands in the metric's label.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::AddressRefused => "address_refused",
            Self::GivenUp => "given_up",
        }
    }
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Status(300..=499) => Self::Rejected,
            Failure::Status(_) | Failure::Unreachable | Failure::TlsFailed => Self::Failed,
            Failure::TimedOut => Self::TimedOut,
            Failure::AddressRefused => Self::AddressRefused,
        }
    }
}

/// What is counted of one target.
#[derive(Debug, Default)]
pub struct Tally {
    outcomes: [AtomicU64; Outcome::ALL.len()],
    pending: AtomicU64,
    disabled: AtomicBool,
    stalled: AtomicBool,
}

impl Tally {
    pub(super) fn count(&self, outcome: Outcome) {
        self.outcomes[outcome as usize].fetch_add(1, Relaxed);
    }

    pub(super) fn stands(&self, pending: u64, disabled: bool) {
        self.pending.store(pending, Relaxed);
        self.disabled.store(disabled, Relaxed);
    }

    /// How far the target has come could be written down, or could not.
    pub(super) fn stalls(&self, stalled: bool) {
        self.stalled.store(stalled, Relaxed);
    }

    /// How many tries ended so.
    #[must_use]
    pub fn total(&self, outcome: Outcome) -> u64 {
        self.outcomes[outcome as usize].load(Relaxed)
    }

    /// How many events wait.
    #[must_use]
    pub fn pending(&self) -> u64 {
        self.pending.load(Relaxed)
    }

    /// Whether nothing is sent because how far the target has come cannot be written down.
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        self.stalled.load(Relaxed)
    }

    /// Whether nothing is sent any more.
    #[must_use]
    pub fn is_disabled(&self) -> bool {
        self.disabled.load(Relaxed)
    }
}
