//! Designs, one by one and by project.

use std::sync::Arc;

use super::{Catalog, Error, Usage, note};
use crate::{
    aurora::{self, Aurora, Meter},
    domain::{Design, DesignId, DesignKey, Fetched, ProjectId, ProjectKey, TenantId},
    store::Store,
};

impl Catalog {
    /// One design.
    ///
    /// # Errors
    /// When Aurora cannot be asked and nothing usable is in memory.
    pub async fn design(&self, key: &DesignKey, usage: &Usage) -> Result<Fetched<Design>, Error> {
        let (aurora, store) = (&self.0.aurora, &self.0.store);
        let fetch = |meter| {
            let (aurora, store, key) = (aurora.clone(), store.clone(), key.clone());
            async move {
                let design = aurora.design(&key, &meter).await?;
                note_projects(&store, &key.tenant, [(&design.id, design.project.as_ref())]).await;
                Ok(design)
            }
        };
        self.0.read(&self.0.designs, key, usage, fetch).await
    }

    /// The design if it is in memory and fresh.
    #[must_use]
    pub fn design_at_hand(&self, key: &DesignKey, usage: &Usage) -> Option<Fetched<Design>> {
        let entry = self.0.designs.fresh(key).filter(|_| usage.planning().is_none())?;
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
        let (aurora, store) = (&self.0.aurora, &self.0.store);
        let fetch = |meter| {
            let (aurora, store, key) = (aurora.clone(), store.clone(), key.clone());
            async move {
                let designs = list(&aurora, &store, &key, &meter).await?;
                Ok(designs.into_iter().map(Arc::new).collect())
            }
        };
        self.0.read(&self.0.designs_of, key, usage, fetch).await
    }

    /// The designs of a project as Aurora has them now, past memory, which stays as it is.
    ///
    /// # Errors
    /// When Aurora cannot be asked.
    pub async fn designs_of_now(&self, key: &ProjectKey, usage: &Usage) -> Result<Vec<Design>, Error> {
        Ok(list(&self.0.aurora, &self.0.store, key, usage.meter()).await?)
    }

    /// The project of a design: as Aurora once said, since a design never moves; else Aurora is asked.
    ///
    /// # Errors
    /// When it was never heard of, and Aurora cannot be asked.
    pub async fn project_of(&self, key: &DesignKey, usage: &Usage) -> Result<Option<ProjectId>, Error> {
        if let Some(project) = self.0.store.project_of_design(key).await? {
            return Ok(Some(project));
        }
        Ok(self.design(key, usage).await?.value.project.clone())
    }
}

async fn list(
    aurora: &Aurora,
    store: &Store,
    key: &ProjectKey,
    meter: &Meter,
) -> Result<Vec<Design>, aurora::Error> {
    let designs = aurora.designs(key, meter).await?;
    let seen = designs.iter().map(|it| (&it.id, it.project.as_ref()));
    note_projects(store, &key.tenant, seen).await;
    Ok(designs)
}

/// Remembers which projects designs belong to, for events that come while Aurora is out. A failure costs such an
/// event its project, not this answer.
pub(super) async fn note_projects<'a>(
    store: &Store,
    tenant: &TenantId,
    designs: impl IntoIterator<Item = (&'a DesignId, Option<&'a ProjectId>)> + Send,
) {
    let seen: Vec<_> = designs
        .into_iter()
        .filter_map(|(design, project)| Some((design.clone(), project?.clone())))
        .collect();
    if seen.is_empty() {
        return;
    }
    note("the projects of designs", store.remember_designs(tenant, seen)).await;
}
