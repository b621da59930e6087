//! Whose a project is: which tenants Aurora has shown it to, under their own keys.

use rusqlite::Connection;

use crate::domain::{ProjectId, TenantId};

/// Which of the projects are not known yet to be the tenant's.
pub(super) fn unknown(
    connection: &Connection,
    tenant: &TenantId,
    projects: Vec<ProjectId>,
) -> rusqlite::Result<Vec<ProjectId>> {
    let mut statement =
        connection.prepare_cached("SELECT 1 FROM projects WHERE project = ?1 AND tenant = ?2")?;
    let mut unknown = Vec::new();
    for project in projects {
        if !statement.exists([project.as_str(), tenant.as_str()])? {
            unknown.push(project);
        }
    }
    Ok(unknown)
}

pub(super) fn remember(
    connection: &Connection,
    tenant: &TenantId,
    projects: &[ProjectId],
) -> rusqlite::Result<()> {
    let mut statement =
        connection.prepare_cached("INSERT OR IGNORE INTO projects (project, tenant) VALUES (?1, ?2)")?;
    projects.iter().try_for_each(|project| statement.execute([project.as_str(), tenant.as_str()]).map(drop))
}

pub(super) fn wipe(connection: &Connection, tenant: &TenantId) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM projects WHERE tenant = ?1", [tenant.as_str()]).map(drop)
}
