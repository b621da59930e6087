//! Where the metrics find what other parts count.

use std::sync::{Arc, atomic::Ordering};

use crate::{
    aurora::{Aurora, Ending},
    catalog::{Catalog, Look},
    deliver::{Outbound, Outcome, Target},
    graphql::Told,
    intake::Intake,
    journal::Journal,
    telemetry::metrics::{Lookup, RotationOutcome, Sources, TargetCounts, UpstreamOutcome},
};

use super::rotation::Rotation;

/// The parts that count.
pub(super) struct Counted<'a> {
    pub(super) aurora: &'a Aurora,
    pub(super) catalog: &'a Catalog,
    pub(super) intake: &'a Intake,
    pub(super) rotation: &'a Rotation,
    pub(super) outbound: &'a Outbound,
    pub(super) told: &'a Arc<Told>,
    pub(super) journal: &'a Arc<dyn Journal>,
}

pub(super) fn sources(counted: &Counted<'_>) -> Sources {
    let (aurora, catalog) = (counted.aurora.clone(), counted.catalog.clone());
    let (grants_dropped, rotations) = (counted.intake.grants_dropped(), counted.rotation.counts());
    let outbound = counted.outbound.clone();
    let (executions, told) = (Arc::clone(counted.told), Arc::clone(counted.told));
    let (journal, also) = (Arc::clone(counted.journal), Arc::clone(counted.journal));
    Sources {
        event_executions: Box::new(move || executions.executions.load(Ordering::Relaxed)),
        event_answers: Box::new(move || told.answers.load(Ordering::Relaxed)),
        upstream_calls: Box::new(move |outcome| {
            aurora.calls_ended(match outcome {
                UpstreamOutcome::Ok => Ending::Ok,
                UpstreamOutcome::Rejected => Ending::Rejected,
                UpstreamOutcome::RateLimited => Ending::RateLimited,
                UpstreamOutcome::Failed => Ending::Failed,
                UpstreamOutcome::TimedOut => Ending::TimedOut,
            })
        }),
        cache_lookups: Box::new(move |lookup| {
            catalog.looks(match lookup {
                Lookup::Hit => Look::Hit,
                Lookup::Miss => Look::Miss,
                Lookup::Stale => Look::Stale,
                Lookup::Coalesced => Look::Coalesced,
            })
        }),
        targets: Box::new(move || outbound.targets().iter().map(counts).collect()),
        session_tokens_dropped: Box::new(move || grants_dropped.load(Ordering::Relaxed)),
        secret_rotations: Box::new(move |outcome| match outcome {
            RotationOutcome::Taken => rotations.taken(),
            RotationOutcome::Refused => rotations.refused(),
        }),
        store_writable: Box::new(move || journal.writable()),
        store_unreadable: Box::new(move || also.unreadable() as u64),
    }
}

fn counts(target: &Target) -> TargetCounts {
    let tally = &target.tally;
    TargetCounts {
        name: target.name.clone(),
        outcomes: Outcome::ALL.map(|outcome| (outcome.text(), tally.total(outcome))).to_vec(),
        pending: tally.pending(),
        is_disabled: tally.is_disabled(),
    }
}
