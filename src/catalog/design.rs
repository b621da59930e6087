//! Designs, one by one and by project.

use std::sync::Arc;

use super::{Catalog, Error, Usage};
use crate::domain::{Design, DesignKey, Fetched, ProjectKey};

impl Catalog {
    /// One design.
    ///
    /// # Errors
    /// When Aurora cannot be asked and nothing usable is in memory.
    pub async fn design(&self, key: &DesignKey, usage: &Usage) -> Result<Fetched<Design>, Error> {
        let (aurora, meter) = (self.0.aurora.clone(), usage.meter().clone());
        let fetch = || {
            let (aurora, key, meter) = (aurora.clone(), key.clone(), meter.clone());
            async move { aurora.design(&key, &meter).await }
        };
        self.0.read(&self.0.designs, key, usage, fetch).await
    }

    /// The design if it is in memory and fresh.
    #[must_use]
    pub fn design_at_hand(&self, key: &DesignKey, usage: &Usage) -> Option<Fetched<Design>> {
        let entry = self.0.designs.fresh(key)?;
        Some(self.0.at_hand(entry, usage))
    }

    /// The designs of a project.
    ///
    /// # Errors
    /// When Aurora cannot be asked and nothing usable is in memory.
    pub async fn designs_of(
        &self,
        key: &ProjectKey,
        usage: &Usage,
    ) -> Result<Fetched<Vec<Arc<Design>>>, Error> {
        let (aurora, meter) = (self.0.aurora.clone(), usage.meter().clone());
        let fetch = || {
            let (aurora, key, meter) = (aurora.clone(), key.clone(), meter.clone());
            async move { Ok(aurora.designs(&key, &meter).await?.into_iter().map(Arc::new).collect()) }
        };
        self.0.read(&self.0.designs_of, key, usage, fetch).await
    }

    /// Forgets what is known of a design, because something happened to it.
    pub fn forget_design(&self, key: &DesignKey) {
        self.0.summaries.forget(key);
        self.0.designs.forget(key);
    }
}
