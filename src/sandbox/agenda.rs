//! What will happen by itself, and when.
//!
//! [`Agenda`] is a list ordered by the sandbox's clock; [`run`] carries out what is due. Pushing
//! the clock makes the future due at once, retries of webhooks included. Invariant: a task runs
//! once, and tasks of one moment start in the order they were planned.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::clock::Moment;
use super::deliver::{self, Delivery};
use super::world::Shared;

/// As many tasks as may wait; a delivery beyond that is dropped and logged as such.
pub(super) const TASKS_KEPT: usize = 20_000;

/// Webhook calls in flight at once: enough for a burst, too few to exhaust a laptop's sockets.
const CALLS_IN_FLIGHT: usize = 32;

/// How long the runner sleeps when nothing is planned. A new task wakes it earlier.
const IDLE: Duration = Duration::from_secs(60);

/// Something that happens later.
#[derive(Debug, Clone)]
pub(super) enum Task {
    /// The authority over a project's site is found.
    FindAhj { tenant: String, project: String },
    /// The performance simulation of a design has run.
    Simulate { tenant: String, design: String },
    /// A webhook is called.
    Deliver(Delivery),
}

/// The tasks, earliest first.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    tasks: BTreeMap<(Moment, u64), Task>,
    planned: u64,
}

impl Agenda {
    /// False when the agenda is full.
    pub(super) fn plan(&mut self, due: Moment, task: Task) -> bool {
        let room = self.tasks.len() < TASKS_KEPT;
        if room {
            self.planned += 1;
            self.tasks.insert((due, self.planned), task);
        }
        room
    }

    fn due(&mut self, now: Moment) -> Vec<Task> {
        let later = self.tasks.split_off(&(now, u64::MAX));
        std::mem::replace(&mut self.tasks, later).into_values().collect()
    }

    fn wait(&self, now: Moment) -> Duration {
        self.tasks.keys().next().map_or(IDLE, |(due, _)| now.until(*due).min(IDLE))
    }

    /// How many tasks there ever were.
    pub(super) fn planned(&self) -> u64 {
        self.planned
    }

    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }
}

/// Carries out what is due, for ever. Dropping it drops the webhook calls in flight too.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut calls = JoinSet::new();
    loop {
        for task in shared.with(|world, now| world.agenda.due(now)) {
            match task {
                Task::FindAhj { tenant, project } => {
                    shared.with(|world, now| world.find_ahj(&tenant, &project, now));
                }
                Task::Simulate { tenant, design } => {
                    shared.with(|world, now| world.simulate_if_pending(&tenant, &design, now));
                }
                Task::Deliver(delivery) => {
                    if calls.len() >= CALLS_IN_FLIGHT {
                        calls.join_next().await;
                    }
                    calls.spawn(deliver::attempt(Arc::clone(&shared), delivery));
                }
            }
        }
        while calls.try_join_next().is_some() {}
        let wait = shared.with(|world, now| world.agenda.wait(now));
        tokio::select! {
            () = shared.agenda_changed() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn simulate(design: &str) -> Task {
        Task::Simulate { tenant: "t".to_owned(), design: design.to_owned() }
    }

    #[test]
    fn tasks_fall_due_in_order() {
        let mut agenda = Agenda::default();
        agenda.plan(Moment::at_second(20), simulate("late"));
        agenda.plan(Moment::at_second(10), simulate("early"));
        assert_eq!(agenda.wait(Moment::at_second(4)), Duration::from_secs(6));
        assert!(agenda.due(Moment::at_second(9)).is_empty());
        let due = agenda.due(Moment::at_second(10));
        assert!(matches!(&due[..], [Task::Simulate { design, .. }] if design == "early"));
        assert_eq!(agenda.len(), 1);
    }
}
