//! The only place that constructs: settings in, a gateway out.
//!
//! Invariant: nothing listens before everything that it needs has been opened; a stop closes in the opposite order,
//! the store last. Not here: what any part does.

mod archive;
mod counts;
mod edges;
mod rotation;
mod settings;
mod upkeep;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use tokio::{
    sync::{Notify, mpsc},
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;

pub use archive::archive;
pub use settings::{aurora, check_documents, check_targets, webhook_target};

use crate::{
    aurora::Aurora,
    catalog::Catalog,
    clock::Clock,
    config::Config,
    deliver::{self, Couriers},
    graphql::{self, Doorway, Parts},
    http::{self, Admin, Credentials, Server, page, server},
    intake::{Intake, SessionGrant},
    journal::{Cursors, Journal, SqliteJournal},
    reconcile::Reconciler,
    relay::{Feed, Relay, Standing},
    sqlite::Db,
    store::Store,
    telemetry::Metrics,
};

use rotation::Rotation;

/// Session tokens that wait to be exchanged. More than Aurora's allowance lets through in a minute would be too old by
/// their turn.
const GRANTS: usize = 256;

/// A gateway that has been built and listens, but does not answer yet.
pub struct App {
    public: Server,
    admin: Server,
    router: axum::Router,
    doorway: Doorway,
    admin_router: axum::Router,
    credentials: Credentials,
    relay: Relay,
    reconciler: Reconciler,
    couriers: Couriers,
    feed: Feed,
    catalog: Catalog,
    aurora: Aurora,
    rotation: Rotation,
    store: Store,
    journal: Arc<dyn Journal>,
    db: Db,
    clock: Clock,
    retention: Duration,
    drain: Duration,
    draining: Arc<AtomicBool>,
    sockets: CancellationToken,
}

impl App {
    /// Opens the store, takes the ports and puts the parts together.
    ///
    /// # Errors
    /// When the store cannot be opened, a port cannot be had, or a setting cannot be used.
    pub async fn build(config: &Config, clock: Clock) -> anyhow::Result<Self> {
        Self::build_with(config, clock, None).await
    }

    /// The same, with a key that the pages fill in by themselves. For the demo.
    ///
    /// # Errors
    /// As for [`build`](Self::build).
    pub async fn build_with(config: &Config, clock: Clock, demo: Option<page::Demo>) -> anyhow::Result<Self> {
        let db = Db::open(&config.store.path)
            .with_context(|| format!("the store {} cannot be opened", config.store.path.display()))?;
        let store = Store::new(db.clone());
        let cursors = Cursors::new(&store.cursor_key().await?);
        let journal: Arc<dyn Journal> = Arc::new(SqliteJournal::open(db.clone(), clock.clone()).await?);

        let (aurora, catalog) = upstream(config, &store, &clock).await?;
        let (grant, grants) = mpsc::channel(GRANTS);
        let intake = Intake::new(settings::intake(config), Arc::clone(&journal), clock.clone(), grant);
        let standing = switched_off(&journal, &catalog).await?;
        let (relay, reconciler) = followers(config, &journal, &catalog, &clock, grants, &standing);
        let means = means(&journal, &catalog, &cursors, &clock);
        let (outbound, couriers) = deliver::build(settings::targets(config), &means, &db).await?;
        let parts = Parts {
            catalog,
            journal: Arc::clone(&journal),
            standing,
            registrations: settings::registrations(config, &aurora, &clock),
            feed: Feed::new(Arc::clone(&journal), config.limits.subscribers_per_tenant),
            backlog: config.limits.subscriber_backlog,
            told: Arc::default(),
            cursors,
            outbound: outbound.clone(),
            tenants: settings::tenants(config),
            links: settings::links(config),
            page_size: u32::try_from(config.limits.page_size)?,
        };

        let (creates, feed) = (parts.catalog.clone(), parts.feed.clone());
        let rotation = Rotation::new(config, aurora.clone(), intake.proofs());
        let counted = counts::Counted {
            pace: relay.pace(),
            aurora: &aurora,
            catalog: &parts.catalog,
            intake: &intake,
            rotation: &rotation,
            outbound: &outbound,
            told: &parts.told,
            journal: &journal,
        };
        let metrics = Arc::new(Metrics::with(counts::told(&counted)));
        let sockets = CancellationToken::new();
        let draining = Arc::new(AtomicBool::new(false));
        let credentials = settings::credentials(config, clock.clone())?;
        let doorway = edges::doorway(config, parts)?;
        let router = edges::router(config, demo, &credentials, &doorway, intake, &metrics, &sockets)?;
        let admin_router = http::admin_router(Admin { metrics, ready: readiness(&draining, &journal) });

        Ok(Self {
            public: listen(config.server.listen, settings::connections(config)).await?,
            admin: listen(config.server.admin_listen, settings::operators_connections(config)).await?,
            router,
            doorway,
            admin_router,
            credentials,
            relay,
            reconciler,
            couriers,
            feed,
            catalog: creates,
            aurora,
            rotation,
            store,
            journal,
            db,
            clock,
            retention: config.store.retention,
            drain: config.server.drain,
            draining,
            sockets,
        })
    }

    /// Its edges, for whoever calls them without a connection.
    pub fn router(&self) -> axum::Router {
        self.router.clone()
    }

    /// What is behind its edges.
    #[must_use]
    pub fn doorway(&self) -> Doorway {
        self.doorway.clone()
    }

    /// Its store, for whoever counts what is written.
    #[must_use]
    pub fn db(&self) -> Db {
        self.db.clone()
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.public.address()
    }

    /// Where its operator's routes listen.
    #[must_use]
    pub fn admin_addr(&self) -> SocketAddr {
        self.admin.address()
    }

    /// Whoever notifies this has the settings read again, for secrets that have changed.
    #[must_use]
    pub fn reload(&self) -> Arc<Notify> {
        self.rotation.asked()
    }

    /// Answers until it is told to stop, then lets what is under way come to its end.
    ///
    /// # Errors
    /// When a part breaks off that cannot be done without, or the store cannot be written any more.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let (work_ends, admin_ends, doors_close) =
            (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
        let mut parts = JoinSet::new();
        parts.spawn(self.relay.run(work_ends.clone()));
        parts.spawn(self.reconciler.run(work_ends.clone()));
        // Messages that are under way have the whole drain to come to their end.
        parts.spawn(self.couriers.run(self.sockets.clone()));
        parts.spawn(self.feed.run(work_ends.clone()));
        parts.spawn(self.credentials.keep(work_ends.clone()));
        parts.spawn(self.aurora.clone().keep_fresh(work_ends.clone()));
        parts.spawn(self.rotation.run(work_ends.clone()));
        let (settling, settled) = (self.catalog.clone(), work_ends.clone());
        parts.spawn(async move { settling.settle_creates(settled).await });
        let journal = Arc::clone(&self.journal);
        parts.spawn(upkeep::prune(journal, self.store, self.clock, self.retention, work_ends.clone()));
        parts.spawn(upkeep::look(self.journal, work_ends.clone()));
        let admin = self.admin.serve(self.admin_router, admin_ends.clone(), ADMIN_DRAIN);
        parts.spawn(async move {
            let _gone = admin.await;
        });
        let notice = NOTICE.min(self.drain / 4);
        let mut public = tokio::spawn(self.public.serve(
            self.router,
            doors_close.clone(),
            self.drain.saturating_sub(notice),
        ));

        let trouble = trouble(&stop, &mut parts, &mut public, &self.db).await;
        self.draining.store(true, Ordering::Relaxed);
        let deadline = tokio::time::Instant::now() + self.drain;
        if trouble.is_none() {
            // Whoever balances the load has to see that readiness is gone before the doors close.
            tokio::time::sleep(notice).await;
        }
        self.sockets.cancel();
        doors_close.cancel();
        if !public.is_finished() {
            let drained = public.await.context("the public routes broke off")?;
            if drained.cut_off > 0 {
                tracing::warn!(
                    connections = drained.cut_off,
                    "connections were cut off at the end of the drain"
                );
            }
        }
        // A create outlives its caller; cut off, its outcome would stay unknown.
        if tokio::time::timeout_at(deadline + LAST_WRITES, self.catalog.creates_end()).await.is_err() {
            tracing::warn!("creates were cut off at the end of the drain; their outcome stays unknown");
        }
        work_ends.cancel();
        admin_ends.cancel();
        while let Some(part) = parts.join_next().await {
            part.context("a part of the gateway broke off")?;
        }
        self.aurora.settle_count().await;
        self.db.close().await;
        trouble.map_or(Ok(()), Err)
    }
}

/// The client of Aurora, with the keys that it left in the store and the calls that it made just before; and the catalog
/// over it, with the creates that it left open there.
async fn upstream(config: &Config, store: &Store, clock: &Clock) -> anyhow::Result<(Aurora, Catalog)> {
    let aurora = settings::aurora(config, clock.clone())?;
    aurora.keep_count(store.clone()).await;
    if let Some(keys) = settings::encryption_keys(config) {
        aurora.keep_sealed(store.clone(), &keys).await?;
    }
    let catalog = Catalog::new(aurora.clone(), store.clone(), clock.clone(), &settings::freshness(config));
    catalog.adopt_creates().await?;
    Ok((aurora, catalog))
}

async fn listen(address: SocketAddr, limits: server::Limits) -> anyhow::Result<Server> {
    let bound = Server::bind(address, limits).await;
    bound.with_context(|| format!("the address {address} cannot be had"))
}

/// Who has the application switched off. What may be left of their keys, where the process ended or the disk failed in the
/// middle of giving them up, is given up now.
async fn switched_off(journal: &Arc<dyn Journal>, catalog: &Catalog) -> anyhow::Result<Standing> {
    let off = journal.switched_off().await?;
    off.iter().for_each(|tenant| catalog.disconnect(tenant));
    Ok(Standing::new(off))
}

/// What follows the journal: the one that announces, and the one that looks for what never came.
fn followers(
    config: &Config,
    journal: &Arc<dyn Journal>,
    catalog: &Catalog,
    clock: &Clock,
    grants: mpsc::Receiver<SessionGrant>,
    standing: &Standing,
) -> (Relay, Reconciler) {
    let (retention, tenants) = (config.store.retention, settings::tenants(config));
    let shared = || (Arc::clone(journal), catalog.clone(), clock.clone());
    let (journal, catalog, clock) = shared();
    let relay = Relay::new(journal, catalog, clock, grants, standing.clone(), retention);
    let (journal, catalog, clock) = shared();
    (relay, Reconciler::new(journal, catalog, clock, tenants, settings::reconcile(config)))
}

/// What the couriers of deliveries need.
fn means(journal: &Arc<dyn Journal>, catalog: &Catalog, cursors: &Cursors, clock: &Clock) -> deliver::Means {
    deliver::Means {
        journal: Arc::clone(journal),
        catalog: catalog.clone(),
        cursors: cursors.clone(),
        event_id: graphql::event_id,
        clock: clock.clone(),
    }
}

/// Waits until it is told to stop, or something ends that must not.
async fn trouble(
    stop: &CancellationToken,
    parts: &mut JoinSet<()>,
    public: &mut JoinHandle<http::Drained>,
    db: &Db,
) -> Option<anyhow::Error> {
    tokio::select! {
        () = stop.cancelled() => None,
        ended = parts.join_next() => Some(match ended {
            Some(Err(error)) => anyhow::Error::new(error).context("a part of the gateway broke off"),
            Some(Ok(())) | None => anyhow::anyhow!("a part of the gateway ended by itself"),
        }),
        _ended = public => Some(anyhow::anyhow!("the public routes ended by themselves")),
        () = db.broken() => Some(anyhow::anyhow!("the store failed for good: only a restart can help")),
    }
}

/// How long new connections are still let in after readiness is gone: load balancers ask every second or two.
const NOTICE: Duration = Duration::from_secs(3);

/// What is done with after the drain still has to be written.
const LAST_WRITES: Duration = Duration::from_secs(1);

/// The operator's routes have nothing to finish: a scrape that is under way may take this long.
const ADMIN_DRAIN: Duration = Duration::from_secs(1);

fn readiness(draining: &Arc<AtomicBool>, journal: &Arc<dyn Journal>) -> http::health::Ready {
    let (draining, journal) = (Arc::clone(draining), Arc::clone(journal));
    Box::new(move || {
        if draining.load(Ordering::Relaxed) {
            return Err("draining");
        }
        journal.trouble().map_or(Ok(()), Err)
    })
}

#[cfg(test)]
mod tests;
