//! How old each noun may be: one table, which people read in `docs/caching.md`.
//!
//! Webhooks tell when something changed, and outdate it at once; these times are for the webhook that got lost, and
//! for what Aurora sends no webhook about. Not here: what news outdate, which is [`news`](super::news)'s to say.

use std::{fmt::Write as _, time::Duration};

use crate::cache::Freshness;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long Aurora's 404 is believed, whatever it was about: enough for the siblings of a page that all ask, and less
/// than a person needs to notice that something is there after all.
const ABSENT: Duration = SECOND.saturating_mul(5);

/// One row: a noun, how old it may be, and why.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// What it is about.
    pub noun: &'static str,
    /// How old it may be.
    pub freshness: Freshness,
    /// Its share of all bytes, in eighths.
    pub eighths: u64,
    /// Why these times.
    pub why: &'static str,
}

/// Design summaries. The operator has the last word on the first and the third of its times.
pub const SUMMARY: Rule = Rule {
    noun: "design summary",
    freshness: Freshness { fresh: HOUR, revalidate: HOUR, stale: DAY, absent: ABSENT },
    eighths: 4,
    why: "a webhook tells of each simulation; an old figure is never served without saying so",
};

/// Designs.
pub const DESIGN: Rule = Rule {
    noun: "design",
    freshness: Freshness {
        fresh: MINUTE.saturating_mul(5),
        revalidate: MINUTE.saturating_mul(15),
        stale: DAY,
        absent: ABSENT,
    },
    eighths: 1,
    why: "a name or a project seldom changes, and no published webhook says so when it does",
};

/// Projects, one by one.
pub const PROJECT: Rule = Rule {
    noun: "project",
    freshness: Freshness { fresh: MINUTE, revalidate: MINUTE.saturating_mul(5), stale: DAY, absent: ABSENT },
    eighths: 1,
    why: "people edit it while they work on it; `project_changed` is heard where it is subscribed to",
};

/// The designs of one project.
pub const DESIGNS_OF: Rule = Rule {
    noun: "designs of a project",
    freshness: Freshness {
        fresh: SECOND.saturating_mul(10),
        revalidate: MINUTE,
        stale: HOUR,
        absent: ABSENT,
    },
    eighths: 1,
    why: "it grows behind our back, by one design at a time",
};

/// Pages of a tenant's list of projects.
pub const PROJECTS: Rule = Rule {
    noun: "list of projects",
    freshness: Freshness {
        fresh: SECOND.saturating_mul(10),
        revalidate: MINUTE,
        stale: HOUR,
        absent: ABSENT,
    },
    eighths: 1,
    why: "ten seconds let a page be turned without asking again; a create of ours is seen at once",
};

/// Every noun that is kept, and how.
pub const TABLE: [Rule; 5] = [SUMMARY, DESIGN, PROJECT, DESIGNS_OF, PROJECTS];

/// As long as anything is ever served, unless the operator says longer.
pub(super) const LONGEST: Duration = DAY;

/// The table as people read it.
#[must_use]
pub fn table() -> String {
    let mut text = String::from(
        "| noun | fresh | refreshed behind the caller's back | stands in while Aurora is out | 404 believed | why |\n\
         | --- | --- | --- | --- | --- | --- |\n",
    );
    for Rule { noun, freshness: it, why, .. } in TABLE {
        let behind = match it.revalidate > it.fresh {
            true => format!("until {}", told(it.revalidate)),
            false => "never".to_owned(),
        };
        let (fresh, stale, absent) = (told(it.fresh), told(it.stale), told(it.absent));
        // Writing into a string cannot fail.
        let _ = writeln!(text, "| {noun} | {fresh} | {behind} | until {stale} | {absent} | {why} |");
    }
    text
}

fn told(span: Duration) -> String {
    match span.as_secs() {
        seconds if seconds % 3600 == 0 => format!("{} h", seconds / 3600),
        seconds if seconds % 60 == 0 => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

/// What the operator decides about caching.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Up to this age a design summary is served without asking Aurora.
    pub summary_fresh: Duration,
    /// Up to this age one stands in, marked stale, when Aurora cannot answer.
    pub summary_stale: Duration,
    /// Bytes for everything that is kept together.
    pub max_bytes: u64,
}

impl Rules {
    /// The row for summaries as the operator wants it.
    pub(super) fn summary(&self) -> Freshness {
        Freshness {
            fresh: self.summary_fresh,
            revalidate: self.summary_fresh,
            stale: self.summary_stale,
            ..SUMMARY.freshness
        }
    }

    /// The bytes for one noun.
    pub(super) fn share(&self, rule: &Rule) -> u64 {
        self.max_bytes / 8 * rule.eighths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_are_the_whole() {
        assert_eq!(TABLE.iter().map(|it| it.eighths).sum::<u64>(), 8);
    }

    #[test]
    fn each_age_is_longer_than_the_one_before_it_and_no_error_is_believed_for_long() {
        for Rule { noun, freshness: it, .. } in TABLE {
            assert!(it.fresh <= it.revalidate && it.revalidate <= it.stale, "{noun}");
            assert!(it.stale <= LONGEST && it.absent <= Duration::from_secs(5), "{noun}");
        }
    }
}
