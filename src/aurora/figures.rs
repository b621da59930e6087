//! What the client tells about itself, to whoever watches the gateway.
//!
//! Invariant: nothing here says whose a key is, or how many tenants there are by name: what is told of all keys is
//! a sum, or the one that is worst off.

use std::time::Duration;

use super::{Aurora, Budget, Ending, Endpoint, Group, Lane, Standing, Waits, Withheld};
use crate::domain::TenantId;

impl Aurora {
    /// What the tenant's key may still spend. Full before the first key; nothing if none can be got.
    #[must_use]
    pub fn budget(&self, tenant: &TenantId) -> Option<Budget> {
        self.0.credentials.budget(tenant)
    }

    /// Whether Aurora is left alone with the tenant's key, by the group of endpoints that is worst off.
    #[must_use]
    pub fn standing(&self, tenant: &TenantId) -> Standing {
        self.0.credentials.standing(tenant)
    }

    /// How many calls ended so since the start.
    #[must_use]
    pub fn calls_ended(&self, endpoint: Endpoint, lane: Lane, ending: Ending) -> u64 {
        self.0.transport.tally().total_ended(endpoint, lane, ending)
    }

    /// How many calls were not made, for that reason, since the start.
    #[must_use]
    pub fn calls_withheld(&self, lane: Lane, why: Withheld) -> u64 {
        self.0.transport.tally().total_withheld(lane, why)
    }

    /// How many calls were made again since the start.
    #[must_use]
    pub fn calls_repeated(&self) -> u64 {
        self.0.transport.tally().total_repeated()
    }

    /// How long calls of that lane waited for their turn since the start.
    #[must_use]
    pub fn waits(&self, lane: Lane) -> Waits {
        self.0.transport.tally().waits(lane)
    }

    /// How many calls are under way now.
    #[must_use]
    pub fn calls_under_way(&self) -> usize {
        self.0.transport.under_way()
    }

    /// How many calls wait for their turn now.
    #[must_use]
    pub fn calls_waiting(&self) -> usize {
        self.0.credentials.quotas().in_use().iter().map(|it| it.waiting()).sum()
    }

    /// How many keys are in use, the application's among them.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.0.credentials.quotas().in_use().len()
    }

    /// What the key with the least left may still spend.
    #[must_use]
    pub fn tightest_budget(&self) -> u32 {
        let quotas = self.0.credentials.quotas();
        let left = quotas.in_use().iter().map(|it| it.budget().remaining).min();
        left.unwrap_or_else(|| quotas.full().remaining)
    }

    /// What the application's key may still spend, where there is one.
    #[must_use]
    pub fn application_budget(&self) -> Option<u32> {
        self.0.credentials.application_in_use().map(|it| it.quota().budget().remaining)
    }

    /// How many keys' breakers of that group stand so.
    #[must_use]
    pub fn breakers(&self, group: Group, standing: Standing) -> usize {
        let quotas = self.0.credentials.quotas().in_use();
        quotas.iter().filter(|it| it.standing(group) == standing).count()
    }

    /// How old the oldest exchanged key is, where there is one.
    #[must_use]
    pub fn oldest_key(&self) -> Option<Duration> {
        self.0.credentials.lives().oldest
    }
}
