//! Creations of projects: started, finished, or nobody knows. Rows stay for ever, as the promise does.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use crate::domain::{Fingerprint, ProjectId, TenantId, fingerprint::Fingerprinter};

/// What makes two requests to create a project the same request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CreateKey {
    /// The key that the caller chose for it.
    Idempotency(String),
    /// Failing that, the caller's own id for the project.
    ExternalId(String),
}

impl CreateKey {
    /// The key as it is kept. Callers may have made it from a person's name.
    pub(super) fn digest(&self, tenant: &TenantId) -> Fingerprint {
        let (kind, text) = match self {
            Self::Idempotency(text) => ("idempotency key", text),
            Self::ExternalId(text) => ("external id of a creation", text),
        };
        Fingerprinter::new(kind).text(tenant.as_str()).text(text).finish()
    }
}

/// Whether to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begin {
    /// Yes, and nobody else.
    Go,
    /// No: it was created before.
    Replay(ProjectId),
    /// No: the key stands for other input.
    Conflict,
    /// No: somebody started, and its outcome is not known. It may still be under way, it may have been lost.
    Unsettled {
        /// When it was started.
        since: Timestamp,
    },
}

const STARTED: u8 = 0;
const FINISHED: u8 = 1;
const UNKNOWN: u8 = 2;

pub(super) fn begin(
    connection: &Connection,
    tenant: &TenantId,
    key: Fingerprint,
    input: Fingerprint,
    now: Timestamp,
) -> rusqlite::Result<Begin> {
    let started = connection
        .prepare_cached(
            "INSERT INTO creates (tenant, key, input, state, since) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![tenant.as_str(), key.0, input.0, STARTED, now.as_microsecond()])?;
    if started == 1 {
        return Ok(Begin::Go);
    }
    connection
        .prepare_cached("SELECT input, since, project FROM creates WHERE tenant = ?1 AND key = ?2")?
        .query_row(params![tenant.as_str(), key.0], |row| {
            let project: Option<String> = row.get(2)?;
            let project = project.and_then(|text| ProjectId::parse(&text).ok());
            Ok(match (row.get::<_, [u8; 32]>(0)? == input.0, project) {
                (false, _) => Begin::Conflict,
                (true, Some(project)) => Begin::Replay(project),
                (true, None) => Begin::Unsettled {
                    since: Timestamp::from_microsecond(row.get(1)?).unwrap_or(Timestamp::MIN),
                },
            })
        })
}

pub(super) fn finish(
    connection: &Connection,
    tenant: &TenantId,
    key: Fingerprint,
    project: &ProjectId,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE creates SET state = ?3, project = ?4 WHERE tenant = ?1 AND key = ?2 AND state <> ?3",
        )?
        .execute(params![tenant.as_str(), key.0, FINISHED, project.as_str()])
        .map(drop)
}

pub(super) fn abandon(connection: &Connection, tenant: &TenantId, key: Fingerprint) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM creates WHERE tenant = ?1 AND key = ?2 AND state <> ?3")?
        .execute(params![tenant.as_str(), key.0, FINISHED])
        .map(drop)
}

pub(super) fn unsettle(connection: &Connection, tenant: &TenantId, key: Fingerprint) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE creates SET state = ?3 WHERE tenant = ?1 AND key = ?2 AND state = ?4")?
        .execute(params![tenant.as_str(), key.0, UNKNOWN, STARTED])
        .map(drop)
}

pub(super) fn wipe(connection: &Connection, tenant: &TenantId) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM creates WHERE tenant = ?1", [tenant.as_str()]).map(drop)
}
