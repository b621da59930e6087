//! The order of what concerns one project, over all of its lanes.
//!
//! A delivery that names a design and a project stands in the design's lane; those that name the project alone stand in
//! the project's. Here it is known which of them came first, so that a lane goes no further than the project allows.
//! A delivery that names no project waits for nobody's but its own lane's.

use std::collections::{BTreeMap, HashMap};

use crate::{
    domain::{LaneKey, ProjectId, Seq},
    journal::Waiting,
};

/// What is held of each project of a tenant, and in which lane.
#[derive(Debug, Default)]
pub(super) struct Projects(HashMap<ProjectId, BTreeMap<Seq, LaneKey>>);

impl Projects {
    pub(super) fn hold(&mut self, waiting: &Waiting, lane: &LaneKey) {
        if let Some(project) = &waiting.delivery.project {
            self.0.entry(project.clone()).or_default().insert(waiting.seq, lane.clone());
        }
    }

    /// Whether nothing of the delivery's project came before it, other than what stands before it in its own lane.
    pub(super) fn allow(&self, waiting: &Waiting, lane: &LaneKey) -> bool {
        let held = waiting.delivery.project.as_ref().and_then(|project| self.0.get(project));
        held.is_none_or(|held| held.range(..waiting.seq).all(|(_, its)| its == lane))
    }

    /// A delivery is settled. The lane whose turn it is now in the project, if there is one.
    pub(super) fn settle(&mut self, waiting: &Waiting) -> Option<LaneKey> {
        let project = waiting.delivery.project.as_ref()?;
        let held = self.0.get_mut(project)?;
        held.remove(&waiting.seq);
        if held.is_empty() {
            self.0.remove(project);
            return None;
        }
        held.first_key_value().map(|(_, lane)| lane.clone())
    }
}
