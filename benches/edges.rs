//! What the edges add to a cached answer, and what a hostile document costs.
//!
//! Requests go through the router without a connection, on one thread, whose own CPU time is read; so neither the
//! network nor the machine's other work is counted. The edges' part is the whole less what execution and the writing of
//! its answer take. `BENCH_COUNT=whole` or `execution` runs one of them alone, a known number of times, for a tool that
//! counts instructions (`make bench-count`).

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench tells its figures, stops at the first failure, and is told by its caller which part to run"
)]

use std::{hint::black_box, process::ExitCode, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{
        Request, StatusCode,
        header::{AUTHORIZATION, CONTENT_TYPE},
    },
};
use heliograph::{
    domain::{Scope, TenantId, Viewer, viewer::Tenants},
    graphql::{Call, Doorway, Operation},
    sandbox,
};
use http_body_util::BodyExt;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tower::ServiceExt;

use self::{
    gateway::{DESIGN, Gateway, KEY},
    summary::SUMMARY,
};

#[path = "common/gateway.rs"]
mod gateway;
#[path = "common/hostile.rs"]
mod hostile;
#[path = "common/summary.rs"]
mod summary;

const ROUNDS: usize = 15;
const IN_A_ROUND: u32 = 2_000;

/// What the edges may add to a cached answer.
const ADDED_AT_MOST: Duration = Duration::from_micros(5);

/// What any document may cost that is refused.
const REFUSED_WITHIN: Duration = Duration::from_millis(20);

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let Gateway { app, sandbox: _sandbox, place: _place } = runtime.block_on(Gateway::with(&[]));
    let bench = Bench { router: app.router(), doorway: app.doorway() };
    let body = runtime.block_on(bench.request(summary_body())).1;
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert!(body["errors"].is_null(), "{body}");
    match std::env::var("BENCH_COUNT").as_deref() {
        Ok("whole") => counted_whole(&runtime, &bench),
        Ok("execution") => counted_execution(&runtime, &bench, bench.operations(COUNTED, &viewer())),
        Ok(other) => panic!("BENCH_COUNT={other}"),
        Err(_) => {
            let (edges, hostile) = runtime.block_on(async { (bench.edges().await, bench.hostile().await) });
            return if edges && hostile { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
    }
    ExitCode::SUCCESS
}

struct Bench {
    router: Router,
    doorway: Doorway,
}

impl Bench {
    /// What a cached answer takes, in all and in part.
    async fn edges(&self) -> bool {
        let viewer = viewer();
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let begun = cpu();
            self.whole(IN_A_ROUND).await;
            let whole = (cpu() - begun) / IN_A_ROUND;

            let operations = self.operations(IN_A_ROUND, &viewer);
            let begun = cpu();
            self.execution(operations, &viewer).await;
            let execution = (cpu() - begun) / IN_A_ROUND;

            let begun = cpu();
            for _ in 0..IN_A_ROUND {
                black_box(self.prepared(&viewer));
            }
            let guard = (cpu() - begun) / IN_A_ROUND;
            rounds.push((whole.saturating_sub(execution), whole, execution, guard));
        }
        rounds.sort();
        let (added, whole, execution, guard) = rounds[ROUNDS / 2];
        println!("a cached summary, median of {ROUNDS} rounds of {IN_A_ROUND}, CPU of one thread:");
        println!("  whole {whole:?}, of which execution and its JSON {execution:?}");
        println!("  edges and guard add {added:?}, the guard with the parameters alone {guard:?}");
        println!(
            "  (lowest {:?}, highest {:?}; the aim is {ADDED_AT_MOST:?})",
            rounds[0].0,
            rounds[ROUNDS - 1].0
        );
        added <= ADDED_AT_MOST
    }

    /// What each hostile document takes until it is refused.
    async fn hostile(&self) -> bool {
        println!("hostile documents, CPU until the refusal, the highest of 5:");
        let mut good = true;
        for (name, body) in hostile::requests() {
            let bytes = body.len();
            let body = Bytes::from(body);
            let mut highest = Duration::ZERO;
            let mut said = (StatusCode::OK, Bytes::new());
            for _ in 0..5 {
                let begun = cpu();
                said = self.request(body.clone()).await;
                highest = highest.max(cpu() - begun);
            }
            let answer: Value =
                serde_json::from_slice(&said.1).unwrap_or_else(|_| panic!("{name}: {said:?}"));
            let code = answer["errors"][0]["extensions"]["code"].as_str().unwrap_or("(ran)");
            println!("  {highest:>12.3?}  {bytes:>7} bytes  {code:<26} {name}");
            good &= highest <= REFUSED_WITHIN && code != "(ran)";
        }
        good
    }

    async fn whole(&self, times: u32) {
        for _ in 0..times {
            black_box(self.request(summary_body()).await);
        }
    }

    async fn execution(&self, operations: Vec<Operation>, viewer: &Viewer) {
        for operation in operations {
            black_box(self.executed(operation, viewer).await);
        }
    }

    fn operations(&self, times: u32, viewer: &Viewer) -> Vec<Operation> {
        (0..times).map(|_| self.prepared(viewer)).collect()
    }

    async fn request(&self, body: Bytes) -> (StatusCode, Bytes) {
        let request = Request::post("/graphql")
            .header(AUTHORIZATION, format!("Bearer {KEY}"))
            .header(CONTENT_TYPE, "application/json")
            .body(Body::from(body))
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        (response.status(), response.into_body().collect().await.unwrap().to_bytes())
    }

    fn prepared(&self, viewer: &Viewer) -> Operation {
        let body: Value = serde_json::from_slice(&summary_body()).unwrap();
        let call = Call {
            query: body["query"].as_str().map(str::to_owned),
            variables: async_graphql::Variables::from_json(body["variables"].clone()),
            ..Call::default()
        };
        self.doorway.prepare(call, viewer).unwrap()
    }

    async fn executed(&self, operation: Operation, viewer: &Viewer) -> Vec<u8> {
        self.doorway.execute(operation, viewer.clone(), "bench").await.to_json()
    }
}

/// How often a counted part runs.
const COUNTED: u32 = 200;

/// Named, not inlined, and not `async`: the counting tool begins when it is called and ends when it returns.
#[inline(never)]
fn counted_whole(runtime: &Runtime, bench: &Bench) {
    runtime.block_on(bench.whole(COUNTED));
}

#[inline(never)]
fn counted_execution(runtime: &Runtime, bench: &Bench, operations: Vec<Operation>) {
    runtime.block_on(bench.execution(operations, &viewer()));
}

fn summary_body() -> Bytes {
    static BODY: std::sync::OnceLock<Bytes> = std::sync::OnceLock::new();
    BODY.get_or_init(|| json!({ "query": SUMMARY, "variables": { "id": DESIGN } }).to_string().into()).clone()
}

fn viewer() -> Viewer {
    Viewer::new("bench", Tenants::Only(vec![TenantId::parse(sandbox::TENANT).unwrap()]), vec![Scope::Read])
}

/// What this thread has had of a processor.
fn cpu() -> Duration {
    let had = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(had.tv_sec.try_into().unwrap(), had.tv_nsec.try_into().unwrap())
}
