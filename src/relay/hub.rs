//! Who waits for what, so that an event touches only those whom it concerns.
//!
//! Invariants: a listener is told of every event that it waits for and that is announced after it was entered, in their
//! order; what is said is a place in the journal and never an event, so nobody has to keep up with what is said here.
//! Not here: how many may listen, and what they do with it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
};

use crate::{
    domain::{DesignId, Event, EventKind, ProjectId, Seq, TenantId},
    journal::Filter,
};

/// What a listener waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interest {
    /// Whose events.
    pub tenant: TenantId,
    /// Which of them.
    pub filter: Filter,
}

/// Somebody who wants to know that there is something to read.
pub trait Listener: Send + Sync + 'static {
    /// There may be something between these places, the first not included. Between what it was last told and `from`
    /// there is nothing. Called in the order of events, and must not wait.
    fn announced(self: Arc<Self>, from: Seq, through: Seq);
}

/// All who listen.
#[derive(Default)]
pub(super) struct Hub {
    /// Everything up to here has been told to everybody.
    told: AtomicU64,
    index: Mutex<Index>,
}

#[derive(Default)]
struct Index {
    slots: HashMap<Slot, Vec<Entry>>,
    next: u64,
}

/// The most telling part of an interest: where it is looked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Slot {
    tenant: TenantId,
    of: Of,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Of {
    Design(DesignId),
    Project(ProjectId),
    Kind(EventKind),
    Anything,
}

struct Entry {
    id: u64,
    interest: Arc<Interest>,
    listener: Arc<dyn Listener>,
}

/// An entry, which is struck out when this is dropped.
pub struct Registration {
    hub: Arc<Hub>,
    interest: Arc<Interest>,
    id: u64,
    /// What it is told lies behind this place.
    pub since: Seq,
}

impl Interest {
    /// Where it is entered: under one slot for each kind, or under one in all.
    fn slots(&self) -> Vec<Slot> {
        let Filter { kinds, design, project, completions_only } = &self.filter;
        let of = match (design, project, kinds) {
            (Some(design), _, _) => vec![Of::Design(design.clone())],
            (None, Some(project), _) => vec![Of::Project(project.clone())],
            _ if *completions_only => vec![Of::Kind(EventKind::PerformanceSimulationJobCompleted)],
            (None, None, Some(kinds)) => {
                let mut slots: Vec<_> = kinds.iter().copied().map(Of::Kind).collect();
                let mut seen = std::collections::HashSet::new();
                slots.retain(|it| seen.insert(it.clone()));
                slots
            }
            (None, None, None) => vec![Of::Anything],
        };
        of.into_iter().map(|of| Slot { tenant: self.tenant.clone(), of }).collect()
    }
}

/// Where those are found who may wait for an event.
fn slots_of(event: &Event) -> impl Iterator<Item = Slot> {
    let design = event.delivery.design.clone().map(Of::Design);
    let project = event.project.clone().map(Of::Project);
    let all = [design, project, Some(Of::Kind(event.kind())), Some(Of::Anything)];
    all.into_iter().flatten().map(|of| Slot { tenant: event.tenant.clone(), of })
}

impl Hub {
    /// A hub that has told everything up to a place.
    pub(super) fn new(told: Seq) -> Self {
        Self { told: AtomicU64::new(told.0), index: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place up to which everything has been told.
    pub(super) fn told(&self) -> Seq {
        Seq(self.told.load(SeqCst))
    }

    /// Enters a listener. It is told of everything that has not been told yet.
    pub(super) fn enter(self: &Arc<Self>, interest: Interest, listener: &Arc<dyn Listener>) -> Registration {
        let interest = Arc::new(interest);
        let mut index = self.lock();
        let id = index.next;
        index.next += 1;
        for slot in interest.slots() {
            let entry = Entry { id, interest: Arc::clone(&interest), listener: Arc::clone(listener) };
            index.slots.entry(slot).or_default().push(entry);
        }
        Registration { hub: Arc::clone(self), interest, id, since: self.told() }
    }

    /// Tells those who wait for it that an event was announced. To be called for each, in their order.
    pub(super) fn tell(&self, event: &Event) {
        let index = self.lock();
        for entry in slots_of(event).filter_map(|it| index.slots.get(&it)).flatten() {
            if entry.interest.filter.matches(event) {
                let before = Seq(event.seq.0.saturating_sub(1));
                Arc::clone(&entry.listener).announced(before, event.seq);
            }
        }
        // Before the lock is given up: who is entered from now on is told of what comes behind this.
        self.told.store(event.seq.0, SeqCst);
    }

    /// Sends everybody to look for themselves: what was announced up to a place is not at hand.
    pub(super) fn tell_all(&self, through: Seq) {
        let index = self.lock();
        let from = self.told();
        for entry in index.slots.values().flatten() {
            Arc::clone(&entry.listener).announced(from, through);
        }
        self.told.store(through.0, SeqCst);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut index = self.hub.lock();
        for slot in self.interest.slots() {
            if let Some(entries) = index.slots.get_mut(&slot) {
                entries.retain(|it| it.id != self.id);
                if entries.is_empty() {
                    index.slots.remove(&slot);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{Delivery, event::Source};

    fn tenant(name: &str) -> TenantId {
        TenantId::parse(name).unwrap()
    }

    fn event(seq: u64, whose: &str, name: &str, status: &str) -> Event {
        let delivery = Delivery {
            name: name.to_owned(),
            tenant: Some(tenant(whose)),
            design: None,
            project: None,
            job: None,
            status: Some(status.to_owned()),
            parameters: Vec::new(),
            received_at: jiff::Timestamp::UNIX_EPOCH,
            source: Source::Webhook,
        };
        Event {
            seq: Seq(seq),
            tenant: tenant(whose),
            project: None,
            delivery,
            summary_read: false,
            replay_of: None,
        }
    }

    #[derive(Default)]
    struct Ear(Mutex<Vec<(Seq, Seq)>>);

    impl Listener for Ear {
        fn announced(self: Arc<Self>, from: Seq, through: Seq) {
            self.0.lock().unwrap().push((from, through));
        }
    }

    const KINDS: [EventKind; 3] =
        [EventKind::PerformanceSimulationJobCompleted, EventKind::ProjectChanged, EventKind::Other];

    const NAMES: [&str; 3] = ["performance_simulation_job_completed", "project_changed", "else"];

    fn interests() -> impl Strategy<Value = Interest> {
        let of = |letter: &'static str| {
            proptest::option::of(prop_oneof![Just("1"), Just("2")].prop_map(move |n| format!("{letter}{n}")))
        };
        let kinds = proptest::option::of(prop::collection::vec(prop::sample::select(&KINDS[..]), 0..4));
        (prop_oneof![Just("a"), Just("b")], of("d"), of("p"), kinds, any::<bool>()).prop_map(
            |(of_tenant, design, project, kinds, completions_only)| Interest {
                tenant: tenant(of_tenant),
                filter: Filter {
                    kinds,
                    design: design.map(|it| DesignId::parse(&it).unwrap()),
                    project: project.map(|it| ProjectId::parse(&it).unwrap()),
                    completions_only,
                },
            },
        )
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        let one = (
            prop_oneof![Just("a"), Just("b")],
            prop::sample::select(&NAMES[..]),
            proptest::option::of(prop_oneof![Just("d1"), Just("d2")]),
            proptest::option::of(prop_oneof![Just("p1"), Just("p2")]),
            prop_oneof![Just("succeeded"), Just("failed")],
        );
        prop::collection::vec(one, 1..20).prop_map(|all| {
            let made = all.into_iter().enumerate().map(|(at, (whose, name, design, project, status))| {
                let mut made = event(at as u64 + 1, whose, name, status);
                made.delivery.design = design.map(|it| DesignId::parse(it).unwrap());
                made.project = project.map(|it| ProjectId::parse(it).unwrap());
                made
            });
            made.collect()
        })
    }

    proptest! {
        #[test]
        fn a_listener_is_told_of_what_it_waits_for_once_and_of_nothing_else(
            interests in prop::collection::vec(interests(), 1..8), events in events(),
        ) {
            let hub = Arc::new(Hub::new(Seq(0)));
            let ears: Vec<_> = interests.iter().map(|_| Arc::new(Ear::default())).collect();
            let entries: Vec<_> = interests.iter().zip(&ears).map(|(interest, ear)| {
                hub.enter(interest.clone(), &(Arc::clone(ear) as Arc<dyn Listener>))
            }).collect();
            events.iter().for_each(|it| hub.tell(it));
            for (interest, ear) in interests.iter().zip(&ears) {
                let wanted: Vec<_> = events.iter()
                    .filter(|it| it.tenant == interest.tenant && interest.filter.matches(it))
                    .map(|it| (Seq(it.seq.0 - 1), it.seq)).collect();
                prop_assert_eq!(&*ear.0.lock().unwrap(), &wanted, "{:?}", interest);
            }
            drop(entries);
            prop_assert!(hub.lock().slots.is_empty(), "nothing is kept of those who left");
        }
    }

    #[test]
    fn who_comes_later_is_told_of_what_comes_later() {
        let hub = Arc::new(Hub::new(Seq(4)));
        let interest = Interest { tenant: tenant("acme"), filter: Filter::default() };
        let ear = Arc::new(Ear::default());
        let next = |seq| event(seq, "acme", "else", "");
        hub.tell(&next(5));
        let entry = hub.enter(interest, &(Arc::clone(&ear) as Arc<dyn Listener>));
        assert_eq!(entry.since, Seq(5));
        hub.tell(&next(6));
        hub.tell_all(Seq(9));
        assert_eq!(*ear.0.lock().unwrap(), [(Seq(5), Seq(6)), (Seq(6), Seq(9))]);
    }
}
