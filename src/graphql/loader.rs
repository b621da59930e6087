//! Gathers what several nodes of one request ask for, so that each thing is read once, a few at a time.
//!
//! One set per request, never shared: what one caller asked for must not wait for, or show in, another's answer.
//! Each key keeps its own failure. What is at hand in memory does not come here at all.

use std::{collections::HashMap, fmt::Debug, hash::Hash, sync::Arc};

use dataloader::{BatchFn, non_cached::Loader};
use futures_util::{StreamExt, future::BoxFuture};

use crate::{
    catalog::{Catalog, Error, Usage},
    domain::{Design, DesignKey, Fetched, Project, ProjectKey, Summary},
};

/// As many reads as one batch has open. Aurora's allowance has the last word.
const AT_ONCE: usize = 8;

/// How often the loader gives way so that sibling fields can add their keys.
const YIELDS: usize = 10;

type Answer<V> = Result<Fetched<V>, Error>;
type Read<K, V> = fn(Catalog, Arc<Usage>, K) -> BoxFuture<'static, Answer<V>>;

/// Reads a batch of one kind of thing through the catalog.
pub struct Batch<K, V> {
    catalog: Catalog,
    usage: Arc<Usage>,
    read: Read<K, V>,
}

impl<K: Hash + Eq + Clone + Send + Sync, V: Send + Sync> BatchFn<K, Answer<V>> for Batch<K, V> {
    async fn load(&mut self, keys: &[K]) -> HashMap<K, Answer<V>> {
        let reads: Vec<_> = keys
            .iter()
            .map(|key| {
                let reading = (self.read)(self.catalog.clone(), Arc::clone(&self.usage), key.clone());
                let key = key.clone();
                async move { (key, reading.await) }
            })
            .collect();
        futures_util::stream::iter(reads).buffer_unordered(AT_ONCE).collect().await
    }
}

/// A loader of one kind of thing.
pub struct Gather<K: Hash + Eq + Clone + Debug + Send + Sync, V: Send + Sync>(
    Loader<K, Answer<V>, Batch<K, V>>,
);

impl<K: Hash + Eq + Clone + Debug + Send + Sync, V: Send + Sync> Gather<K, V> {
    fn new(catalog: &Catalog, usage: &Arc<Usage>, read: Read<K, V>) -> Self {
        let batch = Batch { catalog: catalog.clone(), usage: Arc::clone(usage), read };
        Self(Loader::new(batch).with_yield_count(YIELDS))
    }

    /// One thing, read together with what its siblings ask for.
    ///
    /// # Errors
    /// What the catalog says of this key.
    pub async fn load(&self, key: &K) -> Answer<V> {
        // The loader loses a key only when the task that ran its batch was dropped with the whole request.
        self.0.try_load(key.clone()).await.unwrap_or(Err(Error::Overtaken))
    }
}

/// The loaders of one request.
pub struct Loaders {
    /// Summaries of designs.
    pub summaries: Gather<DesignKey, Summary>,
    /// Designs.
    pub designs: Gather<DesignKey, Design>,
    /// Projects.
    pub projects: Gather<ProjectKey, Project>,
    /// The designs of projects.
    pub designs_of: Gather<ProjectKey, Vec<Arc<Design>>>,
}

impl Loaders {
    /// Empty loaders that read through the catalog and count into the request's usage.
    #[must_use]
    pub fn new(catalog: &Catalog, usage: &Arc<Usage>) -> Self {
        Self {
            summaries: Gather::new(catalog, usage, |catalog, usage, key| {
                Box::pin(async move { catalog.summary(&key, &usage).await })
            }),
            designs: Gather::new(catalog, usage, |catalog, usage, key| {
                Box::pin(async move { catalog.design(&key, &usage).await })
            }),
            projects: Gather::new(catalog, usage, |catalog, usage, key| {
                Box::pin(async move { catalog.project(&key, &usage).await })
            }),
            designs_of: Gather::new(catalog, usage, |catalog, usage, key| {
                Box::pin(async move { catalog.designs_of(&key, &usage).await })
            }),
        }
    }
}
