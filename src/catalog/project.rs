//! Projects, one by one, by the CRM's own id, and as a list.

use std::{num::NonZeroU32, sync::Arc};

use super::{Catalog, Error, Usage, note};
use crate::{
    aurora::{self, Aurora, Listed, Meter, Page},
    cache::Weigh,
    domain::{Fetched, Project, ProjectId, ProjectKey, TenantId},
    store::{Origin, Store},
};

/// Projects in one page as we ask for it: Aurora's own default, so that a page cached here serves several of the
/// client's.
const PAGE_SIZE: NonZeroU32 = NonZeroU32::new(100).unwrap();

/// How many pages are looked through for the project that a position names, when new projects have pushed it back.
const PAGES_SEARCHED: u32 = 3;

/// The indices of a page's items.
fn indices(page: u32) -> impl Iterator<Item = u32> {
    page.saturating_mul(PAGE_SIZE.get())..
}

/// A page of the list as it is kept.
pub(super) struct KeptPage {
    projects: Vec<Arc<Project>>,
    /// Whether there may be another page behind it. Aurora's count, for an entry that could not be read is one.
    full: bool,
}

impl KeptPage {
    /// A page that is full of what is made.
    pub(super) fn full_of(make: impl Fn() -> Project) -> Self {
        Self { projects: (0..PAGE_SIZE.get()).map(|_| Arc::new(make())).collect(), full: true }
    }
}

impl Weigh for KeptPage {
    fn weight(&self) -> usize {
        size_of::<Self>() + self.projects.weight()
    }
}

/// A place in the list of projects: behind this project, which stood at this index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Its index, newest first, from 0.
    pub index: u32,
    /// The project that stood there.
    pub project: ProjectId,
}

/// A stretch of the list of projects.
#[derive(Debug, Clone)]
pub struct Listing {
    /// The projects with their places, newest first.
    pub projects: Vec<(Position, Arc<Project>)>,
    /// Whether there are more behind it.
    pub more: bool,
}

impl Catalog {
    /// One project.
    ///
    /// # Errors
    /// When Aurora cannot be asked and nothing usable is in memory.
    pub async fn project(&self, key: &ProjectKey, usage: &Usage) -> Result<Fetched<Project>, Error> {
        let (aurora, store) = (&self.0.aurora, &self.0.store);
        let fetch = |meter| {
            let (aurora, store, key) = (aurora.clone(), store.clone(), key.clone());
            async move {
                let project = aurora.project(&key, &meter).await?;
                note_external_ids(&store, &key.tenant, [&project]).await;
                Ok(project)
            }
        };
        self.0.read(&self.0.projects, key, usage, fetch).await
    }

    /// The project if it is in memory and fresh.
    #[must_use]
    pub fn project_at_hand(&self, key: &ProjectKey, usage: &Usage) -> Option<Fetched<Project>> {
        let entry = self.0.projects.fresh(key).filter(|_| usage.planning().is_none())?;
        Some(self.0.at_hand(entry, usage))
    }

    /// The project that carries the CRM's own id, as far as this gateway has made or seen it: Aurora has no such
    /// search.
    ///
    /// # Errors
    /// When the store or Aurora cannot be asked.
    pub async fn project_by_external_id(
        &self,
        tenant: &TenantId,
        external_id: &str,
        usage: &Usage,
    ) -> Result<Option<Fetched<Project>>, Error> {
        let Some(project) = self.0.store.project_by_external_id(tenant, external_id).await? else {
            return Ok(None);
        };
        let key = ProjectKey { tenant: tenant.clone(), project };
        match self.project(&key, usage).await {
            // Ids can be changed at Aurora, and projects deleted: what we remember is only where to look.
            Ok(found) => {
                Ok(Some(found).filter(|it| it.value.external_provider_id.as_deref() == Some(external_id)))
            }
            Err(Error::Aurora(aurora::Error::NotFound)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Up to `first` projects behind `after`, newest first.
    ///
    /// # Errors
    /// When Aurora cannot be asked and nothing usable is in memory.
    pub async fn projects(
        &self,
        tenant: &TenantId,
        first: u32,
        after: Option<&Position>,
        usage: &Usage,
    ) -> Result<Listing, Error> {
        let start = match after {
            Some(position) => self.behind(tenant, position, usage).await?,
            None => 0,
        };
        let end = start.checked_add(first).ok_or(Error::Position)?;
        let mut projects = Vec::new();
        let mut page = start / PAGE_SIZE;
        loop {
            let items = self.page(tenant, page, usage).await?;
            for (index, project) in indices(page).zip(items.value.projects.iter()) {
                if index >= end {
                    return Ok(Listing { projects, more: true });
                }
                if index >= start {
                    let position = Position { index, project: project.id.clone() };
                    projects.push((position, Arc::clone(project)));
                }
            }
            if !items.value.full {
                return Ok(Listing { projects, more: false });
            }
            page = page.checked_add(1).ok_or(Error::Position)?;
        }
    }

    /// The index behind a position. New projects push older ones back, so its project is looked for at and behind
    /// the index it had; one that is gone leaves its index.
    async fn behind(&self, tenant: &TenantId, position: &Position, usage: &Usage) -> Result<u32, Error> {
        let first_page = position.index / PAGE_SIZE;
        for page in first_page..first_page.saturating_add(PAGES_SEARCHED) {
            let items = self.page(tenant, page, usage).await?;
            let found =
                indices(page).zip(items.value.projects.iter()).find(|(_, it)| it.id == position.project);
            if let Some((index, _)) = found {
                return Ok(index + 1);
            }
            if !items.value.full {
                break;
            }
        }
        position.index.checked_add(1).ok_or(Error::Position)
    }

    /// The projects of a page as Aurora has them now, past memory, which stays as it is; and whether another may follow.
    /// The first is 0.
    ///
    /// # Errors
    /// When Aurora cannot be asked.
    pub async fn page_now(
        &self,
        tenant: &TenantId,
        page: u32,
        usage: &Usage,
    ) -> Result<(Vec<Project>, bool), Error> {
        let listed = list(&self.0.aurora, &self.0.store, tenant, wanted(page)?, usage.meter()).await?;
        Ok((listed.projects, listed.full))
    }

    async fn page(&self, tenant: &TenantId, page: u32, usage: &Usage) -> Result<Fetched<KeptPage>, Error> {
        let wanted = wanted(page)?;
        let (aurora, store) = (&self.0.aurora, &self.0.store);
        let fetch = |meter| {
            let (aurora, store, tenant) = (aurora.clone(), store.clone(), tenant.clone());
            async move {
                let listed = list(&aurora, &store, &tenant, wanted, &meter).await?;
                let projects = listed.projects.into_iter().map(Arc::new).collect();
                Ok(KeptPage { projects, full: listed.full })
            }
        };
        self.0.read(&self.0.pages, &(tenant.clone(), page), usage, fetch).await
    }
}

/// A page as Aurora is asked for it.
fn wanted(page: u32) -> Result<Page, Error> {
    let number = page.checked_add(1).ok_or(Error::Position)?;
    Ok(Page { number, size: PAGE_SIZE.get() })
}

async fn list(
    aurora: &Aurora,
    store: &Store,
    tenant: &TenantId,
    wanted: Page,
    meter: &Meter,
) -> Result<Listed, aurora::Error> {
    let listed = aurora.projects(tenant, wanted, meter).await?;
    note_external_ids(store, tenant, &listed.projects).await;
    Ok(listed)
}

/// Remembers whose the projects are, and which carries which of the CRM's ids. A failure costs a later search, or a
/// delivery without a tenant its way, not this answer.
async fn note_external_ids(
    store: &Store,
    tenant: &TenantId,
    projects: impl IntoIterator<Item = &Project> + Send,
) {
    let (mut ids, mut seen) = (Vec::new(), Vec::new());
    for project in projects {
        ids.push(project.id.clone());
        seen.extend(project.external_provider_id.clone().map(|external| (external, project.id.clone())));
    }
    if ids.is_empty() {
        return;
    }
    note("the tenants of projects", store.remember_projects(tenant, ids)).await;
    if seen.is_empty() {
        return;
    }
    note("the CRM's ids of projects", store.remember_external_ids(tenant, seen, Origin::Seen)).await;
}
