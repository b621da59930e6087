//! Where the metrics find what other parts count.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crate::{
    aurora::{Aurora, Ending},
    catalog::{Catalog, Look},
    journal::Journal,
    telemetry::metrics::{Lookup, Sources, UpstreamOutcome},
};

pub(super) fn sources(
    aurora: Aurora,
    catalog: Catalog,
    grants_dropped: Arc<AtomicU64>,
    journal: Arc<dyn Journal>,
) -> Sources {
    let also = Arc::clone(&journal);
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
        store_writable: Box::new(move || journal.writable()),
        store_unreadable: Box::new(move || also.unreadable() as u64),
    }
}
