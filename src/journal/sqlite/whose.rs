//! Whose a delivery is that does not say.
//!
//! Only what Aurora itself has shown counts, under the tenant's own key: the store keeps that. A delivery's word does
//! not, or one that was confused would carry the next into another tenant. Where ids lead to different tenants, to
//! none or to several, nobody's is the answer.

use rusqlite::{Connection, OptionalExtension, params};

use crate::domain::{Delivery, DesignId, ProjectId, Seq, TenantId};

use super::{
    read::{self, Found},
    row,
};

/// Rows taken back in one transaction: some ten milliseconds of work.
pub(super) const BATCH: usize = 100;

/// The tenants of a design and of a project; two of them are as good as many.
macro_rules! owners {
    ($design:literal, $project:literal) => {
        concat!(
            "SELECT tenant FROM designs WHERE design = ",
            $design,
            " UNION SELECT tenant FROM projects WHERE project = ",
            $project
        )
    };
}

/// The one tenant of these ids.
pub(super) fn of(
    connection: &Connection,
    design: Option<&DesignId>,
    project: Option<&ProjectId>,
) -> rusqlite::Result<Option<TenantId>> {
    if design.is_none() && project.is_none() {
        return Ok(None);
    }
    let mut statement = connection.prepare_cached(concat!(owners!("?1", "?2"), " LIMIT 2"))?;
    let ids = params![design.map(DesignId::as_str), project.map(ProjectId::as_str)];
    let owners = statement.query_map(ids, |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
    Ok(match &owners[..] {
        [only] => TenantId::parse(only).ok(),
        _ => None,
    })
}

/// The project of a tenant's design. The store answers the same to its own callers; here it is asked in the transaction that
/// announces, and the journal knows the file's tables, but not the store.
pub(super) fn project(
    connection: &Connection,
    tenant: &TenantId,
    design: &DesignId,
) -> rusqlite::Result<Option<ProjectId>> {
    let text: Option<String> = connection
        .prepare_cached("SELECT project FROM designs WHERE tenant = ?1 AND design = ?2")?
        .query_row([tenant.as_str(), design.as_str()], |row| row.get(0))
        .optional()?;
    Ok(text.and_then(|text| ProjectId::parse(&text).ok()))
}

/// Set-aside deliveries whose tenant is known by now, the oldest first.
pub(super) fn claimable(connection: &Connection) -> rusqlite::Result<Found> {
    let (columns, owners) = (row::DELIVERY, owners!("d.design", "d.project"));
    let sql = format!(
        "SELECT {columns}, d.seq FROM deliveries d WHERE d.aside = 1
         AND (SELECT count(*) FROM ({owners})) = 1 ORDER BY d.seq"
    );
    read::collect(connection.prepare_cached(&sql)?.query([])?, BATCH)
}

/// A set-aside delivery, if it is still there.
pub(super) fn set_aside(connection: &Connection, seq: Seq) -> rusqlite::Result<Option<Delivery>> {
    let columns = row::DELIVERY;
    let sql = format!("SELECT {columns} FROM deliveries d WHERE d.seq = ?1 AND d.aside = 1");
    connection.prepare_cached(&sql)?.query_row([row::number(seq)], |row| row::delivery(row, 0)).optional()
}

/// Takes a set-aside delivery out.
pub(super) fn take_out(connection: &Connection, seq: Seq) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM deliveries WHERE seq = ?1 AND aside = 1")?
        .execute([row::number(seq)])
        .map(drop)
}
