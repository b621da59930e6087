//! Which tenants have the application switched off, for whoever serves them.
//!
//! Invariant: who waits for a tenant to switch off hears of it at once, also if it was off before, and also if it is on
//! again by the time that anybody looks. Not here: what tells of it, which is a delivery or a key; and keeping it, which
//! is the journal's.

use std::{collections::HashMap, sync::Arc};

use tokio::sync::watch;

use crate::domain::{TenantId, event::Switch};

/// Which tenants have the application switched off. Clones tell the same.
#[derive(Debug, Clone)]
pub struct Standing(Arc<watch::Sender<Switches>>);

/// Of each tenant that ever had it switched off, so no more than there are tenants.
type Switches = HashMap<TenantId, Switched>;

#[derive(Debug, Clone, Copy, Default)]
struct Switched {
    is_off: bool,
    /// How often it was switched off. Off and on again within one page of deliveries leaves no other trace.
    times: u64,
}

impl Switched {
    fn of(switches: &Switches, tenant: &TenantId) -> Self {
        switches.get(tenant).copied().unwrap_or_default()
    }
}

impl Standing {
    /// These have it switched off, and no others.
    #[must_use]
    pub fn new(off: impl IntoIterator<Item = TenantId>) -> Self {
        let off = off.into_iter().map(|tenant| (tenant, Switched { is_off: true, times: 1 }));
        Self(Arc::new(watch::Sender::new(off.collect())))
    }

    /// Whether the tenant has it switched off.
    #[must_use]
    pub fn is_off(&self, tenant: &TenantId) -> bool {
        Switched::of(&self.0.borrow(), tenant).is_off
    }

    /// Waits until the tenant has it switched off, or has had since this call.
    pub fn switched_off(&self, tenant: TenantId) -> impl Future<Output = ()> + Send + use<> {
        let mut switches = self.0.subscribe();
        let before = Switched::of(&switches.borrow(), &tenant).times;
        async move {
            let off = |all: &Switches| {
                let now = Switched::of(all, &tenant);
                now.is_off || now.times > before
            };
            // It ends otherwise only with the gateway.
            let _ended = switches.wait_for(off).await;
        }
    }

    /// Says whether that is news.
    pub(super) fn set(&self, tenant: &TenantId, switch: Switch) -> bool {
        self.0.send_if_modified(|all| {
            let off = switch == Switch::Off;
            if Switched::of(all, tenant).is_off == off {
                return false;
            }
            let switched = all.entry(tenant.clone()).or_default();
            switched.is_off = off;
            switched.times += u64::from(off);
            true
        })
    }
}
