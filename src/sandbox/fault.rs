//! What can go wrong with an answer, and for which calls.
//!
//! A [`FaultRule`] names a method, a path pattern and how often; [`Faults`] gives a call the first
//! rule that fits and counts it down. How each one is played is in [`play`].
//! Invariant: a rule whose count is used up is gone.

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(super) mod pattern;
pub(super) mod play;

/// When to play which fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// `GET`, `POST`, …, or `*`.
    #[serde(default = "any")]
    pub method: String,
    /// A path in which `*` stands for one segment and a closing `**` for all that follow.
    pub path: String,
    /// How many calls; without it, every one until the rules are cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// What happens to them.
    pub fault: Fault,
}

fn any() -> String {
    "*".to_owned()
}

impl FaultRule {
    /// A rule for every call that fits.
    #[must_use]
    pub fn new(method: &str, path: &str, fault: Fault) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), times: None, fault }
    }

    /// The same rule for so many calls only.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }
}

/// Something that goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// This status instead of an answer, without any effect.
    Status {
        /// The status.
        status: u16,
        /// `Retry-After`, as it shall stand there: seconds or an HTTP date.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<String>,
        /// The body; without it, an error of this sandbox's shape.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<Value>,
    },
    /// The effect takes place, and its answer comes late.
    Delay {
        /// How late.
        ms: u64,
    },
    /// No effect and no answer; the connection stays open.
    Hang,
    /// No effect; the connection is closed in good order, without an answer.
    Close,
    /// No effect; the connection is torn down with a TCP reset.
    Reset,
    /// The effect takes place, then the connection is reset without an answer.
    CutAfterEffect,
    /// The answer, its body in small pieces.
    SlowBody {
        /// How long the whole body takes.
        ms: u64,
    },
    /// A proxy's HTML page with status 502.
    HtmlBadGateway,
    /// Status 500, no body.
    EmptyError,
    /// The answer, cut off in the middle of its body.
    Truncated {
        /// Cut in a chunk, rather than short of `content-length`.
        #[serde(default)]
        chunked: bool,
    },
    /// The answer's status with this JSON instead of its body.
    Body {
        /// For instance `[]` or `{}`.
        body: Value,
    },
    /// The answer with every value replaced by one of another type.
    WrongTypes,
    /// An error whose message repeats the `Authorization` header.
    EchoAuthorization {
        /// Its status.
        #[serde(default = "bad_request")]
        status: u16,
    },
    /// Status 302 to some other place.
    Redirect {
        /// Where to.
        location: String,
    },
    /// `create_token` answers with an `expires_at` that has passed.
    ExpiredToken,
    /// `create_token` answers without `expires_at`.
    TokenWithoutExpiry,
    /// `create_token` answers with an ISO 8601 `expires_at`.
    TokenIsoExpiry,
}

fn bad_request() -> u16 {
    400
}

impl Fault {
    /// A bare status.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::Status { status, retry_after: None, body: None }
    }

    /// A status with `Retry-After: <seconds>`.
    #[must_use]
    pub fn status_retry_after(status: u16, seconds: u64) -> Self {
        Self::Status { status, retry_after: Some(seconds.to_string()), body: None }
    }

    /// The name under which it stands in the log of calls.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::Delay { .. } => "delay",
            Self::Hang => "hang",
            Self::Close => "close",
            Self::Reset => "reset",
            Self::CutAfterEffect => "cut_after_effect",
            Self::SlowBody { .. } => "slow_body",
            Self::HtmlBadGateway => "html_bad_gateway",
            Self::EmptyError => "empty_error",
            Self::Truncated { .. } => "truncated",
            Self::Body { .. } => "body",
            Self::WrongTypes => "wrong_types",
            Self::EchoAuthorization { .. } => "echo_authorization",
            Self::Redirect { .. } => "redirect",
            Self::ExpiredToken => "expired_token",
            Self::TokenWithoutExpiry => "token_without_expiry",
            Self::TokenIsoExpiry => "token_iso_expiry",
        }
    }
}

/// As many rules as may wait at once; more is a loop in somebody's test.
pub(super) const RULES_KEPT: usize = 1_000;

/// The rules in the order they were given.
#[derive(Debug, Default)]
pub(super) struct Faults {
    rules: Vec<FaultRule>,
}

impl Faults {
    /// False when there are too many already.
    pub(super) fn add(&mut self, rule: FaultRule) -> bool {
        let room = self.rules.len() < RULES_KEPT;
        if room && rule.times != Some(0) {
            self.rules.push(rule);
        }
        room
    }

    /// The fault for this call, if any: the first rule that fits, counted down.
    pub(super) fn take(&mut self, method: &str, path: &str) -> Option<Fault> {
        let at = self.rules.iter().position(|it| pattern::matches(&it.method, &it.path, method, path))?;
        let rule = self.rules.get_mut(at)?;
        let fault = rule.fault.clone();
        if let Some(times) = &mut rule.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                self.rules.remove(at);
            }
        }
        Some(fault)
    }

    pub(super) fn all(&self) -> Vec<FaultRule> {
        self.rules.clone()
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_fits_wins_until_it_is_used_up() {
        let mut faults = Faults::default();
        faults.add(FaultRule::new("GET", "/tenants/*/projects", Fault::status(503)).times(1));
        faults.add(FaultRule::new("*", "/tenants/**", Fault::Hang));
        assert_eq!(faults.take("GET", "/tenants/t/projects"), Some(Fault::status(503)));
        assert_eq!(faults.take("GET", "/tenants/t/projects"), Some(Fault::Hang));
        assert_eq!(faults.take("GET", "/tenants/t/projects"), Some(Fault::Hang));
        assert_eq!(faults.take("GET", "/other"), None);
        assert_eq!(faults.all().len(), 1);
    }

    #[test]
    fn a_rule_reads_as_the_documentation_writes_it() {
        let rule: FaultRule = serde_json::from_str(
            r#"{"method":"GET","path":"/tenants/*/designs/*/summary","times":2,
                "fault":{"kind":"status","status":429,"retry_after":"7"}}"#,
        )
        .unwrap();
        assert_eq!(
            rule,
            FaultRule::new("GET", "/tenants/*/designs/*/summary", Fault::status_retry_after(429, 7)).times(2)
        );
    }
}
