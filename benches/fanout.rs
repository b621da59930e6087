//! One event for ten thousand subscribers, against as many bare writes of the same bytes; and one event for one of them.
//!
//! The gateway is a process of its own with one worker thread, and so is the client; each has some ten thousand files
//! open. The bare writes are done by a thread of the gateway's process in the same run, read by the same client.
//! `FANOUT_SUBSCRIBERS` names another number of them, `FANOUT_ROUNDS` of events.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench tells its figures, and stops at the first failure"
)]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, ExitCode, Stdio},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use heliograph::sandbox::TENANT;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use self::{
    gateway::{DESIGN, Gateway, KEY, SECRET},
    readers::{Reader, Tally, Took},
};

#[path = "common/bare.rs"]
mod bare;
#[path = "common/gateway.rs"]
mod gateway;
#[path = "common/readers.rs"]
mod readers;

/// As in the binary, whose memory this stands for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How much longer the last frame may take than the last of as many bare writes.
const TIMES_BARE: f64 = 2.0;

/// What a subscriber may cost in memory.
const BYTES_EACH: u64 = 12 * 1024;

/// How long the first frame may take from the webhook on, with everybody else waiting for something else.
const FIRST: Duration = Duration::from_millis(5);

/// Sockets that are being opened at once.
const AT_ONCE: usize = 64;

const EVENT: &str =
    "subscription($design: ID) { designCompleted(designId: $design) { id cursor designId projectId status
    summary { systemSizeStc(unit: KILOWATT) systemSizePtc systemSizeAc moduleCount stale
    billOfMaterials { componentType componentTypeText sku name manufacturerName quantity }
    arrays { size azimuth pitch configuration face groundMounted module { name ratingStc count orientation }
        shading { solarAccess { annual monthly } totalSolarResourceFraction } }
    stringInverters { name ratedPower } batteries { name hasIntegratedInverter }
    energyProduction { upToDate annual annualOffset monthly } } } }";

fn main() -> ExitCode {
    if std::env::var_os("FANOUT_SERVES").is_some() {
        return serve();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let local = tokio::task::LocalSet::new();
    let good = local.block_on(&runtime, async { Bench::start().run().await });
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The other process: a gateway, and who only writes.
fn serve() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let further = [
        ("LIMITS__CONNECTIONS", "15000"),
        ("LIMITS__SUBSCRIBERS_PER_TENANT", "15000"),
        ("LIMITS__PING_INTERVAL", "10m"),
        ("AURORA__REQUESTS_PER_MINUTE", "10000"),
        ("LOG__LEVEL", "error"),
    ];
    let Gateway { app, sandbox, place } = runtime.block_on(Gateway::with(&further));
    let (readers, orders) = bare::start();
    println!("{} {readers} {orders}", app.addr());
    runtime.spawn(async move {
        let _kept = (sandbox, place);
        app.run(CancellationToken::new()).await.unwrap();
    });
    // Until the client is gone.
    let _end = std::io::stdin().read(&mut [0]);
    ExitCode::SUCCESS
}

struct Bench {
    server: Child,
    gateway: SocketAddr,
    readers: SocketAddr,
    orders: TcpStream,
    subscribers: usize,
    rounds: usize,
    jobs: usize,
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _gone = self.server.kill();
        let _gone = self.server.wait();
    }
}

impl Bench {
    fn start() -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env("FANOUT_SERVES", "1").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut server = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let addresses: Vec<SocketAddr> = line.split_whitespace().map(|it| it.parse().unwrap()).collect();
        let number = |name: &str, usual| std::env::var(name).map_or(usual, |it| it.parse().unwrap());
        Self {
            server,
            gateway: addresses[0],
            readers: addresses[1],
            orders: TcpStream::connect(addresses[2]).unwrap(),
            subscribers: number("FANOUT_SUBSCRIBERS", 10_000),
            rounds: number("FANOUT_ROUNDS", 21),
            jobs: 0,
        }
    }

    async fn run(&mut self) -> bool {
        let frame = self.one_frame().await;
        let before = self.memory();
        println!(
            "{} subscribers, a frame of {} bytes, {} events",
            self.subscribers,
            frame.len(),
            self.rounds
        );
        let (mut bare, mut written) = self.bare(&frame).await;
        let (gateway, each) = self.all_of_one(frame.len(), before).await;
        // Before and after, so that whatever else the machine does falls on both.
        let (again, more) = self.bare(&frame).await;
        bare.extend(again);
        written.extend(more);
        let (bare, written, last) = (last(&bare), median(written), last(&gateway));
        let times = last.as_secs_f64() / bare.as_secs_f64();
        println!("bare writes: done after {written:?}, the last read after {bare:?}");
        println!("gateway: the last frame {last:?} after the webhook, the first {:?}", first(&gateway));
        println!(
            "ratio of the last frames {times:.2} (at most {TIMES_BARE}); to the bare writes alone {:.2}",
            last.as_secs_f64() / written.as_secs_f64()
        );
        println!("memory: {each} bytes a subscriber (at most {BYTES_EACH})");
        let one = self.one_of_all(frame.len()).await;
        println!(
            "webhook to the one frame, {} others waiting: {one:?} (at most {FIRST:?})",
            self.subscribers
        );
        times <= TIMES_BARE && each <= BYTES_EACH && one <= FIRST
    }

    /// What one subscriber is told, to the byte.
    async fn one_frame(&mut self) -> Vec<u8> {
        let mut stream = readers::subscribe(self.gateway, KEY, &subscription(0, DESIGN)).await;
        let mut frame = Vec::new();
        for _ in 0..2 {
            self.complete();
            let (head, text) = readers::receive(&mut stream).await;
            let message: Value = serde_json::from_str(&text).unwrap();
            assert!(message["payload"]["data"]["designCompleted"]["summary"].is_object(), "{message}");
            assert!(frame.is_empty() || frame.len() == head.len() + text.len(), "frames are of one length");
            frame = [head, text.into_bytes()].concat();
        }
        frame
    }

    /// Everybody waits for one design.
    async fn all_of_one(&mut self, length: usize, before: u64) -> (Vec<Took>, u64) {
        let tally = Rc::new(Tally::default());
        let (stop, gateway) = (Arc::new(AtomicBool::new(false)), self.gateway);
        let asked = thread::spawn({
            let stop = Arc::clone(&stop);
            move || ask(gateway, &stop)
        });
        let begun = Instant::now();
        let readers = self.open(length, &tally, |_| DESIGN.to_owned()).await;
        let opened = begun.elapsed();
        stop.store(true, Relaxed);
        let mut asked = asked.join().unwrap();
        asked.sort_unstable();
        let slowest = asked[asked.len() * 99 / 100];
        println!(
            "opened, admitted and subscribed in {opened:?}; meanwhile 99 of 100 queries within {slowest:?}"
        );
        let mut took = Vec::new();
        let cpu = self.cpu();
        for _ in 0..self.rounds {
            tally.expect(self.subscribers);
            let begun = Instant::now();
            self.complete();
            took.push(tally.took(begun).await);
        }
        println!("gateway: {:?} of CPU for each event", self.each(cpu));
        // Afterwards, with whatever an event leaves behind.
        let each = self.memory().saturating_sub(before) / self.subscribers as u64;
        drop(readers);
        self.settle().await;
        (took, each)
    }

    /// Everybody waits for a design of their own, and one for what happens.
    async fn one_of_all(&mut self, length: usize) -> Duration {
        let (tally, others) = (Rc::new(Tally::default()), Rc::new(Tally::default()));
        let idle = self.open(length, &others, |at| format!("other-{at}")).await;
        let stream = readers::subscribe(self.gateway, KEY, &subscription(self.subscribers, DESIGN)).await;
        let reader = Reader::of(stream, length, &tally);
        let mut took = Vec::new();
        for _ in 0..self.rounds * 5 {
            tally.expect(1);
            let begun = Instant::now();
            self.complete();
            took.push(tally.took(begun).await);
        }
        drop((idle, reader));
        last(&took)
    }

    async fn open(&self, length: usize, tally: &Rc<Tally>, design: impl Fn(usize) -> String) -> Vec<Reader> {
        let opening = (0..self.subscribers).map(|at| {
            let subscribe = subscription(at, &design(at));
            async move { readers::subscribe(self.gateway, KEY, &subscribe).await }
        });
        let streams = stream::iter(opening).buffer_unordered(AT_ONCE);
        streams.map(|stream| Reader::of(stream, length, tally)).collect().await
    }

    /// As many sockets with nothing behind them.
    async fn bare(&mut self, frame: &[u8]) -> (Vec<Took>, Vec<Duration>) {
        let length = u64::try_from(frame.len()).unwrap().to_be_bytes();
        self.order(&[&[bare::FRAME], length.as_slice(), frame].concat());
        let (tally, mut readers) = (Rc::new(Tally::default()), Vec::new());
        for _ in 0..self.subscribers {
            let stream = tokio::net::TcpStream::connect(self.readers).await.unwrap();
            self.order(&[bare::ACCEPT]);
            readers.push(Reader::of(stream, frame.len(), &tally));
        }
        let (mut took, mut written) = (Vec::new(), Vec::new());
        let cpu = self.cpu();
        for _ in 0..self.rounds {
            tally.expect(self.subscribers);
            let begun = Instant::now();
            self.orders.write_all(&[bare::WRITE]).unwrap();
            took.push(tally.took(begun).await);
            let mut nanos = [0; 9];
            self.orders.read_exact(&mut nanos).unwrap();
            written.push(Duration::from_nanos(u64::from_be_bytes(nanos[..8].try_into().unwrap())));
        }
        println!("bare writes: {:?} of CPU for each event", self.each(cpu));
        drop(readers);
        self.order(&[bare::CLOSE]);
        (took, written)
    }

    fn order(&mut self, what: &[u8]) {
        self.orders.write_all(what).unwrap();
        self.orders.read_exact(&mut [0]).unwrap();
    }

    /// Delivers a completion, as Aurora does it. The answer is for another thread to read.
    fn complete(&mut self) {
        self.jobs += 1;
        let (gateway, job) = (self.gateway, self.jobs);
        let request = format!(
            "GET /webhooks/aurora/performance_simulation_job_completed?tenant_id={TENANT}&design_id={DESIGN}\
             &job_id=job-{job:06}&status=succeeded HTTP/1.1\r\nhost: bench\r\n\
             x-heliograph-webhook-token: {SECRET}\r\nconnection: close\r\n\r\n"
        );
        let mut stream = TcpStream::connect(gateway).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        thread::spawn(move || {
            let mut answer = String::new();
            let _torn = stream.read_to_string(&mut answer);
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        });
    }

    /// Waits until the gateway has let everybody go.
    async fn settle(&self) {
        let files = || fs::read_dir(format!("/proc/{}/fd", self.server.id())).unwrap().count();
        while files() > 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What the other process has had of the processors: another measure than time, where others want them too.
    fn cpu(&self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.server.id())).unwrap();
        let nanos = tasks.filter_map(|task| {
            let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(nanos.sum())
    }

    fn each(&self, since: Duration) -> Duration {
        self.cpu().saturating_sub(since) / u32::try_from(self.rounds).unwrap()
    }

    /// Bytes of the gateway's process that are in memory.
    fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.server.id())).unwrap();
        let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
    }
}

/// Asks again and again on one connection, and tells how long each answer took.
fn ask(gateway: SocketAddr, stop: &AtomicBool) -> Vec<Duration> {
    let body = r#"{"query":"{ viewer { name } }"}"#;
    let request = format!(
        "POST /graphql HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {KEY}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(gateway).unwrap();
    let (mut took, mut answer) = (Vec::new(), Vec::new());
    while took.is_empty() || !stop.load(Relaxed) {
        let begun = Instant::now();
        stream.write_all(request.as_bytes()).unwrap();
        answer.clear();
        while !answer.ends_with(b"}}}") {
            let mut more = [0; 1024];
            let read = stream.read(&mut more).unwrap();
            assert!(read > 0, "the connection was closed");
            answer.extend_from_slice(&more[..read]);
        }
        took.push(begun.elapsed());
        thread::sleep(Duration::from_millis(5));
    }
    took
}

fn subscription(at: usize, design: &str) -> String {
    let payload = json!({ "query": EVENT, "variables": { "design": design } });
    json!({ "id": format!("subscription-{at:08}"), "type": "subscribe", "payload": payload }).to_string()
}

fn last(took: &[Took]) -> Duration {
    median(took.iter().map(|it| it.last).collect())
}

fn first(took: &[Took]) -> Duration {
    median(took.iter().map(|it| it.first).collect())
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort_unstable();
    all[all.len() / 2]
}
