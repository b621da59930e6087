//! `[cache]`: how long an answer of Aurora's may be given again.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::parse;
use super::section::{Reported, Section};

/// How long an answer of Aurora's may be given again. Webhooks make it forget sooner.
#[derive(Debug, Clone)]
pub struct Cache {
    /// A younger summary is given without asking Aurora.
    pub summary_fresh: Duration,
    /// A younger summary is given, marked stale, while Aurora cannot be asked. Not below `summary_fresh`.
    pub summary_stale: Duration,
    /// Bytes that all cached answers may take together.
    pub max_bytes: usize,
}

/// Below a second nothing is saved; a month hides every lost webhook.
const AGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(30 * 24);

const MIB: usize = 1 << 20;

impl Cache {
    pub(super) fn read(mut section: Section<'_, '_>) -> Result<Self, Reported> {
        let age = || parse::duration(AGE, "shorter saves nothing, longer hides a lost webhook");
        let summary_fresh = section.required("summary_fresh", age());
        let summary_stale = section.required("summary_stale", age());
        let size = parse::size(MIB..=64 * 1024 * MIB, "a smaller cache forgets before it helps");
        let max_bytes = section.required("max_bytes", size);

        let (summary_fresh, summary_stale) = (summary_fresh?, summary_stale?);
        if summary_stale < summary_fresh {
            return Err(section.refuse("summary_stale", "must not be shorter than `cache.summary_fresh`"));
        }
        Ok(Self { summary_fresh, summary_stale, max_bytes: max_bytes? })
    }
}
