//! The only place that constructs: settings in, a gateway out.
//!
//! Invariant: nothing listens before everything that it needs has been opened; a stop closes in the opposite order,
//! the store last. Not here: what any part does.

mod counts;
pub mod registration;
mod settings;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use bytes::Bytes;
use tokio::{
    sync::mpsc,
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;

pub use settings::{aurora, check_documents, webhook_target};

use crate::{
    catalog::Catalog,
    clock::Clock,
    config::Config,
    graphql::{self, Doorway, Parts},
    http::{self, Admin, Credentials, Server, Site, page},
    intake::Intake,
    journal::{Cursors, Journal, SqliteJournal},
    relay::{Feed, Relay},
    sqlite::Db,
    store::Store,
    telemetry::Metrics,
};

/// Session tokens that wait to be exchanged. More than Aurora's allowance lets through in a minute would be too old by
/// their turn.
const GRANTS: usize = 256;

/// How often what is too old is thrown away.
const PRUNE_EVERY: Duration = Duration::from_secs(10 * 60);

/// A gateway that has been built and listens, but does not answer yet.
pub struct App {
    public: Server,
    admin: Server,
    router: axum::Router,
    doorway: Doorway,
    admin_router: axum::Router,
    credentials: Credentials,
    relay: Relay,
    catalog: Catalog,
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
        let journal = SqliteJournal::open(db.clone(), clock.clone()).await?;
        let journal: Arc<dyn Journal> = Arc::new(journal);

        let aurora = settings::aurora(config, clock.clone())?;
        let catalog = Catalog::new(aurora.clone(), store, clock.clone(), &settings::freshness(config));
        let (grant, grants) = mpsc::channel(GRANTS);
        let intake = Intake::new(settings::intake(config), Arc::clone(&journal), clock.clone(), grant);
        let relay = Relay::new(Arc::clone(&journal), catalog.clone(), clock.clone(), grants);
        let creates = catalog.clone();
        let parts = Parts {
            catalog,
            journal: Arc::clone(&journal),
            feed: Feed::new(Arc::clone(&journal), config.limits.subscribers_per_tenant),
            cursors,
            tenants: settings::tenants(config),
            links: settings::links(config),
            page_size: u32::try_from(config.limits.page_size)?,
        };

        let told = counts::told(&aurora, parts.catalog.clone(), intake.grants_dropped());
        let metrics = Arc::new(Metrics::with(told));
        let sockets = CancellationToken::new();
        let draining = Arc::new(AtomicBool::new(false));
        let credentials = settings::credentials(config, clock.clone())?;
        let doorway = graphql::doorway(parts, settings::limits(config), settings::persisted(config)?)
            .map_err(anyhow::Error::msg)
            .context("limits.documents_manifest")?;
        let router = http::router(http::State {
            config: settings::edges(config)?,
            credentials: credentials.clone(),
            rate: settings::rate(config),
            doorway: doorway.clone(),
            intake,
            metrics: Arc::clone(&metrics),
            site: Site { demo, graphiql: config.server.graphiql, sdl: Bytes::from(graphql::sdl()) },
            shutdown: sockets.clone(),
        });
        let admin_router = http::admin_router(Admin { metrics, ready: readiness(&draining, &journal) });

        let limits = settings::connections(config);
        let listen = |address: SocketAddr| {
            let limits = limits.clone();
            async move {
                let bound = Server::bind(address, limits).await;
                bound.with_context(|| format!("the address {address} cannot be had"))
            }
        };
        Ok(Self {
            public: listen(config.server.listen).await?,
            admin: listen(config.server.admin_listen).await?,
            router,
            doorway,
            admin_router,
            credentials,
            relay,
            catalog: creates,
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

    /// Answers until it is told to stop, then lets what is under way come to its end.
    ///
    /// # Errors
    /// When a part breaks off that cannot be done without, or the store cannot be written any more.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let (work_ends, admin_ends, doors_close) =
            (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
        let mut parts = JoinSet::new();
        parts.spawn(self.relay.run(work_ends.clone()));
        parts.spawn(self.credentials.keep(work_ends.clone()));
        let (journal, clock, retention) = (self.journal, self.clock, self.retention);
        let once = move || prune(Arc::clone(&journal), clock.clone(), retention);
        parts.spawn(again_and_again(once, work_ends.clone()));
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
        self.db.close().await;
        trouble.map_or(Ok(()), Err)
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
        if !journal.writable() {
            return Err("the store cannot be written");
        }
        Ok(())
    })
}

/// Does a thing at once and then every so often. A stop does not wait for it: it must be safe to drop half-way.
async fn again_and_again<F: Future<Output = ()>>(once: impl Fn() -> F, stop: CancellationToken) {
    let mut turns = tokio::time::interval(PRUNE_EVERY);
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let work = async {
        loop {
            turns.tick().await;
            once().await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}

/// Between two of its batches this can be dropped: each is a transaction of its own.
async fn prune(journal: Arc<dyn Journal>, clock: Clock, retention: Duration) {
    match journal.prune(clock.now(), retention).await {
        Ok(pruned) => tracing::debug!(?pruned, "threw away what was too old"),
        Err(error) => tracing::warn!(error = %error, "what is too old could not be thrown away"),
    }
}

#[cfg(test)]
mod tests;
