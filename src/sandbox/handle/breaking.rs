//! What goes wrong, because a test wants it to.

use secrecy::SecretString;

use super::super::fault::FaultRule;
use super::{Error, Handle};

impl Handle {
    /// Adds a fault rule behind those there are.
    ///
    /// # Errors
    /// When there are too many already.
    pub fn fail(&self, rule: FaultRule) -> Result<(), Error> {
        let added = self.shared.with(|world, _| world.faults.add(rule));
        if added { Ok(()) } else { Err(Error::TooManyFaults) }
    }

    /// The rules that wait, with what is left of their counts.
    #[must_use]
    pub fn faults(&self) -> Vec<FaultRule> {
        self.shared.with(|world, _| world.faults.all())
    }

    /// Forgets every fault rule.
    pub fn clear_faults(&self) {
        self.shared.with(|world, _| world.faults.clear());
    }

    /// Ends a tenant's temporary keys at once; how many there were.
    pub fn revoke_keys(&self, tenant: &str) -> usize {
        self.shared.with(|world, _| world.keys.revoke(tenant))
    }

    /// Aurora's team gives the partner application another key; the old one ends at once.
    pub fn rotate_application_key(&self, key: &str) {
        self.shared.with(|world, _| world.keys.set_application(&SecretString::from(key)));
    }

    /// An administrator of the tenant makes a further key of its own, `sk_…` or `rk_…`.
    pub fn add_tenant_key(&self, tenant: &str, key: &str) {
        self.shared.with(|world, _| world.keys.add_tenant_key(tenant, &SecretString::from(key)));
    }

    /// The tenant switches the partner application off.
    ///
    /// # Errors
    /// For an unknown tenant.
    pub fn disable_app(&self, tenant: &str) -> Result<(), Error> {
        Ok(self.shared.with(|world, now| world.set_app(tenant, false, now))?)
    }

    /// The tenant switches the partner application on again.
    ///
    /// # Errors
    /// For an unknown tenant.
    pub fn enable_app(&self, tenant: &str) -> Result<(), Error> {
        Ok(self.shared.with(|world, now| world.set_app(tenant, true, now))?)
    }

    /// How many further copies of every delivery are sent from now on.
    pub fn set_duplicates(&self, copies: u32) {
        self.shared.with(|world, _| world.config.duplicates = copies);
    }

    /// How many of a hundred deliveries are lost from now on: never even tried.
    pub fn set_lost_percent(&self, percent: u32) {
        self.shared.with(|world, _| world.config.lost_percent = percent);
    }

    /// Whether every second delivery is held back from now on.
    pub fn set_reorder(&self, reorder: bool) {
        self.shared.with(|world, _| world.config.reorder = reorder);
    }
}
