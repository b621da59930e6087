//! How often callers of one tenant may have a session token exchanged.
//!
//! Each exchange is paid for by the application's key, whose allowance all tenants share. Without a bound one caller
//! with invented session tokens would spend it, and nobody else could be connected.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use moka::sync::Cache;

use crate::{clock::between, domain::TenantId};

/// Exchanges that callers of one tenant may ask for in a [`WINDOW`]. A person who connects a tenant needs one, and a
/// few more after mistakes; it takes many tenants at once to spend the application's allowance.
const MOST_IN_WINDOW: usize = 5;

/// The span over which they count: the same as Aurora's.
const WINDOW: Duration = Duration::from_secs(60);

/// When to try again while another exchange of the tenant is under way: most have ended by then.
const UNDER_WAY: Duration = Duration::from_secs(1);

/// One record for each tenant, as many tenants as keys are kept for.
const MOST_RECORDS: u64 = super::MOST_TENANTS;

pub(super) struct Turns {
    by_tenant: Cache<TenantId, Arc<Mutex<Record>>>,
}

#[derive(Default)]
struct Record {
    under_way: bool,
    taken: VecDeque<Timestamp>,
}

/// A turn, taken until it is dropped.
pub(super) struct Turn(Arc<Mutex<Record>>);

impl Turns {
    pub(super) fn new() -> Self {
        Self { by_tenant: Cache::builder().max_capacity(MOST_RECORDS).time_to_idle(2 * WINDOW).build() }
    }

    /// Takes a turn of the tenant's.
    ///
    /// # Errors
    /// With the wait, when the tenant has one already or had too many.
    pub(super) fn take(&self, tenant: &TenantId, now: Timestamp) -> Result<Turn, Duration> {
        let shared = self.by_tenant.entry_by_ref(tenant).or_default().into_value();
        {
            let mut record = lock(&shared);
            record.taken.retain(|at| between(*at, now) < WINDOW);
            if record.under_way {
                return Err(UNDER_WAY);
            }
            if record.taken.len() >= MOST_IN_WINDOW {
                let oldest = record.taken.front().map_or(Duration::ZERO, |at| between(*at, now));
                return Err(WINDOW.saturating_sub(oldest));
            }
            record.under_way = true;
            record.taken.push_back(now);
        }
        Ok(Turn(shared))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        lock(&self.0).under_way = false;
    }
}

fn lock(record: &Mutex<Record>) -> MutexGuard<'_, Record> {
    record.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::later;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn a_tenant_has_one_turn_at_a_time_and_five_a_minute() {
        let (turns, tenant) = (Turns::new(), TenantId::parse("t").unwrap());
        let held = turns.take(&tenant, NOW).ok();
        assert!(held.is_some());
        assert_eq!(turns.take(&tenant, NOW).err(), Some(UNDER_WAY));
        assert!(turns.take(&TenantId::parse("other").unwrap(), NOW).is_ok());
        drop(held);
        for n in 1..5 {
            assert!(turns.take(&tenant, later(NOW, Duration::from_secs(n))).is_ok(), "{n}");
        }
        let soon = later(NOW, Duration::from_secs(20));
        assert_eq!(turns.take(&tenant, soon).err(), Some(Duration::from_secs(40)));
        assert!(turns.take(&tenant, later(NOW, WINDOW)).is_ok());
    }
}
