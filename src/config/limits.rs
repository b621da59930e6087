//! `[limits]`: what one request, one socket and one tenant may take.
//!
//! The reason for each default stands beside it in `default.toml`.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::parse;
use super::section::{Reported, Section};

/// What one request, one socket and one tenant may take.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// Bytes of a GraphQL document. Not above `body_bytes`.
    pub document_bytes: usize,
    /// Tokens of a GraphQL document.
    pub document_tokens: usize,
    /// Which documents may run.
    pub documents: Documents,
    /// The file of trusted documents.
    pub documents_manifest: Option<PathBuf>,
    /// Who may ask what the schema is.
    pub introspection: Introspection,
    /// Operations in one request; with one, batches are refused.
    pub batch: usize,
    /// Levels of fields below the operation.
    pub depth: usize,
    /// Aliases in a document.
    pub aliases: usize,
    /// Fields at the root of an operation.
    pub root_fields: usize,
    /// Directives in a document.
    pub directives: usize,
    /// Operations of one credential in a minute.
    pub requests_per_minute: NonZeroU32,
    /// Calls to Aurora that one operation may cause, page sizes multiplied through.
    pub cost: usize,
    /// Nodes in one page of a connection.
    pub page_size: usize,
    /// Operations in progress on one WebSocket.
    pub socket_operations: usize,
    /// Subscriptions of one tenant.
    pub subscribers_per_tenant: usize,
    /// Answers that wait in memory for one slow reader, per operation.
    pub subscriber_backlog: usize,
    /// Open connections.
    pub connections: usize,
    /// From a connection's opening to the end of its first request's headers.
    pub header_timeout: Duration,
    /// From the end of a request's headers to the end of its body.
    pub body_timeout: Duration,
    /// Without a request on a kept connection.
    pub idle_timeout: Duration,
    /// From a WebSocket's opening to its `connection_init`.
    pub init_timeout: Duration,
    /// Between two pings on a WebSocket; two unanswered ones close it.
    pub ping_interval: Duration,
    /// Between two signs of life on a subscription over HTTP.
    pub keep_alive_interval: Duration,
    /// For one write to a client.
    pub write_timeout: Duration,
}

/// Which documents may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Documents {
    /// Whatever fits the schema and the limits.
    Any,
    /// Only those of the manifest.
    Trusted,
}

/// Who may ask what the schema is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Introspection {
    /// Every credential that may read.
    Read,
    /// Only those of operators.
    Admin,
    /// Nobody.
    Off,
}

const KIB: usize = 1 << 10;
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_mins(10);

const TOO_SMALL: &str = "below it no useful request passes, above it one caller takes all";
const NO_RATE: &str = "below it nobody may ask anything, above it nothing is limited";
const TOO_SHORT: &str = "below it honest clients fail, above it idle ones hold what others need";

impl Limits {
    pub(super) fn read(mut section: Section<'_, '_>) -> Result<Self, Reported> {
        let size = || parse::size(KIB..=16 * 1024 * KIB, TOO_SMALL);
        let body_bytes = section.required("body_bytes", size());
        let document_bytes = section.required("document_bytes", size());
        let documents = documents(&mut section);
        let introspection = introspection(&mut section);
        let mut count = |name, range| section.required(name, parse::count(range, TOO_SMALL));
        let document_tokens = count("document_tokens", 50..=100_000);
        let batch = count("batch", 1..=50);
        let depth = count("depth", 3..=100);
        let aliases = count("aliases", 1..=1_000);
        let root_fields = count("root_fields", 1..=1_000);
        let directives = count("directives", 1..=1_000);
        let cost = count("cost", 1..=1_000_000);
        let page_size = count("page_size", 1..=1_000);
        let socket_operations = count("socket_operations", 1..=10_000);
        let subscribers_per_tenant = count("subscribers_per_tenant", 1..=1_000_000);
        let subscriber_backlog = count("subscriber_backlog", 1..=65_536);
        let connections = count("connections", 8..=1_000_000);
        let requests_per_minute = requests_per_minute(&mut section);
        let mut timeout = |name| section.required(name, parse::duration(TIMEOUT, TOO_SHORT));
        let header_timeout = timeout("header_timeout");
        let body_timeout = timeout("body_timeout");
        let idle_timeout = timeout("idle_timeout");
        let init_timeout = timeout("init_timeout");
        let ping_interval = timeout("ping_interval");
        let keep_alive_interval = timeout("keep_alive_interval");
        let write_timeout = timeout("write_timeout");

        let (body_bytes, document_bytes) = (body_bytes?, document_bytes?);
        if document_bytes > body_bytes {
            return Err(section.refuse("document_bytes", "must not be above `limits.body_bytes`"));
        }
        let (documents, documents_manifest) = documents?;
        Ok(Self {
            body_bytes,
            document_bytes,
            document_tokens: document_tokens?,
            documents,
            documents_manifest,
            introspection: introspection?,
            batch: batch?,
            depth: depth?,
            aliases: aliases?,
            root_fields: root_fields?,
            directives: directives?,
            cost: cost?,
            requests_per_minute: requests_per_minute?,
            page_size: page_size?,
            socket_operations: socket_operations?,
            subscribers_per_tenant: subscribers_per_tenant?,
            subscriber_backlog: subscriber_backlog?,
            connections: connections?,
            header_timeout: header_timeout?,
            body_timeout: body_timeout?,
            idle_timeout: idle_timeout?,
            init_timeout: init_timeout?,
            ping_interval: ping_interval?,
            keep_alive_interval: keep_alive_interval?,
            write_timeout: write_timeout?,
        })
    }
}

fn introspection(section: &mut Section<'_, '_>) -> Result<Introspection, Reported> {
    let words = [("read", Introspection::Read), ("admin", Introspection::Admin), ("off", Introspection::Off)];
    section.required("introspection", parse::one_of(&words))
}

fn documents(section: &mut Section<'_, '_>) -> Result<(Documents, Option<PathBuf>), Reported> {
    let words = [("any", Documents::Any), ("trusted", Documents::Trusted)];
    let documents = section.required("documents", parse::one_of(&words));
    let manifest = section.optional("documents_manifest", parse::path);
    let (documents, manifest) = (documents?, manifest?);
    if documents == Documents::Trusted && manifest.is_none() {
        let reason = "is required where `limits.documents` is \"trusted\": nothing could run without it";
        return Err(section.refuse("documents_manifest", reason));
    }
    Ok((documents, manifest))
}

fn requests_per_minute(section: &mut Section<'_, '_>) -> Result<NonZeroU32, Reported> {
    let whole = parse::whole(1..=10_000_000, NO_RATE);
    section.required("requests_per_minute", |value| {
        NonZeroU32::new(whole(value)?).ok_or_else(|| "must be at least 1".to_owned())
    })
}
