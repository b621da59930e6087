//! What group commit is worth: deliveries kept one at a time, each with a sync of its own, and 64 at once.
//!
//! Everything of a delivery but HTTP: authentication, parsing, the repeat's test, the journal on disk. Both ways take
//! turns in one run, so that a slow disk slows both.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench tells its figures, and stops at the first failure"
)]

use std::{
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use heliograph::{
    clock::Clock,
    intake::{Answer, Config, Intake, Presented},
    journal::SqliteJournal,
    sqlite::Db,
};
use secrecy::SecretString;
use tokio::sync::mpsc;

const SECRET: &str = "webhook-secret-of-the-bench";
const DONE: &str = "performance_simulation_job_completed";
const ROUNDS: usize = 9;
const ALONE: usize = 300;
const AT_ONCE: usize = 64;
const TOGETHER: usize = 6_400;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let place = tempfile::tempdir().unwrap();
        let bench = Bench::open(&place.path().join("heliograph.db")).await;
        let mut ratios = Vec::new();
        for round in 0..ROUNDS {
            let (alone, alone_commits) = bench.deliver(&format!("a{round}"), ALONE, 1).await;
            let (together, commits) = bench.deliver(&format!("t{round}"), TOGETHER, AT_ONCE).await;
            ratios.push((together / alone, alone, together, alone_commits, commits));
        }
        ratios.sort_by(|one, other| one.0.total_cmp(&other.0));
        let (ratio, alone, together, alone_commits, commits) = ratios[ROUNDS / 2];
        println!("deliveries kept on disk, median of {ROUNDS} rounds:");
        println!("  one at a time   {alone:>8.0}/s  {ALONE} in {alone_commits} commits");
        println!("  {AT_ONCE} at once      {together:>8.0}/s  {TOGETHER} in {commits} commits");
        println!("  ratio {ratio:.1} (lowest {:.1}, highest {:.1})", ratios[0].0, ratios[ROUNDS - 1].0);
        // One fsync serves many: anything near one would mean that it does not.
        if ratio > 2.0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    })
}

struct Bench {
    db: Db,
    intake: Arc<Intake>,
}

impl Bench {
    async fn open(path: &std::path::Path) -> Self {
        let db = Db::open(path).unwrap();
        let journal = Arc::new(SqliteJournal::open(db.clone(), Clock::system()).await.unwrap());
        let config = Config {
            header: "x-heliograph-webhook-token".to_owned(),
            secret: Some(SecretString::from(SECRET)),
            previous_secret: None,
            basic: None,
            default_tenant: None,
        };
        let (grants, _nobody) = mpsc::channel(1);
        Self { db, intake: Arc::new(Intake::new(config, journal, Clock::system(), grants)) }
    }

    /// Delivers so many by so many callers: how many a second, and in how many commits.
    async fn deliver(&self, name: &str, count: usize, callers: usize) -> (f64, u64) {
        let (before, begun) = (self.db.commits(), Instant::now());
        let callers: Vec<_> = (0..callers)
            .map(|caller| {
                let (intake, name, count) = (Arc::clone(&self.intake), name.to_owned(), count / callers);
                tokio::spawn(async move {
                    for number in 0..count {
                        let query = format!(
                            "tenant_id=bench&design_id=d{caller}&job_id={name}-{caller}-{number}&status=failed"
                        );
                        let presented = Presented { token: Some(SECRET.as_bytes()), authorization: None };
                        assert_eq!(intake.receive(DONE, &query, presented).await, Answer::New);
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.await.unwrap();
        }
        let took = begun.elapsed().max(Duration::from_micros(1));
        (count as f64 / took.as_secs_f64(), self.db.commits() - before)
    }
}
