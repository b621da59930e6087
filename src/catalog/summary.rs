//! Summaries of designs.

use super::{Catalog, Error, Usage};
use crate::domain::{DesignKey, Fetched, Summary};

impl Catalog {
    /// What one design would produce: from memory while fresh, and from memory, marked stale, while Aurora is out.
    ///
    /// # Errors
    /// When Aurora cannot be asked and nothing usable is in memory.
    pub async fn summary(&self, key: &DesignKey, usage: &Usage) -> Result<Fetched<Summary>, Error> {
        let (aurora, meter) = (self.0.aurora.clone(), usage.meter().clone());
        let fetch = || {
            let (aurora, key, meter) = (aurora.clone(), key.clone(), meter.clone());
            async move { aurora.summary(&key, &meter).await }
        };
        self.0.read(&self.0.summaries, key, usage, fetch).await
    }

    /// The summary if it is in memory and fresh: no waiting, no batch.
    #[must_use]
    pub fn summary_at_hand(&self, key: &DesignKey, usage: &Usage) -> Option<Fetched<Summary>> {
        let entry = self.0.summaries.fresh(key)?;
        Some(self.0.at_hand(entry, usage))
    }
}
