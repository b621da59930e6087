//! The client against a scripted Aurora: what it sends, and what it makes of each answer.

mod double;
mod keys;
mod network;
mod outcomes;
mod secrets;

use std::{collections::HashMap, num::NonZeroU32, time::Duration};

use super::*;
use crate::domain::{
    DesignId, DesignKey, NewProject,
    project::{Customer, NewLocation},
};
use double::Double;

/// When the manual clock of these tests starts.
const START: &str = "2024-06-21T12:00:00Z";

fn tenant() -> TenantId {
    TenantId::parse("t1").unwrap()
}

fn design() -> DesignKey {
    DesignKey { tenant: tenant(), design: DesignId::parse("d1").unwrap() }
}

fn clock() -> Clock {
    Clock::manual(START.parse().unwrap())
}

fn config(aurora: &Double) -> Config {
    Config {
        base_url: aurora.url.clone(),
        application: Some(Application { id: "app".into(), key: "app-key".into() }),
        session_tokens: SessionTokens::Optional,
        tenant_keys: HashMap::new(),
        requests_per_minute: NonZeroU32::new(10_000).unwrap(),
        request_timeout: Duration::from_secs(5),
        call_timeout: Duration::from_secs(8),
        load: Load { at_once: 2_000, at_once_per_key: 2_000, queued_per_key: 2_000 },
        api_version: None,
    }
}

/// A configuration in which the tenant has a key of its own.
fn own_key(aurora: &Double) -> Config {
    Config { tenant_keys: HashMap::from([(tenant(), "sk-own".into())]), ..config(aurora) }
}

fn client(config: Config) -> Aurora {
    Aurora::try_new(config, clock()).unwrap()
}

async fn ask(aurora: &Aurora) -> Result<crate::domain::Summary, Error> {
    aurora.summary(&design(), &Meter::default()).await
}

fn new_project() -> NewProject {
    NewProject {
        location: NewLocation::Address("1 Main St".into()),
        external_provider_id: None,
        name: None,
        customer: Customer::default(),
        mailing_address: None,
        project_type: None,
        status: None,
        tags: Vec::new(),
        owner_id: None,
        team_id: None,
        partner_id: None,
        preferred_solar_module_ids: Vec::new(),
    }
}

async fn create(aurora: &Aurora) -> Result<crate::domain::Project, Error> {
    aurora.create_project(&tenant(), &new_project(), &Meter::default()).await
}
