//! Events, carried to CRMs that cannot hold a socket: signed webhooks of our own, to targets that the configuration names.
//!
//! For each target one courier follows the announced events, as a subscriber does. [`desk`] decides whose turn it is,
//! [`courier`] acts, [`progress`] keeps how far it has come, [`sender`] speaks HTTP to where [`guard`] lets it.
//!
//! Invariants: every event that a target wants is sent until it is taken, or given up where it can be seen; messages of one
//! design come in their order; a message has one id for ever; a target hears of its own tenants only; where a target is may
//! be a secret, and only its host is ever shown. Not here: what an event is, and that it is kept: the journal's.

mod address;
mod courier;
mod desk;
mod guard;
mod ladder;
mod payload;
mod progress;
mod sender;
mod signature;
mod tally;

use std::{path::PathBuf, sync::Arc, time::Duration};

use secrecy::{SecretSlice, SecretString};
use tokio::{
    sync::{mpsc, oneshot},
    task::{JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;

use courier::{Command, Courier};
pub use courier::{Report, State};
pub use desk::{Disabled, Health, MOST_REPLAYS, TooMany};
use progress::Progress;
use sender::Sender;
pub use sender::{Failure, SetupError};
use signature::Signer;
pub use tally::{Outcome, Tally};

use crate::{
    catalog::Catalog,
    clock::Clock,
    domain::{MessageType, Seq, TenantId, viewer::Tenants},
    journal::{self, Cursors, Journal},
    sqlite::{self, Db},
};

/// Questions and orders of operators that wait for one courier.
const COMMANDS: usize = 16;

/// How long an operator waits for a courier, which is busy with the disk at most.
const PATIENCE: Duration = Duration::from_secs(5);

/// One target.
#[derive(Debug, Clone)]
pub struct Config {
    /// What it is called, and what its progress is kept under.
    pub name: String,
    /// Where it is. Its path may be a secret.
    pub url: SecretString,
    /// What signs: the current key, then the one before it.
    pub keys: Vec<SecretSlice<u8>>,
    /// Whose events it gets.
    pub tenants: Tenants,
    /// Which of them.
    pub types: Vec<MessageType>,
    /// Hosts that may be private.
    pub allow_private: Vec<String>,
    /// A file with the certificates of the authorities that vouch for it, in place of the system's.
    pub authorities: Option<PathBuf>,
    /// Where a target begins that was never seen before.
    pub from: From,
    /// One try.
    pub timeout: Duration,
    /// Messages under way at a time.
    pub at_once: usize,
    /// How long a message is tried while others are taken.
    pub retry_for: Duration,
    /// How long a target may take nothing before it is disabled.
    pub disable_after: Duration,
}

/// Where a new target begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// With what is announced from now on.
    Now,
    /// With the oldest event that is kept.
    Oldest,
}

/// Why the couriers cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A target cannot be one.
    #[error("deliver \"{name}\": {source}")]
    Target {
        /// Which.
        name: String,
        /// Why.
        source: SetupError,
    },
    /// What is kept cannot be read.
    #[error("the progress of deliveries cannot be read")]
    Progress(#[from] sqlite::Error),
    /// The journal cannot be read.
    #[error("the journal cannot be read")]
    Journal(#[from] journal::Error),
}

/// What a courier needs of the gateway.
#[derive(Clone)]
pub struct Means {
    /// The events.
    pub journal: Arc<dyn Journal>,
    /// The summaries of completed designs.
    pub catalog: Catalog,
    /// Names places.
    pub cursors: Cursors,
    /// The global id of an event, from its tenant and its cursor.
    pub event_id: fn(&TenantId, &str) -> String,
    /// What time it is.
    pub clock: Clock,
}

/// Sees whether a target could be one, without asking anybody.
///
/// # Errors
/// When it cannot.
pub fn check(config: &Config) -> Result<(), BuildError> {
    sender(config).map(drop)
}

fn sender(config: &Config) -> Result<Sender, BuildError> {
    let made = Signer::try_new(&config.keys)
        .map_err(SetupError::from)
        .and_then(|signer| Sender::try_new(config, signer));
    made.map_err(|source| BuildError::Target { name: config.name.clone(), source })
}

/// The couriers of all targets, and the way to reach them.
///
/// # Errors
/// When a target cannot be one, or its progress cannot be read.
pub async fn build(configs: Vec<Config>, means: &Means, db: &Db) -> Result<(Outbound, Couriers), BuildError> {
    let progress = Progress::new(db.clone());
    let (mut targets, mut couriers) = (Vec::new(), Vec::new());
    for config in configs {
        let sender = sender(&config)?;
        let (orders, commands) = mpsc::channel(COMMANDS);
        let tally = Arc::new(Tally::default());
        targets.push(Target {
            name: config.name.clone(),
            host: sender.host().to_owned(),
            tenants: config.tenants.clone(),
            types: config.types.clone(),
            tally: Arc::clone(&tally),
            orders,
        });
        couriers.push(Courier::open(config, sender, means.clone(), progress.clone(), tally, commands).await?);
    }
    Ok((Outbound { targets: targets.into() }, Couriers(couriers)))
}

/// The couriers, before they set out.
pub struct Couriers(Vec<Courier>);

impl Couriers {
    /// Carries events until it is told to stop. What is under way then has a moment to end.
    ///
    /// # Panics
    /// When a courier does: nobody would do its work any more.
    pub async fn run(self, stop: CancellationToken) {
        let mut all = JoinSet::new();
        for courier in self.0 {
            all.spawn(courier.run(stop.clone()));
        }
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(ended) = all.join_next(), if !all.is_empty() => pass_on(ended),
            }
        }
        while let Some(ended) = all.join_next().await {
            pass_on(ended);
        }
    }
}

fn pass_on(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && let Ok(panic) = error.try_into_panic()
    {
        std::panic::resume_unwind(panic);
    }
}

/// All targets, for operators.
#[derive(Clone)]
pub struct Outbound {
    targets: Arc<[Target]>,
}

/// One target, for operators.
#[derive(Clone)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// The host of its URL.
    pub host: String,
    /// Whose events it gets.
    pub tenants: Tenants,
    /// Which of them.
    pub types: Vec<MessageType>,
    /// What is counted of it.
    pub tally: Arc<Tally>,
    orders: mpsc::Sender<Command>,
}

/// A courier did not answer, or could not write down what it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the target's courier does not answer")]
pub struct NoAnswer;

impl Outbound {
    /// Every target, in the order of the configuration.
    #[must_use]
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// The target of that name.
    #[must_use]
    pub fn target(&self, name: &str) -> Option<&Target> {
        self.targets.iter().find(|target| target.name == name)
    }
}

impl Target {
    /// How it fares.
    ///
    /// # Errors
    /// When its courier does not answer.
    pub async fn report(&self) -> Result<Report, NoAnswer> {
        self.order(Command::Report).await
    }

    /// Sends to it again, from where it stopped.
    ///
    /// # Errors
    /// When that could not be written down.
    pub async fn enable(&self) -> Result<Report, NoAnswer> {
        self.order(Command::Enable).await
    }

    /// Sends nothing to it until it is enabled.
    ///
    /// # Errors
    /// When that could not be written down.
    pub async fn disable(&self) -> Result<Report, NoAnswer> {
        self.order(Command::Disable).await
    }

    /// Sends the events of a tenant behind `after` once more, up to `through` where that is given; or says that as many
    /// requests of the tenant wait as may.
    ///
    /// # Errors
    /// When that could not be written down.
    pub async fn redeliver(
        &self,
        tenant: TenantId,
        after: Seq,
        through: Option<Seq>,
    ) -> Result<Result<Report, TooMany>, NoAnswer> {
        let through = through.unwrap_or(Seq(u64::MAX));
        self.order(|answer| Command::Redeliver { tenant, after, through, answer }).await
    }

    async fn order<A>(&self, command: impl FnOnce(oneshot::Sender<A>) -> Command) -> Result<A, NoAnswer> {
        let (answer, answered) = oneshot::channel();
        let asked = async {
            self.orders.send(command(answer)).await.map_err(|_| NoAnswer)?;
            answered.await.map_err(|_| NoAnswer)
        };
        tokio::time::timeout(PATIENCE, asked).await.unwrap_or(Err(NoAnswer))
    }
}
