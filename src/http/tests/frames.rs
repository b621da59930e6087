//! WebSocket frames as no library would write them: what RFC 6455 forbids ends the socket, and nothing else.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time,
};

use super::world::{World, eventually};

/// How long the server may take with anything.
const PATIENCE: Duration = Duration::from_secs(5);

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

const END: u8 = 0x80;

const INIT: &str = r#"{"type":"connection_init","payload":{"Authorization":"Bearer k-crm","é":"日本"}}"#;

/// A masked frame, whose first byte is given whole.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x11, 0x22, 0x33, 0x44];
    let mut bytes = head(first, payload.len() as u64, 0x80);
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

fn head(first: u8, length: u64, masked: u8) -> Vec<u8> {
    let mut bytes = vec![first];
    match length {
        0..=125 => bytes.push(masked | u8::try_from(length).unwrap()),
        126..=0xffff => {
            bytes.push(masked | 126);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        _ => {
            bytes.push(masked | 127);
            bytes.extend(length.to_be_bytes());
        }
    }
    bytes
}

/// A connection after its handshake.
struct Raw(TcpStream);

impl Raw {
    async fn open(world: &World) -> Self {
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        let handshake = "GET /graphql HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
            sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
            sec-websocket-protocol: graphql-transport-ws\r\n\r\n";
        stream.write_all(handshake.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(time::timeout(PATIENCE, stream.read_u8()).await.expect("a handshake").unwrap());
        }
        assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
        Self(stream)
    }

    async fn send(&mut self, bytes: &[u8]) {
        // A server that hung up already takes no more.
        let _gone = self.0.write_all(bytes).await;
    }

    /// The next frame's opcode and payload; nothing where the server hung up.
    async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let read = async {
            let first = self.0.read_u8().await.ok()?;
            let length = match self.0.read_u8().await.ok()? {
                126 => usize::from(self.0.read_u16().await.ok()?),
                length => usize::from(length),
            };
            let mut payload = vec![0; length];
            self.0.read_exact(&mut payload).await.ok()?;
            Some((first & 0x0f, payload))
        };
        time::timeout(PATIENCE, read).await.expect("a frame, or an end")
    }

    /// Reads to the end, and gives the code of the close frame if there was one.
    async fn ended(mut self) -> Option<u16> {
        let mut code = None;
        while let Some((opcode, payload)) = self.frame().await {
            assert!(opcode == CLOSE || opcode == PONG, "{opcode}: {}", String::from_utf8_lossy(&payload));
            if opcode == CLOSE {
                code = payload.get(..2).map(|it| u16::from_be_bytes([it[0], it[1]]));
                let _gone = self.0.shutdown().await;
            }
        }
        code
    }
}

#[tokio::test]
async fn a_message_in_fragments_with_a_ping_between_them_is_one_message() {
    let world = World::start().await;
    // After one byte, and within each character of more than one.
    let places = (1..INIT.len()).filter(|at| *at == 1 || !INIT.is_char_boundary(*at));
    for at in places {
        let (first, rest) = INIT.as_bytes().split_at(at);
        let mut raw = Raw::open(&world).await;
        raw.send(&frame(TEXT, first)).await;
        raw.send(&frame(END | PING, b"still there?")).await;
        raw.send(&frame(CONTINUATION, b"")).await;
        raw.send(&frame(END | CONTINUATION, rest)).await;
        assert_eq!(raw.frame().await, Some((PONG, b"still there?".to_vec())));
        assert_eq!(raw.frame().await, Some((TEXT, br#"{"type":"connection_ack"}"#.to_vec())), "cut at {at}");
        raw.send(&frame(END | CLOSE, &1000_u16.to_be_bytes())).await;
        assert_eq!(raw.ended().await, Some(1000));
    }
    eventually("all sockets are gone", || world.metrics.sockets_open.get() == 0).await;
}

/// What no client may send, and the codes that the socket may be closed with.
fn forbidden() -> Vec<(&'static str, Vec<u8>)> {
    let init = INIT.as_bytes();
    // The head and the mask of a frame whose payload never comes.
    let announced = |length: u64| [head(END | TEXT, length, 0x80), vec![0; 4]].concat();
    let closing = |code: u16, reason: &[u8]| frame(END | CLOSE, &[&code.to_be_bytes(), reason].concat());
    vec![
        ("RSV1", frame(END | 0x40 | TEXT, init)),
        ("RSV2", frame(END | 0x20 | TEXT, init)),
        ("RSV3", frame(END | 0x10 | TEXT, init)),
        ("RSV1 of a ping", frame(END | 0x40 | PING, b"")),
        ("the reserved opcode 3", frame(END | 3, init)),
        ("the reserved opcode 11", frame(END | 11, b"")),
        ("no mask", [head(END | TEXT, init.len() as u64, 0), init.to_vec()].concat()),
        ("a ping in fragments", [frame(PING, b"a"), frame(END | CONTINUATION, b"b")].concat()),
        ("a close in fragments", [frame(CLOSE, b"\x03"), frame(END | CONTINUATION, b"\xe8")].concat()),
        ("a ping of 126 bytes", frame(END | PING, &[b'x'; 126])),
        ("a close of 126 bytes", closing(1000, &[b'x'; 124])),
        ("a continuation of nothing", frame(END | CONTINUATION, init)),
        ("a message within a message", [frame(TEXT, b"{"), frame(END | TEXT, init)].concat()),
        ("no UTF-8", frame(END | TEXT, b"{\"type\":\"\xff\"}")),
        ("a surrogate", frame(END | TEXT, b"{\"type\":\"\xed\xa0\x80\"}")),
        ("no UTF-8 over fragments", [frame(TEXT, b"{\"\xc3"), frame(END | CONTINUATION, b"\"}")].concat()),
        ("half a character at the end", [frame(TEXT, b"{\""), frame(END | CONTINUATION, b"\xc3")].concat()),
        ("a close of one byte", frame(END | CLOSE, b"\x03")),
        ("a close with 999", closing(999, b"")),
        ("a close with 1005", closing(1005, b"")),
        ("a close with 1006", closing(1006, b"")),
        ("a close with a reason that is no UTF-8", closing(1000, b"\xff")),
        ("a length of 2^63", announced(1 << 63)),
        ("a length of 2^64-1", announced(u64::MAX)),
        ("a frame that is too large", announced(1024 * 1024)),
        (
            "fragments that are too large together",
            [vec![frame(TEXT, &[b' '; 100_000])], vec![frame(CONTINUATION, &[b' '; 100_000]); 2]]
                .concat()
                .concat(),
        ),
    ]
}

#[tokio::test]
async fn what_no_client_may_send_ends_its_own_socket_and_nothing_else() {
    let world = World::start().await;
    for (what, bytes) in forbidden() {
        let mut raw = Raw::open(&world).await;
        raw.send(&bytes).await;
        let code = raw.ended().await;
        assert!(matches!(code, None | Some(1002 | 1007 | 1009)), "{what}: {code:?}");
        eventually(what, || world.metrics.sockets_open.get() == 0).await;
        assert_eq!(world.query("{ name }").await.json()["data"]["name"], "crm", "after {what}");
    }
}

#[tokio::test]
async fn a_close_that_is_sound_is_answered_in_kind() {
    let world = World::start().await;
    for code in [1000_u16, 1001, 1011, 3000, 4999] {
        let mut raw = Raw::open(&world).await;
        raw.send(&frame(END | CLOSE, &[&code.to_be_bytes(), "née".as_bytes()].concat())).await;
        assert_eq!(raw.ended().await, Some(code));
    }
    let mut bare = Raw::open(&world).await;
    bare.send(&frame(END | CLOSE, b"")).await;
    assert_eq!(bare.ended().await, None);
    eventually("all sockets are gone", || world.metrics.sockets_open.get() == 0).await;
}
