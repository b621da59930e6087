//! Carries calls to Aurora and says plainly what became of them.
//!
//! The layers, outermost first: retry ▸ quota ▸ send. Retry stands outside the quota because each try is a call
//! that Aurora counts; the quota stands right before the socket because only what is sent is spent. A layer
//! that joins equal calls would stand outermost, for joiners spend nothing.
//!
//! Invariants: the HTTP client is used in here and nowhere else; it follows no redirect, repeats nothing by
//! itself and reads no answer beyond its limit. Every HTTP request that leaves is on a [`Meter`].

mod quota;
mod retry;
mod send;
mod tally;
mod verdict;

use jiff::Timestamp;

use super::{Config, Meter, SetupError, call::Call, credentials::Key};
use crate::clock::Clock;

pub use quota::Budget;
pub(super) use quota::{Quota, Quotas};
pub(super) use send::can_be_sent;
pub use tally::Ending;
pub(super) use verdict::{Answer, Failure};

/// The way to Aurora.
pub(super) struct Transport {
    sender: send::Sender,
    patience: std::time::Duration,
    tally: tally::Tally,
    clock: Clock,
}

impl Transport {
    pub(super) fn try_new(config: &Config, clock: Clock) -> Result<Self, SetupError> {
        let sender = send::Sender::try_new(config)?;
        Ok(Self { sender, patience: config.request_timeout, tally: tally::Tally::default(), clock })
    }

    /// Makes the call with that key and waits for what comes of it.
    ///
    /// # Errors
    /// With what became of it, as exactly as can be known.
    pub(super) async fn call(&self, call: &Call<'_>, key: &Key, meter: &Meter) -> Result<Answer, Failure> {
        let mut tries = 1;
        loop {
            let outcome = self.call_once(call, key, meter).await;
            match &outcome {
                Err(failure) if retry::is_worth_another(call, failure, tries) => tries += 1,
                _ => return outcome,
            }
        }
    }

    async fn call_once(&self, call: &Call<'_>, key: &Key, meter: &Meter) -> Result<Answer, Failure> {
        let ticket = key.quota().take_turn(self.patience).await?;
        meter.add_one();
        let reply = self.sender.send(call, key).await;
        drop(ticket);
        let outcome = reply.and_then(|reply| verdict::verdict(reply, call, key, self.now()));
        self.tally.count(&outcome);
        if let Err(Failure::Busy { retry_after }) = &outcome {
            key.quota().stop_for(*retry_after);
        }
        outcome
    }

    /// How many calls ended so.
    pub(super) fn ended(&self, ending: Ending) -> u64 {
        self.tally.total(ending)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
