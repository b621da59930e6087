//! How old each noun may be, in one place.
//!
//! Webhooks tell when something changed; these times are for the webhook that got lost, and for what Aurora sends
//! no webhook about.

use std::time::Duration;

use crate::cache::Freshness;

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A design's name or project seldom changes, and no published webhook says so when it does.
pub(super) const DESIGN: Freshness = Freshness { fresh: Duration::from_secs(5 * 60), stale: DAY };

/// A project is edited by people while they work on it; `project_changed` is heard where it is subscribed to.
pub(super) const PROJECT: Freshness = Freshness { fresh: Duration::from_secs(60), stale: DAY };

/// A list grows behind our back. Ten seconds let a page be turned without asking again.
pub(super) const LIST: Freshness = Freshness { fresh: Duration::from_secs(10), stale: HOUR };

/// What the operator decides about caching.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// How old a design summary may be.
    pub summary: Freshness,
    /// Bytes for all cached values together.
    pub max_bytes: u64,
}

impl Rules {
    /// The bytes for summaries, and for each of the four other kinds: summaries are the product and the heaviest.
    pub(super) fn shares(&self) -> (u64, u64) {
        (self.max_bytes / 2, self.max_bytes / 8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_are_the_whole() {
        let rules = Rules { summary: DESIGN, max_bytes: 1024 };
        let (summaries, others) = rules.shares();
        assert_eq!(summaries + 4 * others, rules.max_bytes);
    }
}
