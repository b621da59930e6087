//! Summaries of designs.

use super::{Catalog, Error, Usage, design::note_projects};
use crate::domain::{DesignKey, Fetched, Summary};

impl Catalog {
    /// What one design would produce: from memory while fresh, and from memory, marked stale, while Aurora is out.
    ///
    /// # Errors
    /// When Aurora cannot be asked and nothing usable is in memory.
    pub async fn summary(&self, key: &DesignKey, usage: &Usage) -> Result<Fetched<Summary>, Error> {
        let (aurora, store) = (&self.0.aurora, &self.0.store);
        let fetch = |meter| {
            let (aurora, store, key) = (aurora.clone(), store.clone(), key.clone());
            async move {
                let summary = aurora.summary(&key, &meter).await?;
                note_projects(&store, &key.tenant, [(&key.design, summary.project.as_ref())]).await;
                Ok(summary)
            }
        };
        self.0.read(&self.0.summaries, key, usage, fetch).await
    }

    /// What Aurora says of a design now, past memory, which stays as it is: for whoever looks for news that never came, and
    /// must neither take old for new nor lose what stands in while Aurora is out.
    ///
    /// # Errors
    /// When Aurora cannot be asked.
    pub async fn summary_now(&self, key: &DesignKey, usage: &Usage) -> Result<Summary, Error> {
        let summary = self.0.aurora.summary(key, usage.meter()).await?;
        note_projects(&self.0.store, &key.tenant, [(&key.design, summary.project.as_ref())]).await;
        Ok(summary)
    }

    /// The summary if it is in memory and fresh: no waiting, no batch.
    #[must_use]
    pub fn summary_at_hand(&self, key: &DesignKey, usage: &Usage) -> Option<Fetched<Summary>> {
        let entry = self.0.summaries.fresh(key).filter(|_| usage.planning().is_none())?;
        Some(self.0.at_hand(entry, usage))
    }
}
