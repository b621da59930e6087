//! How soon a call is to be made, where a key's calls are scarce.
//!
//! Whoever sets a call off names its lane, by the [`Meter`](super::Meter) it counts on. What a lane is worth is the
//! transport's to say.

/// Whom a call is for. The order is that of urgency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Lane {
    /// A write: somebody pressed a button, and nothing in memory can stand in.
    Mutation,
    /// A read that somebody waits for.
    #[default]
    Interactive,
    /// A read that an event waits for, so that it can be announced with what it is about.
    Enrichment,
    /// A read that nobody waits for: values renewed before anybody asks, and what looks for news that got lost.
    Refresh,
}

impl Lane {
    /// Every lane, the most urgent first.
    pub const ALL: [Self; 4] = [Self::Mutation, Self::Interactive, Self::Enrichment, Self::Refresh];

    /// Its place in [`Lane::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// What it is called in logs and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mutation => "mutation",
            Self::Interactive => "interactive",
            Self::Enrichment => "enrichment",
            Self::Refresh => "refresh",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lane_finds_its_own_place_and_the_order_is_urgency() {
        for (index, lane) in Lane::ALL.into_iter().enumerate() {
            assert_eq!(lane.index(), index, "{}", lane.name());
        }
        assert!(Lane::ALL.is_sorted());
    }
}
