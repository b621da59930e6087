//! Reads and writes as the gateway sees them: memory first, then Aurora.
//!
//! Invariants: every key begins with the tenant; a read costs Aurora at most one request however many ask at
//! once; a create with a key is never sent twice. Not here: HTTP to Aurora ([`aurora`](crate::aurora)), and when
//! to forget ([`relay`](crate::relay) decides that).

mod create;
mod design;
mod error;
mod freshness;
mod project;
mod summary;
mod usage;
mod weight;

use std::{sync::Arc, time::Duration};

use secrecy::SecretString;
use tokio_util::task::TaskTracker;

pub use crate::aurora::{Budget, Error as Upstream, Lane, LeftAlone, NotConnected, Standing};

pub use create::{CreateKey, Created};
pub use error::Error;
pub use freshness::Rules;
pub use project::{Listing, Position};
pub use usage::{Look, Usage};

use crate::{
    aurora::{self, Aurora},
    cache::{Cache, Entry, Failed, Source, Weigh},
    clock::Clock,
    domain::{Design, DesignKey, Fetched, Project, ProjectKey, Summary, TenantId},
    store::{self, Store},
};

type Kept<K, V> = Cache<K, V, aurora::Error>;

/// The one catalog of a process. Clones are the same catalog.
#[derive(Clone)]
pub struct Catalog(Arc<Inner>);

struct Inner {
    aurora: Aurora,
    store: Store,
    clock: Clock,
    summaries: Kept<DesignKey, Summary>,
    designs: Kept<DesignKey, Design>,
    projects: Kept<ProjectKey, Project>,
    designs_of: Kept<ProjectKey, Vec<Arc<Design>>>,
    pages: Kept<(TenantId, u32), project::KeptPage>,
    creates: create::Underway,
    tasks: TaskTracker,
    looks: usage::Looks,
}

impl Catalog {
    /// A catalog over Aurora and the store, keeping things as the rules say.
    #[must_use]
    pub fn new(aurora: Aurora, store: Store, clock: Clock, rules: &Rules) -> Self {
        let (summaries, others) = rules.shares();
        Self(Arc::new(Inner {
            summaries: Cache::new(summaries, rules.summary, clock.clone()),
            designs: Cache::new(others, freshness::DESIGN, clock.clone()),
            projects: Cache::new(others, freshness::PROJECT, clock.clone()),
            designs_of: Cache::new(others, freshness::LIST, clock.clone()),
            pages: Cache::new(others, freshness::LIST, clock.clone()),
            creates: create::Underway::default(),
            tasks: TaskTracker::new(),
            looks: usage::Looks::default(),
            aurora,
            store,
            clock,
        }))
    }

    /// Hands on a session token that a webhook brought, so that the tenant can be read.
    pub fn offer_session_token(&self, tenant: &TenantId, token: SecretString) {
        self.0.aurora.offer_session_token(tenant, token);
    }

    /// Exchanges a session token for a key of the tenant now, and says when the key ends.
    ///
    /// # Errors
    /// When Aurora refuses, or cannot be reached.
    pub async fn connect(
        &self,
        tenant: &TenantId,
        token: SecretString,
    ) -> Result<Option<jiff::Timestamp>, Error> {
        Ok(self.0.aurora.connect(tenant, token).await?)
    }

    /// How many looks into memory gave that since the start.
    #[must_use]
    pub fn looks(&self, look: Look) -> u64 {
        self.0.looks.total(look)
    }

    /// Whether Aurora is left alone with the tenant's key.
    #[must_use]
    pub fn standing(&self, tenant: &TenantId) -> Standing {
        self.0.aurora.standing(tenant)
    }

    /// What is left of Aurora's allowance for the tenant's key.
    #[must_use]
    pub fn budget(&self, tenant: &TenantId) -> Option<Budget> {
        self.0.aurora.budget(tenant)
    }
}

impl Inner {
    /// A read through one cache: fresh from memory, else from Aurora, else stale if Aurora is out.
    async fn read<K, V, F, Fut>(
        &self,
        cache: &Kept<K, V>,
        key: &K,
        usage: &Usage,
        fetch: F,
    ) -> Result<Fetched<V>, Error>
    where
        K: std::hash::Hash + Eq + Clone + Send + Sync + 'static,
        V: Weigh + Send + Sync + 'static,
        F: Fn() -> Fut + Send,
        Fut: Future<Output = Result<V, aurora::Error>> + Send + 'static,
    {
        let failed = match cache.read(key, fetch).await {
            Ok((entry, source)) => {
                self.looks.count(Look::of(source));
                usage.count(source);
                return Ok(fetched(entry));
            }
            Err(Failed::Fetch(error)) => match cache.stale(key).filter(|_| error.is_outage()) {
                Some(old) => {
                    self.looks.count(Look::Stale);
                    usage.count(Source::Memory);
                    return Ok(fetched(old).into_stale());
                }
                None => error.into(),
            },
            Err(Failed::Lost) => Error::Overtaken,
        };
        self.looks.count(Look::Miss);
        Err(failed)
    }

    /// What is in memory already.
    fn at_hand<V>(&self, entry: Entry<V>, usage: &Usage) -> Fetched<V> {
        self.looks.count(Look::Hit);
        usage.count(Source::Memory);
        fetched(entry)
    }
}

fn fetched<V>(entry: Entry<V>) -> Fetched<V> {
    Fetched::new(entry.value, entry.at)
}

/// How long an answer of Aurora waits for the store to take a note of it. The note is written all the same when the store
/// comes to it; only a disk that hangs must not hold up what Aurora has answered.
const NOTE_PATIENCE: Duration = Duration::from_secs(1);

/// Has the store remember something that an answer brought along. A failure costs a later search, not this answer.
async fn note(what: &str, written: impl Future<Output = Result<(), store::Error>>) {
    match tokio::time::timeout(NOTE_PATIENCE, written).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(error = %error, "{what} could not be remembered"),
        Err(_late) => tracing::warn!("{what} are not remembered yet: the store is slow"),
    }
}
