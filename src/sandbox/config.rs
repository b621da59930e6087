//! Everything a sandbox can be told before it starts.
//!
//! [`Config`] is plain data with a default that works: two tenants, one partner application, the
//! limits Aurora publishes. What can still be changed while it runs is in
//! [`patch`](super::patch). Invariant: nothing here is checked or computed; a strange value gives
//! a strange Aurora, which is sometimes what a test wants.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::summary::Oddity;

/// The partner application a default sandbox knows.
pub const APPLICATION_ID: &str = "app_sandbox";
/// Its application key. Short on purpose: secret scanners look for longer ones.
pub const APPLICATION_KEY: &str = "ak_sand_demo";
/// The first default tenant: it chose metric units and has a key of its own.
pub const TENANT: &str = "tenant-demo";
/// The standard key of [`TENANT`].
pub const TENANT_KEY: &str = "sk_sand_demo";
/// The second default tenant: imperial units, reached through the partner application only.
pub const SECOND_TENANT: &str = "tenant-second";

/// What a sandbox is like. `Config::default()` is an Aurora on a good day.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen; port 0 picks a free one.
    pub listen: SocketAddr,
    /// The same seed gives the same houses, designs and ids.
    pub seed: u64,
    /// The one partner application.
    pub application_id: String,
    /// Its key, which opens `/partner_applications/…` and nothing else.
    pub application_key: SecretString,
    /// Whether an exchange must present a session token.
    pub session_tokens: SessionTokens,
    /// Who exists.
    pub tenants: Vec<Tenant>,
    /// A tenant nobody announced comes into being at its first key exchange.
    pub accept_any_tenant: bool,
    /// Requests each key may make in 60 seconds; 0 lifts the limit.
    pub requests_per_minute: u32,
    /// Where a 429 says how long to wait.
    pub retry_after: RetryAfterForm,
    /// How long a temporary key works.
    pub key_lifetime: Duration,
    /// How long a session token can be exchanged.
    pub session_token_lifetime: Duration,
    /// The answer to a used, expired or foreign session token. Aurora does not say which it is.
    pub refused_session_status: u16,
    /// A project gets its first design when it is created.
    pub auto_design: bool,
    /// From the appearance of a design to its performance simulation; `None` waits for
    /// [`Handle::finish_design`](super::Handle::finish_design).
    pub design_delay: Option<Duration>,
    /// From a project's creation to the answer of the lookup of its authority (AHJ).
    pub ahj_delay: Duration,
    /// How long a webhook's receiver may take.
    pub webhook_timeout: Duration,
    /// The waits before the second, third, … attempt of a delivery.
    pub retry_ladder: Vec<Duration>,
    /// Multiplies the ladder, and the 48 hours after which a failing subscription is switched off.
    pub retry_scale: f64,
    /// Further copies of every delivery.
    pub duplicates: u32,
    /// Of a hundred deliveries so many are lost: never tried, as if Aurora had given up on them.
    pub lost_percent: u32,
    /// Every second delivery is held back, so that neighbours arrive in the wrong order.
    pub reorder: bool,
    /// Partner templates must name `<SESSION_TOKEN>` and `<TENANT_ID>` and carry authentication.
    pub strict_webhooks: bool,
    /// Partner templates must be HTTPS, loopback hosts excepted.
    pub require_https: bool,
    /// How an error body looks.
    pub error_shape: ErrorShape,
    /// How a project looks.
    pub project_shape: ProjectShape,
    /// What is odd about every design summary.
    pub oddities: Vec<Oddity>,
    /// Ids that are no UUIDs; Aurora promises opaque strings and nothing more.
    pub opaque_ids: bool,
}

/// A customer of Aurora.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// The id in every path.
    pub id: String,
    /// Its own `sk_…` or `rk_…` key, if it made one.
    pub key: Option<SecretString>,
    /// What its roofs are measured in.
    pub units: Units,
}

impl Tenant {
    /// A tenant without a key of its own.
    #[must_use]
    pub fn new(id: &str, units: Units) -> Self {
        Self { id: id.to_owned(), key: None, units }
    }

    /// The same tenant with a standard or restricted key.
    #[must_use]
    pub fn with_key(mut self, key: &str) -> Self {
        self.key = Some(SecretString::from(key.to_owned()));
        self
    }
}

/// The system of units a tenant chose in Aurora's app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Units {
    /// Metres and square metres.
    Metric,
    /// Feet and square feet.
    Imperial,
}

/// Whether `create_token` insists on `session_token`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionTokens {
    /// A back-end application may leave it out; one that is sent must be valid.
    Optional,
    /// No exchange without one.
    Required,
}

/// Where a rate-limited answer says how long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryAfterForm {
    /// `Retry-After: 12`.
    Seconds,
    /// `Retry-After: Sun, 06 Nov 2044 08:49:37 GMT`.
    HttpDate,
    /// No header; the body's message tells.
    BodyOnly,
}

/// Aurora's two kinds of error body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorShape {
    /// `{"errors":[{"message":"…"}]}`, 2024.05.
    Errors,
    /// `{"error":{"field":["…"]}}`, 2018.01.
    ByField,
}

/// Aurora's two kinds of project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProjectShape {
    /// `location.property_address` and its siblings, 2024.05.
    Nested,
    /// `address`, `latitude`, `longitude`, 2022.09. Taken in either shape, answered in this one.
    Flat,
}

const HOUR: Duration = Duration::from_secs(60 * 60);

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 4010)),
            seed: 1,
            application_id: APPLICATION_ID.to_owned(),
            application_key: SecretString::from(APPLICATION_KEY.to_owned()),
            session_tokens: SessionTokens::Optional,
            tenants: vec![
                Tenant::new(TENANT, Units::Metric).with_key(TENANT_KEY),
                Tenant::new(SECOND_TENANT, Units::Imperial),
            ],
            accept_any_tenant: false,
            requests_per_minute: 90,
            retry_after: RetryAfterForm::Seconds,
            key_lifetime: 13 * HOUR,
            session_token_lifetime: HOUR,
            refused_session_status: 422,
            auto_design: true,
            // Long enough to watch a design without its production, short enough to wait for it.
            design_delay: Some(Duration::from_secs(5)),
            ahj_delay: Duration::from_secs(1),
            webhook_timeout: Duration::from_secs(10),
            retry_ladder: aurora_ladder(),
            retry_scale: 1.0,
            duplicates: 0,
            lost_percent: 0,
            reorder: false,
            strict_webhooks: true,
            require_https: true,
            error_shape: ErrorShape::Errors,
            project_shape: ProjectShape::Nested,
            oddities: Vec::new(),
            opaque_ids: false,
        }
    }
}

/// Aurora's own ladder: five retries over about a day.
fn aurora_ladder() -> Vec<Duration> {
    [30, 5 * 60, 30 * 60, 3 * 60 * 60, 20 * 60 * 60].map(Duration::from_secs).to_vec()
}
