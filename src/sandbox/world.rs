//! Everything the emulated Aurora knows, behind one lock.
//!
//! [`World`] is plain data with plain methods: they take the moment, change the state and plan
//! what follows, so they are tested without clock or socket. [`Shared`] is the one way in.
//! Invariant: nobody waits for anything while holding the lock.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::agenda::Agenda;
use super::calls::CallLog;
use super::clock::{Clock, Moment};
use super::config::{Config, Tenant, Units};
use super::deliver::DeliveryLog;
use super::design::Design;
use super::dice::Dice;
use super::fault::Faults;
use super::keys::Keyring;
use super::limit::Windows;
use super::place::Gazetteer;
use super::project::Project;
use super::webhook::Webhooks;

mod designs;
mod events;
mod projects;
mod tenants;

pub(super) use designs::SUCCEEDED;
pub(super) use projects::Source;

/// Projects and designs of one tenant. Nobody's tests need more; a loop that creates for ever does.
pub(super) const OBJECTS_KEPT: usize = 50_000;

/// The state of the sandbox.
#[derive(Debug)]
pub(super) struct World {
    pub(super) config: Config,
    pub(super) keys: Keyring,
    pub(super) windows: Windows,
    pub(super) faults: Faults,
    pub(super) calls: CallLog,
    pub(super) webhooks: Webhooks,
    pub(super) deliveries: DeliveryLog,
    pub(super) agenda: Agenda,
    gazetteer: Gazetteer,
    tenants: BTreeMap<String, Account>,
    ids_given: u64,
    reads: u64,
}

/// One tenant's part of the state.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) units: Units,
    pub(super) app_enabled: bool,
    /// In the order of their creation.
    pub(super) projects: Vec<Project>,
    /// In the order of their creation.
    pub(super) designs: Vec<Design>,
}

impl World {
    fn new(config: Config) -> Self {
        let mut world = Self {
            keys: Keyring::default(),
            windows: Windows::default(),
            faults: Faults::default(),
            calls: CallLog::default(),
            webhooks: Webhooks::default(),
            deliveries: DeliveryLog::default(),
            agenda: Agenda::default(),
            gazetteer: Gazetteer::default(),
            tenants: BTreeMap::new(),
            ids_given: 0,
            reads: 0,
            config,
        };
        world.keys.set_application(&world.config.application_key);
        for tenant in world.config.tenants.clone() {
            world.add_tenant(&tenant);
        }
        world
    }

    fn add_tenant(&mut self, tenant: &Tenant) {
        if let Some(key) = &tenant.key {
            self.keys.add_tenant_key(&tenant.id, key);
        }
        self.tenants.entry(tenant.id.clone()).or_insert_with(|| Account::new(tenant.units));
    }

    /// The next id of a kind; a repeated run of the same calls gives the same ids.
    fn new_id(&mut self, kind: &str) -> String {
        self.ids_given += 1;
        let words = [kind, &self.config.seed.to_string(), &self.ids_given.to_string()];
        Dice::of(&words).id(self.config.opaque_ids)
    }
}

impl Account {
    pub(super) fn new(units: Units) -> Self {
        Self { units, app_enabled: true, projects: Vec::new(), designs: Vec::new() }
    }
}

/// The world, its clock, and the client that calls webhooks.
#[derive(Debug)]
pub(super) struct Shared {
    world: Mutex<World>,
    clock: Clock,
    agenda_changed: Notify,
    /// As it was at the start, for a reset.
    config: Config,
    client: reqwest::Client,
}

impl Shared {
    pub(super) fn new(config: Config, client: reqwest::Client) -> Self {
        Self {
            world: Mutex::new(World::new(config.clone())),
            clock: Clock::default(),
            agenda_changed: Notify::new(),
            config,
            client,
        }
    }

    /// Does something to the world, at this moment.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut World, Moment) -> T) -> T {
        // A panic in a test's closure must not take every later test of the sandbox down with it.
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let planned = world.agenda.planned();
        let outcome = act(&mut world, self.clock.now());
        if world.agenda.planned() != planned {
            self.agenda_changed.notify_one();
        }
        outcome
    }

    /// Everything as it was at the start, the clock excepted: time does not go back.
    pub(super) fn reset(&self) {
        self.with(|world, _| {
            let calls_seen = std::mem::take(&mut world.calls).emptied();
            *world = World::new(self.config.clone());
            world.calls = calls_seen;
        });
    }

    pub(super) fn advance(&self, by: Duration) {
        self.clock.advance(by);
        self.agenda_changed.notify_one();
    }

    pub(super) async fn agenda_changed(&self) {
        self.agenda_changed.notified().await;
    }

    pub(super) fn client(&self) -> &reqwest::Client {
        &self.client
    }
}
