//! How a target fares: what it took last, since when it takes nothing, and whether it is still tried.

use std::time::Duration;

use jiff::Timestamp;

use super::super::sender::{Failure, Rejected};
use crate::clock;

/// Failures in a row, of whatever messages, after which the target itself is suspected. Then one message at a time is
/// tried, and the first that is taken lets all others go.
const SUSPECT_AFTER: u32 = 5;

/// Why nothing is sent to a target any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disabled {
    /// It took nothing for too long.
    Failing,
    /// It answered 410: it wants to hear no more.
    Gone,
    /// An operator said so.
    ByHand,
}

impl Disabled {
    const WORDS: [(Self, &str); 3] =
        [(Self::Failing, "failing"), (Self::Gone, "gone"), (Self::ByHand, "by_hand")];

    /// As it is kept, and logged.
    pub(in crate::deliver) fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(it, _)| *it == self).map_or("", |(_, word)| word)
    }

    /// Reads [`word`](Self::word) back.
    pub(in crate::deliver) fn from_word(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(_, it)| *it == word).map(|(reason, _)| *reason)
    }
}

/// How a target fares. All of it is kept on disk.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Health {
    /// Nothing is sent any more: since when, and why.
    pub disabled: Option<(Timestamp, Disabled)>,
    /// The first failure since the last success.
    pub failing_since: Option<Timestamp>,
    /// How many since then.
    pub failures: u32,
    /// When it took a message last.
    pub last_success: Option<Timestamp>,
    /// When it did not take one last, and why.
    pub last_failure: Option<(Timestamp, Failure)>,
    /// It wants to be left alone until then.
    pub hold_until: Option<Timestamp>,
    /// When events were found to be gone from the journal before they could be sent.
    pub gap_at: Option<Timestamp>,
    /// Messages that were given up after a day.
    pub given_up: u64,
}

impl Health {
    pub(super) fn is_suspect(&self) -> bool {
        self.failures >= SUSPECT_AFTER
    }

    /// Says whether it had been suspected until now.
    pub(super) fn succeeded(&mut self, now: Timestamp) -> bool {
        let was_suspect = self.is_suspect();
        (self.failing_since, self.failures, self.hold_until) = (None, 0, None);
        self.last_success = Some(now);
        was_suspect
    }

    /// Notes a failure, and disables the target where it is one too many.
    pub(super) fn failed(&mut self, rejected: Rejected, now: Timestamp, patience: Duration) {
        let since = *self.failing_since.get_or_insert(now);
        self.failures = self.failures.saturating_add(1);
        self.last_failure = Some((now, rejected.failure));
        if let Some(wait) = rejected.retry_after {
            self.hold_until = self.hold_until.max(Some(clock::later(now, wait)));
        }
        if rejected.failure.is_gone() {
            self.disable(now, Disabled::Gone);
        } else if clock::between(since, now) >= patience {
            self.disable(now, Disabled::Failing);
        }
    }

    pub(super) fn disable(&mut self, now: Timestamp, why: Disabled) {
        self.disabled.get_or_insert((now, why));
    }

    pub(super) fn enable(&mut self) {
        (self.disabled, self.failing_since, self.failures, self.hold_until) = (None, None, 0, None);
    }
}
