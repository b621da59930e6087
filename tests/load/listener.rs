//! A reader that comes again behind the last event it has seen, and keeps account of all of them. Every other one reads
//! server-sent events, and the rest has a WebSocket.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
    net::SocketAddr,
    time::Duration,
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::TcpStream,
    sync::watch,
};

use super::{
    gateway::KEY,
    socket::{Said, Socket},
};

/// Between two tries while nobody listens.
const PAUSE: Duration = Duration::from_millis(20);

/// Asks for every event of the tenant, and of each only its job: `<design's number>-<delivery's number>`.
const DOCUMENT: &str = "subscription{events{...on DesignCompletedEvent{jobId}}}";

/// The same where the transport does not say the place.
const BY_SOCKET: &str =
    "subscription($after:Cursor){events(after:$after){cursor ...on DesignCompletedEvent{jobId}}}";

/// What one listener has heard.
pub(crate) struct Heard {
    /// For each design and delivery, how often.
    counts: Vec<Vec<u8>>,
    /// For each design, the first delivery that has not been heard yet.
    next: Vec<usize>,
    cursors: HashSet<u64>,
    pub(crate) total: u64,
    pub(crate) doubled: u64,
    pub(crate) out_of_order: u64,
    pub(crate) extra: u64,
    pub(crate) resumed: u64,
    /// Of every cursor and job, in their order.
    pub(crate) sequence: u64,
}

impl Heard {
    fn new(designs: usize, of_each: usize) -> Self {
        Self {
            counts: vec![vec![0; of_each]; designs],
            next: vec![0; designs],
            cursors: HashSet::new(),
            total: 0,
            doubled: 0,
            out_of_order: 0,
            extra: 0,
            resumed: 0,
            sequence: 0,
        }
    }

    fn hear(&mut self, cursor: &str, job: &str) {
        let mut hasher = DefaultHasher::new();
        (self.sequence, cursor, job).hash(&mut hasher);
        self.sequence = hasher.finish();
        let mut hasher = DefaultHasher::new();
        cursor.hash(&mut hasher);
        let known_cursor = !self.cursors.insert(hasher.finish());
        let parsed = job.split_once('-').and_then(|(d, n)| Some((d.parse().ok()?, n.parse().ok()?)));
        let place: Option<(usize, usize)> = parsed.filter(|(design, number): &(usize, usize)| {
            self.counts.get(*design).is_some_and(|it| *number < it.len())
        });
        let Some((design, number)) = place else {
            self.extra += 1;
            return;
        };
        let count = &mut self.counts[design][number];
        *count = count.saturating_add(1);
        if *count > 1 || known_cursor {
            self.doubled += 1;
            return;
        }
        self.total += 1;
        if number != self.next[design] {
            self.out_of_order += 1;
        }
        self.next[design] = number + 1;
    }

    /// How many of those that were to be heard were not.
    pub(crate) fn lost(&self) -> u64 {
        self.counts.iter().flatten().filter(|count| **count == 0).count() as u64
    }
}

/// Who listens, and how.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) number: usize,
    pub(crate) after: String,
    /// Designs, and deliveries of each.
    pub(crate) all: (usize, usize),
    /// How often it cuts its own connection, at moments that the seed chooses.
    pub(crate) cuts: usize,
    pub(crate) seed: u64,
}

/// Listens until it has heard all of the different events, or is told to end.
pub(crate) async fn listen(
    mut addresses: watch::Receiver<SocketAddr>,
    plan: Plan,
    mut end: watch::Receiver<bool>,
) -> Heard {
    let Plan { number, after, all: (designs, of_each), cuts, seed } = plan;
    let mut heard = Heard::new(designs, of_each);
    let all = (designs * of_each) as u64;
    let mut chance = StdRng::seed_from_u64(seed.wrapping_add(number as u64));
    let mut cuts: Vec<u64> = (0..cuts).map(|_| chance.random_range(1..all)).collect();
    cuts.sort_unstable();
    let mut last = after;
    let hear = async {
        loop {
            let address = *addresses.borrow_and_update();
            match Line::open(address, &last, number).await {
                Some(line) => {
                    // Two cuts at one place are two: the second comes before anything is heard.
                    let until = if cuts.is_empty() { all } else { cuts.remove(0) };
                    heard.resumed += 1;
                    line.follow(&mut last, &mut heard, until).await;
                }
                None => tokio::time::sleep(PAUSE).await,
            }
            if heard.total >= all {
                return;
            }
        }
    };
    tokio::select! {
        () = hear => {}
        _ = end.wait_for(|it| *it) => {}
    }
    heard
}

/// A connection of either kind.
enum Line {
    Stream(Lines<BufReader<TcpStream>>),
    Socket(Box<Socket>),
}

impl Line {
    async fn open(address: SocketAddr, after: &str, number: usize) -> Option<Self> {
        if number.is_multiple_of(2) {
            return open(address, Some(after)).await.ok().map(Self::Stream);
        }
        Socket::open(address, BY_SOCKET, Some(after), None).await.map(Box::new).map(Self::Socket)
    }

    /// Hears until it has heard so much in all, or the connection breaks.
    async fn follow(mut self, last: &mut String, heard: &mut Heard, until: u64) {
        while heard.total < until
            && let Some((cursor, job)) = self.next().await
        {
            heard.hear(&cursor, &job);
            *last = cursor;
        }
    }

    /// The next event's cursor and job.
    async fn next(&mut self) -> Option<(String, String)> {
        match self {
            Self::Stream(lines) => next_event(lines).await,
            Self::Socket(socket) => {
                let Said::Data(data) = socket.next().await else { return None };
                let text = |name: &str| data["events"][name].as_str().map(ToOwned::to_owned);
                let cursor = text("cursor").unwrap_or_else(|| panic!("an answer without a place: {data}"));
                Some((cursor, text("jobId").unwrap_or_default()))
            }
        }
    }
}

async fn next_event(lines: &mut Lines<BufReader<TcpStream>>) -> Option<(String, String)> {
    let mut id = None;
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(told) = line.strip_prefix("id: ") {
            id = Some(told.to_owned());
        } else if let Some(data) = line.strip_prefix("data: ") {
            let id = id.unwrap_or_else(|| panic!("an answer without a place: {data}"));
            let job = data.split("\"jobId\":\"").nth(1).and_then(|it| it.split('"').next());
            return Some((id, job.unwrap_or_default().to_owned()));
        }
    }
    None
}

/// Opens a stream, behind an event or from now on. It is open when its head has come.
pub(crate) async fn open(
    address: SocketAddr,
    after: Option<&str>,
) -> std::io::Result<Lines<BufReader<TcpStream>>> {
    let mut stream = TcpStream::connect(address).await?;
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("query", DOCUMENT).finish();
    let after = after.map(|it| format!("last-event-id: {it}\r\n")).unwrap_or_default();
    // In HTTP/1.0 a body has no frames of its own: what comes is what was written.
    let request = format!(
        "GET /graphql?{query} HTTP/1.0\r\nhost: heliograph\r\nauthorization: Bearer {KEY}\r\naccept: text/event-stream\r\n{after}\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut lines = BufReader::new(stream).lines();
    let status = lines.next_line().await?.ok_or(std::io::ErrorKind::UnexpectedEof)?;
    assert!(status.contains(" 200"), "{status}");
    while lines.next_line().await?.is_some_and(|line| !line.is_empty()) {}
    Ok(lines)
}
