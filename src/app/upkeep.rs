//! What is done again and again while the gateway runs, and is nobody else's.
//!
//! Invariant: a stop waits for none of it; it is safe to drop half-way, since whatever it writes is a transaction of its own.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{clock::Clock, journal::Journal, store::Store};

/// How often what is too old is thrown away.
const PRUNE_EVERY: Duration = Duration::from_secs(10 * 60);

/// How often it is seen whether an operator has had something told again.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Throws away what is older than `retention`, until it is told to stop.
pub(super) async fn prune(
    journal: Arc<dyn Journal>,
    store: Store,
    clock: Clock,
    retention: Duration,
    stop: CancellationToken,
) {
    again_and_again(PRUNE_EVERY, || prune_once(&journal, &store, &clock, retention), stop).await;
}

/// Sees whether another process has added deliveries, until it is told to stop.
pub(super) async fn look(journal: Arc<dyn Journal>, stop: CancellationToken) {
    again_and_again(LOOK_EVERY, || look_once(&journal), stop).await;
}

/// Does a thing at once and then every so often. A stop does not wait for it: it must be safe to drop half-way.
async fn again_and_again<F: Future<Output = ()>>(
    every: Duration,
    once: impl Fn() -> F,
    stop: CancellationToken,
) {
    let mut turns = tokio::time::interval(every);
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

async fn prune_once(journal: &Arc<dyn Journal>, store: &Store, clock: &Clock, retention: Duration) {
    if let Err(error) = store.prune(clock.now()).await {
        tracing::warn!(%error, "sealed keys that have ended and calls that count no longer could not be thrown away");
    }
    match journal.prune(clock.now(), retention).await {
        Ok(pruned) => tracing::debug!(?pruned, "threw away what was too old"),
        Err(error) => tracing::warn!(error = %error, "what is too old could not be thrown away"),
    }
}

async fn look_once(journal: &Arc<dyn Journal>) {
    if let Err(error) = journal.look().await {
        tracing::debug!(error = %error, "whether somebody added deliveries cannot be seen now");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stop_does_not_wait_for_a_pruning() {
        let stop = CancellationToken::new();
        let (begun, has_begun) = tokio::sync::watch::channel(false);
        let once = move || {
            begun.send_replace(true);
            std::future::pending()
        };
        let pruner = tokio::spawn(again_and_again(PRUNE_EVERY, once, stop.clone()));
        has_begun.clone().wait_for(|it| *it).await.unwrap();
        stop.cancel();
        tokio::time::timeout(Duration::from_secs(10), pruner).await.unwrap().unwrap();
    }
}
