//! Deliveries at full speed, repeats among them, while listeners listen and the process is killed again and again.
//!
//! Each design has one caller that sends its deliveries one after the other, each until it is answered 200; so the order
//! in which a design's deliveries were journalled is known.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use heliograph::sandbox::{Sandbox, TENANT};
use tokio::sync::watch;

use super::{
    Figures, Gateway,
    caller::{Caller, completion},
    figures::Latencies,
    listener::{self, Heard, Plan, listen},
};

/// How long what was acknowledged may take to reach the last listener once no more comes.
const PATIENCE: Duration = Duration::from_secs(600);

/// Of so many deliveries one tells of a success, for which the design is read again.
const SUCCEEDS_EVERY: usize = 10;

/// What is to be sent, and who listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Storm {
    /// Designs, and so callers at once.
    pub(crate) designs: usize,
    /// Deliveries of each. Each is sent twice.
    pub(crate) of_each: usize,
    pub(crate) listeners: usize,
    /// How often each listener cuts its own connection.
    pub(crate) cuts: usize,
    /// Listeners that never read.
    pub(crate) stalled: usize,
}

/// How far the callers are.
#[derive(Default)]
pub(crate) struct Progress {
    acknowledged: AtomicU64,
    repeats: AtomicU64,
    refused: AtomicU64,
}

impl Progress {
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }
}

impl Storm {
    /// Lets it loose. `meddle` sees the gateway all the while, and kills it as it likes.
    pub(crate) async fn rage<M>(self, sandbox: &Sandbox, gateway: &mut Gateway, meddle: M) -> Figures
    where
        M: AsyncFnOnce(&mut Gateway, &Progress),
    {
        for design in 0..self.designs {
            sandbox.handle().plant(TENANT, &format!("p{design}"), &format!("d{design}")).unwrap();
        }
        let begin = first_event(gateway).await;
        let (end, ended) = watch::channel(false);
        let seed = rand::random();
        let listeners: Vec<_> = (0..self.listeners)
            .map(|number| {
                let all = (self.designs, self.of_each);
                let plan = Plan { number, after: begin.clone(), all, cuts: self.cuts, seed };
                tokio::spawn(listen(gateway.addresses(), plan, ended.clone()))
            })
            .collect();
        let stalled: Vec<_> =
            (0..self.stalled).map(|_| tokio::spawn(stall(gateway.addresses(), begin.clone()))).collect();

        let progress = Arc::new(Progress::default());
        let begun = Instant::now();
        let callers = self.call(gateway, &progress);
        let raging = async {
            let mut answers = Latencies::default();
            for caller in callers {
                answers.merge(caller.await.unwrap());
            }
            (answers, begun.elapsed())
        };
        let meddling = meddle(gateway, &progress);
        let ((answers, took), ()) = tokio::join!(raging, meddling);
        let peace = tokio::spawn(async move {
            tokio::time::sleep(PATIENCE).await;
            end.send_replace(true);
        });
        let mut heard = Vec::new();
        for listener in listeners {
            heard.push(listener.await.unwrap());
        }
        peace.abort();
        stalled.iter().for_each(tokio::task::JoinHandle::abort);
        Figures { seed, ..self.account(&heard, gateway, &progress, answers, took) }
    }

    fn call(self, gateway: &Gateway, progress: &Arc<Progress>) -> Vec<tokio::task::JoinHandle<Latencies>> {
        let caller = |design: usize| {
            let (caller, progress) = (Caller::new(gateway.addresses()), Arc::clone(progress));
            tokio::spawn(send(design, self.of_each, caller, progress))
        };
        (0..self.designs).map(caller).collect()
    }

    fn account(
        self,
        heard: &[Heard],
        gateway: &Gateway,
        progress: &Progress,
        answers: Latencies,
        took: Duration,
    ) -> Figures {
        let sum = |what: fn(&Heard) -> u64| heard.iter().map(what).sum();
        let sequence = heard.first().map_or(0, |it| it.sequence);
        Figures {
            seed: 0,
            acknowledged: progress.acknowledged(),
            repeats: progress.repeats.load(Ordering::Relaxed),
            refused: progress.refused.load(Ordering::Relaxed),
            took,
            kills: gateway.kills(),
            lost: sum(Heard::lost),
            doubled: sum(|it| it.doubled),
            out_of_order: sum(|it| it.out_of_order),
            extra: sum(|it| it.extra),
            differing: heard.iter().filter(|it| it.sequence != sequence).count() as u64,
            resumed: sum(|it| it.resumed.saturating_sub(1)),
            answers,
            peak_bytes: gateway.peak_bytes(),
        }
    }
}

/// One design's deliveries, each until it is acknowledged, and then some earlier one once more.
async fn send(design: usize, of_each: usize, mut caller: Caller, progress: Arc<Progress>) -> Latencies {
    let mut latencies = Latencies::default();
    let name = format!("d{design}");
    let query = |number: usize| {
        let status = if number.is_multiple_of(SUCCEEDS_EVERY) { "succeeded" } else { "failed" };
        completion(&name, &format!("{design}-{number}"), status)
    };
    let mut chance = design as u64 + 1;
    for number in 0..of_each {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let earlier = (chance >> 33) as usize % (number + 1);
        for (query, repeat) in [(query(number), false), (query(earlier), true)] {
            loop {
                let begun = Instant::now();
                match caller.deliver(&query).await {
                    Some(200) => {
                        latencies.add(begun.elapsed());
                        break;
                    }
                    Some(_) => progress.refused.fetch_add(1, Ordering::Relaxed),
                    None => continue,
                };
                tokio::task::yield_now().await;
            }
            progress.acknowledged.fetch_add(1, Ordering::Relaxed);
            progress.repeats.fetch_add(u64::from(repeat), Ordering::Relaxed);
        }
    }
    latencies
}

/// A first event, whose cursor everybody begins behind.
async fn first_event(gateway: &Gateway) -> String {
    let mut addresses = gateway.addresses();
    let address = *addresses.borrow_and_update();
    let mut lines = listener::open(address, None).await.unwrap();
    let first = completion("first", "first", "failed");
    assert_eq!(Caller::new(gateway.addresses()).deliver(&first).await, Some(200));
    loop {
        let line = lines.next_line().await.unwrap().expect("the stream goes on");
        if let Some(id) = line.strip_prefix("id: ") {
            return id.to_owned();
        }
    }
}

/// Opens a stream and never reads it; opens another when the process has gone.
async fn stall(mut addresses: watch::Receiver<std::net::SocketAddr>, after: String) {
    loop {
        let address = *addresses.borrow_and_update();
        let held = listener::open(address, Some(&after)).await;
        if held.is_ok() && addresses.changed().await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
