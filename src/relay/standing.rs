//! Which tenants have the application switched off, for whoever serves them.
//!
//! Invariant: who waits for a tenant to switch off hears of it at once, also if it was off before. Not here: what tells
//! of it, which is a delivery or a key; and keeping it, which is the journal's.

use std::{collections::HashSet, sync::Arc};

use tokio::sync::watch;

use crate::domain::{TenantId, event::Switch};

/// Which tenants have the application switched off. Clones tell the same.
#[derive(Debug, Clone)]
pub struct Standing(Arc<watch::Sender<HashSet<TenantId>>>);

impl Standing {
    /// These have it switched off, and no others.
    #[must_use]
    pub fn new(off: impl IntoIterator<Item = TenantId>) -> Self {
        Self(Arc::new(watch::Sender::new(off.into_iter().collect())))
    }

    /// Whether the tenant has it switched off.
    #[must_use]
    pub fn is_off(&self, tenant: &TenantId) -> bool {
        self.0.borrow().contains(tenant)
    }

    /// Waits until the tenant has it switched off.
    pub fn switched_off(&self, tenant: TenantId) -> impl Future<Output = ()> + Send + use<> {
        let mut off = self.0.subscribe();
        async move {
            // It ends otherwise only with the gateway.
            let _ended = off.wait_for(|off| off.contains(&tenant)).await;
        }
    }

    /// Says whether that is news.
    pub(super) fn set(&self, tenant: &TenantId, switch: Switch) -> bool {
        self.0.send_if_modified(|off| match switch {
            Switch::Off => off.insert(tenant.clone()),
            Switch::On => off.remove(tenant),
        })
    }
}
