//! Numbers the news about things that many entries hang on, so that whatever was fetched before them can be told.
//!
//! An entry has a key of its own, which is forgotten directly. It may also hang on a project or a tenant, whose
//! entries nobody can list: those are outdated by number. Invariants: news are never lost, also beyond the limit,
//! where more is outdated than would have to be; telling costs the same however much is kept.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;

use crate::clock;

/// Things with news of their own that are remembered: some megabytes. Beyond that everything fetched so far counts as
/// outdated, which costs reads and is never wrong.
const MOST: usize = 20_000;

/// The news so far, about things of one kind of name.
#[derive(Debug)]
pub struct News<S> {
    latest: AtomicU64,
    /// What was fetched before this number is outdated, whatever it hangs on.
    floor: AtomicU64,
    told: RwLock<HashMap<S, Told>>,
    /// Nothing that is older is served anyway.
    kept_for: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Told {
    number: u64,
    at: Timestamp,
}

impl<S: Hash + Eq> News<S> {
    /// No news yet. They are remembered as long as anything may be served.
    #[must_use]
    pub fn new(kept_for: Duration) -> Self {
        Self { latest: AtomicU64::new(0), floor: AtomicU64::new(0), told: RwLock::default(), kept_for }
    }

    /// The number of the latest news: what is fetched from now on is newer than them.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.latest.load(Ordering::Acquire)
    }

    /// Something happened to this: whatever hangs on it and was fetched so far is outdated.
    pub fn tell(&self, about: S, now: Timestamp) {
        let mut told = self.told.write().unwrap_or_else(PoisonError::into_inner);
        let number = self.latest.fetch_add(1, Ordering::AcqRel) + 1;
        if told.len() >= MOST {
            told.retain(|_, it| clock::between(it.at, now) < self.kept_for);
            if told.len() > MOST / 2 {
                told.clear();
                self.floor.store(number, Ordering::Release);
            }
        }
        told.insert(about, Told { number, at: now });
    }

    /// Whether what was fetched at that number, and hangs on these, is still to be believed.
    pub fn stands(&self, number: u64, hangs_on: impl IntoIterator<Item = S>) -> bool {
        if number >= self.number() {
            return true;
        }
        let told = self.told.read().unwrap_or_else(PoisonError::into_inner);
        number >= self.floor.load(Ordering::Acquire)
            && hangs_on.into_iter().all(|it| told.get(&it).is_none_or(|told| told.number <= number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    #[test]
    fn news_outdate_what_hangs_on_them_and_nothing_else() {
        let news = News::new(DAY);
        let before = news.number();
        news.tell("p", Timestamp::UNIX_EPOCH);
        assert!(!news.stands(before, ["t", "p"]) && news.stands(before, ["t", "q"]));
        assert!(news.stands(news.number(), ["t", "p"]));
    }

    #[test]
    fn beyond_the_limit_too_much_is_outdated_and_never_too_little() {
        let news = News::new(DAY);
        let before = news.number();
        for thing in 0..=MOST {
            news.tell(thing, Timestamp::UNIX_EPOCH);
        }
        assert!((0..=MOST).all(|thing| !news.stands(before, [thing])));
        assert!(!news.stands(before, [MOST + 1]));
        assert!(news.told.read().unwrap().len() <= MOST);
        assert!(news.stands(news.number(), [0]));
    }

    #[test]
    fn news_are_dropped_when_nothing_can_be_older_than_them() {
        let news = News::new(DAY);
        for thing in 0..MOST {
            news.tell(thing, Timestamp::UNIX_EPOCH);
        }
        let before = news.number();
        news.tell(MOST, clock::later(Timestamp::UNIX_EPOCH, DAY));
        assert!(news.stands(before, [0]), "only the old news went");
        assert_eq!(news.told.read().unwrap().len(), 1);
    }
}
