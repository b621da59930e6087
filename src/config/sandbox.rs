//! `[sandbox]`: the Aurora of our own that `heliograph sandbox` and `heliograph demo` run.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use secrecy::SecretString;

use super::aurora::{SessionToken, bearer, requests_per_minute};
use super::parse;
use super::section::{Reported, Section};
use crate::domain::TenantId;

/// The Aurora of our own. Its secrets guard nothing but invented data.
#[derive(Debug, Clone)]
pub struct Sandbox {
    /// Port 0: any free one.
    pub listen: SocketAddr,
    /// The same seed makes the same projects.
    pub seed: u64,
    /// The one partner application it knows.
    pub application_id: String,
    /// That application's key.
    pub application_key: SecretString,
    /// Whether it refuses an exchange without a session token.
    pub session_token: SessionToken,
    /// Requests per minute and key, above which it answers 429.
    pub requests_per_minute: NonZeroU32,
    /// From a project's creation to the news that its design is complete.
    pub design_delay: Duration,
    /// Tenants that have enabled the application. Never empty, no id twice.
    pub tenants: Vec<TenantId>,
}

/// Longer than this, and nobody watches any more.
const LONGEST_DESIGN_DELAY: Duration = Duration::from_hours(1);

impl Sandbox {
    pub(super) fn read(mut section: Section<'_, '_>) -> Result<Self, Reported> {
        let listen = section.required("listen", parse::address);
        let seed = section.required("seed", parse::seed);
        let application_id = section.required("application_id", parse::segment);
        let application_key = section.secret("application_key", bearer);
        let session_token = section.required("session_token", parse::one_of(&SessionToken::WORDS));
        let requests_per_minute = requests_per_minute(&mut section);
        let within = parse::duration(Duration::ZERO..=LONGEST_DESIGN_DELAY, "nobody watches for longer");
        let design_delay = section.required("design_delay", within);
        let tenants = read_tenants(&mut section);
        let application_key = application_key?
            .ok_or_else(|| section.refuse("application_key", "is required, and is not set"))?;
        Ok(Self {
            listen: listen?,
            seed: seed?,
            application_id: application_id?,
            application_key,
            session_token: session_token?,
            requests_per_minute: requests_per_minute?,
            design_delay: design_delay?,
            tenants: tenants?,
        })
    }
}

fn read_tenants(section: &mut Section<'_, '_>) -> Result<Vec<TenantId>, Reported> {
    let tenants = section.list("tenants", parse::tenant)?;
    if tenants.is_empty() {
        return Err(section.refuse("tenants", "must name at least one tenant"));
    }
    if tenants.iter().enumerate().any(|(index, tenant)| tenants[..index].contains(tenant)) {
        return Err(section.refuse("tenants", "names a tenant twice"));
    }
    Ok(tenants)
}
