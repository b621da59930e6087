//! What has changed at a desk and is not on disk yet.

use std::collections::HashSet;

use super::ReplayKey;
use crate::domain::LaneKey;

/// What has changed since it was last written down.
#[derive(Debug, Default)]
pub(in crate::deliver) struct Unsaved {
    pub(in crate::deliver) target: bool,
    pub(in crate::deliver) lanes: HashSet<LaneKey>,
    pub(in crate::deliver) replays: HashSet<ReplayKey>,
}

impl Unsaved {
    pub(in crate::deliver) fn is_empty(&self) -> bool {
        !self.target && self.lanes.is_empty() && self.replays.is_empty()
    }

    pub(in crate::deliver) fn add(&mut self, other: Self) {
        self.target |= other.target;
        self.lanes.extend(other.lanes);
        self.replays.extend(other.replays);
    }
}
