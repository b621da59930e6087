//! Aurora's side of a delivery, as cheap as it can be: one connection, one request after the other.

use std::{net::SocketAddr, time::Duration};

use heliograph::sandbox::TENANT;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::watch,
};

use super::gateway::SECRET;

/// Aurora gives up after this.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two tries while nobody listens.
const PAUSE: Duration = Duration::from_millis(5);

pub(crate) struct Caller {
    addresses: watch::Receiver<SocketAddr>,
    connection: Option<BufReader<TcpStream>>,
}

/// The query of a completed simulation.
pub(crate) fn completion(design: &str, job: &str, status: &str) -> String {
    format!(
        "performance_simulation_job_completed?tenant_id={TENANT}&design_id={design}&job_id={job}&status={status}"
    )
}

impl Caller {
    pub(crate) fn new(addresses: watch::Receiver<SocketAddr>) -> Self {
        Self { addresses, connection: None }
    }

    /// Delivers once. Without a status there was no answer: the connection broke, or took too long.
    pub(crate) async fn deliver(&mut self, event_and_query: &str) -> Option<u16> {
        let answer = tokio::time::timeout(PATIENCE, self.try_deliver(event_and_query)).await;
        let status = answer.ok().and_then(Result::ok);
        if status.is_none() {
            self.connection = None;
            tokio::time::sleep(PAUSE).await;
        }
        status
    }

    async fn try_deliver(&mut self, event_and_query: &str) -> std::io::Result<u16> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let address = *self.addresses.borrow_and_update();
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                BufReader::new(stream)
            }
        };
        let request = format!(
            "GET /webhooks/aurora/{event_and_query} HTTP/1.1\r\nhost: heliograph\r\nx-heliograph-webhook-token: {SECRET}\r\n\r\n"
        );
        connection.get_mut().write_all(request.as_bytes()).await?;
        let (mut line, mut status, mut length) = (String::new(), 0, 0);
        loop {
            line.clear();
            if connection.read_line(&mut line).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let told = line.trim_end();
            if told.is_empty() {
                break;
            }
            if let Some(rest) = told.strip_prefix("HTTP/1.1 ") {
                status = rest.split(' ').next().and_then(|it| it.parse().ok()).unwrap_or(0);
            } else if let Some((name, value)) = told.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let mut body = vec![0; length];
        connection.read_exact(&mut body).await?;
        self.connection = Some(connection);
        Ok(status)
    }
}
