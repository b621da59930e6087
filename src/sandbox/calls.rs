//! What the sandbox was asked, in order.
//!
//! [`CallLog`] is how a test counts what something costs Aurora. Invariants: a call is written
//! down when it arrives, so one that hangs is there too; no key and no session token is in it,
//! only fingerprints; the oldest are dropped beyond [`CALLS_KEPT`].

use std::collections::VecDeque;

use serde::Serialize;

use super::clock::Moment;
use super::fault::pattern;
use super::keys::{self, Caller, KeyKind};

/// As many calls as are remembered: an hour of one key at Aurora's limit, twice over.
pub const CALLS_KEPT: usize = 10_000;

/// One request to the emulated Aurora.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Call {
    /// Counts up from 1 and never starts again, not even after the log is cleared.
    pub seq: u64,
    /// When it came, by the sandbox's clock.
    pub at: String,
    /// `GET`, `POST`, …
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The query as it came, with a session token replaced by its fingerprint.
    pub query: Option<String>,
    /// What sort of key it came with.
    pub key_kind: KeyKind,
    /// Tells keys apart without telling them.
    pub key_fingerprint: Option<String>,
    /// The answer; `None` while there is none, or when the connection was cut instead.
    pub status: Option<u16>,
    /// The fault that was played on it.
    pub fault: Option<&'static str>,
}

/// The calls so far.
#[derive(Debug, Default)]
pub(super) struct CallLog {
    calls: VecDeque<Call>,
    seen: u64,
}

/// The parts of a request that are written down.
pub(super) struct Arrival<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) query: Option<&'a str>,
    pub(super) caller: &'a Caller,
    pub(super) fault: Option<&'static str>,
}

impl CallLog {
    /// Writes an arrival down; the number is for [`CallLog::answered`].
    pub(super) fn arrived(&mut self, arrival: &Arrival<'_>, now: Moment) -> u64 {
        if self.calls.len() >= CALLS_KEPT {
            self.calls.pop_front();
        }
        self.seen += 1;
        self.calls.push_back(Call {
            seq: self.seen,
            at: now.iso(),
            method: arrival.method.to_owned(),
            path: arrival.path.to_owned(),
            query: arrival.query.map(without_session),
            key_kind: arrival.caller.kind,
            key_fingerprint: arrival.caller.fingerprint.clone(),
            status: None,
            fault: arrival.fault,
        });
        self.seen
    }

    pub(super) fn answered(&mut self, seq: u64, status: u16) {
        // From the back: what is answered now has arrived lately.
        if let Some(call) = self.calls.iter_mut().rev().find(|it| it.seq == seq) {
            call.status = Some(status);
        }
    }

    pub(super) fn all(&self) -> Vec<Call> {
        self.calls.iter().cloned().collect()
    }

    pub(super) fn count(&self, method: &str, path: &str) -> usize {
        self.calls.iter().filter(|it| pattern::matches(method, path, &it.method, &it.path)).count()
    }

    pub(super) fn clear(&mut self) {
        self.calls.clear();
    }

    /// The same log without its calls; their numbers go on.
    pub(super) fn emptied(mut self) -> Self {
        self.clear();
        self
    }
}

/// The query with the value of `session_token` replaced by its fingerprint.
fn without_session(query: &str) -> String {
    let hide = |pair: &str| match pair.split_once('=') {
        Some((name @ "session_token", token)) => format!("{name}={}", keys::fingerprint(token)),
        _ => pair.to_owned(),
    };
    query.split('&').map(hide).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrive(log: &mut CallLog, path: &str, query: Option<&str>) -> u64 {
        let caller = Caller { kind: KeyKind::Missing, tenant: None, fingerprint: None };
        let arrival = Arrival { method: "GET", path, query, caller: &caller, fault: None };
        log.arrived(&arrival, Moment::at_second(0))
    }

    #[test]
    fn a_session_token_is_not_written_down() {
        let mut log = CallLog::default();
        arrive(&mut log, "/x", Some("a=1&session_token=st_secret"));
        let query = log.all()[0].query.clone().unwrap();
        assert!(query.starts_with("a=1&session_token="));
        assert!(!query.contains("st_secret"));
    }

    #[test]
    fn the_log_is_bounded_and_its_numbers_go_on() {
        let mut log = CallLog::default();
        for _ in 0..=CALLS_KEPT {
            arrive(&mut log, "/x", None);
        }
        assert_eq!(log.all().len(), CALLS_KEPT);
        log.clear();
        assert_eq!(arrive(&mut log, "/tenants/t/designs/d", None), CALLS_KEPT as u64 + 2);
        assert_eq!(log.count("GET", "/tenants/*/designs/*"), 1);
    }
}
