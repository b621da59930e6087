//! Secrets that change while the gateway runs: looked for in their files, and read again when somebody asks.
//!
//! Invariants: what cannot be used is told of and changes nothing; a rotation is taken whole; every other setting
//! stays as it was at the start. Not here: what a new key means for calls under way.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, task::spawn_blocking};
use tokio_util::sync::CancellationToken;

use super::settings;
use crate::{
    aurora::{Aurora, Rotated},
    config::{self, Config},
    intake::Proofs,
};

/// Whoever has put a new secret in its place wants to see it taken; a few small files cost nothing to read.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How many rotations came to what.
#[derive(Debug, Default)]
pub(super) struct Counts {
    taken: AtomicU64,
    refused: AtomicU64,
}

impl Counts {
    /// Secrets were taken in place of others.
    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// What was found could not be used.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

/// Looks for other secrets than those in use.
pub(super) struct Rotation {
    /// As it was at the start: what no rotation changes.
    running: Config,
    /// As it was read last without a mistake.
    latest: Arc<Config>,
    aurora: Aurora,
    proofs: Proofs,
    asked: Arc<Notify>,
    counts: Arc<Counts>,
    /// What the files of secrets held when they were last taken.
    in_use: Option<[u8; 32]>,
    complaint: Option<Complaint>,
}

/// What was said of which files: once is enough.
#[derive(PartialEq, Eq)]
struct Complaint {
    files: Option<[u8; 32]>,
    text: String,
}

impl Rotation {
    pub(super) fn new(running: &Config, aurora: Aurora, proofs: Proofs) -> Self {
        Self {
            running: running.clone(),
            latest: Arc::new(running.clone()),
            aurora,
            proofs,
            asked: Arc::default(),
            counts: Arc::default(),
            in_use: running.secret_files_digest(),
            complaint: None,
        }
    }

    /// Notified, it reads everything again.
    pub(super) fn asked(&self) -> Arc<Notify> {
        Arc::clone(&self.asked)
    }

    pub(super) fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// Looks until it is told to stop.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let asked = self.asked();
        loop {
            let is_asked = tokio::select! {
                () = stop.cancelled() => return,
                () = asked.notified() => true,
                _ = looks.tick() => false,
            };
            self.look(is_asked).await;
        }
    }

    async fn look(&mut self, is_asked: bool) {
        let (latest, in_use) = (Arc::clone(&self.latest), self.in_use);
        let look = move || {
            let files = latest.secret_files_digest();
            (is_asked || files != in_use).then(|| (files, latest.reload()))
        };
        // A look that panicked has found nothing.
        let Some((files, read)) = spawn_blocking(look).await.ok().flatten() else {
            self.complaint = None;
            return;
        };
        let outcome = read.map_err(|error| one_line(&error)).and_then(|read| {
            let changed = self.take(&read)?;
            self.latest = Arc::new(read);
            Ok(changed)
        });
        match outcome {
            Ok(changed) => {
                // Asked, the settings may name other files by now: those are looked at once more.
                (self.in_use, self.complaint) = (files.filter(|_| !is_asked), None);
                if !changed.is_empty() {
                    self.counts.taken.fetch_add(1, Ordering::Relaxed);
                    tracing::info!("rotated: now in use are other values of {}", changed.join(", "));
                } else if is_asked {
                    tracing::info!("read the settings again: no secret that can be rotated has changed");
                }
            }
            Err(text) => {
                let complaint = Some(Complaint { files, text });
                if is_asked || complaint != self.complaint {
                    self.counts.refused.fetch_add(1, Ordering::Relaxed);
                    let text = complaint.as_ref().map_or("", |it| &it.text);
                    tracing::error!("not rotated, the secrets in use stay: {text}");
                }
                self.complaint = complaint;
            }
        }
    }

    /// What has changed, in the words of the settings.
    fn take(&self, read: &Config) -> Result<Vec<String>, String> {
        let keys = settings::new_keys(&self.running, read);
        let Rotated { application, tenants } = self.aurora.rotate(keys).map_err(|error| error.to_string())?;
        let mut changed: Vec<_> =
            application.then(|| "aurora.application_key".to_owned()).into_iter().collect();
        changed.extend(tenants.iter().map(|tenant| format!("the key of tenant {tenant}")));
        // A gateway without any would take no delivery at all; `serve` does not start like that either.
        let may_deliver = read.webhooks.secret.is_some() || read.webhooks.basic.is_some();
        if may_deliver && self.proofs.replace(&settings::intake(read)) {
            changed.push("the webhooks' secrets".to_owned());
        }
        Ok(changed)
    }
}

fn one_line(error: &config::Error) -> String {
    let problems: Vec<_> = error.problems().iter().map(ToString::to_string).collect();
    problems.join("; ")
}
