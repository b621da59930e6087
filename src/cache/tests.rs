use std::sync::atomic::AtomicU32;

use tokio::sync::Semaphore;

use super::*;

impl Weigh for u32 {
    fn weight(&self) -> usize {
        size_of::<Self>()
    }
}

const FRESHNESS: Freshness = Freshness { fresh: Duration::from_secs(60), stale: Duration::from_secs(600) };

struct Bench {
    cache: Cache<&'static str, u32, &'static str>,
    clock: Clock,
    calls: Arc<AtomicU32>,
    gate: Arc<Semaphore>,
}

impl Bench {
    fn new() -> Self {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let cache = Cache::new(1024, FRESHNESS, clock.clone());
        Self { cache, clock, calls: Arc::default(), gate: Arc::new(Semaphore::new(0)) }
    }

    /// Reads; each fetch takes one permit from the gate and answers with its own number.
    async fn read(&self) -> Result<(u32, Source), Failed<&'static str>> {
        let fetch = || {
            let (calls, gate) = (Arc::clone(&self.calls), Arc::clone(&self.gate));
            async move {
                let number = calls.fetch_add(1, Ordering::SeqCst) + 1;
                gate.acquire().await.expect("the gate stays").forget();
                Ok(number)
            }
        };
        self.cache.read(&"k", fetch).await.map(|(entry, source)| (*entry.value, source))
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
async fn time_decides_what_is_fresh_and_what_may_stand_in() {
    let bench = Bench::new();
    bench.gate.add_permits(9);
    bench.read().await.unwrap();
    bench.clock.advance(Duration::from_secs(59));
    assert!(bench.cache.fresh(&"k").is_some());
    bench.clock.advance(Duration::from_secs(1));
    assert!(bench.cache.fresh(&"k").is_none() && bench.cache.stale(&"k").is_some());
    assert_eq!(bench.read().await.unwrap(), (2, Source::Fetched));
    bench.clock.advance(FRESHNESS.stale);
    assert!(bench.cache.stale(&"k").is_none());
}

#[tokio::test]
async fn a_failure_is_shared_but_not_kept() {
    let bench = Bench::new();
    let failing = || async { Err::<u32, _>("no") };
    assert!(matches!(bench.cache.read(&"k", failing).await, Err(Failed::Fetch("no"))));
    bench.gate.add_permits(1);
    assert_eq!(bench.read().await.unwrap().1, Source::Fetched);
}

#[tokio::test]
async fn a_fetch_that_panics_takes_nobody_with_it() {
    let bench = Bench::new();
    let panicking = || async { if true { panic!("on purpose") } else { Ok::<u32, &'static str>(0) } };
    assert!(matches!(bench.cache.read(&"k", panicking).await, Err(Failed::Lost)));
    bench.gate.add_permits(1);
    assert_eq!(bench.read().await.unwrap().0, 1);
}
