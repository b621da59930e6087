//! Carries calls to Aurora and says plainly what became of them.
//!
//! The layers, outermost first: retry ▸ breaker ▸ quota ▸ load ▸ ledger ▸ send. Retry stands outside the quota because each
//! try is a call that Aurora counts. The breaker stands before the quota so that nobody waits for a turn that leads
//! nowhere, and is asked again behind it, for a turn may take seconds. The load is counted right before the socket,
//! so that what waits for its turn takes no connection from others. Joining equal calls is the catalog's part, for
//! joiners spend nothing.
//!
//! Invariants: the HTTP client is used in here and nowhere else; it follows no redirect, repeats nothing by
//! itself and reads no answer beyond its limit. Every HTTP request that leaves is on a [`Meter`]. A caller waits no
//! longer than its [`Deadline`]; only a write that has been sent is waited for to its end.

mod breaker;
mod endpoint;
mod ledger;
mod load;
mod quota;
mod retry;
mod send;
mod tally;
mod verdict;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::Instant;

use super::{Config, Error, Lane, LeftAlone, Meter, SetupError, call::Call, credentials::Key};
use crate::{clock::Clock, store::Store};

pub use breaker::Standing;
pub use endpoint::{Endpoint, Group};
pub use quota::Budget;
pub(super) use quota::{Bounds, Quota, Quotas};
pub(super) use send::can_be_sent;
pub use tally::{Ending, WAITS, Waits, Withheld};
pub(super) use verdict::{Answer, Failure};

use breaker::{Health, Turned};
use ledger::Ledger;
use retry::Verdict;

/// The way to Aurora.
pub(super) struct Transport {
    sender: send::Sender,
    request_timeout: Duration,
    call_timeout: Duration,
    load: load::Load,
    tally: tally::Tally,
    /// Where calls are counted over a restart, if they are.
    ledger: OnceLock<Ledger>,
    clock: Clock,
}

/// Until when a caller waits, whatever happens meanwhile.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(Instant);

impl Deadline {
    pub(super) fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// What comes in time.
    ///
    /// # Errors
    /// [`Error::Timeout`] when it comes too late, whatever it says then.
    pub(super) async fn keep<T>(self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        tokio::time::timeout_at(self.0, work).await.unwrap_or(Err(Error::Timeout))
    }
}

impl Transport {
    pub(super) fn try_new(config: &Config, clock: Clock) -> Result<Self, SetupError> {
        Ok(Self {
            sender: send::Sender::try_new(config)?,
            request_timeout: config.request_timeout,
            call_timeout: config.call_timeout,
            load: load::Load::new(config.load.at_once),
            tally: tally::Tally::default(),
            ledger: OnceLock::new(),
            clock,
        })
    }

    /// Counts calls in the store from now on, and those in, that were made before the restart. Once.
    pub(super) async fn keep_count(&self, store: Store, quotas: &Quotas) {
        let ledger = Ledger::new(store, self.clock.clone(), self.request_timeout, self.call_timeout);
        if self.ledger.set(ledger).is_ok()
            && let Some(ledger) = self.ledger.get()
        {
            for (key, made) in ledger.recall().await {
                quotas.adopt(key, made);
            }
        }
    }

    /// Leaves in the store what counts, as it stands, for the process that comes next.
    pub(super) async fn settle_count(&self, quotas: &Arc<Quotas>) {
        if let Some(ledger) = self.ledger.get() {
            ledger.settle(quotas).await;
        }
    }

    /// The deadline of a caller who comes now.
    pub(super) fn deadline(&self) -> Deadline {
        Deadline(Instant::now() + self.call_timeout)
    }

    /// Makes the call with that key and waits for what comes of it.
    ///
    /// # Errors
    /// With what became of it, as exactly as can be known.
    pub(super) async fn call(&self, call: &Call<'_>, key: &Key, meter: &Meter) -> Result<Answer, Failure> {
        self.call_by(call, key, meter, self.deadline()).await
    }

    /// The same for a caller who has been waiting.
    ///
    /// # Errors
    /// As [`Transport::call`].
    pub(super) async fn call_by(
        &self,
        call: &Call<'_>,
        key: &Key,
        meter: &Meter,
        deadline: Deadline,
    ) -> Result<Answer, Failure> {
        key.quota().retries().earn();
        let mut failed = match self.call_once(call, key, meter, deadline).await {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        let mut tries = 1;
        loop {
            let verdict =
                retry::verdict(call.repeatable, &failed, tries, deadline.left(), rand::random::<f64>());
            let Verdict::Again(pause) = verdict else { return Err(failed) };
            if !key.quota().retries().take() {
                return Err(failed);
            }
            tokio::time::sleep(pause).await;
            if let Some(pace) = call.pace
                && pace.take(deadline.left()).await.is_err()
            {
                return Err(failed);
            }
            self.tally.repeated();
            tries += 1;
            failed = match (self.call_once(call, key, meter, deadline).await, failed) {
                (Ok(answer), _) => return Ok(answer),
                // What Aurora did says more than that it is not asked again; but whoever has to wait is told for how long.
                (Err(Failure::Held(_)), before) if !matches!(before, Failure::Busy { .. }) => {
                    return Err(before);
                }
                (Err(failure), _) => failure,
            };
        }
    }

    async fn call_once(
        &self,
        call: &Call<'_>,
        key: &Key,
        meter: &Meter,
        deadline: Deadline,
    ) -> Result<Answer, Failure> {
        let endpoint = Endpoint::of(call.verb, call.template);
        let (quota, breaker) = (key.quota(), key.quota().breaker(endpoint.group()));
        let urgency = meter.urgency();
        self.check(call, key, urgency.lane())?;

        let asked = Instant::now();
        // A turn that comes at the last moment leaves no time for the answer.
        let turn = quota.take_turn(urgency, deadline.left().saturating_sub(self.call_timeout / 4)).await;
        let lane = urgency.lane();
        let ticket = turn.map_err(|it| self.out_of_budget(lane, it))?;
        self.tally.waited(lane, asked.elapsed());
        let pass = match breaker.admit() {
            Ok(pass) => pass,
            Err(open) => {
                ticket.give_back();
                return Err(self.left_alone(lane, open));
            }
        };
        let Some(carried) = self.load.take_on(ticket.under_way()) else {
            ticket.give_back();
            return Err(self.crowded(lane));
        };
        if let Some(ledger) = self.ledger.get() {
            ledger.note(quota.print()).await;
        }

        meter.add_one();
        let reply = self.sender.send(call, key, self.patience(call, deadline)).await;
        let outcome = reply.and_then(|reply| verdict::verdict(reply, call, key, self.now()));
        if let Err(Failure::Busy { retry_after }) = &outcome {
            // Before the turn ends, which may let the next one go.
            quota.stop_for(*retry_after);
        }
        match &outcome {
            Err(Failure::NotSent { .. } | Failure::Held(_)) => ticket.give_back(),
            // Nobody waits for it any more, but it may still come to Aurora.
            Err(Failure::Timeout | Failure::Lost { answering: false, .. }) => drop(ticket),
            _ => ticket.end(),
        }
        drop(carried);
        if let Some(ending) = Ending::of(&outcome) {
            self.tally.ended(endpoint, lane, ending);
            // The second of an exchange's ids; other keys are one tenant's.
            let of = call.ids.get(1).copied().filter(|_| endpoint == Endpoint::CreateToken);
            learn(pass, endpoint.group(), of, &outcome);
        }
        outcome
    }

    /// Whether Aurora is left alone there anyway: then nobody need wait for anything else.
    ///
    /// # Errors
    /// When it is, as [`Transport::call`] would.
    pub(super) fn check(&self, call: &Call<'_>, key: &Key, lane: Lane) -> Result<(), Failure> {
        let group = Endpoint::of(call.verb, call.template).group();
        key.quota().breaker(group).check().map_err(|it| self.left_alone(lane, it))
    }

    /// How long one try may take. A write that has been sent is waited for, whatever the caller planned: what became
    /// of it is worth more than an answer in time.
    fn patience(&self, call: &Call<'_>, deadline: Deadline) -> Duration {
        if call.repeatable { self.request_timeout.min(deadline.left()) } else { self.request_timeout }
    }

    fn out_of_budget(&self, lane: Lane, no_turn: quota::NoTurn) -> Failure {
        self.tally.withheld(lane, Withheld::Budget);
        Failure::Held(Error::RateLimited { retry_after: no_turn.retry_after })
    }

    fn left_alone(&self, lane: Lane, open: breaker::LeftAlone) -> Failure {
        self.tally.withheld(lane, Withheld::Breaker);
        Failure::Held(Error::LeftAlone { reason: LeftAlone::Failing, retry_after: open.retry_after })
    }

    fn crowded(&self, lane: Lane) -> Failure {
        self.tally.withheld(lane, Withheld::Load);
        Failure::Held(Error::LeftAlone { reason: LeftAlone::Crowded, retry_after: load::COME_AGAIN })
    }

    /// What became of calls since the start.
    pub(super) fn tally(&self) -> &tally::Tally {
        &self.tally
    }

    /// How many calls are under way.
    pub(super) fn under_way(&self) -> usize {
        self.load.under_way()
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// Tells the breaker how it went, and people what came of that.
fn learn(pass: breaker::Pass<'_>, group: Group, of: Option<&str>, outcome: &Result<Answer, Failure>) {
    let trouble = outcome.as_ref().err().filter(|failure| failure.is_trouble());
    let health = if trouble.is_some() { Health::Trouble } else { Health::Good };
    let group = group.name();
    match pass.end(health, of, rand::random::<f64>()) {
        Some(Turned::Opened { pause }) => {
            let failure = trouble.map_or("slow", Failure::word);
            let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(
                group,
                failure,
                pause_ms,
                "Aurora fails at {group}; one key leaves it alone for {pause_ms} ms"
            );
        }
        Some(Turned::Closed) => tracing::info!(group, "Aurora answers at {group} again"),
        None => {}
    }
}
