//! Many who read every event over a WebSocket each, and come again behind the last one when they are cut off.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use heliograph::sandbox::TENANT;
use tokio::{
    sync::{Semaphore, watch},
    task::JoinHandle,
};

use super::{
    Gateway,
    caller::Caller,
    figures::Latencies,
    socket::{Said, Socket},
};

const EVERYTHING: &str = "subscription($after:Cursor){events(after:$after){cursor}}";

/// An answer of some twenty KiB to each event of [`Crowd::land`], so that not many fit into the system's buffers.
const AT_LENGTH: &str = "subscription($after:Cursor){events(after:$after){cursor ...on OtherEvent{
    a:parameters{name value} b:parameters{name value} c:parameters{name value}}}}";

/// Of what the stalled one does not read, the system keeps so many bytes at its end.
const LITTLE: u32 = 4 * 1024;

/// Sockets that are being opened at once, but in a storm.
const AT_ONCE: usize = 64;

/// Before a reader tries again, unless it hears where the gateway is now.
const PAUSE: Duration = Duration::from_millis(200);

/// How long any step may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// What each reader has heard, and when.
type Heard = Vec<(String, Instant)>;

pub(crate) struct Crowd {
    readers: Vec<JoinHandle<Heard>>,
    /// Events heard, of all readers.
    told: watch::Receiver<usize>,
    begun: Vec<Instant>,
    caller: Caller,
}

/// How the others fared beside one that stopped reading.
#[derive(Debug)]
pub(crate) struct Beside {
    /// From a delivery to its frame at each of the others.
    pub(crate) frames: Latencies,
    /// From the moment that it stopped reading.
    pub(crate) closed_after: Duration,
    /// Why it was closed.
    pub(crate) reason: (u16, String),
    /// How much more the gateway's memory grew than beside the same reader while it still read.
    pub(crate) grown_bytes: u64,
    /// Readers, the stalled one among them, that did not hear the same events once and in the same order.
    pub(crate) differing: usize,
}

/// How all came back at once.
#[derive(Debug)]
pub(crate) struct Back {
    /// From the start until each was back and had heard what happened meanwhile.
    pub(crate) took: Duration,
    /// Queries of somebody else, all the while.
    pub(crate) queries: Latencies,
    pub(crate) differing: usize,
}

/// What a gateway has of the machine's memory when it has done what it had to: the least of ten looks.
async fn resting_bytes(gateway: &Gateway) -> u64 {
    let mut least = u64::MAX;
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        least = least.min(gateway.resident_bytes());
    }
    least
}

impl Crowd {
    /// So many, who read until each has heard so many events.
    async fn gather(gateway: &Gateway, readers: usize, events: usize) -> Self {
        let (telling, told) = watch::channel(0);
        let (letting, let_in) = (Arc::new(Semaphore::new(AT_ONCE)), watch::Sender::new(0));
        let reader = |_| {
            let (addresses, telling, let_in) = (gateway.addresses(), telling.clone(), let_in.clone());
            tokio::spawn(read(addresses, events, telling, Arc::clone(&letting), let_in))
        };
        let readers: Vec<_> = (0..readers).map(reader).collect();
        let mut all = let_in.subscribe();
        let all = all.wait_for(|it| *it == readers.len());
        let _all = tokio::time::timeout(PATIENCE, all).await.expect("they are let in").unwrap();
        Self { readers, told, begun: Vec::new(), caller: Caller::new(gateway.addresses()) }
    }

    /// Has something happen, of which there is much to tell.
    async fn land(&mut self) {
        let stones: String = (0..13).map(|at| format!("&stone{at}={}", "x".repeat(500))).collect();
        let query = format!("moon_landed?tenant_id={TENANT}&crater={}{stones}", self.begun.len());
        self.begun.push(Instant::now());
        let answered = async {
            loop {
                // None where its connection was cut off meanwhile.
                if let Some(status) = self.caller.deliver(&query).await {
                    return status;
                }
            }
        };
        assert_eq!(tokio::time::timeout(PATIENCE, answered).await.expect("an answer"), 200);
    }

    /// Waits until each has heard everything that happened.
    async fn hear(&mut self) {
        let all = self.begun.len() * self.readers.len();
        let all = self.told.wait_for(|it| *it >= all);
        let _all = tokio::time::timeout(PATIENCE, all).await.expect("each hears it").unwrap();
    }

    /// The cursors of what happened; how many readers heard something else; and how long each frame took.
    async fn account(self) -> (Vec<String>, usize, Latencies) {
        let (mut took, mut sequences) = (Latencies::default(), Vec::new());
        for reader in self.readers {
            let heard = reader.await.unwrap();
            heard.iter().zip(&self.begun).for_each(|((_, at), begun)| took.add(at.duration_since(*begun)));
            sequences.push(heard.into_iter().map(|(cursor, _)| cursor).collect::<Vec<_>>());
        }
        let first = sequences[0].clone();
        let mut distinct = first.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), self.begun.len(), "each event has a place of its own");
        let differing = sequences.iter().filter(|it| **it != first).count();
        (first, differing, took.sorted())
    }

    /// So many events for so many readers, beside one more who stops reading when it has heard two thirds of them:
    /// one for all to get used to it, one to compare with.
    pub(crate) async fn beside_a_stalled_reader(gateway: &Gateway, readers: usize, events: usize) -> Beside {
        let mut crowd = Self::gather(gateway, readers, events).await;
        let address = *gateway.addresses().borrow();
        let mut stalled = Socket::open(address, AT_LENGTH, None, Some(LITTLE)).await.expect("it is let in");
        let mut heard = Vec::new();
        let third = events / 3;
        let mut resting = [0; 2];
        for rest in &mut resting {
            for _ in 0..third {
                crowd.land().await;
                heard.push(cursor(stalled.next().await));
                crowd.hear().await;
            }
            *rest = resting_bytes(gateway).await;
        }

        let stopped = Instant::now();
        let others = async {
            for _ in 2 * third..events {
                crowd.land().await;
                crowd.hear().await;
            }
            let usual = resting[1].saturating_sub(resting[0]);
            resting_bytes(gateway).await.saturating_sub(resting[1]).saturating_sub(usual)
        };
        let sent_away = async {
            let line = "heliograph_sockets_closed_total{code=\"4008\"} 1";
            while !gateway.metrics().await.contains(line) {
                assert!(stopped.elapsed() < PATIENCE, "it is never closed");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            let closed_after = stopped.elapsed();
            // It reads again while it is told goodbye.
            loop {
                match stalled.next().await {
                    Said::Closed(reason) => return (closed_after, reason.expect("a code")),
                    said => heard.push(cursor(said)),
                }
            }
        };
        let (grown_bytes, (closed_after, reason)) = tokio::join!(others, sent_away);

        let place = reason.1.rsplit_once(" after ").expect("it is told where to resume").1;
        assert!(heard.len() < events, "it did stop reading");
        let mut resumed =
            Socket::open(address, AT_LENGTH, Some(place), None).await.expect("it is let in again");
        while heard.len() < events {
            heard.push(cursor(resumed.next().await));
        }
        let (all, differing, frames) = crowd.account().await;
        let differing = differing + usize::from(heard != all);
        Beside { frames, closed_after, reason, grown_bytes, differing }
    }

    /// So many readers, of a gateway that is stopped and started again: all come at once, and something happens.
    pub(crate) async fn comes_back(gateway: &mut Gateway, readers: usize) -> Back {
        let mut crowd = Self::gather(gateway, readers, 2).await;
        crowd.land().await;
        crowd.hear().await;
        tokio::task::block_in_place(|| {
            gateway.stop();
            gateway.again();
        });
        let begun = Instant::now();
        let done = watch::Sender::new(false);
        let asking = tokio::spawn(ask(gateway.graphql(), done.subscribe()));
        crowd.land().await;
        crowd.hear().await;
        let took = begun.elapsed();
        done.send_replace(true);
        let queries = asking.await.unwrap();
        let (_, differing, _) = crowd.account().await;
        Back { took, queries, differing }
    }
}

fn cursor(said: Said) -> String {
    match said {
        Said::Data(data) => data["events"]["cursor"].as_str().expect("a cursor").to_owned(),
        Said::Closed(why) => panic!("closed: {why:?}"),
    }
}

/// One reader. At first it waits for its turn to be let in; when it comes again it does not.
async fn read(
    mut addresses: watch::Receiver<SocketAddr>,
    events: usize,
    telling: watch::Sender<usize>,
    letting: Arc<Semaphore>,
    let_in: watch::Sender<usize>,
) -> Heard {
    let mut heard: Heard = Vec::new();
    let mut turn = Some(letting.acquire().await.unwrap());
    while heard.len() < events {
        let address = *addresses.borrow_and_update();
        let after = heard.last().map(|(cursor, _)| cursor.clone());
        let Some(mut socket) = Socket::open(address, EVERYTHING, after.as_deref(), None).await else {
            let _moved = tokio::time::timeout(PAUSE, addresses.changed()).await;
            continue;
        };
        if turn.take().is_some() {
            let_in.send_modify(|it| *it += 1);
        }
        while heard.len() < events {
            match socket.next().await {
                Said::Closed(_) => break,
                said => heard.push((cursor(said), Instant::now())),
            }
            telling.send_modify(|it| *it += 1);
        }
    }
    heard
}

/// Asks again and again, and tells how long each answer took.
async fn ask(url: String, mut done: watch::Receiver<bool>) -> Latencies {
    let client = client();
    let mut took = Latencies::default();
    while !*done.borrow_and_update() {
        let begun = Instant::now();
        let request = client.post(&url).bearer_auth(super::gateway::KEY);
        let request = request.header("content-type", "application/json");
        let answer = request.body(r#"{"query":"{ viewer { name } }"}"#).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.text().await.unwrap().contains("\"load\""));
        took.add(begun.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    took.sorted()
}

/// A client with connections of its own.
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder().build().unwrap()
}
