//! Which project a caller's own id belongs to.

use rusqlite::{Connection, OptionalExtension, params};

use crate::domain::{Fingerprint, ProjectId, TenantId, fingerprint::Fingerprinter};

/// How we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// We created the project under that id.
    Created,
    /// Aurora showed us the project with that id.
    Seen,
}

/// The id as it is kept. Callers may have made it from a person's name.
pub(super) fn digest(tenant: &TenantId, external: &str) -> Fingerprint {
    Fingerprinter::new("external id").text(tenant.as_str()).text(external).finish()
}

pub(super) fn project(
    connection: &Connection,
    tenant: &TenantId,
    external: Fingerprint,
) -> rusqlite::Result<Option<ProjectId>> {
    let text: Option<String> = connection
        .prepare_cached("SELECT project FROM external_ids WHERE tenant = ?1 AND external = ?2")?
        .query_row(params![tenant.as_str(), external.0], |row| row.get(0))
        .optional()?;
    Ok(text.and_then(|text| ProjectId::parse(&text).ok()))
}

pub(super) fn remember(
    connection: &Connection,
    tenant: &TenantId,
    external: Fingerprint,
    project: &ProjectId,
    origin: Origin,
) -> rusqlite::Result<()> {
    let rank = match origin {
        Origin::Seen => 0,
        Origin::Created => 1,
    };
    connection
        .prepare_cached(
            "INSERT INTO external_ids (tenant, external, project, origin) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (tenant, external) DO UPDATE SET project = excluded.project, origin = excluded.origin
             WHERE excluded.origin > origin",
        )?
        .execute(params![tenant.as_str(), external.0, project.as_str(), rank])
        .map(drop)
}

pub(super) fn wipe(connection: &Connection, tenant: &TenantId) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM external_ids WHERE tenant = ?1", [tenant.as_str()]).map(drop)
}
