//! What the cache promises, with fetches that wait for a gate.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::Semaphore;

use super::*;

impl Weigh for u32 {
    fn weight(&self) -> usize {
        size_of::<Self>()
    }
}

impl Weigh for &'static str {
    fn weight(&self) -> usize {
        self.len()
    }
}

/// Everything hangs on "all", and odd numbers on "odd", whatever their key.
impl Hangs<u32> for &'static str {
    type On = &'static str;

    fn hangs_on(&self, value: Option<&u32>) -> [Option<&'static str>; 2] {
        [Some("all"), value.filter(|it| *it % 2 == 1).map(|_| "odd")]
    }
}

impl Absence for &'static str {
    fn is_absence(&self) -> bool {
        *self == "none"
    }

    fn is_outage(&self) -> bool {
        *self == "out"
    }
}

const FRESHNESS: Freshness = Freshness {
    fresh: Duration::from_secs(60),
    revalidate: Duration::from_secs(120),
    stale: Duration::from_secs(600),
    absent: Duration::from_secs(5),
};

struct Bench {
    cache: Cache<&'static str, u32, &'static str, Arc<AtomicU32>>,
    news: Arc<News<&'static str>>,
    clock: Clock,
    calls: Arc<AtomicU32>,
    joined: Arc<AtomicU32>,
    gate: Arc<Semaphore>,
}

impl Bench {
    fn new() -> Self {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let news = Arc::new(News::new(FRESHNESS.stale));
        let cache = Cache::new(64 * 1024, FRESHNESS, clock.clone(), Arc::clone(&news));
        Self {
            cache,
            news,
            clock,
            calls: Arc::default(),
            joined: Arc::default(),
            gate: Arc::new(Semaphore::new(0)),
        }
    }

    /// Reads by that fetch, whose joiners are counted.
    async fn ask<Fut>(
        &self,
        fetch: impl Fn(Errand) -> Fut + Send,
    ) -> Result<(Entry<u32>, Source), Failed<&'static str>>
    where
        Fut: Future<Output = Result<u32, &'static str>> + Send + 'static,
    {
        let begin = move |errand| (Arc::clone(&self.joined), fetch(errand));
        let join = |joined: &Arc<AtomicU32>| {
            joined.fetch_add(1, Ordering::SeqCst);
        };
        self.cache.read(&"k", begin, join).await
    }

    /// Reads; each fetch takes one permit from the gate and answers with its own number.
    async fn read(&self) -> Result<(u32, Source), Failed<&'static str>> {
        let fetch = |_| {
            let (calls, gate) = (Arc::clone(&self.calls), Arc::clone(&self.gate));
            async move {
                let number = calls.fetch_add(1, Ordering::SeqCst) + 1;
                gate.acquire().await.expect("the gate stays").forget();
                Ok(number)
            }
        };
        self.ask(fetch).await.map(|(entry, source)| (*entry.value, source))
    }

    /// Puts in what was asked for just now.
    fn put(&self, value: u32) {
        self.cache.put("k", value, self.news.number());
    }

    async fn calls_reach(&self, wanted: u32) {
        while self.calls.load(Ordering::SeqCst) < wanted {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_thousand_readers_at_once_cost_one_fetch() {
    let bench = Bench::new();
    bench.gate.add_permits(10);
    let answers = futures_util::future::join_all((0..1000).map(|_| bench.read())).await;
    assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|(value, _)| *value == 1)));
    assert_eq!(bench.calls.load(Ordering::SeqCst), 1);
    let begun = answers.iter().filter(|it| matches!(it, Ok((_, Source::Fetched)))).count();
    assert_eq!(begun, 1);
    assert_eq!(bench.joined.load(Ordering::SeqCst), 999, "each of the others hastens it");
}

#[tokio::test]
async fn a_fetch_outlives_the_reader_who_began_it() {
    let bench = Bench::new();
    {
        let mut first = std::pin::pin!(bench.read());
        assert!(futures_util::poll!(first.as_mut()).is_pending());
    }
    bench.calls_reach(1).await;
    bench.gate.add_permits(1);
    assert_eq!(bench.read().await.unwrap().0, 1);
    assert_eq!(bench.calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_fetch_that_was_overtaken_by_news_is_seen_by_nobody() {
    let bench = Bench::new();
    let mut before = std::pin::pin!(bench.read());
    assert!(futures_util::poll!(before.as_mut()).is_pending());
    bench.calls_reach(1).await;

    bench.cache.forget(&"k");
    bench.gate.add_permits(2);

    assert_eq!(before.await.unwrap().0, 2, "the reader from before the news reads again");
    assert_eq!(bench.read().await.unwrap(), (2, Source::Memory));
}

#[tokio::test]
async fn news_of_what_a_value_hangs_on_overtake_its_fetch_and_outdate_it() {
    let bench = Bench::new();
    let mut before = std::pin::pin!(bench.read());
    assert!(futures_util::poll!(before.as_mut()).is_pending());
    bench.calls_reach(1).await;
    let mut joined = std::pin::pin!(bench.read());
    bench.news.tell("odd", bench.clock.now());
    assert!(futures_util::poll!(joined.as_mut()).is_pending(), "nobody knows yet that it is odd");
    bench.gate.add_permits(2);
    assert_eq!(before.await.unwrap().0, 2);
    assert_eq!(joined.await.unwrap().0, 2);

    bench.news.tell("odd", bench.clock.now());
    assert_eq!(bench.read().await.unwrap(), (2, Source::Memory), "an even number has nothing to do with it");
    bench.put(3);
    bench.news.tell("odd", bench.clock.now());
    assert!(bench.cache.at_once(&"k").is_none() && bench.cache.stale(&"k").is_none());
}

#[tokio::test]
async fn a_refusal_from_before_the_news_is_heard_by_nobody_and_an_outage_is() {
    for (error, news, heard) in
        [("none", "all", false), ("no", "all", false), ("out", "all", true), ("no", "odd", true)]
    {
        let bench = Bench::new();
        let first = |_| {
            let (calls, gate) = (Arc::clone(&bench.calls), Arc::clone(&bench.gate));
            async move {
                let number = calls.fetch_add(1, Ordering::SeqCst) + 1;
                gate.acquire().await.expect("the gate stays").forget();
                if number == 1 { Err(error) } else { Ok(number) }
            }
        };
        let mut before = std::pin::pin!(bench.ask(first));
        assert!(futures_util::poll!(before.as_mut()).is_pending());
        bench.calls_reach(1).await;
        bench.news.tell(news, bench.clock.now());
        let mut joined = std::pin::pin!(bench.ask(first));
        assert!(futures_util::poll!(joined.as_mut()).is_pending());
        bench.gate.add_permits(2);
        for asked in [before.await, joined.await] {
            match asked {
                Ok((entry, _)) => assert!(!heard && *entry.value == 2, "{error}, {news}"),
                Err(Failed::Fetch(told)) => assert!(heard && told == error, "{error}, {news}"),
                Err(other) => panic!("{error}, {news}: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn what_came_by_another_way_takes_no_place_of_what_is_newer() {
    let bench = Bench::new();
    let asked = bench.news.number();
    bench.put(1);
    bench.news.tell("odd", bench.clock.now());
    assert_eq!(*bench.cache.put("k", 3, asked).value, 3, "who asked for it gets it");
    assert!(bench.cache.at_once(&"k").is_none());
    bench.put(5);
    bench.cache.put("k", 3, asked);
    assert_eq!(*bench.cache.fresh(&"k").unwrap().value, 5);
}

#[tokio::test]
async fn time_decides_what_is_fresh_and_what_may_stand_in() {
    let bench = Bench::new();
    bench.gate.add_permits(9);
    bench.read().await.unwrap();
    bench.clock.advance(Duration::from_secs(59));
    assert!(bench.cache.fresh(&"k").is_some());
    bench.clock.advance(Duration::from_secs(61));
    assert!(bench.cache.at_once(&"k").is_none() && bench.cache.stale(&"k").is_some());
    assert_eq!(bench.read().await.unwrap(), (2, Source::Fetched));
    bench.clock.advance(FRESHNESS.stale);
    assert!(bench.cache.stale(&"k").is_none());
}

#[tokio::test]
async fn what_ages_is_served_at_once_while_one_refresh_is_under_way() {
    let bench = Bench::new();
    bench.gate.add_permits(1);
    bench.read().await.unwrap();
    bench.clock.advance(Duration::from_secs(60));
    for _ in 0..3 {
        assert_eq!(bench.read().await.unwrap(), (1, Source::Memory));
    }
    bench.calls_reach(2).await;
    bench.gate.add_permits(1);
    while bench.read().await.unwrap() != (2, Source::Memory) {
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.calls.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_refresh_that_fails_rests_and_leaves_what_there_is() {
    let bench = Bench::new();
    bench.put(8);
    bench.clock.advance(Duration::from_secs(60));
    let tries = Arc::new(AtomicU32::new(0));
    let failing = |errand| {
        assert_eq!(errand, Errand::Refresh);
        let tries = Arc::clone(&tries);
        async move {
            tries.fetch_add(1, Ordering::SeqCst);
            Err("out")
        }
    };
    for (passed, wanted) in [(0, 1), (4, 1), (1, 2)] {
        bench.clock.advance(Duration::from_secs(passed));
        for _ in 0..20 {
            let (entry, source) = bench.ask(failing).await.unwrap();
            assert_eq!((*entry.value, source), (8, Source::Memory));
            tokio::task::yield_now().await;
        }
        assert_eq!(tries.load(Ordering::SeqCst), wanted, "after {passed} s more");
    }
}

#[tokio::test]
async fn that_there_is_no_such_thing_is_believed_for_a_moment_unless_news_come() {
    let bench = Bench::new();
    let tries = Arc::new(AtomicU32::new(0));
    let none = |_| {
        let tries = Arc::clone(&tries);
        async move {
            tries.fetch_add(1, Ordering::SeqCst);
            Err("none")
        }
    };
    bench.put(8);
    bench.clock.advance(Duration::from_secs(120));
    for (passed, wanted) in [(0, 1), (4, 1), (1, 2)] {
        bench.clock.advance(Duration::from_secs(passed));
        let read = bench.ask(none).await;
        let from_memory = matches!(read, Err(Failed::Absent("none")));
        assert!(from_memory || matches!(read, Err(Failed::Fetch("none"))));
        assert_eq!(from_memory, passed == 4);
        assert_eq!(tries.load(Ordering::SeqCst), wanted, "after {passed} s more");
        assert!(bench.cache.stale(&"k").is_none(), "what is gone does not stand in");
    }
    bench.cache.forget(&"k");
    assert!(bench.cache.at_once(&"k").is_none());
}

#[tokio::test]
async fn a_crowd_shares_one_failure_and_the_next_one_asks_again() {
    let bench = Bench::new();
    let tries = Arc::new(AtomicU32::new(0));
    let failing = |_| {
        let tries = Arc::clone(&tries);
        async move {
            tokio::task::yield_now().await;
            tries.fetch_add(1, Ordering::SeqCst);
            Err::<u32, _>("out")
        }
    };
    let crowd = (0..1000).map(|_| bench.ask(failing));
    let answers = futures_util::future::join_all(crowd).await;
    assert!(answers.iter().all(|it| matches!(it, Err(Failed::Fetch("out")))));
    assert_eq!(tries.load(Ordering::SeqCst), 1);
    assert!(bench.ask(failing).await.is_err());
    assert_eq!(tries.load(Ordering::SeqCst), 2);
}

#[test]
fn everything_that_is_kept_is_weighed_also_keys_and_absences() {
    let bench = Bench::new();
    let keys: Vec<&'static str> =
        (0..1000).map(|it| &*Box::leak(format!("{it:0>100}").into_boxed_str())).collect();
    for key in &keys {
        bench.cache.put(key, 2, bench.news.number());
    }
    let entries = &bench.cache.0.entries;
    entries.run_pending_tasks();
    assert!(entries.weighted_size() <= 64 * 1024);
    assert!((100..200).contains(&entries.entry_count()), "{} kept", entries.entry_count());
    let absent = Kept::<u32, &'static str>::absent("none", Timestamp::UNIX_EPOCH, 0);
    assert!(absent.weight_with(&keys[0]) > 356);
}

#[tokio::test]
async fn a_failure_is_shared_but_not_kept() {
    let bench = Bench::new();
    let failing = |_| async { Err::<u32, _>("no") };
    assert!(matches!(bench.ask(failing).await, Err(Failed::Fetch("no"))));
    bench.gate.add_permits(1);
    assert_eq!(bench.read().await.unwrap().1, Source::Fetched);
}

#[tokio::test]
async fn a_fetch_that_panics_takes_nobody_with_it() {
    let bench = Bench::new();
    let panicking = |_| async { if true { panic!("on purpose") } else { Ok::<u32, &'static str>(0) } };
    assert!(matches!(bench.ask(panicking).await, Err(Failed::Lost)));
    bench.gate.add_permits(1);
    assert_eq!(bench.read().await.unwrap().0, 1);
}
