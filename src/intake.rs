//! One webhook, from its arrival to its answer: authenticate ▸ parse ▸ append ▸ answer.
//!
//! The journal drops repeats while it appends, in the same transaction. Nothing here needs Aurora, so Aurora gets
//! its answer whatever state it is in itself.
//!
//! Invariants: nothing of a delivery is looked at before it is authentic; nobody is told "kept" before it is on
//! disk; a session token goes to whoever exchanges it and nowhere else; no answer repeats a value that came in.
//! Not here: routes and status codes, which are HTTP's; what a delivery sets in motion, which is the relay's.

mod authentic;
mod parse;
mod query;
#[cfg(test)]
mod tests;

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use secrecy::SecretString;
use tokio::{sync::mpsc, time::timeout};

use authentic::Authentic;
pub use authentic::Presented;
use parse::Parsed;
pub use parse::Reason;

use crate::{
    clock::Clock,
    domain::{TenantId, event::Switch},
    journal::{self, Appended, Journal},
};

/// Aurora gives up after ten seconds. An answer that comes before that lets it know to try again.
const PATIENCE: Duration = Duration::from_secs(5);

/// How deliveries prove that they are Aurora's, and whose they are if they do not say.
#[derive(Debug, Clone)]
pub struct Config {
    /// The name of the header that carries the secret.
    pub header: String,
    /// What that header must hold.
    pub secret: Option<SecretString>,
    /// What it held before, accepted as well while it is being changed at Aurora.
    pub previous_secret: Option<SecretString>,
    /// The user and password of HTTP basic auth, accepted as well.
    pub basic: Option<(String, SecretString)>,
    /// The tenant of deliveries that name none, nor anything that is known to be somebody's.
    pub default_tenant: Option<TenantId>,
}

/// A session token that can be exchanged for a tenant's key, once and within the hour. The same one may come
/// several times, with each try of a delivery.
#[derive(Debug, Clone)]
pub struct SessionGrant {
    /// Whose key it gives.
    pub tenant: TenantId,
    /// The token.
    pub token: SecretString,
}

/// What to tell Aurora.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Kept.
    New,
    /// It had come before.
    Repeat,
    /// Kept, though nobody knows whose it is.
    Aside,
    /// It does not prove to be Aurora's.
    Unauthenticated,
    /// It cannot be understood.
    Invalid(Reason),
    /// It cannot be kept now; try again.
    Unavailable,
}

/// What deliveries prove themselves with. Clones are the same, and can change it while deliveries come.
#[derive(Clone)]
pub struct Proofs(Arc<RwLock<Authentic>>);

impl Proofs {
    /// Accepts from now on what these settings say, and nothing else. True if that is something else than before.
    #[must_use]
    pub fn replace(&self, config: &Config) -> bool {
        let new = Authentic::new(config);
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let is_other = *held != new;
        *held = new;
        is_other
    }

    fn accept(&self, presented: &Presented<'_>) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).is(presented)
    }
}

impl std::fmt::Debug for Proofs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Proofs(…)")
    }
}

/// Takes deliveries in.
pub struct Intake {
    header: String,
    proofs: Proofs,
    default_tenant: Option<TenantId>,
    journal: Arc<dyn Journal>,
    clock: Clock,
    grants: mpsc::Sender<SessionGrant>,
    grants_dropped: Arc<AtomicU64>,
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake").field("header", &self.header).finish_non_exhaustive()
    }
}

impl Intake {
    /// Takes deliveries into `journal`, and sends session tokens to `grants`.
    #[must_use]
    pub fn new(
        config: Config,
        journal: Arc<dyn Journal>,
        clock: Clock,
        grants: mpsc::Sender<SessionGrant>,
    ) -> Self {
        let proofs = Proofs(Arc::new(RwLock::new(Authentic::new(&config))));
        let Config { header, default_tenant, .. } = config;
        Self { header, proofs, default_tenant, journal, clock, grants, grants_dropped: Arc::default() }
    }

    /// The name of the header whose value goes into [`Presented::token`].
    #[must_use]
    pub fn header(&self) -> &str {
        &self.header
    }

    /// What deliveries prove themselves with, for whoever changes it.
    #[must_use]
    pub fn proofs(&self) -> Proofs {
        self.proofs.clone()
    }

    /// Session tokens that nobody took in time, since the start. What is answered is counted by whoever answers.
    #[must_use]
    pub fn grants_dropped(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.grants_dropped)
    }

    /// Takes in the delivery of `event` with the parameters in `query`.
    pub async fn receive(&self, event: &str, query: &str, presented: Presented<'_>) -> Answer {
        if !self.proofs.accept(&presented) {
            return Answer::Unauthenticated;
        }
        let parsed = match parse::parse(event, query, self.clock.now()) {
            Ok(parsed) => parsed,
            Err(reason) => return Answer::Invalid(reason),
        };
        match timeout(PATIENCE, self.keep(parsed)).await {
            Ok(Ok(Appended::New(_))) => Answer::New,
            Ok(Ok(Appended::Repeat)) => Answer::Repeat,
            Ok(Ok(Appended::Aside(_))) => Answer::Aside,
            // Should a late append succeed after all, Aurora's next try is a repeat.
            Ok(Err(_)) | Err(_) => Answer::Unavailable,
        }
    }

    /// Finds whose it is, where it does not say: of the tenant to whom Aurora has shown what it names, else of the
    /// default one. The journal is asked, not Aurora, and only for those few.
    async fn keep(&self, parsed: Parsed) -> Result<Appended, journal::Error> {
        let Parsed { mut delivery, session_token } = parsed;
        if delivery.tenant.is_none() {
            delivery.tenant = self.journal.whose(&delivery).await?.or_else(|| self.default_tenant.clone());
        }
        // The token of a tenant who has just switched the application off gives no key.
        let switched_off = delivery.switch() == Some(Switch::Off);
        if let (Some(token), Some(tenant), false) = (session_token, &delivery.tenant, switched_off) {
            self.grant(SessionGrant { tenant: tenant.clone(), token });
        }
        self.journal.append(delivery).await
    }

    /// Before the append, because the token lives for an hour and the journal may be slow; without waiting,
    /// because the delivery matters more.
    fn grant(&self, grant: SessionGrant) {
        if self.grants.try_send(grant).is_err() {
            self.grants_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}
