//! What stands in the way of a connection, and what is left of a call that a connection lost.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{double::empty_design, secrets::Captured, *};

/// What is logged where Aurora is at that address.
async fn logged_of(base_url: &str) -> String {
    let captured = Captured::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .with_writer(captured.clone())
        .finish();
    // See `nothing_secret_is_said_or_logged`.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let listening = tracing::subscriber::set_default(subscriber);
    let double = Double::start(|_| empty_design()).await;
    let aurora = client(Config { base_url: Url::parse(base_url).unwrap(), ..own_key(&double) });
    assert!(matches!(create(&aurora).await, Err(Error::Unavailable(_))), "certainly not made");
    drop(listening);
    captured.text()
}

/// A host that says something to whoever connects, and hangs up.
async fn says(words: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            socket.write_all(words).await.unwrap();
        }
    });
    format!("https://{address}/")
}

#[tokio::test]
async fn what_stands_in_the_way_of_a_connection_is_told_apart_in_logs() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for (base_url, failure) in [
        ("https://nowhere.invalid/".to_owned(), "dns"),
        (format!("http://{free}/"), "connect"),
        (says(b"HTTP/1.1 400 Bad Request\r\n\r\n").await, "tls"),
        (says(b"").await, "tls"),
    ] {
        let logged = logged_of(&base_url).await;
        assert!(logged.contains(&format!("failure=\"{failure}\"")), "{base_url}: {logged}");
        assert!(logged.contains("WARN") && !logged.contains("sk-own"), "{logged}");
    }
}

/// A host that reads what it is sent, and then answers with these words and hangs up, or says nothing for ever.
async fn hears(words: Option<&'static [u8]>) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut head = [0; 4096];
            assert!(socket.read(&mut head).await.unwrap() > 0);
            match words {
                Some(words) => socket.write_all(words).await.unwrap(),
                None => kept.push(socket),
            }
        }
    });
    url
}

#[tokio::test]
async fn a_call_that_was_lost_counts_for_a_minute_from_when_it_may_still_have_come_to_aurora() {
    let refusal = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    for (words, is_lost) in [(None, true), (Some(&b""[..]), true), (Some(&refusal[..]), false)] {
        let (double, clock) = (Double::start(|_| empty_design()).await, clock());
        // Only where no answer comes is it to come to its end.
        let request_timeout = Duration::from_millis(if words.is_none() { 200 } else { 10_000 });
        let config = Config { base_url: hears(words).await, request_timeout, ..own_key(&double) };
        let aurora = Aurora::try_new(config, clock.clone()).unwrap();
        let left = || aurora.budget(&tenant()).unwrap().remaining;
        let lost = create(&aurora).await.unwrap_err();
        assert_eq!(matches!(lost, Error::OutcomeUnknown(_)), is_lost, "{lost:?}");
        assert_eq!(left(), 9_999);
        clock.advance(Duration::from_secs(62));
        assert_eq!(left() == 10_000, !is_lost, "{lost:?}: a minute after it broke off");
        clock.advance(Duration::from_secs(4));
        assert_eq!(left(), 10_000, "{lost:?}");
    }
}
