//! Where the metrics find what other parts count.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crate::{
    aurora::{Aurora, Ending},
    catalog::{Catalog, Look},
    deliver::{Outbound, Outcome, Target},
    telemetry::metrics::{Lookup, Sources, TargetCounts, UpstreamOutcome},
};

pub(super) fn sources(
    aurora: Aurora,
    catalog: Catalog,
    outbound: Outbound,
    grants_dropped: Arc<AtomicU64>,
) -> Sources {
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
        targets: Box::new(move || outbound.targets().iter().map(counts).collect()),
        session_tokens_dropped: Box::new(move || grants_dropped.load(Ordering::Relaxed)),
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
