use std::{
    net::IpAddr,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;

/// Answers every request with the same bytes and counts connections.
async fn server(answer: &'static [u8]) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            count.fetch_add(1, SeqCst);
            tokio::spawn(async move {
                let mut head = vec![0; 4096];
                let _ = socket.read(&mut head).await;
                let _ = socket.write_all(answer).await;
                // A reader that stops closes the connection, which ends this.
                while socket.write_all(&[b'x'; 4096]).await.is_ok() {}
            });
        }
    });
    (port, connections)
}

fn signer() -> Signer {
    Signer::try_new(&[secrecy::SecretSlice::from(vec![7; 24])]).unwrap()
}

/// A sender whose name resolves to each of these in turn, and the names that were looked up.
fn sender(url: &str, allowed: &[&str], turns: &[&str]) -> (Sender, Arc<AtomicUsize>) {
    let url = Url::parse(url).unwrap();
    let allowed: Vec<_> = allowed.iter().map(|it| (*it).to_owned()).collect();
    let turns: Vec<IpAddr> = turns.iter().rev().map(|it| it.parse().unwrap()).collect();
    let (turns, lookups) = (Mutex::new(turns), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&lookups);
    let guard = Guard::try_new(&url, &allowed).unwrap().looking_up(Arc::new(move |_| {
        count.fetch_add(1, SeqCst);
        let mut turns = turns.lock().unwrap();
        let now = if turns.len() > 1 { turns.pop() } else { turns.last().copied() };
        Box::pin(std::future::ready(Ok(now.into_iter().collect())))
    }));
    (Sender::guarded(url, guard, None, signer(), Duration::from_secs(2)).unwrap(), lookups)
}

async fn send(sender: &Sender) -> Result<(), Failure> {
    let sent = sender.send("m", Bytes::from_static(b"{}"), Timestamp::UNIX_EPOCH).await;
    sent.map_err(|it| it.failure)
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    let (port, _) = server(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n").await;
    let (sender, _) = sender(&format!("http://localhost:{port}/"), &["localhost"], &["127.0.0.1"]);
    assert_eq!(send(&sender).await, Ok(()));
}

#[tokio::test]
async fn a_name_that_leads_inside_is_not_connected_to() {
    let (port, connections) = server(b"HTTP/1.1 200 OK\r\n\r\n").await;
    for address in ["127.0.0.1", "10.0.0.1", "::ffff:127.0.0.1", "169.254.169.254", "fe80::1", "100.64.0.1"] {
        let (sender, lookups) = sender(&format!("https://crm.example:{port}/"), &[], &[address]);
        assert_eq!(send(&sender).await, Err(Failure::AddressRefused), "{address}");
        assert_eq!(lookups.load(SeqCst), 1);
    }
    assert_eq!(connections.load(SeqCst), 0);
}

/// The trick: a public address for the one who checks, a private one for the one who connects.
#[tokio::test]
async fn a_name_that_changes_its_address_is_judged_by_the_one_that_is_connected_to() {
    let (port, connections) = server(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    // The first answer is allowed here and the second is not: were there two lookups, it would be refused.
    let url = format!("http://localhost:{port}/");
    let (good, lookups) = sender(&url, &["localhost"], &["127.0.0.1", "169.254.169.254"]);
    assert_eq!(send(&good).await, Ok(()));
    assert_eq!((lookups.load(SeqCst), connections.load(SeqCst)), (1, 1));
    // A new connection is judged anew.
    let (bad, _) = sender(&url, &["localhost"], &["169.254.169.254", "127.0.0.1"]);
    assert_eq!(send(&bad).await, Err(Failure::AddressRefused));
    assert_eq!(connections.load(SeqCst), 1);
}

#[tokio::test]
async fn plain_text_does_not_leave_the_machine_though_its_name_is_resolved_elsewhere() {
    let (sender, _) = sender("http://localhost:9/", &["localhost"], &["8.8.8.8"]);
    assert_eq!(send(&sender).await, Err(Failure::AddressRefused));
}

#[tokio::test]
async fn a_target_that_says_nothing_is_given_up_in_time_and_a_closed_port_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (silent, _) = sender(&format!("http://localhost:{port}/"), &["localhost"], &["127.0.0.1"]);
    assert_eq!(send(&silent).await, Err(Failure::TimedOut));
    drop(listener);
    assert_eq!(send(&silent).await, Err(Failure::Unreachable));
}

#[test]
fn a_failure_is_read_back_as_it_was_kept() {
    for failure in [
        Failure::Status(503),
        Failure::TimedOut,
        Failure::Unreachable,
        Failure::TlsFailed,
        Failure::AddressRefused,
    ] {
        assert_eq!(Failure::from_code(&failure.code()), Some(failure));
    }
    assert_eq!(Failure::from_code("HTTP_x"), None);
}
