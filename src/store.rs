//! The few facts that outlive a restart: the key of the cursors, which creations have happened, which project belongs
//! to a caller's own id or to a design, whose a design or a project is, tenants' keys as sealed bytes, and how many calls
//! were made with which keys just now.
//!
//! Invariants: what was answered is on disk; a key for a creation is given to one caller until its outcome is
//! known; the texts that callers choose for their keys and ids are kept only as digests.
//! Not here: sharing one creation among concurrent callers, and looking for a lost one at Aurora. Both are the
//! catalog's.

mod calls_made;
mod creates;
mod designs;
mod external_ids;
mod projects;
mod sealed_keys;
mod secrets;

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::Connection;
use tokio::sync::Notify;

pub use calls_made::CallsMade;
pub use creates::{Begin, CreateKey, Open, Request, Standing};
pub use external_ids::Origin;
pub use sealed_keys::SealedKey;

use crate::{
    domain::{DesignId, DesignKey, Fingerprint, ProjectId, TenantId},
    sqlite::{self, Db, Guest},
};

/// The store can take or give nothing now. What was to be kept is not.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the store is not available")]
pub struct Error(#[from] sqlite::Error);

impl Error {
    /// It takes longer than anybody waits.
    #[must_use]
    pub fn late() -> Self {
        Self(sqlite::Error::Busy)
    }
}

/// The key of the cursors of a file that a gateway has used, read beside it.
///
/// # Errors
/// When it cannot be read.
pub fn cursor_key_of(guest: &Guest) -> Result<Option<[u8; 32]>, Error> {
    let key = guest.read(|connection| secrets::get(connection, CURSOR_KEY));
    key.map_err(|source| Error(sqlite::Error::Failed(Arc::new(source))))
}

/// Under which name the key of the cursors is kept.
const CURSOR_KEY: &str = "cursor key";

/// The few facts, in the database file. Clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    db: Db,
    learnt: Arc<Notify>,
}

impl Store {
    /// The facts that the file holds.
    #[must_use]
    pub fn new(db: Db) -> Self {
        Self { db, learnt: Arc::default() }
    }

    /// Told whenever it is learnt whose a design or a project is. One who is told waits for the next; what was learnt in
    /// between is told at once.
    #[must_use]
    pub fn learnt(&self) -> Arc<Notify> {
        Arc::clone(&self.learnt)
    }

    /// The key of the cursors: made at random the first time, the same ever after.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub async fn cursor_key(&self) -> Result<[u8; 32], Error> {
        let fresh = rand::random();
        Ok(self.db.write(move |connection| secrets::get_or_keep(connection, CURSOR_KEY, fresh)).await?)
    }

    /// The project that a caller's own id belongs to, as far as this gateway knows.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn project_by_external_id(
        &self,
        tenant: &TenantId,
        external: &str,
    ) -> Result<Option<ProjectId>, Error> {
        let (tenant, external) = (tenant.clone(), external_ids::digest(tenant, external));
        Ok(self.db.read(move |connection| external_ids::project(connection, &tenant, external)).await?)
    }

    /// Remembers which of a tenant's projects callers' own ids belong to, all in one write. What was created here is
    /// never replaced; what was seen at Aurora is, by what is created here.
    ///
    /// # Errors
    /// When nothing was kept.
    pub async fn remember_external_ids(
        &self,
        tenant: &TenantId,
        projects: Vec<(String, ProjectId)>,
        origin: Origin,
    ) -> Result<(), Error> {
        let tenant = tenant.clone();
        let work = move |connection: &_| {
            projects.iter().try_for_each(|(external, project)| {
                let external = external_ids::digest(&tenant, external);
                external_ids::remember(connection, &tenant, external, project, origin)
            })
        };
        Ok(self.db.write(work).await?)
    }

    /// The project that a design belongs to, as far as Aurora has ever said.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn project_of_design(&self, key: &DesignKey) -> Result<Option<ProjectId>, Error> {
        let key = key.clone();
        Ok(self.db.read(move |connection| designs::project(connection, &key)).await?)
    }

    /// Remembers which projects a tenant's designs belong to. What is known already costs no write.
    ///
    /// # Errors
    /// When nothing was kept.
    pub async fn remember_designs(
        &self,
        tenant: &TenantId,
        seen: Vec<(DesignId, ProjectId)>,
    ) -> Result<(), Error> {
        let whose = tenant.clone();
        let unknown = self.db.read(move |connection| designs::unknown(connection, &whose, seen)).await?;
        if unknown.is_empty() {
            return Ok(());
        }
        let tenant = tenant.clone();
        self.learn(move |connection| designs::remember(connection, &tenant, &unknown)).await
    }

    /// Remembers that Aurora has shown these projects to a tenant. What is known already costs no write.
    ///
    /// # Errors
    /// When nothing was kept.
    pub async fn remember_projects(&self, tenant: &TenantId, seen: Vec<ProjectId>) -> Result<(), Error> {
        let whose = tenant.clone();
        let unknown = self.db.read(move |connection| projects::unknown(connection, &whose, seen)).await?;
        if unknown.is_empty() {
            return Ok(());
        }
        let tenant = tenant.clone();
        self.learn(move |connection| projects::remember(connection, &tenant, &unknown)).await
    }

    /// A write after which more is known. That is told also where nobody waits for the write any more.
    async fn learn<W>(&self, work: W) -> Result<(), Error>
    where
        W: FnOnce(&Connection) -> rusqlite::Result<()> + Send + 'static,
    {
        let learnt = Arc::clone(&self.learnt);
        Ok(self.db.write_then(work, move |()| learnt.notify_one()).await?)
    }

    /// Keeps a tenant's sealed key in place of an earlier one of the same realm.
    ///
    /// # Errors
    /// When it was not kept.
    pub async fn keep_sealed_key(&self, realm: Fingerprint, key: SealedKey) -> Result<(), Error> {
        Ok(self.db.write(move |connection| sealed_keys::keep(connection, realm, &key)).await?)
    }

    /// The sealed keys of a realm that have not ended, at most so many.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn sealed_keys(
        &self,
        realm: Fingerprint,
        now: Timestamp,
        most: usize,
    ) -> Result<Vec<SealedKey>, Error> {
        Ok(self.db.read(move |connection| sealed_keys::all(connection, realm, now, most)).await?)
    }

    /// Forgets a tenant's sealed key of a realm.
    ///
    /// # Errors
    /// When it was not forgotten.
    pub async fn forget_sealed_key(&self, realm: Fingerprint, tenant: &TenantId) -> Result<(), Error> {
        let tenant = tenant.clone();
        Ok(self.db.write(move |connection| sealed_keys::forget(connection, realm, &tenant)).await?)
    }

    /// Adds calls to those that were made with a key.
    ///
    /// # Errors
    /// When they were not added.
    pub async fn note_calls(&self, made: CallsMade, now: Timestamp) -> Result<(), Error> {
        Ok(self.db.write(move |connection| calls_made::note(connection, made, now)).await?)
    }

    /// Puts others in the place of all calls that were noted. They are asked for in the order of the writes: what was noted
    /// before is among them, and what is noted meanwhile comes on top.
    ///
    /// # Errors
    /// When all stayed as it was.
    pub async fn replace_calls(
        &self,
        all: impl FnOnce() -> Vec<CallsMade> + Send + 'static,
    ) -> Result<(), Error> {
        Ok(self.db.write(move |connection| calls_made::replace(connection, all())).await?)
    }

    /// The calls that still count, with all keys. Those that count longer than any call can are told this once.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn calls_made(&self, now: Timestamp) -> Result<Vec<CallsMade>, Error> {
        let work = move |connection: &_| {
            let all = calls_made::all(connection, now)?;
            calls_made::prune(connection, now)?;
            Ok(all)
        };
        Ok(self.db.write(work).await?)
    }

    /// Throws away the sealed keys that have ended and the calls that count no longer, and says how many rows that were.
    ///
    /// # Errors
    /// When none was thrown away.
    pub async fn prune(&self, now: Timestamp) -> Result<usize, Error> {
        let work = move |connection: &_| {
            let calls = calls_made::prune(connection, now)?;
            Ok(calls + sealed_keys::prune(connection, now)?)
        };
        Ok(self.db.write(work).await?)
    }

    /// Forgets everything that names a tenant.
    ///
    /// # Errors
    /// When nothing was forgotten.
    pub async fn wipe_tenant(&self, tenant: &TenantId) -> Result<(), Error> {
        let tenant = tenant.clone();
        let work = move |connection: &_| {
            creates::rows::wipe(connection, &tenant)?;
            designs::wipe(connection, &tenant)?;
            sealed_keys::wipe(connection, &tenant)?;
            projects::wipe(connection, &tenant)?;
            external_ids::wipe(connection, &tenant)
        };
        Ok(self.db.write(work).await?)
    }
}

#[cfg(test)]
mod tests;
