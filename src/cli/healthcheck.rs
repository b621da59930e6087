//! `heliograph healthcheck`: does the gateway on this machine live?
//!
//! Plain TCP and one short request, because it runs every few seconds inside a container that may hold
//! nothing else: no certificates, no proxy, no resolver.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use url::Url;

use super::Healthcheck;
use crate::config::Config;

/// To connect, and again for the answer. A gateway on the same machine that needs longer is not well.
const PATIENCE: Duration = Duration::from_secs(2);

/// Room for a status line; the rest of the answer does not matter.
const STATUS_LINE_BYTES: u64 = 256;

/// Asks, and succeeds when the answer is a 2xx.
///
/// # Errors
/// When the configuration is refused, nobody answers in time, or the answer is another.
pub(super) fn run(args: Healthcheck) -> anyhow::Result<()> {
    let url = match args.url {
        Some(url) => url,
        None => {
            let config = Config::from_process(args.config.path.as_deref())?;
            admin_url(config.server.admin_listen)?
        }
    };
    let status = ask(&url).with_context(|| format!("no answer from {url}"))?;
    ensure!((200..300).contains(&status), "{url} answered {status}");
    Ok(())
}

fn admin_url(listen: SocketAddr) -> anyhow::Result<Url> {
    ensure!(listen.port() != 0, "server.admin_listen has port 0: say which it is with --url");
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let url = format!("http://{}/healthz", SocketAddr::new(ip, listen.port()));
    Ok(Url::parse(&url)?)
}

fn ask(url: &Url) -> anyhow::Result<u16> {
    ensure!(url.scheme() == "http", "only http:// URLs can be asked");
    let address = url.socket_addrs(|| None)?.into_iter().next().context("the host has no address")?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;

    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
    write!(stream, "GET {target} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n")?;

    let mut answer = Vec::new();
    let mut buffer = [0; 64];
    let mut stream = stream.take(STATUS_LINE_BYTES);
    while !answer.contains(&b'\n') {
        match stream.read(&mut buffer)? {
            0 => bail!("the answer is not HTTP"),
            count => answer.extend_from_slice(&buffer[..count]),
        }
    }
    let line = String::from_utf8_lossy(&answer);
    let mut words = line.split_ascii_whitespace();
    ensure!(words.next().is_some_and(|version| version.starts_with("HTTP/1.")), "the answer is not HTTP");
    words.next().and_then(|status| status.parse().ok()).context("the answer has no status")
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn a_wildcard_address_is_asked_over_loopback() {
        let url = |listen: &str| admin_url(listen.parse().unwrap()).map(String::from);
        assert_eq!(url("0.0.0.0:4001").unwrap(), "http://127.0.0.1:4001/healthz");
        assert_eq!(url("[::]:4001").unwrap(), "http://[::1]:4001/healthz");
        assert_eq!(url("10.1.2.3:4001").unwrap(), "http://10.1.2.3:4001/healthz");
        assert!(url("127.0.0.1:0").unwrap_err().to_string().contains("--url"));
    }

    #[test]
    fn a_gateway_that_answers_ok_lives() {
        let (url, asked) = answer_once("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        run(of(&url)).unwrap();
        assert_eq!(asked.join().unwrap(), "GET /healthz?deep=1 HTTP/1.1\r\n");
    }

    #[test]
    fn any_other_answer_and_none_at_all_are_failures() {
        let (url, asked) = answer_once("HTTP/1.1 503 Service Unavailable\r\n\r\n");
        assert!(run(of(&url)).unwrap_err().to_string().ends_with("answered 503"));
        asked.join().unwrap();

        let (url, asked) = answer_once("ssh-2.0\r\n");
        assert!(format!("{:#}", run(of(&url)).unwrap_err()).ends_with("the answer is not HTTP"));
        asked.join().unwrap();

        // Nobody listens there any more.
        assert!(run(of(&url)).unwrap_err().to_string().starts_with("no answer from"));
    }

    fn of(url: &str) -> Healthcheck {
        Healthcheck { config: super::super::ConfigFile { path: None }, url: Some(url.parse().unwrap()) }
    }

    /// A server for one request; its thread returns the request line.
    fn answer_once(answer: &'static str) -> (String, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/healthz?deep=1", listener.local_addr().unwrap());
        let asked = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut request = String::new();
            reader.read_line(&mut request).unwrap();
            let mut header = request.clone();
            while header != "\r\n" {
                header.clear();
                reader.read_line(&mut header).unwrap();
            }
            stream.write_all(answer.as_bytes()).unwrap();
            request
        });
        (url, asked)
    }
}
