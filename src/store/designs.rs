//! Which project a design belongs to.

use rusqlite::{Connection, OptionalExtension, params};

use super::projects;
use crate::domain::{DesignId, DesignKey, ProjectId, TenantId};

pub(super) fn project(connection: &Connection, key: &DesignKey) -> rusqlite::Result<Option<ProjectId>> {
    let text: Option<String> = connection
        .prepare_cached("SELECT project FROM designs WHERE tenant = ?1 AND design = ?2")?
        .query_row([key.tenant.as_str(), key.design.as_str()], |row| row.get(0))
        .optional()?;
    Ok(text.and_then(|text| ProjectId::parse(&text).ok()))
}

/// Which of the designs are not known yet.
pub(super) fn unknown(
    connection: &Connection,
    tenant: &TenantId,
    designs: Vec<(DesignId, ProjectId)>,
) -> rusqlite::Result<Vec<(DesignId, ProjectId)>> {
    let mut statement = connection
        .prepare_cached("SELECT 1 FROM designs WHERE tenant = ?1 AND design = ?2 AND project = ?3")?;
    let mut unknown = Vec::new();
    for (design, project) in designs {
        if !statement.exists([tenant.as_str(), design.as_str(), project.as_str()])? {
            unknown.push((design, project));
        }
    }
    Ok(unknown)
}

pub(super) fn remember(
    connection: &Connection,
    tenant: &TenantId,
    designs: &[(DesignId, ProjectId)],
) -> rusqlite::Result<()> {
    let mut statement = connection
        .prepare_cached("INSERT OR REPLACE INTO designs (tenant, design, project) VALUES (?1, ?2, ?3)")?;
    for (design, project) in designs {
        statement.execute(params![tenant.as_str(), design.as_str(), project.as_str()])?;
        projects::remember(connection, tenant, std::slice::from_ref(project))?;
    }
    Ok(())
}

pub(super) fn wipe(connection: &Connection, tenant: &TenantId) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM designs WHERE tenant = ?1", [tenant.as_str()]).map(drop)
}
