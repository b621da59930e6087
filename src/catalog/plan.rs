//! What an operation would cost Aurora: reads and creates gone through without asking for anything.
//!
//! A [`Usage`](super::Usage) that plans makes every read note what it would ask for, and answer with what memory knows
//! or, where it knows nothing, with a stand-in that the resolvers can go on with. Invariants: nothing is sent, written
//! or forgotten; what is told as exact is what happens, if Aurora has what memory says it has and answers at the
//! first try. Not here: stand-ins and steps of each noun, which are in [`stand_in`].

pub(super) mod stand_in;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{Catalog, CreateKey, Created, Error, Inner, Kept, fetched, news::Scope};
use crate::{
    cache::{Hangs, Weigh},
    domain::{DesignKey, Fetched, NewProject, ProjectId, ProjectKey, TenantId, Trace},
    store::{Begin, Request},
};
use stand_in::Planned;

/// What memory is taken to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// What it holds.
    AsItIs,
    /// Nothing, not even a key.
    Empty,
    /// All that the operation needs, as after it has run once.
    Full,
}

/// Something that costs a call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Step {
    Exchange(TenantId),
    Summary(DesignKey),
    Design(DesignKey),
    Project(ProjectKey),
    DesignsOf(ProjectKey),
    Projects(TenantId, u32),
    /// Each is another.
    Create(TenantId, usize),
}

impl Step {
    /// What is sent, with the names of ids in their places.
    fn request(&self) -> &'static str {
        match self {
            Self::Exchange(_) => "POST /partner_applications/{application}/tenants/{tenant}/create_token",
            Self::Summary(_) => "GET /tenants/{tenant}/designs/{design}/summary",
            Self::Design(_) => "GET /tenants/{tenant}/designs/{design}",
            Self::Project(_) => "GET /tenants/{tenant}/projects/{project}",
            Self::DesignsOf(_) => "GET /tenants/{tenant}/projects/{project}/designs",
            Self::Projects(..) => "GET /tenants/{tenant}/projects",
            Self::Create(..) => "POST /tenants/{tenant}/projects",
        }
    }

    fn tenant(&self) -> &TenantId {
        match self {
            Self::Exchange(tenant) | Self::Projects(tenant, _) | Self::Create(tenant, _) => tenant,
            Self::Summary(key) | Self::Design(key) => &key.tenant,
            Self::Project(key) | Self::DesignsOf(key) => &key.tenant,
        }
    }

    /// The id that it asks about.
    fn id(&self) -> Option<&str> {
        match self {
            Self::Exchange(_) | Self::Projects(..) | Self::Create(..) => None,
            Self::Summary(key) | Self::Design(key) => Some(key.design.as_str()),
            Self::Project(key) | Self::DesignsOf(key) => Some(key.project.as_str()),
        }
    }
}

/// How many a stand-in stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guess {
    /// One that is surely there; only its name is not known.
    One,
    /// One of a list whose length is not known.
    OfMany,
}

/// What a planning run has noted so far.
#[derive(Debug)]
pub struct Planning {
    memory: Memory,
    notes: Mutex<Notes>,
}

#[derive(Debug, Default)]
struct Notes {
    steps: HashSet<Step>,
    guesses: HashMap<String, Guess>,
    /// Pages that stand in for ones that nobody has seen.
    pages: usize,
    creates: usize,
    /// Something depends on what only Aurora knows.
    inexact: bool,
}

/// What an operation would cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// Calls to Aurora; at the most, where that is not exact.
    pub calls: u32,
    /// Whether it is that many.
    pub exact: bool,
    /// Which, and how many of each.
    pub requests: BTreeMap<&'static str, u32>,
}

impl Planning {
    pub(super) fn new(memory: Memory) -> Self {
        Self { memory, notes: Mutex::default() }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sum of what was noted.
    #[must_use]
    pub fn cost(&self) -> Cost {
        let notes = self.notes();
        let guesses = |wanted| {
            let asked = notes.steps.iter().filter_map(Step::id).filter_map(|id| notes.guesses.get(id));
            asked.filter(|it| **it == wanted).count()
        };
        // Two that are not known may be one and the same; and one that is not known may be in memory.
        let one_too_many = if self.memory == Memory::Empty { 1 } else { 0 };
        let known = notes.pages <= 1 && guesses(Guess::OfMany) == 0 && guesses(Guess::One) <= one_too_many;
        let exact = !notes.inexact && (known || self.memory == Memory::Full);
        let mut requests = BTreeMap::new();
        for step in &notes.steps {
            *requests.entry(step.request()).or_default() += 1;
        }
        Cost { calls: u32::try_from(notes.steps.len()).unwrap_or(u32::MAX), exact, requests }
    }

    /// The number of an id that stands in for one that is not known.
    pub(super) fn guess(&self, guess: Guess) -> usize {
        let mut notes = self.notes();
        let number = notes.guesses.len();
        notes.guesses.insert(ProjectId::unknown(number).as_str().to_owned(), guess);
        number
    }

    pub(super) fn guess_page(&self) {
        self.notes().pages += 1;
    }
}

impl Inner {
    /// A read, planned: from memory, else with a stand-in and a note of what would be asked.
    pub(super) async fn plan_read<K, V>(
        &self,
        cache: &Kept<K, V>,
        key: &K,
        planning: &Planning,
    ) -> Result<Fetched<V>, Error>
    where
        K: Hangs<V, On = Scope> + Weigh + std::hash::Hash + Eq + Clone + Send + Sync + 'static,
        V: Weigh + Planned<K> + Send + Sync + 'static,
    {
        let at_once = cache.at_once(key);
        if planning.memory != Memory::Full && (planning.memory == Memory::Empty || at_once.is_none()) {
            self.note_step(planning, V::step(key));
        }
        match at_once {
            Some(Ok(entry)) => return Ok(fetched(entry)),
            Some(Err(error)) => return Err(error.into()),
            None => {}
        }
        if let Some(old) = cache.stale(key) {
            return Ok(fetched(old));
        }
        let project = match V::design(key) {
            Some(design) => self.store.project_of_design(design).await?,
            None => None,
        };
        let stand_in = std::sync::Arc::new(V::stand_in(key, project, planning));
        Ok(Fetched::new(stand_in, self.clock.now()))
    }

    fn note_step(&self, planning: &Planning, step: Step) {
        let tenant = step.tenant().clone();
        let due = self.aurora.exchange_due(&tenant);
        let exchange = match planning.memory {
            Memory::AsItIs => due.now,
            Memory::Empty => due.ever,
            Memory::Full => false,
        };
        let mut notes = planning.notes();
        if exchange {
            notes.steps.insert(Step::Exchange(tenant));
        }
        notes.steps.insert(step);
    }
}

impl Catalog {
    /// A create, planned.
    pub(super) async fn plan_create(
        &self,
        planning: &Planning,
        tenant: &TenantId,
        new: &NewProject,
        key: Option<&CreateKey>,
        usage: &super::Usage,
    ) -> Result<Created, Error> {
        let known = match (key, planning.memory) {
            (None, _) | (Some(_), Memory::Empty) => Begin::Go,
            (Some(key), _) => {
                let key = key.digest(tenant);
                let trace = Trace::of(new, &key);
                let request = Request { tenant: tenant.clone(), key, input: new.mark(), trace };
                self.0.store.preview_create(&request).await?
            }
        };
        match (known, planning.memory) {
            (Begin::Conflict, _) => Err(Error::Conflict),
            (Begin::Replay(project), _) => {
                let key = ProjectKey { tenant: tenant.clone(), project };
                let project = self.project(&key, usage).await?;
                Ok(Created { project, replayed: true })
            }
            (Begin::Go | Begin::Unsettled { .. }, Memory::Full) if key.is_some() => {
                Ok(self.stand_in(planning, tenant, true))
            }
            (Begin::Unsettled { .. }, _) => {
                planning.notes().inexact = true;
                self.0.note_step(planning, Step::Projects(tenant.clone(), u32::MAX));
                Ok(self.stand_in(planning, tenant, true))
            }
            (Begin::Go, _) => {
                let number = {
                    let mut notes = planning.notes();
                    notes.creates += 1;
                    notes.creates
                };
                // In a memory that is full there is a key, and each create without a key is another project.
                self.0.note_step(planning, Step::Create(tenant.clone(), number));
                Ok(self.stand_in(planning, tenant, false))
            }
        }
    }

    fn stand_in(&self, planning: &Planning, tenant: &TenantId, replayed: bool) -> Created {
        let project = stand_in::project(tenant, planning.guess(Guess::One));
        let project = Fetched::new(std::sync::Arc::new(project), self.0.clock.now());
        Created { project, replayed }
    }

    /// Calls that getting a key for the tenant would cost: as memory is, and with nothing in it.
    #[must_use]
    pub fn key_cost(&self, tenant: &TenantId) -> (u32, u32) {
        let due = self.0.aurora.exchange_due(tenant);
        (u32::from(due.now), u32::from(due.ever))
    }
}

/// The project that a design is known to belong to, or a stand-in for it.
pub(super) fn project_or_guess(known: Option<ProjectId>, planning: &Planning) -> Option<ProjectId> {
    known.or_else(|| Some(ProjectId::unknown(planning.guess(Guess::One))))
}
