//! What comes in while the relay looks through the journal. Whoever only delivers and listens cannot choose the moment.

use std::num::NonZeroU32;

use tempfile::TempDir;

use super::*;
use crate::{
    aurora::{self, Aurora},
    catalog::Rules,
    domain::{Delivery, DesignId, ProjectId, event::Source},
    journal::{Appended, Outcome, SqliteJournal},
    relay::board::Wait,
    sqlite::Db,
    store::Store,
};

/// More than are held in memory, and more than a page.
const MANY: u64 = 300;

fn acme() -> TenantId {
    TenantId::parse("acme").unwrap()
}

fn delivery(name: &str, status: Option<&str>, design: Option<String>, project: Option<String>) -> Delivery {
    // What was said is what a repeat is told by.
    let said = [
        ("status", status.map(ToOwned::to_owned)),
        ("design_id", design.clone()),
        ("project_id", project.clone()),
    ];
    Delivery {
        name: name.to_owned(),
        tenant: Some(acme()),
        design: design.map(|it| DesignId::parse(&it).unwrap()),
        project: project.map(|it| ProjectId::parse(&it).unwrap()),
        job: None,
        status: status.map(ToOwned::to_owned),
        parameters: said.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect(),
        received_at: jiff::Timestamp::UNIX_EPOCH,
        source: Source::Webhook,
    }
}

fn done(work: &board::Work) -> Turn {
    Turn { settled: work.batch.len(), wait: None }
}

/// A relay that does not run: it is told when to look, and what has become of its lanes.
struct Bench {
    relay: Relay,
    journal: Arc<SqliteJournal>,
    _directory: TempDir,
}

impl Bench {
    async fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let db = Db::open(&directory.path().join("heliograph.db")).unwrap();
        let clock = Clock::system();
        let journal = Arc::new(SqliteJournal::open(db.clone(), clock.clone()).await.unwrap());
        let config = aurora::Config {
            // Nobody is asked.
            base_url: "http://127.0.0.1:1".parse().unwrap(),
            application: None,
            session_tokens: aurora::SessionTokens::Required,
            tenant_keys: std::collections::HashMap::new(),
            requests_per_minute: NonZeroU32::MIN,
            request_timeout: Duration::from_secs(1),
            call_timeout: Duration::from_secs(1),
            load: aurora::Load { at_once: 1, at_once_per_key: 1, queued_per_key: 1 },
            api_version: None,
        };
        let aurora = Aurora::try_new(config, clock.clone()).unwrap();
        let rules =
            Rules { summary_fresh: Duration::ZERO, summary_stale: Duration::ZERO, max_bytes: 1024 * 1024 };
        let catalog = Catalog::new(aurora, Store::new(db), clock.clone(), &rules);
        let (_nobody, grants) = mpsc::channel(1);
        let kept: Arc<dyn Journal> = Arc::clone(&journal) as _;
        let relay = Relay::new(kept, catalog, clock, grants, Standing::new([]), Duration::from_secs(1));
        Self { relay, journal, _directory: directory }
    }

    async fn append(&self, delivery: Delivery) -> Seq {
        match self.journal.append(delivery).await.unwrap() {
            Appended::New(seq) => seq,
            other => panic!("{other:?}"),
        }
    }

    /// Everything that may begin now, and ends so.
    fn take_turns(&mut self, end: impl Fn(&board::Work) -> Turn) -> Vec<Arc<Waiting>> {
        let now = self.relay.clock.instant();
        let works: Vec<_> = std::iter::from_fn(|| self.relay.board.next(now)).collect();
        for work in &works {
            self.relay.board.finished(&work.lane, Some(end(work)), now);
        }
        works.into_iter().flat_map(|it| it.batch).collect()
    }

    /// The switch is in the journal, behind everything that the relay knows of, when it looks through what it knows of.
    async fn switch_off_behind(&mut self, head: Seq) {
        let switch = self.append(delivery("app_status_changed", Some("disabled"), None, None)).await;
        self.relay.load(head).await.unwrap();
        let mut early = Vec::new();
        loop {
            let turns = self.take_turns(done);
            if turns.is_empty() {
                break;
            }
            early.extend(turns.iter().map(|it| it.seq));
        }
        assert!(!early.contains(&switch), "its turn came before anybody was sent away");
        assert!(early.contains(&head) && !self.relay.standing.is_off(&acme()));
        self.relay.load(switch).await.unwrap();
        assert!(self.relay.standing.is_off(&acme()));
    }
}

#[tokio::test]
async fn a_switch_behind_a_backlog_that_is_caught_up_with_is_heard_of_before_its_turn() {
    let mut bench = Bench::new().await;
    let mut head = Seq(0);
    for number in 0..MANY {
        head = bench.append(delivery("project_changed", None, None, Some(format!("p{number}")))).await;
    }
    bench.relay.load(head).await.unwrap();
    // Until there is room for what waits on disk.
    while bench.relay.board.lacking().is_none() {
        for settled in bench.take_turns(done) {
            bench.journal.announce(settled.seq, Outcome::default()).await.unwrap();
        }
    }
    bench.switch_off_behind(head).await;
}

#[tokio::test]
async fn a_switch_behind_others_that_wait_for_a_key_is_heard_of_before_its_turn() {
    let mut bench = Bench::new().await;
    let name = "performance_simulation_job_completed";
    for number in 0..MANY {
        bench.append(delivery(name, Some("succeeded"), Some(format!("d{number}")), None)).await;
    }
    let head = bench.append(delivery("project_changed", None, None, Some("p".to_owned()))).await;
    bench.relay.load(head).await.unwrap();
    bench.take_turns(|_| Turn { settled: 0, wait: Some(Wait::Key) });
    bench.switch_off_behind(head).await;
}
