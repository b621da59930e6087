//! How long a failed exchange speaks for the next one.
//!
//! Two kinds: trouble of Aurora's passes, and is asked about again soon; a clear no stands until somebody at the
//! tenant acts, so each next try comes much later than the one before. Meanwhile callers hear the last word at once,
//! and Aurora nothing.
//!
//! Invariants: only time, a key or a session token ends a setback; the first of a kind begins at the bottom again.

use std::time::Duration;

use moka::sync::Cache;

use crate::{
    aurora::{Error, NotConnected},
    domain::TenantId,
};

/// After trouble of Aurora's: so that a crowd does not try one by one.
const PASSING: Duration = Duration::from_secs(5);

/// After a clear no. The first may be a slip that is mended at once; a tenant that has disabled the application
/// stays so for days, and each try takes one call of the application's allowance, which all tenants share.
const REFUSED: [Duration; 4] = [
    Duration::from_secs(60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(60 * 60),
    Duration::from_secs(6 * 60 * 60),
];

/// Of a refused tenant's wait, so that tenants who were refused together do not come back together.
const JITTER: f64 = 0.1;

/// The most that a renewal in the background waits after trouble: nobody waits for it, the old key still serves.
const LONGEST_REST: Duration = Duration::from_secs(10 * 60);

/// Longer than the longest wait: until then it is known how far up the ladder a tenant was.
const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

/// The tenants whose last exchange failed.
pub(super) struct Setbacks {
    by_tenant: Cache<TenantId, Setback>,
}

#[derive(Clone)]
struct Setback {
    at: Duration,
    error: Error,
    kind: Kind,
    /// How many of its kind came before it in a row.
    streak: u32,
    /// How long it speaks for callers.
    hold: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Passing,
    Refused,
}

impl Setbacks {
    pub(super) fn new() -> Self {
        let by_tenant = Cache::builder().max_capacity(super::MOST_TENANTS).time_to_live(REMEMBERED).build();
        Self { by_tenant }
    }

    /// An exchange has failed. Says how long that stands.
    pub(super) fn add(&self, tenant: &TenantId, error: &Error, passed: Duration) -> Duration {
        let kind = Kind::of(error);
        let before = self.by_tenant.get(tenant).filter(|it| it.kind == kind);
        let streak = before.map_or(0, |it| it.streak.saturating_add(1));
        let hold = match kind {
            Kind::Passing => PASSING,
            Kind::Refused => {
                let rung = usize::try_from(streak).unwrap_or(usize::MAX).min(REFUSED.len() - 1);
                REFUSED[rung].mul_f64(1.0 + JITTER * rand::random_range(-1.0..=1.0))
            }
        };
        let setback = Setback { at: passed, error: error.clone(), kind, streak, hold };
        self.by_tenant.insert(tenant.clone(), setback);
        hold
    }

    /// The last word, while it stands.
    pub(super) fn standing(&self, tenant: &TenantId, passed: Duration) -> Option<Error> {
        let setback = self.by_tenant.get(tenant)?;
        (passed < setback.at.saturating_add(setback.hold)).then_some(setback.error)
    }

    /// Whether a renewal that nobody waits for is still to be left alone.
    pub(super) fn rests(&self, tenant: &TenantId, passed: Duration) -> bool {
        self.by_tenant.get(tenant).is_some_and(|it| passed < it.at.saturating_add(it.rest()))
    }

    /// Something has happened that may have mended it.
    pub(super) fn forget(&self, tenant: &TenantId) {
        self.by_tenant.invalidate(tenant);
    }

    /// The application has another key: what was said of the old one counts no more.
    pub(super) fn forget_application(&self) {
        let of_application = |it: &Setback| matches!(it.error, Error::ApplicationRefused);
        let concerned: Vec<_> =
            self.by_tenant.iter().filter(|(_, it)| of_application(it)).map(|(tenant, _)| tenant).collect();
        concerned.iter().for_each(|tenant| self.by_tenant.invalidate(&**tenant));
    }
}

impl Kind {
    fn of(error: &Error) -> Self {
        match error {
            Error::NotConnected { reason: NotConnected::ExchangeRefused } => Self::Refused,
            _ => Self::Passing,
        }
    }
}

impl Setback {
    fn rest(&self) -> Duration {
        match self.kind {
            Kind::Refused => self.hold,
            Kind::Passing => PASSING.saturating_mul(1 << self.streak.min(16)).min(LONGEST_REST),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(1000);

    fn tenant() -> TenantId {
        TenantId::parse("t").unwrap()
    }

    fn refused() -> Error {
        Error::not_connected(NotConnected::ExchangeRefused)
    }

    #[test]
    fn each_refusal_in_a_row_stands_longer_up_to_hours_and_a_token_begins_anew() {
        let setbacks = Setbacks::new();
        let mut now = START;
        for minutes in [1, 10, 60, 360, 360] {
            let hold = setbacks.add(&tenant(), &refused(), now);
            let expected = Duration::from_secs(minutes * 60);
            assert!((expected.mul_f64(0.9)..=expected.mul_f64(1.1)).contains(&hold), "{minutes}: {hold:?}");
            assert!(setbacks.standing(&tenant(), now + hold - Duration::from_millis(1)).is_some());
            now += hold;
            assert!(setbacks.standing(&tenant(), now).is_none(), "{minutes}");
        }
        setbacks.add(&tenant(), &refused(), now);
        setbacks.forget(&tenant());
        assert!(setbacks.standing(&tenant(), now).is_none());
        assert!(setbacks.add(&tenant(), &refused(), now) < Duration::from_secs(67));
    }

    #[test]
    fn trouble_stands_for_five_seconds_and_the_background_leaves_it_alone_for_longer_and_longer() {
        let setbacks = Setbacks::new();
        for rest in [5, 10, 20, 40, 80, 160, 320, 600, 600] {
            assert_eq!(setbacks.add(&tenant(), &Error::Timeout, START), PASSING);
            assert!(setbacks.standing(&tenant(), START + Duration::from_millis(4999)).is_some());
            assert!(setbacks.standing(&tenant(), START + PASSING).is_none());
            let rest = START + Duration::from_secs(rest);
            assert!(setbacks.rests(&tenant(), rest - Duration::from_millis(1)));
            assert!(!setbacks.rests(&tenant(), rest));
        }
        assert!(setbacks.add(&tenant(), &refused(), START) < Duration::from_secs(67), "another kind");
        assert!(!setbacks.rests(&TenantId::parse("other").unwrap(), START));
    }

    #[test]
    fn another_application_key_ends_what_was_said_of_the_old_one_only() {
        let setbacks = Setbacks::new();
        let other = TenantId::parse("other").unwrap();
        setbacks.add(&tenant(), &Error::ApplicationRefused, START);
        setbacks.add(&other, &refused(), START);
        setbacks.forget_application();
        assert!(setbacks.standing(&tenant(), START).is_none());
        assert!(setbacks.standing(&other, START).is_some());
    }
}
