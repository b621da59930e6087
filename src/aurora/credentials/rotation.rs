//! Other keys in place of the configured ones, while calls are under way.
//!
//! Invariant: all of a rotation is taken or nothing of it; a call under way keeps the key it began with. What has no
//! key at the start gets none here, and nobody's is taken away: that is a change of the configuration.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock, atomic::Ordering},
};

use secrecy::{ExposeSecret, SecretString};

use super::{Credentials, Key, Partner, SetupError, Shelf};
use crate::domain::TenantId;

/// The keys of tenants that have their own.
pub(super) struct OwnKeys(RwLock<HashMap<TenantId, Arc<Key>>>);

/// What is to take the place of the configured keys.
#[derive(Debug, Clone, Default)]
pub struct NewKeys {
    /// The application's.
    pub application: Option<SecretString>,
    /// Tenants' own.
    pub tenants: HashMap<TenantId, SecretString>,
}

/// What a rotation has changed. A key that stayed the same is not among it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rotated {
    /// The application has another key.
    pub application: bool,
    /// These tenants have another key of their own.
    pub tenants: Vec<TenantId>,
}

impl Rotated {
    /// Nothing has changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl OwnKeys {
    pub(super) fn new(keys: HashMap<TenantId, Arc<Key>>) -> Self {
        Self(RwLock::new(keys))
    }

    pub(super) fn get(&self, tenant: &TenantId) -> Option<Arc<Key>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned()
    }
}

impl Partner {
    pub(super) fn key(&self) -> Arc<Key> {
        Arc::clone(&self.key.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Credentials {
    /// Takes the new keys in place of the old ones.
    ///
    /// # Errors
    /// When one of them can be no key. Then nothing has changed.
    pub(in crate::aurora) fn rotate(&self, new: NewKeys) -> Result<Rotated, SetupError> {
        let shelf = &self.0;
        let application = shelf.application.as_ref().zip(new.application);
        let application = application.filter(|(partner, secret)| !is_of(&partner.key(), secret));
        let application = match application {
            Some((partner, secret)) => {
                let key = Key::lasting(secret, &shelf.quotas).ok_or(SetupError::ApplicationKey)?;
                Some((partner, key))
            }
            None => None,
        };
        let mut tenants = Vec::new();
        for (tenant, secret) in new.tenants {
            if shelf.own.get(&tenant).is_some_and(|key| !is_of(&key, &secret)) {
                let key = Key::lasting(secret, &shelf.quotas);
                tenants.push((tenant.clone(), key.ok_or(SetupError::TenantKey(tenant))?));
            }
        }
        Ok(shelf.take(application, tenants))
    }
}

impl Shelf {
    fn take(&self, application: Option<(&Partner, Key)>, tenants: Vec<(TenantId, Key)>) -> Rotated {
        let mut rotated = Rotated { application: application.is_some(), tenants: Vec::new() };
        if let Some((partner, key)) = application {
            *partner.key.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
            self.application_is_refused.store(false, Ordering::Relaxed);
            self.setbacks.forget_application();
        }
        let mut own = self.own.0.write().unwrap_or_else(PoisonError::into_inner);
        for (tenant, key) in tenants {
            rotated.tenants.push(tenant.clone());
            own.insert(tenant, Arc::new(key));
        }
        rotated.tenants.sort();
        rotated
    }
}

fn is_of(key: &Key, secret: &SecretString) -> bool {
    key.secret().expose_secret() == secret.expose_secret()
}
