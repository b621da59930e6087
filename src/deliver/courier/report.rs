//! What an operator asks of a courier, and how a target fares.

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::{
    super::desk::{Disabled, Health, TooMany},
    Courier,
};
use crate::{
    clock,
    domain::{Seq, TenantId},
};

/// What an operator asks of a courier.
#[derive(Debug)]
pub(in crate::deliver) enum Command {
    Report(oneshot::Sender<Report>),
    Enable(oneshot::Sender<Report>),
    Disable(oneshot::Sender<Report>),
    Redeliver { tenant: TenantId, after: Seq, through: Seq, answer: oneshot::Sender<Result<Report, TooMany>> },
}

/// How a target fares.
#[derive(Debug, Clone)]
pub struct Report {
    /// What it took last, since when it takes nothing, whether it is disabled.
    pub health: Health,
    /// Events that wait.
    pub pending: u64,
    oldest: Option<Timestamp>,
    now: Timestamp,
    scanned: Seq,
    settled: HashMap<TenantId, Seq>,
}

/// How a target fares, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It takes what it is sent.
    Active,
    /// It did not take the last message, which will be tried again.
    Failing,
    /// Nothing is sent to it.
    Disabled,
}

impl Report {
    /// How the target fares, in a word.
    #[must_use]
    pub fn state(&self) -> State {
        match (&self.health.disabled, &self.health.failing_since) {
            (Some(_), _) => State::Disabled,
            (None, Some(_)) => State::Failing,
            (None, None) => State::Active,
        }
    }

    /// How long the oldest event that waits has been with the gateway.
    #[must_use]
    pub fn oldest_age(&self) -> Option<Duration> {
        self.oldest.map(|at| clock::between(at, self.now))
    }

    /// The place up to which everything of a tenant is settled.
    #[must_use]
    pub fn settled(&self, tenant: &TenantId) -> Seq {
        self.settled.get(tenant).map_or(self.scanned, |at| self.scanned.min(*at))
    }
}

impl Courier {
    /// Does what an operator asks, and answers when it is written down.
    pub(super) async fn obey(&mut self, command: Command) {
        let answer = match command {
            Command::Report(answer) => {
                // Nobody listens any more where this fails.
                let _ = answer.send(self.report());
                return;
            }
            Command::Enable(answer) => {
                self.desk.enable();
                answer
            }
            Command::Disable(answer) => {
                self.desk.disable(self.means.clock.now());
                tracing::warn!(
                    target.name = self.name,
                    why = Disabled::ByHand.word(),
                    "the target is disabled"
                );
                answer
            }
            Command::Redeliver { tenant, after, through, answer } => {
                let asked = self.desk.replay(&tenant, after, through);
                if asked.is_err() || self.save().await {
                    let _ = answer.send(asked.map(|()| self.report()));
                }
                return;
            }
        };
        // Without an answer the operator knows that it may not last.
        if self.save().await {
            let _ = answer.send(self.report());
        }
    }

    fn report(&self) -> Report {
        let (pending, oldest) = self.desk.pending();
        Report {
            health: self.desk.health.clone(),
            pending,
            oldest,
            now: self.means.clock.now(),
            scanned: self.desk.scanned,
            settled: self.desk.settled(),
        }
    }
}
