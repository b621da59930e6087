//! What stands in the way of a connection.

use tokio::{io::AsyncWriteExt, net::TcpListener};

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
