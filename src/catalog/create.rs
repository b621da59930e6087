//! Making projects: once per key, however often and however concurrently it is asked for.
//!
//! [`settle`] looks for those whose answer was lost, [`desk`] keeps whose turn it is, [`verdict`] decides. Invariants:
//! what is sent to Aurora was first written down; a create runs to its end though its caller hangs up; a create whose
//! reply was lost is looked for, and sent again only where it certainly did not happen.

mod desk;
mod settle;
mod verdict;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::sync::watch;

pub use crate::store::CreateKey;

use super::{Catalog, Error, NOTE_PATIENCE, Usage};
use crate::{
    aurora,
    domain::{Fetched, Fingerprint, NewProject, Project, ProjectId, ProjectKey, TenantId, Trace},
    store::{self, Begin, Origin, Request},
};

pub(super) use desk::Desk;
use settle::Settled;

/// The answer to a create.
#[derive(Debug, Clone)]
pub struct Created {
    /// The project as Aurora has it.
    pub project: Fetched<Project>,
    /// True when this call made nothing: an earlier or concurrent call with the same key had made it.
    pub replayed: bool,
}

/// Why the outcome of a create is still open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsettled {
    /// It is looked for; asking again then makes sense.
    Looking {
        /// When it is looked for again.
        again: Duration,
    },
    /// Something at Aurora may be it, and nothing tells for sure.
    Unclear,
    /// The tenant's key does not allow looking.
    NoList,
    /// The gateway stopped before it was settled.
    Stopped,
}

/// How long a create waits for a file that hangs, before anything is sent to Aurora.
const BEGIN_PATIENCE: Duration = Duration::from_secs(5);

/// How often, and after which pause, the outcome of a create is written again where the store did not take it: for
/// five minutes, so that somebody can make room on a full disk.
const NOTE_TRIES: u32 = 600;
const NOTE_PAUSE: Duration = Duration::from_millis(500);

type Outcome = Result<Created, Error>;

/// What is still to be done for a key after its caller was answered. Until then this process answers for the key.
enum Owed {
    /// What came of the create is to be written down.
    Note(Note),
    /// It waits to be written that it begins. Its caller was told that it does not, so nothing may come of it.
    Begun(BoxFuture<'static, Result<Begin, store::Error>>),
}

/// The creates that are under way in this process, by their key.
#[derive(Default)]
pub(super) struct Underway(Mutex<HashMap<(TenantId, CreateKey), Joinable>>);

struct Joinable {
    input: Fingerprint,
    outcome: watch::Receiver<Option<Outcome>>,
}

impl Underway {
    fn lock(&self) -> MutexGuard<'_, HashMap<(TenantId, CreateKey), Joinable>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Catalog {
    /// Makes a project, or gives the one that the same key and input made before.
    ///
    /// # Errors
    /// When the key stands for another input, when the outcome of an earlier create is not known, or when Aurora
    /// refuses or cannot be asked.
    pub async fn create_project(
        &self,
        tenant: &TenantId,
        new: NewProject,
        key: Option<CreateKey>,
        usage: &Arc<Usage>,
    ) -> Outcome {
        if let Some(planning) = usage.planning() {
            return self.plan_create(planning, tenant, &new, key.as_ref(), usage).await;
        }
        let (mut outcome, joined) = self.begin(tenant, new, key, usage)?;
        let stopped = || Error::Unsettled(Unsettled::Stopped);
        let settled = outcome.wait_for(Option::is_some).await.map_err(|_gone| stopped())?;
        let mut created = settled.clone().unwrap_or_else(|| Err(stopped()))?;
        created.replayed |= joined;
        Ok(created)
    }

    /// Starts the work in a task of its own, or joins the task that is at work for the same key.
    fn begin(
        &self,
        tenant: &TenantId,
        new: NewProject,
        key: Option<CreateKey>,
        usage: &Arc<Usage>,
    ) -> Result<(watch::Receiver<Option<Outcome>>, bool), Error> {
        let mark = new.mark();
        let input = mark.canonical;
        let (tell, outcome) = watch::channel(None);
        let place = key.clone().map(|key| (tenant.clone(), key));
        if let Some(place) = &place {
            let mut underway = self.0.creates.lock();
            if let Some(known) = underway.get(place) {
                if known.input != input {
                    return Err(Error::Conflict);
                }
                return Ok((known.outcome.clone(), true));
            }
            underway.insert(place.clone(), Joinable { input, outcome: outcome.clone() });
        }
        let leave = Leave { catalog: self.clone(), place };
        let (tenant, usage) = (tenant.clone(), Arc::clone(usage));
        self.0.tasks.spawn(async move {
            let catalog = leave.catalog.clone();
            let Some(key) = key.map(|it| it.digest(&tenant)) else {
                let result = catalog.create_unkeyed(&tenant, &new, &usage).await;
                tell.send_replace(Some(result));
                return;
            };
            let trace = Trace::of(&new, &key);
            let request = Request { tenant, key, input: mark, trace };
            let (result, owed) = catalog.create_once(&request, &new, &usage).await;
            let Some(owed) = owed else {
                drop(leave);
                tell.send_replace(Some(result));
                return;
            };
            tell.send_replace(Some(result));
            catalog.settle_up(&request, owed).await;
        });
        Ok((outcome, false))
    }

    async fn create_once(
        &self,
        request: &Request,
        new: &NewProject,
        usage: &Usage,
    ) -> (Outcome, Option<Owed>) {
        // What turns out not to have happened is begun once more, and then surely goes.
        for _ in 0..2 {
            let mut begun = self.0.store.begin_create(request, self.0.clock.now()).boxed();
            let Ok(begin) = tokio::time::timeout(BEGIN_PATIENCE, &mut begun).await else {
                return (Err(store::Error::late().into()), Some(Owed::Begun(begun)));
            };
            match begin {
                Ok(Begin::Go) => return self.send(request, new, usage).await,
                Ok(Begin::Conflict) => return (Err(Error::Conflict), None),
                Ok(Begin::Replay(project)) => return (self.replay(request, project, usage).await, None),
                Ok(Begin::Unsettled { .. }) => match self.settled(request, false, usage).await {
                    Ok(Some(created)) => return (Ok(created), None),
                    Ok(None) => {}
                    Err(error) => return (Err(error), None),
                },
                Err(error) => return (Err(error.into()), None),
            }
        }
        (Err(Error::Unsettled(Unsettled::Unclear)), None)
    }

    /// Sends it, once, and writes down what came of it.
    async fn send(&self, request: &Request, new: &NewProject, usage: &Usage) -> (Outcome, Option<Owed>) {
        let result = self.create(&request.tenant, new, usage).await;
        let lost = matches!(result, Err(Error::Aurora(aurora::Error::OutcomeUnknown(_))));
        let note = match &result {
            Ok(created) => Note::Finished(created.project.value.id.clone()),
            Err(_) if lost => Note::Unknown,
            Err(_) => Note::Abandoned,
        };
        let written = self.note(&request.tenant, request.key, &note);
        let kept = matches!(tokio::time::timeout(NOTE_PATIENCE, written).await, Ok(Ok(())));
        let owed = (!kept).then_some(Owed::Note(note));
        if !lost {
            return (result, owed);
        }
        let unsettled = || Error::Unsettled(Unsettled::Looking { again: NOTE_PAUSE });
        let found = match owed {
            None => self.settled(request, true, usage).await,
            Some(_) => Err(unsettled()),
        };
        // Even if it did not happen after all: whether to send it again is for the caller to say.
        (found.and_then(|created| created.ok_or_else(unsettled)), owed)
    }

    /// What became of a create whose outcome was open; nothing where it did not happen.
    async fn settled(&self, request: &Request, new: bool, usage: &Usage) -> Result<Option<Created>, Error> {
        match self.look_for(&request.tenant, request.key, new, usage).await? {
            Settled::Found(project) => self.replay(request, project, usage).await.map(Some),
            Settled::Absent => Ok(None),
            Settled::Open(why) => Err(Error::Unsettled(why)),
        }
    }

    async fn replay(&self, request: &Request, project: ProjectId, usage: &Usage) -> Outcome {
        let key = ProjectKey { tenant: request.tenant.clone(), project };
        let project = self.project(&key, usage).await?;
        Ok(Created { project, replayed: true })
    }

    async fn note(&self, tenant: &TenantId, key: Fingerprint, note: &Note) -> Result<(), store::Error> {
        let store = &self.0.store;
        match note {
            Note::Finished(project) => store.finish_create(tenant, key, project).await,
            Note::Unknown => store.unsettle_create(tenant, key, self.0.clock.now()).await,
            Note::Abandoned => store.abandon_create(tenant, key).await,
        }
    }

    async fn settle_up(&self, request: &Request, owed: Owed) {
        let note = match owed {
            Owed::Note(note) => note,
            // An older create of the key keeps what is known of it.
            Owed::Begun(begun) => match begun.await {
                Ok(Begin::Go) => Note::Abandoned,
                _ => return,
            },
        };
        self.note_until_kept(&request.tenant, request.key, &note).await;
        self.0.desk.round(&request.tenant, true);
    }

    /// What is never noted stays "begun", which later callers meet as unsettled: never a second project. One try at a time,
    /// however long a disk that hangs takes for it.
    async fn note_until_kept(&self, tenant: &TenantId, key: Fingerprint, note: &Note) {
        for _ in 0..NOTE_TRIES {
            tokio::time::sleep(NOTE_PAUSE).await;
            if self.note(tenant, key, note).await.is_ok() {
                return;
            }
        }
        tracing::error!("the outcome of a create could not be written down");
    }

    /// Waits for the creates that are under way. To be called when no more can begin.
    pub async fn creates_end(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// Without a key nothing can be promised; but nobody else's lost create may be taken for this one.
    async fn create_unkeyed(&self, tenant: &TenantId, new: &NewProject, usage: &Usage) -> Outcome {
        let created = self.create(tenant, new, usage).await?;
        let id = &created.project.value.id;
        let claim = self.0.store.claim_project(tenant, id, self.0.clock.now());
        super::note("a project that was created without a key", claim).await;
        Ok(created)
    }

    async fn create(&self, tenant: &TenantId, new: &NewProject, usage: &Usage) -> Outcome {
        // Somebody may change it, and news of that come, before Aurora's answer does.
        let asked = self.0.news.number();
        let project = self.0.aurora.create_project(tenant, new, usage.meter()).await?;
        let external_id = project.external_provider_id.clone().or(new.external_provider_id.clone());
        let key = ProjectKey { tenant: tenant.clone(), project: project.id.clone() };
        self.forget_lists(tenant);
        let entry = self.0.projects.put(key, project, asked);
        if let Some(external_id) = external_id {
            let pair = vec![(external_id, entry.value.id.clone())];
            let known = self.0.store.remember_external_ids(tenant, pair, Origin::Created);
            super::note("the CRM's id of a new project", known).await;
        }
        Ok(Created { project: super::fetched(entry), replayed: false })
    }
}

/// What became of a create, for the store.
enum Note {
    Finished(ProjectId),
    Unknown,
    Abandoned,
}

/// Takes a create off the list when it ends, also when it ends by a panic.
struct Leave {
    catalog: Catalog,
    place: Option<(TenantId, CreateKey)>,
}

impl Drop for Leave {
    fn drop(&mut self) {
        if let Some(place) = &self.place {
            self.catalog.0.creates.lock().remove(place);
        }
    }
}
