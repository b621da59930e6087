//! `[reconcile]`: how the gateway looks for news that Aurora never delivered.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::node::Value;
use super::parse;
use super::section::{Reported, Section};

/// How the gateway looks for news that Aurora never delivered.
#[derive(Debug, Clone, Copy)]
pub struct Reconcile {
    /// How much of each key's calls it may take, in percent. With none it does not look.
    pub share_percent: u32,
    /// From the beginning of one round to that of the next.
    pub every: Duration,
    /// How long ago the last sign of a project may be for its designs to be looked at.
    pub window: Duration,
}

/// A fifth is where people in front of screens begin to feel it.
const MOST_PERCENT: u32 = 20;

/// More often than every minute is polling; seldomer than daily is no safety net.
const EVERY: RangeInclusive<Duration> = Duration::from_mins(1)..=Duration::from_hours(24);

/// Aurora's own retries take a day. What was announced of a design is remembered for longer than a month.
const WINDOW: RangeInclusive<Duration> = Duration::from_hours(24)..=Duration::from_hours(30 * 24);

impl Reconcile {
    pub(super) fn read(mut section: Section<'_, '_>) -> Result<Self, Reported> {
        let share_percent = section.required("share", percent);
        let every =
            section.required("every", parse::duration(EVERY, "more often is polling, seldomer helps nobody"));
        let window = section
            .required("window", parse::duration(WINDOW, "shorter misses what it is for, longer costs more"));
        Ok(Self { share_percent: share_percent?, every: every?, window: window? })
    }
}

fn percent(value: &Value) -> Result<u32, String> {
    let number = parse::text(value)?.trim().strip_suffix('%').and_then(|it| it.trim_end().parse().ok());
    number.filter(|it| *it <= MOST_PERCENT).ok_or_else(|| {
        format!("must be from \"0%\" to \"{MOST_PERCENT}%\": the rest is for those who wait for an answer")
    })
}
