//! Creations of projects: started, finished, or nobody knows. Rows stay for ever, as the promise does.
//!
//! Invariants: of any number of callers of a key one creates; a project belongs to one creation; one file serves one
//! process, so what another process of before has started is not under way any more. [`rows`] has the SQL.

pub(super) mod rows;

use jiff::Timestamp;

use super::{Error, Store, projects};
use crate::domain::{
    Fingerprint, ProjectId, TenantId, Trace, fingerprint::Fingerprinter, project::InputMark,
};

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
    #[must_use]
    pub fn digest(&self, tenant: &TenantId) -> Fingerprint {
        let (kind, text) = match self {
            Self::Idempotency(text) => ("idempotency key", text),
            Self::ExternalId(text) => ("external id of a creation", text),
        };
        Fingerprinter::new(kind).text(tenant.as_str()).text(text).finish()
    }
}

/// A creation under a key, as it is kept.
#[derive(Debug, Clone)]
pub struct Request {
    /// Whose.
    pub tenant: TenantId,
    /// The digest of its key.
    pub key: Fingerprint,
    /// What tells its input from others.
    pub input: InputMark,
    /// What it can be recognised by at Aurora.
    pub trace: Trace,
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
    /// No: somebody started, and its outcome is not known.
    Unsettled {
        /// When it was started.
        since: Timestamp,
    },
}

/// What is known of a creation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing: it was never started, or certainly did not happen.
    Unheard,
    /// It gave this project.
    Finished(ProjectId),
    /// Nobody knows.
    Open,
}

/// A creation whose outcome is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// The digest of its key.
    pub key: Fingerprint,
    /// Stands for its input.
    pub input: Fingerprint,
    /// When it was started.
    pub since: Timestamp,
    /// Since when its outcome is open.
    pub lost_at: Timestamp,
    /// What it can be recognised by; nothing where an older version started it.
    pub trace: Option<Trace>,
    /// How often it was looked for in vain.
    pub looks: u32,
}

impl Store {
    /// Asks to create a project under a key. Of any number of callers exactly one may [`Begin::Go`], and is then
    /// to call one of [`finish_create`](Self::finish_create), [`abandon_create`](Self::abandon_create) and
    /// [`unsettle_create`](Self::unsettle_create). Not to be asked while that one is at work: what is found started
    /// counts as broken off, and can be looked for. Who gives up waiting has asked all the same.
    ///
    /// # Errors
    /// When nobody may go, because it cannot be kept that somebody did.
    pub fn begin_create(
        &self,
        request: &Request,
        now: Timestamp,
    ) -> impl Future<Output = Result<Begin, Error>> + Send + use<> {
        let (db, request) = (self.db.clone(), request.clone());
        async move { Ok(db.write(move |connection| rows::begin(connection, &request, now)).await?) }
    }

    /// What would come of beginning, without beginning.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn preview_create(&self, request: &Request) -> Result<Begin, Error> {
        let request = request.clone();
        Ok(self.db.read(move |connection| rows::preview(connection, &request)).await?)
    }

    /// What is known of a creation.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn create_standing(&self, tenant: &TenantId, key: Fingerprint) -> Result<Standing, Error> {
        let tenant = tenant.clone();
        Ok(self.db.read(move |connection| rows::standing(connection, &tenant, key)).await?)
    }

    /// The creation has given this project, from now on for ever.
    ///
    /// # Errors
    /// When it cannot be kept. The key then stays unsettled.
    pub async fn finish_create(
        &self,
        tenant: &TenantId,
        key: Fingerprint,
        project: &ProjectId,
    ) -> Result<(), Error> {
        let (tenant, project) = (tenant.clone(), project.clone());
        let work = move |connection: &_| {
            projects::remember(connection, &tenant, std::slice::from_ref(&project))?;
            rows::finish(connection, &tenant, key, &project)
        };
        self.learn(work).await
    }

    /// The creation certainly did not happen: the key may be used again, with any input.
    ///
    /// # Errors
    /// When it cannot be kept. The key then stays unsettled.
    pub async fn abandon_create(&self, tenant: &TenantId, key: Fingerprint) -> Result<(), Error> {
        let tenant = tenant.clone();
        Ok(self.db.write(move |connection| rows::abandon(connection, &tenant, key)).await?)
    }

    /// Nobody knows whether the creation happened: from now on it can be looked for.
    ///
    /// # Errors
    /// When it cannot be kept. The key reads as unsettled all the same.
    pub async fn unsettle_create(
        &self,
        tenant: &TenantId,
        key: Fingerprint,
        now: Timestamp,
    ) -> Result<(), Error> {
        let tenant = tenant.clone();
        Ok(self.db.write(move |connection| rows::unsettle(connection, &tenant, key, now)).await?)
    }

    /// A project that was created without a key: nobody else's creation may be taken for it.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub async fn claim_project(
        &self,
        tenant: &TenantId,
        project: &ProjectId,
        now: Timestamp,
    ) -> Result<(), Error> {
        let (tenant, project) = (tenant.clone(), project.clone());
        let key = Fingerprinter::new("creation without a key").text(project.as_str()).finish();
        let work = move |connection: &_| {
            projects::remember(connection, &tenant, std::slice::from_ref(&project))?;
            rows::claim(connection, &tenant, key, &project, now)
        };
        self.learn(work).await
    }

    /// Takes over what a process of before has left open, and says whose it is. To be called before anything begins.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub async fn adopt_creates(&self, now: Timestamp) -> Result<Vec<TenantId>, Error> {
        Ok(self.db.write(move |connection| rows::adopt(connection, now)).await?)
    }

    /// A tenant's creations whose outcome is open, the oldest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn open_creates(&self, tenant: &TenantId) -> Result<Vec<Open>, Error> {
        let tenant = tenant.clone();
        Ok(self.db.read(move |connection| rows::open(connection, &tenant)).await?)
    }

    /// Which of these projects belong to a creation that is settled.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn claimed(
        &self,
        tenant: &TenantId,
        projects: Vec<ProjectId>,
    ) -> Result<Vec<ProjectId>, Error> {
        let tenant = tenant.clone();
        Ok(self.db.read(move |connection| rows::claimed(connection, &tenant, projects)).await?)
    }

    /// The project was found to be what an open creation gave. Says whether it still was nobody's.
    ///
    /// # Errors
    /// When it cannot be kept. The key then stays unsettled.
    pub async fn settle_create(
        &self,
        tenant: &TenantId,
        key: Fingerprint,
        project: &ProjectId,
    ) -> Result<bool, Error> {
        let (tenant, project) = (tenant.clone(), project.clone());
        Ok(self.db.write(move |connection| rows::settle(connection, &tenant, key, &project)).await?)
    }

    /// An open creation was looked for long enough: it did not happen, and its key may be used again.
    ///
    /// # Errors
    /// When it cannot be kept. The key then stays unsettled.
    pub async fn give_up_create(
        &self,
        tenant: &TenantId,
        key: Fingerprint,
        since: Timestamp,
    ) -> Result<(), Error> {
        let tenant = tenant.clone();
        Ok(self.db.write(move |connection| rows::give_up(connection, &tenant, key, since)).await?)
    }

    /// An open creation was looked for in vain, once more.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub async fn count_look(&self, tenant: &TenantId, key: Fingerprint) -> Result<(), Error> {
        let tenant = tenant.clone();
        Ok(self.db.write(move |connection| rows::count_look(connection, &tenant, key)).await?)
    }
}
