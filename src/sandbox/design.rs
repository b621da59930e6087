//! A design: a layout on a house, and whether its performance has been simulated.
//!
//! [`Design`] keeps only what cannot be worked out again; the figures come from its site and its
//! revision every time they are asked for. Invariant: the production shown is that of the last
//! simulated revision, however often the layout changed since; it then is not up to date.

use serde_json::{Value, json};

use super::answer::{number, tenth};
use super::clock::Moment;
use super::dice::Dice;
use super::summary::Oddity;

mod bill;
pub(super) mod harvest;
pub(super) mod layout;
pub(super) mod parts;

pub(super) use bill::Line;
use harvest::Harvest;
use layout::{Layout, Site};

/// One of a project's designs.
#[derive(Debug, Clone)]
pub(super) struct Design {
    pub(super) id: String,
    pub(super) project_id: String,
    pub(super) name: String,
    pub(super) external_provider_id: Option<String>,
    pub(super) created_at: Moment,
    pub(super) site: Site,
    pub(super) revision: u32,
    pub(super) simulation: Option<Simulation>,
    pub(super) milestone: Option<Milestone>,
    pub(super) oddities: Vec<Oddity>,
    /// How often a simulation was run, for the next job's id.
    pub(super) runs: u32,
}

/// A performance simulation that has succeeded.
#[derive(Debug, Clone)]
pub(super) struct Simulation {
    pub(super) revision: u32,
    pub(super) job_id: String,
}

/// Where a sale stands.
#[derive(Debug, Clone)]
pub(super) struct Milestone {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) recorded_at: Moment,
}

impl Design {
    /// The id of the next simulation; the same design's nth job always has the same.
    pub(super) fn next_job(&mut self, opaque: bool) -> String {
        self.runs += 1;
        Dice::of(&["job", &self.id, &self.runs.to_string()]).id(opaque)
    }

    pub(super) fn layout(&self) -> Layout {
        Layout::of(&self.site, self.revision)
    }

    /// What the last simulation found, if one has run.
    pub(super) fn harvest(&self) -> Option<Harvest> {
        let simulation = self.simulation.as_ref()?;
        Some(Harvest::of(&self.site, &Layout::of(&self.site, simulation.revision)))
    }

    pub(super) fn is_up_to_date(&self) -> bool {
        self.simulation.as_ref().is_some_and(|it| it.revision == self.revision)
    }

    /// The design as it stands in a project's list.
    pub(super) fn list_item(&self) -> Value {
        let layout = self.layout();
        json!({
            "id": self.id,
            "external_provider_id": self.external_provider_id,
            "name": self.name,
            "created_at": self.created_at.spaced(),
            "system_size_stc": number(layout.stc_w()),
            "system_size_ptc": number(tenth(layout.ptc_w())),
            "system_size_ac": number(layout.ac_w()),
            "milestone": self.milestone_json(),
        })
    }

    /// The design by itself.
    pub(super) fn json(&self) -> Value {
        json!({
            "id": self.id,
            "project_id": self.project_id,
            "external_provider_id": self.external_provider_id,
            "name": self.name,
            "created_at": self.created_at.spaced(),
            "milestone": self.milestone_json(),
        })
    }

    fn milestone_json(&self) -> Value {
        self.milestone.as_ref().map_or(Value::Null, |it| {
            json!({
                "id": it.id,
                "milestone": it.name,
                "notes": null,
                "recorded_at": it.recorded_at.iso(),
            })
        })
    }
}
