//! The contract, and what only a file can be asked.

mod damaged;
mod flipped;
mod replayed;

use std::{
    collections::HashSet,
    ffi::OsString,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use super::*;
use crate::journal::contract::{self, Keeper, completion, delivery, tenant};

struct File(TempDir);

impl File {
    fn db(&self) -> Db {
        Db::open(&self.0.path().join("heliograph.db")).unwrap()
    }
}

#[async_trait]
impl Keeper for File {
    type Journal = SqliteJournal;

    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    async fn open(&self, clock: &Clock) -> SqliteJournal {
        SqliteJournal::open(self.db(), clock.clone()).await.unwrap()
    }
}

contract::hold!(File);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_deliveries_costs_few_commits() {
    let file = File::new();
    let db = file.db();
    let journal = Arc::new(SqliteJournal::open(db.clone(), Clock::system()).await.unwrap());
    let tasks: Vec<_> = (0..2_000)
        .map(|job| {
            let journal = Arc::clone(&journal);
            tokio::spawn(async move { journal.append(completion("acme", "d", Some(&job.to_string()))).await })
        })
        .collect();
    for task in tasks {
        assert!(matches!(task.await.unwrap().unwrap(), Appended::New(_)));
    }
    assert!(db.commits() <= 500, "{} commits", db.commits());
}

#[tokio::test]
async fn a_full_disk_keeps_nothing_and_reads_go_on() {
    let file = File::new();
    let db = file.db();
    let journal = SqliteJournal::open(db.clone(), Clock::system()).await.unwrap();
    journal.append(completion("acme", "d", Some("kept"))).await.unwrap();
    db.write(|connection| connection.query_row("PRAGMA max_page_count = 1", [], |_| Ok(()))).await.unwrap();
    let mut kept = 1;
    loop {
        match journal.append(completion("acme", "d", Some(&kept.to_string()))).await {
            Ok(_) => kept += 1,
            Err(error) => break assert!(matches!(error, Error::Unavailable(_))),
        }
    }
    assert!(!journal.writable());
    assert_eq!(journal.waiting(Seq(0), 10_000).await.unwrap().len(), kept);
}

#[tokio::test]
async fn an_erased_tenant_leaves_no_trace_in_the_file() {
    let file = File::new();
    let db = file.db();
    let journal = SqliteJournal::open(db.clone(), Clock::system()).await.unwrap();
    for job in ["1", "2"] {
        let Appended::New(seq) = journal.append(completion("acme-corp", "d", Some(job))).await.unwrap()
        else {
            panic!("not new")
        };
        journal.announce(seq, Outcome::default()).await.unwrap();
    }
    journal.erase(&tenant("acme-corp")).await.unwrap();
    db.close().await;
    let bytes = std::fs::read(file.0.path().join("heliograph.db")).unwrap();
    assert!(!bytes.windows(9).any(|it| it == b"acme-corp"));
}

#[tokio::test]
async fn pages_of_events_are_found_by_an_index() {
    let file = File::new();
    let plan = |condition: &'static str| {
        let sql = format!(
            "EXPLAIN QUERY PLAN SELECT d.name FROM events e JOIN deliveries d ON d.seq = e.delivery
             WHERE e.tenant = ? {condition} AND e.seq > ? ORDER BY e.seq LIMIT 10"
        );
        move |connection: &rusqlite::Connection| -> rusqlite::Result<String> {
            let mut statement = connection.prepare(&sql)?;
            let lines =
                statement.raw_query().mapped(|row| row.get::<_, String>(3)).collect::<Result<Vec<_>, _>>()?;
            Ok(lines.join("\n"))
        }
    };
    let db = file.db();
    let completed = "AND e.name = 'performance_simulation_job_completed' AND e.status = 'succeeded'";
    for (condition, index) in
        [("", "events_tenant"), ("AND e.design = 'd'", "events_design"), (completed, "events_completed")]
    {
        let plan = db.read(plan(condition)).await.unwrap();
        assert!(plan.contains(index) && !plan.contains("SCAN") && !plan.contains("TEMP"), "{plan}");
    }
}

#[tokio::test]
async fn a_file_of_before_is_counted_and_watched_from_its_oldest_delivery_on() {
    let file = File::new();
    {
        let connection = rusqlite::Connection::open(file.0.path().join("heliograph.db")).unwrap();
        connection.execute_batch(include_str!("../../sqlite/0001_start.sql")).unwrap();
        connection.execute_batch(include_str!("../../sqlite/0002_projects_of_designs.sql")).unwrap();
        connection
            .execute_batch(
                "INSERT INTO deliveries (name, tenant, design, status, parameters, received_at, aside, settled_at)
                     VALUES ('performance_simulation_job_completed', 'acme', 'd', 'succeeded', '[]', 1000, 0, 3000),
                            ('performance_simulation_job_completed', 'acme', 'e', 'succeeded', '[]', 2000, 0, NULL);
                 INSERT INTO events (delivery, tenant, name, status, design)
                     VALUES (1, 'acme', 'performance_simulation_job_completed', 'succeeded', 'd');
                 INSERT INTO designs (tenant, design, project) VALUES ('acme', 'd', 'p');
                 PRAGMA application_id = 0x48454c49; PRAGMA user_version = 2;",
            )
            .unwrap();
    }
    let clock = Clock::manual("2026-01-01T00:00:00Z".parse().unwrap());
    let journal = SqliteJournal::open(file.db(), clock).await.unwrap();
    let at = |micros| jiff::Timestamp::from_microsecond(micros).unwrap();
    let health = journal.health(vec![tenant("acme")]).await.unwrap();
    let tally = &health[0].events[0];
    assert_eq!((tally.received, tally.received_at, tally.waiting), (2, Some(at(2_000)), 1));
    assert_eq!(journal.watch(&tenant("acme")).await.unwrap(), at(1_000));
    let slice = journal.events(&tenant("acme"), &Filter::default(), None, 9).await.unwrap();
    assert!(slice.events[0].summary_read);
    let of_project = delivery("project_changed", &[("project_id", "p")]);
    assert_eq!(journal.whose(&of_project).await.unwrap(), Some(tenant("acme")));
}

#[tokio::test]
async fn a_delivery_without_a_tenant_is_of_the_one_that_aurora_showed_its_ids_to() {
    let file = File::new();
    let db = file.db();
    let store = crate::store::Store::new(db.clone());
    let journal = SqliteJournal::open(db, Clock::manual(jiff::Timestamp::UNIX_EPOCH)).await.unwrap();
    let design = |id: &str| crate::domain::DesignId::parse(id).unwrap();
    let project = |id: &str| crate::domain::ProjectId::parse(id).unwrap();
    let named = |pairs: &[(&str, &str)]| delivery("asset_created", pairs);

    // A delivery's own word makes nobody its tenant.
    let said = [("tenant_id", "acme"), ("design_id", "d"), ("asset_id", "0")];
    journal.append(named(&said)).await.unwrap();
    let lost = named(&[("design_id", "d"), ("asset_id", "1")]);
    assert!(matches!(journal.append(lost.clone()).await.unwrap(), Appended::Aside(_)));
    assert_eq!(journal.claim().await.unwrap(), 0);

    store.remember_designs(&tenant("acme"), vec![(design("d"), project("p"))]).await.unwrap();
    assert_eq!(journal.claim().await.unwrap(), 1);
    assert_eq!(journal.claim().await.unwrap(), 0);
    assert_eq!(journal.aside(9).await.unwrap().total, 0);
    let waiting = journal.waiting_of(&tenant("acme"), Seq(0), 9).await.unwrap();
    assert_eq!(waiting.last().unwrap().delivery.parameters, lost.parameters);
    assert_eq!(journal.append(lost).await.unwrap(), Appended::Repeat, "it is known under its tenant");

    let whose = async |pairs: &[(&str, &str)]| journal.whose(&named(pairs)).await.unwrap();
    assert_eq!(whose(&[("project_id", "p")]).await, Some(tenant("acme")));
    assert_eq!(whose(&[("design_id", "d"), ("project_id", "unheard-of")]).await, Some(tenant("acme")));
    assert_eq!(whose(&[("design_id", "unheard-of")]).await, None);
    assert_eq!(whose(&[("asset_id", "1")]).await, None);
    store.remember_projects(&tenant("other"), vec![project("q")]).await.unwrap();
    assert_eq!(whose(&[("design_id", "d"), ("project_id", "q")]).await, None, "they contradict each other");
    store.remember_designs(&tenant("other"), vec![(design("d"), project("q"))]).await.unwrap();
    assert_eq!(whose(&[("design_id", "d")]).await, None, "two tenants have it");
    store.wipe_tenant(&tenant("other")).await.unwrap();
    assert_eq!(whose(&[("design_id", "d")]).await, Some(tenant("acme")));
}

#[tokio::test]
async fn a_set_aside_delivery_whose_ids_have_become_two_tenants_meanwhile_stays_and_is_no_repeat_of_itself() {
    let file = File::new();
    let db = file.db();
    let store = crate::store::Store::new(db.clone());
    let clock = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
    let journal = SqliteJournal::open(db.clone(), clock.clone()).await.unwrap();
    let lost = delivery("asset_created", &[("design_id", "d"), ("asset_id", "1")]);
    let Appended::Aside(seq) = journal.append(lost).await.unwrap() else { panic!("not aside") };
    let design = || crate::domain::DesignId::parse("d").unwrap();
    let project = |id: &str| crate::domain::ProjectId::parse(id).unwrap();
    for name in ["acme", "other"] {
        store.remember_designs(&tenant(name), vec![(design(), project(name))]).await.unwrap();
    }
    // As if both had been shown it after it was found to be of one.
    let now = clock.now();
    assert_eq!(db.write(move |it| append::claim(it, seq, now)).await.unwrap(), None);
    assert_eq!(journal.aside(9).await.unwrap().newest[0].seq, seq);
    store.wipe_tenant(&tenant("other")).await.unwrap();
    assert_eq!(journal.claim().await.unwrap(), 1);
    assert_eq!(journal.waiting_of(&tenant("acme"), Seq(0), 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_hundred_rounds_of_retention_leave_the_file_no_larger_than_the_first_few() {
    /// Each day's deliveries.
    const OF_A_DAY: usize = 200;
    /// Days until the file has its size: three are kept, marks of repeats for two, and a day is on top.
    const FULL_AFTER: usize = 6;
    let file = File::new();
    let db = file.db();
    let clock = Clock::manual("2026-01-01T00:00:00Z".parse().unwrap());
    let journal = SqliteJournal::open(db.clone(), clock.clone()).await.unwrap();
    let pages = async || {
        let ask =
            |it: &rusqlite::Connection| it.query_row("PRAGMA page_count", [], |row| row.get::<_, i64>(0));
        db.read(ask).await.unwrap()
    };
    let day = Duration::from_secs(24 * 60 * 60);
    let mut full = 0;
    for round in 0..100 {
        let deliveries = (0..OF_A_DAY).map(|job| {
            let (journal, job) = (&journal, format!("job-{round}-{job}"));
            let mut delivery = completion("acme", &format!("design-{}", round % 7), Some(&job));
            delivery.received_at = clock.now();
            async move {
                let Appended::New(seq) = journal.append(delivery).await.unwrap() else { panic!("not new") };
                journal.announce(seq, Outcome::default()).await.unwrap();
            }
        });
        futures_util::future::join_all(deliveries).await;
        clock.advance(day);
        journal.prune(clock.now(), 3 * day).await.unwrap();
        if round == FULL_AFTER {
            full = pages().await;
        }
    }
    // Pages are filled a little differently from day to day; a tenth is room for that.
    let end = pages().await;
    assert!(full > 0 && end <= full + full / 10, "{full} pages became {end}");
}

/// Set for the process that is to be killed: where its file is.
const CRASH: &str = "JOURNAL_CRASH_DIRECTORY";

#[test]
fn what_was_acknowledged_survives_a_kill_and_is_not_announced_again() {
    #[expect(
        clippy::disallowed_methods,
        reason = "how this test tells the process that it starts what to do"
    )]
    let started_to_be_killed = std::env::var_os(CRASH);
    if let Some(directory) = started_to_be_killed {
        return append_until_killed(&directory);
    }
    let directory = TempDir::new().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (mut appended, mut announced) = (HashSet::new(), HashSet::new());
    for round in 1..=3 {
        let mut child =
            crashing(directory.path(), "what_was_acknowledged_survives_a_kill_and_is_not_announced_again");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        for line in lines {
            match line.rsplit_once(' ') {
                Some((start, job)) if start.ends_with("appended") => appended.insert(job.to_owned()),
                Some((start, job)) if start.ends_with("announced") => announced.insert(job.to_owned()),
                _ => continue,
            };
            if announced.len() > round * 150 {
                // SIGKILL. What is in the pipe by now was acknowledged, and is read on.
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        runtime.block_on(check(directory.path(), &appended, &announced));
    }
}

async fn check(directory: &Path, appended: &HashSet<String>, announced: &HashSet<String>) {
    let db = Db::open(&directory.join("heliograph.db")).unwrap();
    let journal = SqliteJournal::open(db, Clock::system()).await.unwrap();
    let job = |delivery: &Delivery| delivery.job.as_ref().unwrap().to_string();
    let waiting = journal.waiting(Seq(0), usize::MAX).await.unwrap();
    let waiting: HashSet<_> = waiting.iter().map(|it| job(&it.delivery)).collect();
    let slice = journal.events(&tenant("acme"), &Filter::default(), None, usize::MAX).await.unwrap();
    let events: HashSet<_> = slice.events.iter().map(|event| job(&event.delivery)).collect();
    assert_eq!(events.len(), slice.events.len(), "announced twice");
    assert!(events.is_disjoint(&waiting), "announced and waiting");
    assert!(announced.is_subset(&events), "announced and lost");
    assert!(
        appended.iter().all(|job| events.contains(job) || waiting.contains(job)),
        "acknowledged and lost"
    );
}

fn crashing(directory: &Path, test: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([&format!("journal::sqlite::tests::{test}"), "--exact", "--nocapture"])
        .env(CRASH, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Says what was acknowledged, as soon as it was.
fn append_until_killed(directory: &OsString) {
    let say = |what: &str, job: &str| writeln!(std::io::stdout().lock(), "{what} {job}").unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let db = Db::open(&Path::new(directory).join("heliograph.db")).unwrap();
        let journal = Arc::new(SqliteJournal::open(db, Clock::system()).await.unwrap());
        let workers = (0..16).map(|worker| {
            let journal = Arc::clone(&journal);
            tokio::spawn(async move {
                for number in 0.. {
                    let job = format!("{}-{worker}-{number}", std::process::id());
                    let appended = journal.append(completion("acme", "d", Some(&job))).await.unwrap();
                    say("appended", &job);
                    let Appended::New(seq) = appended else { panic!("{appended:?}") };
                    if number % 2 == 0 {
                        journal.announce(seq, Outcome::default()).await.unwrap();
                        say("announced", &job);
                    }
                }
            })
        });
        for worker in workers.collect::<Vec<_>>() {
            worker.await.unwrap();
        }
    });
}
