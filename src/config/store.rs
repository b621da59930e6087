//! `[store]`: where events and the few facts that outlive a restart are kept.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretBox, SecretSlice};

use super::parse;
use super::section::{Reported, Section};

/// Where events and the few facts that outlive a restart are kept.
#[derive(Debug, Clone)]
pub struct Store {
    /// Who keeps them.
    pub backend: Backend,
    /// The SQLite file, relative to the working directory.
    pub path: PathBuf,
    /// How long an event can be read again. Below two days, a late repeat may be taken for news.
    pub retention: Duration,
    /// Seals tenants' keys on disk; without it they live in memory only.
    pub encryption_key: Option<Arc<SecretBox<[u8; 32]>>>,
    /// What `encryption_key` was before: still opens, and seals nothing. Never without it.
    pub previous_encryption_key: Option<Arc<SecretBox<[u8; 32]>>>,
}

/// Who keeps what must be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// One file on this machine.
    Sqlite,
}

/// Less than an hour would lose events over one coffee; more than a year is an archive.
const RETENTION: RangeInclusive<Duration> = Duration::from_hours(1)..=Duration::from_hours(365 * 24);

const NO_NATS: &str = "is not available in this version; use \"sqlite\"";
const NATS_ONLY: &str = "belongs to \"nats\", which is not available in this version; leave it out";

impl Store {
    pub(super) fn read(mut section: Section<'_, '_>) -> Result<Self, Reported> {
        section.unavailable("nats_url", NATS_ONLY);
        section.unavailable("replicas", NATS_ONLY);
        let backend = section.required("backend", |value| match parse::text(value)? {
            "nats" => Err(format!("\"nats\" {NO_NATS}")),
            _ => parse::one_of(&[("sqlite", Backend::Sqlite)])(value),
        });
        let path = section.required("path", parse::path);
        let within = parse::duration(RETENTION, "a subscriber must be able to come back");
        let retention = section.required("retention", within);
        let current = section.secret("encryption_key", encryption_key);
        let previous = section.secret("previous_encryption_key", encryption_key);
        let (encryption_key, previous) = (current?, previous?);
        if previous.is_some() && encryption_key.is_none() {
            let key = section.written(["previous_encryption_key", "previous_encryption_key_file"]);
            return Err(section.refuse(key, "needs `store.encryption_key` beside it, which takes its place"));
        }
        Ok(Self {
            backend: backend?,
            path: path?,
            retention: retention?,
            encryption_key: encryption_key.map(Arc::new),
            previous_encryption_key: previous.map(Arc::new),
        })
    }
}

fn encryption_key(text: &str) -> Result<SecretBox<[u8; 32]>, String> {
    let reason = || "must be 32 bytes in base64, as `openssl rand -base64 32` prints them".to_owned();
    let bytes = SecretSlice::from(STANDARD.decode(text).map_err(|_| reason())?);
    let key = <[u8; 32]>::try_from(bytes.expose_secret()).map_err(|_| reason())?;
    Ok(SecretBox::new(Box::new(key)))
}
