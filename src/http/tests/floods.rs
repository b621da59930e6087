//! Floods below what a request is: headers, and frames of HTTP/2 that a client writes by hand.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{self, Instant},
};

use super::{
    connections::{connect, until_closed},
    world::{Reply, World},
};

/// What a flood may last. A server that never ends it fails the test.
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_flood_of_headers_is_refused() {
    let world = World::start().await;
    let with = |number: usize| {
        let more = "x: y\r\n".repeat(number - 2);
        format!("GET /schema.graphql HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{more}\r\n")
    };
    for (number, status) in [(64, "200"), (65, "431"), (100, "431"), (5_000, "431")] {
        let said = until_closed(connect(&world, with(number).as_bytes()).await).await.0;
        assert!(said.starts_with(&format!("HTTP/1.1 {status}")), "{number}: {said}");
    }
    let mut request = world.request("POST", "/graphql").header("content-type", "application/json");
    for number in 0..65 {
        request = request.header(format!("x-{number}"), "y");
    }
    assert_eq!(Reply::to(request.body("{}")).await.refusal(), (431, "BAD_USER_INPUT".to_owned()));
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let world = World::start().await;
    let head = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(100 * 1024));
    let said = until_closed(connect(&world, head.as_bytes()).await).await.0;
    assert!(said.starts_with("HTTP/1.1 431"), "{said}");
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// `GET http://x/`, by the static table of HPACK.
const GET: &[u8] = &[0x82, 0x86, 0x84, 0x41, 1, b'x'];

/// `CANCEL`.
const CANCEL: [u8; 4] = [0, 0, 0, 8];

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A connection by prior knowledge.
async fn open(world: &World) -> TcpStream {
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, b"")].concat()).await.unwrap();
    stream
}

/// Writes one thing over and over until the server hangs up, while a neighbour is served, and gives how many bytes it took.
async fn flood(world: &World, begin: &[u8], next: impl Fn(u32) -> Vec<u8>, times: u32) -> usize {
    let (mut reader, mut writer) = open(world).await.into_split();
    let began = Instant::now();
    let write = async {
        let mut taken = begin.len();
        if writer.write_all(begin).await.is_err() {
            return taken;
        }
        for at in 0..times {
            let bytes = next(at);
            if writer.write_all(&bytes).await.is_err() {
                break;
            }
            taken += bytes.len();
        }
        taken
    };
    let mut said = Vec::new();
    let neighbour = async {
        for _ in 0..20 {
            let asked = Instant::now();
            assert_eq!(world.query("{ name }").await.json()["data"]["name"], "crm");
            assert!(asked.elapsed() < Duration::from_secs(1), "a neighbour waited {:?}", asked.elapsed());
        }
    };
    let all = async { tokio::join!(write, reader.read_to_end(&mut said), neighbour).0 };
    let taken = time::timeout(PATIENCE, all).await.expect("the server let it go on");
    assert!(began.elapsed() < PATIENCE);
    taken
}

#[tokio::test]
async fn whoever_speaks_http_2_by_hand_and_properly_is_answered() {
    let world = World::start().await;
    let mut stream = open(&world).await;
    stream.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, 1, GET)).await.unwrap();
    let answered = async {
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).await.unwrap();
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            stream.read_exact(&mut payload).await.unwrap();
            if (head[3], head[8]) == (DATA, 1) && head[4] & END_STREAM != 0 {
                return;
            }
        }
    };
    time::timeout(PATIENCE, answered).await.expect("an answer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_are_begun_and_reset_ten_thousand_times_end_their_connection() {
    let world = World::start().await;
    let one = |at: u32| {
        let stream = 2 * at + 1;
        [frame(HEADERS, END_HEADERS | END_STREAM, stream, GET), frame(RST_STREAM, 0, stream, &CANCEL)]
            .concat()
    };
    // All at once, as such a client sends them.
    let burst = |at: u32| (at * 100..(at + 1) * 100).flat_map(one).collect();
    flood(&world, b"", burst, 100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_that_never_end_end_their_connection() {
    let world = World::start().await;
    let begin = frame(HEADERS, END_STREAM, 1, GET);
    // Each a header without a name in the table: `a: b`, some thousand times, and once nothing at all.
    let field = [0, 1, b'a', 1, b'b'].repeat(3_000);
    let taken = flood(&world, &begin, |_| frame(CONTINUATION, 0, 1, &field), 10_000).await;
    assert!(taken < 16 * 1024 * 1024, "{taken} bytes of headers were taken");
    let taken = flood(&world, &begin, |_| frame(CONTINUATION, 0, 1, b""), 1_000_000).await;
    assert!(taken < 1024 * 1024, "{taken} bytes of empty frames were taken");
}
