//! Where the metrics find what other parts count.

use std::sync::atomic::Ordering;

use crate::{
    aurora::{Aurora, Ending},
    catalog::{Catalog, Look},
    intake::Intake,
    telemetry::metrics::{Lookup, RotationOutcome, Sources, UpstreamOutcome},
};

use super::rotation::Rotation;

pub(super) fn sources(aurora: &Aurora, catalog: &Catalog, intake: &Intake, rotation: &Rotation) -> Sources {
    let (aurora, catalog) = (aurora.clone(), catalog.clone());
    let (grants_dropped, rotations) = (intake.grants_dropped(), rotation.counts());
    Sources {
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
        session_tokens_dropped: Box::new(move || grants_dropped.load(Ordering::Relaxed)),
        secret_rotations: Box::new(move |outcome| match outcome {
            RotationOutcome::Taken => rotations.taken(),
            RotationOutcome::Refused => rotations.refused(),
        }),
    }
}
