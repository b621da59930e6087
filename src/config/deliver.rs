//! `[[deliver]]` and `[outbound]`: whom events are delivered to, and how patiently.
//!
//! Invariant: a target's URL is treated as a secret, for that of many a CRM is one (Zapier's path is its key). Whether
//! its host may be reached is judged where it is used, once for the start and again at each connection.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{SecretSlice, SecretString};
use url::{Host, Url};

use super::auth::read_tenants;
use super::node::Value;
use super::parse;
use super::section::{Reported, Section};
use crate::domain::{MessageType, viewer::Tenants};

/// How patiently events are delivered, to every target alike.
#[derive(Debug, Clone)]
pub struct Outbound {
    /// One try of one message.
    pub timeout: Duration,
    /// Messages under way to one target at a time.
    pub at_once: usize,
    /// How long one message is tried while the target takes others.
    pub retry_for: Duration,
    /// How long a target may take nothing before it is disabled.
    pub disable_after: Duration,
}

/// One target.
#[derive(Debug, Clone)]
pub struct Deliver {
    /// For logs, metrics and operators, and what its progress is kept under; no name twice.
    pub name: String,
    /// Where it is.
    pub url: SecretString,
    /// What signs: the current key, then the one before it.
    pub keys: Vec<SecretSlice<u8>>,
    /// Whose events it gets.
    pub tenants: Tenants,
    /// Which of them; never empty.
    pub types: Vec<MessageType>,
    /// Hosts that may be private, as URLs write them, IPv6 without brackets.
    pub allow_private: Vec<String>,
    /// Holds the certificates of the authorities that vouch for it, in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// Where a target begins that was never seen before.
    pub from: DeliverFrom,
}

/// Where a new target begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliverFrom {
    /// With what is announced from now on.
    Now,
    /// With the oldest event that is kept.
    Oldest,
}

/// Shorter, a slow CRM never succeeds; longer, one that hangs holds what others of its target wait for.
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);

/// Above it, one target takes more connections than any CRM's workflow engine serves.
const AT_ONCE: RangeInclusive<u32> = 1..=64;

/// A blip must not cost a message, and what fails for a month is no delivery.
const PATIENCE: RangeInclusive<Duration> = Duration::from_hours(1)..=Duration::from_hours(30 * 24);

/// Each has a task and a connection pool, and stands in the metrics.
const MOST_TARGETS: usize = 100;

/// A name stands in labels and as a key.
const LONGEST_NAME: usize = 64;

/// What the Standard Webhooks specification demands of a symmetric key, in bytes.
const KEY_BYTES: RangeInclusive<usize> = 24..=64;

impl Outbound {
    pub(super) fn read(mut section: Section<'_, '_>) -> Result<Self, Reported> {
        let why =
            "shorter, a slow target never succeeds; longer, one that hangs holds up the others' messages";
        let timeout = section.required("timeout", parse::duration(TIMEOUT, why));
        let why = "with none nothing is sent, and more is a load that no receiver expects";
        let at_once = section.required("at_once", parse::count(AT_ONCE, why));
        let why = "a blip must not cost a message, and what fails for a month is no delivery";
        let retry_for = section.required("retry_for", parse::duration(PATIENCE, why));
        let disable_after = section.required("disable_after", parse::duration(PATIENCE, why));
        Ok(Self {
            timeout: timeout?,
            at_once: at_once?,
            retry_for: retry_for?,
            disable_after: disable_after?,
        })
    }
}

impl Deliver {
    pub(super) fn read_all(root: &mut Section<'_, '_>) -> Result<Vec<Self>, Reported> {
        let mut seen: Vec<String> = Vec::new();
        root.tables("deliver", |section| {
            let name = section.required("name", target_name);
            let url = section.secret("url", url);
            let key = section.secret("secret", signing_key);
            let previous = section.secret("previous_secret", signing_key);
            let tenants = read_tenants(section);
            let types = read_types(section);
            let allow_private = section.list("allow_private", host);
            let ca_file = section.optional("ca_file", parse::path);
            let words = [("now", DeliverFrom::Now), ("oldest", DeliverFrom::Oldest)];
            let from = section.optional("from", parse::one_of(&words));

            let name = name?;
            if seen.contains(&name) {
                return Err(section.refuse("name", "is taken by another target; each keeps its own progress"));
            }
            if seen.len() >= MOST_TARGETS {
                return Err(section.refuse("", &format!("is one too many: at most {MOST_TARGETS} targets")));
            }
            seen.push(name.clone());
            let url = url?.ok_or_else(|| section.refuse("url", "is required: `url` or `url_file`"))?;
            let key =
                key?.ok_or_else(|| section.refuse("secret", "is required: `secret` or `secret_file`"))?;
            Ok(Self {
                name,
                url,
                keys: std::iter::once(key).chain(previous?).collect(),
                tenants: tenants?,
                types: types?,
                allow_private: allow_private?,
                ca_file: ca_file?,
                from: from?.unwrap_or(DeliverFrom::Now),
            })
        })
    }
}

fn target_name(value: &Value) -> Result<String, String> {
    let name = parse::name(value)?;
    let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    if name.len() > LONGEST_NAME || !name.chars().all(fits) {
        return Err(format!("must be at most {LONGEST_NAME} letters, digits, hyphens and underscores"));
    }
    Ok(name)
}

fn url(text: &str) -> Result<SecretString, String> {
    let url =
        Url::parse(text).map_err(|_| "must be a URL, such as \"https://crm.example/hook\"".to_owned())?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err("must begin with https:// and name a host".to_owned());
    }
    Ok(SecretString::from(text))
}

fn signing_key(text: &str) -> Result<SecretSlice<u8>, String> {
    let reason =
        || "must be whsec_ and 24 to 64 bytes in base64: `echo whsec_$(openssl rand -base64 32)`".to_owned();
    let bytes = text.strip_prefix("whsec_").and_then(|it| STANDARD.decode(it).ok()).ok_or_else(reason)?;
    let fits = KEY_BYTES.contains(&bytes.len());
    let key = SecretSlice::from(bytes);
    if fits { Ok(key) } else { Err(reason()) }
}

fn host(value: &Value) -> Result<String, String> {
    let reason = || "must be a host alone, such as \"crm.internal\" or \"10.0.0.7\"".to_owned();
    let text = parse::text(value)?;
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<std::net::IpAddr>() {
        return Ok(address.to_string());
    }
    if text.contains('*') {
        return Err("must be one host: whoever names a host of yours could reach all of them".to_owned());
    }
    match Host::parse(text) {
        Ok(Host::Domain(name)) if !name.is_empty() => Ok(name.trim_end_matches('.').to_owned()),
        Ok(other) => Ok(other.to_string()),
        Err(_) => Err(reason()),
    }
}

fn read_types(section: &mut Section<'_, '_>) -> Result<Vec<MessageType>, Reported> {
    let words = MessageType::ALL.map(|it| (it.name(), it));
    let has_types = section.has("types");
    let mut types = section.list("types", parse::one_of(&words))?;
    if !has_types {
        return Ok(vec![MessageType::DesignCompleted]);
    }
    if types.is_empty() {
        return Err(section.refuse("types", "must hold at least one type: such a target hears nothing"));
    }
    types.sort_by_key(|it| MessageType::ALL.iter().position(|other| other == it));
    types.dedup();
    Ok(types)
}
