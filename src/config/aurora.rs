//! `[aurora]`: how Aurora is reached, as whom, and how often.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::parse;
use super::section::{Reported, Section};
use crate::domain::TenantId;

/// How Aurora is reached, as whom, and how often.
#[derive(Debug, Clone)]
pub struct Aurora {
    /// Scheme, host and port; the path is `/`.
    pub base_url: Url,
    /// The partner application whose key is exchanged for tenants' keys.
    pub application: Option<Application>,
    /// Whether an exchange is tried without a session token.
    pub session_token: SessionToken,
    /// Requests per minute and Aurora key.
    pub requests_per_minute: NonZeroU32,
    /// One try of one request.
    pub request_timeout: Duration,
    /// All that somebody waits for one answer of Aurora's: turns, tries, and the pauses between them.
    pub call_timeout: Duration,
    /// Requests under way at once, over all keys. Not below `calls_at_once_per_key`.
    pub calls_at_once: usize,
    /// Requests under way at once with one key.
    pub calls_at_once_per_key: usize,
    /// Requests that wait for their turn with one key, in each lane.
    pub calls_queued_per_key: usize,
    /// Sent as `Aurora-API-Version`, and fit to be; without it, each key's own version answers.
    pub api_version: Option<String>,
    /// Tenants whose own key is used instead of an exchange. No id twice.
    pub tenants: Vec<TenantKey>,
}

/// A partner application: its key mints tenants' keys and can do nothing else.
#[derive(Debug, Clone)]
pub struct Application {
    /// One segment of a path.
    pub id: String,
    /// Can be sent in a header.
    pub key: SecretString,
}

/// A tenant's own key.
#[derive(Debug, Clone)]
pub struct TenantKey {
    /// Whose key.
    pub id: TenantId,
    /// Can be sent in a header.
    pub key: SecretString,
}

/// Whether a tenant's key can be had without a session token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionToken {
    /// An exchange is tried without one.
    Optional,
    /// An exchange without one is never tried.
    Required,
}

/// Far above what Aurora grants; more is a slip of the finger.
const REQUESTS_PER_MINUTE: RangeInclusive<u32> = 1..=10_000;

/// Shorter than a round trip, nothing succeeds; longer, the caller has left.
const REQUEST_TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);

/// Shorter, no call ends; longer, whoever waits in front of a screen has left.
const CALL_TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_mins(2);

const NOT_AT_ONCE: &str = "below it nothing can be asked, above it connections and memory run out";

impl Aurora {
    pub(super) fn read(mut section: Section<'_, '_>) -> Result<Self, Reported> {
        let base_url = section.required("base_url", parse::base_url);
        let application = Application::read(&mut section);
        let session_token = section.required("session_token", parse::one_of(&SessionToken::WORDS));
        let requests_per_minute = requests_per_minute(&mut section);
        let within =
            parse::duration(REQUEST_TIMEOUT, "shorter, no try succeeds; longer, the caller has left");
        let request_timeout = section.required("request_timeout", within);
        let in_all = parse::duration(CALL_TIMEOUT, "shorter, no call ends; longer, the caller has left");
        let call_timeout = section.required("call_timeout", in_all);
        let mut count = |name, most| section.required(name, parse::count(1..=most, NOT_AT_ONCE));
        let calls_at_once = count("calls_at_once", 10_000);
        let calls_at_once_per_key = count("calls_at_once_per_key", 1_000);
        let calls_queued_per_key = count("calls_queued_per_key", 10_000);
        let api_version = section.optional("api_version", |value| {
            let text = parse::name(value)?;
            parse::header_text(&text).map(|()| text)
        });
        let tenants = TenantKey::read_all(&mut section);
        let (calls_at_once, calls_at_once_per_key) = (calls_at_once?, calls_at_once_per_key?);
        if calls_at_once_per_key > calls_at_once {
            return Err(section.refuse("calls_at_once_per_key", "must not be above `aurora.calls_at_once`"));
        }
        Ok(Self {
            base_url: base_url?,
            application: application?,
            session_token: session_token?,
            requests_per_minute: requests_per_minute?,
            request_timeout: request_timeout?,
            call_timeout: call_timeout?,
            calls_at_once,
            calls_at_once_per_key,
            calls_queued_per_key: calls_queued_per_key?,
            api_version: api_version?,
            tenants: tenants?,
        })
    }
}

impl Application {
    fn read(section: &mut Section<'_, '_>) -> Result<Option<Self>, Reported> {
        let id = section.optional("application_id", parse::segment);
        let key = section.secret("application_key", bearer);
        match (id?, key?) {
            (Some(id), Some(key)) => Ok(Some(Self { id, key })),
            (None, None) => Ok(None),
            (Some(_), None) => {
                Err(section.refuse("application_id", "needs `aurora.application_key` beside it"))
            }
            (None, Some(_)) => {
                let key = section.written(["application_key", "application_key_file"]);
                Err(section.refuse(key, "needs `aurora.application_id` beside it"))
            }
        }
    }
}

impl TenantKey {
    fn read_all(section: &mut Section<'_, '_>) -> Result<Vec<Self>, Reported> {
        let mut seen = Vec::new();
        section.tables("tenants", |section| {
            let id = section.required("id", parse::tenant);
            let key = section.secret("key", bearer);
            let id = id?;
            if seen.contains(&id) {
                return Err(section.refuse("id", "is given a key twice; a tenant has one"));
            }
            seen.push(id.clone());
            let key = key?.ok_or_else(|| section.refuse("key", "is required: `key` or `key_file`"))?;
            Ok(Self { id, key })
        })
    }
}

impl SessionToken {
    pub(super) const WORDS: [(&str, Self); 2] = [("optional", Self::Optional), ("required", Self::Required)];
}

pub(super) fn requests_per_minute(section: &mut Section<'_, '_>) -> Result<NonZeroU32, Reported> {
    let why = "with none nothing can be asked, and Aurora grants no key more";
    let whole = parse::whole(REQUESTS_PER_MINUTE, why);
    section.required("requests_per_minute", |value| {
        NonZeroU32::new(whole(value)?).ok_or_else(|| "must be at least 1".to_owned())
    })
}

/// A key that is sent as `Authorization: Bearer …`.
pub(super) fn bearer(text: &str) -> Result<SecretString, String> {
    parse::header_text(text)?;
    if text.contains(char::is_whitespace) {
        return Err("must not contain spaces".to_owned());
    }
    Ok(SecretString::from(text))
}
