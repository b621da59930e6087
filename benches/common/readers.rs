//! Many sockets that are read from, with as little work as can be: what is measured is who writes.

use std::{
    cell::Cell,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    task::JoinHandle,
};

/// Frames that are still to come, and when the first and the last came.
#[derive(Default)]
pub(crate) struct Tally {
    left: Cell<usize>,
    first: Cell<Option<Instant>>,
    all: Notify,
}

/// How long it took from a moment to the first frame and to the last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Took {
    pub(crate) first: Duration,
    pub(crate) last: Duration,
}

impl Tally {
    pub(crate) fn expect(&self, frames: usize) {
        self.left.set(frames);
        self.first.set(None);
    }

    fn came(&self) {
        if self.first.get().is_none() {
            self.first.set(Some(Instant::now()));
        }
        let left = self.left.get().checked_sub(1).expect("a frame that nobody expects");
        self.left.set(left);
        if left == 0 {
            self.all.notify_one();
        }
    }

    /// Waits for the last.
    pub(crate) async fn took(&self, since: Instant) -> Took {
        tokio::time::timeout(Duration::from_secs(60), self.all.notified()).await.expect("all frames in time");
        let last = since.elapsed();
        Took { first: self.first.get().unwrap() - since, last }
    }
}

/// A socket that is read from until this is dropped.
pub(crate) struct Reader(JoinHandle<()>);

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Reader {
    /// Counts frames of so many bytes.
    pub(crate) fn of(mut stream: TcpStream, length: usize, tally: &Rc<Tally>) -> Self {
        let tally = Rc::clone(tally);
        Self(tokio::task::spawn_local(async move {
            let (mut buffer, mut read) = (vec![0; 4096], 0);
            loop {
                let more = stream.read(&mut buffer).await.unwrap();
                assert!(more > 0, "a socket was closed");
                read += more;
                while read >= length {
                    read -= length;
                    tally.came();
                }
            }
        }))
    }
}

/// Opens a WebSocket, shows the key and subscribes; what comes next are events.
pub(crate) async fn subscribe(gateway: SocketAddr, key: &str, subscribe: &str) -> TcpStream {
    let mut stream = TcpStream::connect(gateway).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let head = "GET /graphql HTTP/1.1\r\nhost: bench\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        sec-websocket-protocol: graphql-transport-ws\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
    let init = format!(r#"{{"type":"connection_init","payload":{{"Authorization":"Bearer {key}"}}}}"#);
    send(&mut stream, &init).await;
    assert_eq!(receive(&mut stream).await.1, r#"{"type":"connection_ack"}"#);
    send(&mut stream, subscribe).await;
    // Answered behind the subscription, so that it has begun.
    send(&mut stream, r#"{"type":"ping"}"#).await;
    assert_eq!(receive(&mut stream).await.1, r#"{"type":"pong"}"#);
    stream
}

/// Sends a text. Clients must mask what they send; a mask of zeros is one.
async fn send(stream: &mut TcpStream, text: &str) {
    let length = u16::try_from(text.len()).unwrap().to_be_bytes();
    let frame = [&[0x81, 0x80 | 126], length.as_slice(), &[0; 4], text.as_bytes()].concat();
    stream.write_all(&frame).await.unwrap();
}

/// The next frame: its head, and its text.
pub(crate) async fn receive(stream: &mut TcpStream) -> (Vec<u8>, String) {
    let mut head = vec![stream.read_u8().await.unwrap(), stream.read_u8().await.unwrap()];
    let length = match head[1] {
        126 => {
            let length = stream.read_u16().await.unwrap();
            head.extend(length.to_be_bytes());
            usize::from(length)
        }
        short => usize::from(short),
    };
    let mut text = vec![0; length];
    stream.read_exact(&mut text).await.unwrap();
    (head, String::from_utf8(text).unwrap())
}
