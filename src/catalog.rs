//! Reads and writes as the gateway sees them: memory first, then Aurora.
//!
//! Invariants: every key begins with the tenant; a read costs Aurora at most one request however many ask at
//! once; a create with a key is never sent twice. Not here: HTTP to Aurora ([`aurora`](crate::aurora)), and when
//! to forget ([`relay`](crate::relay) decides that).

mod create;
mod design;
mod error;
pub mod freshness;
mod news;
mod plan;
mod project;
mod summary;
mod usage;
mod weight;

use std::{sync::Arc, time::Duration};

use secrecy::SecretString;
use tokio::sync::{Notify, broadcast};
use tokio_util::task::TaskTracker;

pub use crate::aurora::{Budget, Error as Upstream, Lane, LeftAlone, NotConnected, Standing};

pub use create::{CreateKey, Created, Unsettled};
pub use error::Error;
pub use freshness::Rules;
pub use plan::{Cost, Memory};
pub use project::{Listing, Position};
pub use usage::{Look, Usage};

use crate::{
    aurora::{self, Aurora, Meter, Urgency},
    cache::{Cache, Entry, Errand, Failed, Hangs, Source, Weigh},
    clock::Clock,
    domain::{Design, DesignKey, Fetched, Project, ProjectKey, Summary, TenantId},
    store::{self, Store},
};

type Kept<K, V> = Cache<K, V, aurora::Error, Urgency>;

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
    desk: create::Desk,
    tasks: TaskTracker,
    looks: usage::Looks,
    news: Arc<news::News>,
}

impl Catalog {
    /// A catalog over Aurora and the store, keeping things as the rules say.
    #[must_use]
    pub fn new(aurora: Aurora, store: Store, clock: Clock, rules: &Rules) -> Self {
        let longest = freshness::LONGEST.max(rules.summary_stale).max(rules.summary_fresh);
        let news = Arc::new(news::News::new(longest));
        let (clock_of, news_of) = (|| clock.clone(), || Arc::clone(&news));
        let share = |rule| rules.share(rule);
        let [summary, design, project, designs_of, page] = [
            rules.summary(),
            freshness::DESIGN.freshness,
            freshness::PROJECT.freshness,
            freshness::DESIGNS_OF.freshness,
            freshness::PROJECTS.freshness,
        ];
        Self(Arc::new(Inner {
            summaries: Cache::new(share(&freshness::SUMMARY), summary, clock_of(), news_of()),
            designs: Cache::new(share(&freshness::DESIGN), design, clock_of(), news_of()),
            projects: Cache::new(share(&freshness::PROJECT), project, clock_of(), news_of()),
            designs_of: Cache::new(share(&freshness::DESIGNS_OF), designs_of, clock_of(), news_of()),
            pages: Cache::new(share(&freshness::PROJECTS), page, clock_of(), news_of()),
            creates: create::Underway::default(),
            desk: create::Desk::default(),
            tasks: TaskTracker::new(),
            looks: usage::Looks::default(),
            news: news_of(),
            aurora,
            store,
            clock,
        }))
    }

    /// Hands on a session token that a webhook brought, so that the tenant can be read.
    pub fn offer_session_token(&self, tenant: &TenantId, token: SecretString) {
        self.0.aurora.offer_session_token(tenant, token);
    }

    /// The tenant has switched the application on: what Aurora refused before says nothing any more, and the tenant may
    /// see something else now.
    pub fn welcome(&self, tenant: &TenantId) {
        self.0.aurora.welcome(tenant);
        self.forget_tenant(tenant);
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
        let ends = self.0.aurora.connect(tenant, token).await?;
        // What the tenant could not see with the key before, it may see with this one.
        self.forget_tenant(tenant);
        Ok(ends)
    }

    /// Tells whenever Aurora has given a key for a tenant.
    #[must_use]
    pub fn connected(&self) -> broadcast::Receiver<TenantId> {
        self.0.aurora.connected()
    }

    /// Whether there is a key for the tenant now, without asking for one.
    #[must_use]
    pub fn has_key(&self, tenant: &TenantId) -> bool {
        self.0.aurora.has_key(tenant)
    }

    /// Gives up the tenant's key, and whatever is known of the tenant: it has switched the application off.
    pub fn disconnect(&self, tenant: &TenantId) {
        self.0.aurora.disconnect(tenant);
        self.forget_tenant(tenant);
    }

    /// Told whenever it is learnt whose a design or a project is.
    #[must_use]
    pub fn learnt(&self) -> Arc<Notify> {
        self.0.store.learnt()
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
        K: Hangs<V, On = news::Scope> + Weigh + std::hash::Hash + Eq + Clone + Send + Sync + 'static,
        V: Weigh + plan::stand_in::Planned<K> + Send + Sync + 'static,
        F: Fn(Meter) -> Fut + Send + Sync,
        Fut: Future<Output = Result<V, aurora::Error>> + Send + 'static,
    {
        if let Some(planning) = usage.planning() {
            return self.plan_read(cache, key, planning).await;
        }
        let begin = |errand| {
            let meter = account(errand, usage);
            (meter.urgency().clone(), fetch(meter))
        };
        // Whoever joins a read that began for somebody who can wait longer makes it as urgent as its own would be.
        let join = |urgency: &Urgency| urgency.raise(usage.meter().lane());
        let failed = match cache.read(key, begin, join).await {
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
            Err(Failed::Absent(error)) => {
                self.looks.count(Look::Hit);
                usage.count(Source::Memory);
                return Err(error.into());
            }
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

/// On whose account a fetch is.
fn account(errand: Errand, usage: &Usage) -> Meter {
    match errand {
        Errand::Asked => usage.meter().for_one_read(),
        Errand::Refresh => usage::background().meter().clone(),
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
