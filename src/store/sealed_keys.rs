//! Keys that Aurora gave for tenants, as sealed bytes: the store cannot read them.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use crate::domain::{Fingerprint, TenantId};

/// A sealed key and what has to be known of it to find it and to throw it away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedKey {
    /// Whose.
    pub tenant: TenantId,
    /// Only whoever sealed it can open it.
    pub sealed: Vec<u8>,
    /// When it is good for nothing any more.
    pub expires_at: Timestamp,
}

pub(super) fn keep(connection: &Connection, realm: Fingerprint, key: &SealedKey) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO sealed_keys (tenant, realm, sealed, expires_at) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![key.tenant.as_str(), realm.0, key.sealed, key.expires_at.as_microsecond()])
        .map(drop)
}

/// Those that have not ended, the longest-lived first.
pub(super) fn all(
    connection: &Connection,
    realm: Fingerprint,
    now: Timestamp,
    most: usize,
) -> rusqlite::Result<Vec<SealedKey>> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(
        "SELECT tenant, sealed, expires_at FROM sealed_keys WHERE realm = ?1 AND expires_at > ?2
         ORDER BY expires_at DESC LIMIT ?3",
    )?;
    let rows = statement.query_map(params![realm.0, now.as_microsecond(), most], |row| {
        Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?))
    })?;
    let keys = rows.map(|row| {
        let (tenant, sealed, expires_at) = row?;
        let expires_at = Timestamp::from_microsecond(expires_at).unwrap_or(Timestamp::MAX);
        // A name that no tenant can have is nobody's key.
        Ok(TenantId::parse(&tenant).ok().map(|tenant| SealedKey { tenant, sealed, expires_at }))
    });
    keys.filter_map(Result::transpose).collect()
}

pub(super) fn forget(connection: &Connection, realm: Fingerprint, tenant: &TenantId) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM sealed_keys WHERE tenant = ?1 AND realm = ?2")?
        .execute(params![tenant.as_str(), realm.0])
        .map(drop)
}

/// How many had ended.
pub(super) fn prune(connection: &Connection, now: Timestamp) -> rusqlite::Result<usize> {
    connection.execute("DELETE FROM sealed_keys WHERE expires_at <= ?1", [now.as_microsecond()])
}

pub(super) fn wipe(connection: &Connection, tenant: &TenantId) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM sealed_keys WHERE tenant = ?1", [tenant.as_str()]).map(drop)
}
