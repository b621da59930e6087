//! A client of `graphql-transport-ws` with one subscription, of which thousands fit into one process.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        Message, client::IntoClientRequest, http::HeaderValue, protocol::WebSocketConfig as Config,
    },
};

use super::gateway::KEY;

/// The library takes so much for each socket, and clears it at each look.
const READ_BUFFER: usize = 1024;

/// How long a handshake may take, before it is tried again.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Socket {
    socket: WebSocketStream<TcpStream>,
    /// What came before it was known that the subscription stands.
    early: VecDeque<Value>,
}

/// What a socket says.
#[derive(Debug)]
pub(crate) enum Said {
    /// The data of an answer.
    Data(Value),
    /// Its last word, unless the connection just broke.
    Closed(Option<(u16, String)>),
}

impl Socket {
    /// Connects, shows the key and subscribes, behind an event or from now on. When this returns, the subscription stands.
    /// `room` is how many bytes the system may keep of what is not read. Without anything, the connection broke.
    pub(crate) async fn open(
        address: SocketAddr,
        document: &str,
        after: Option<&str>,
        room: Option<u32>,
    ) -> Option<Self> {
        let opened = tokio::time::timeout(PATIENCE, Self::try_open(address, document, after, room));
        opened.await.ok().flatten()
    }

    async fn try_open(
        address: SocketAddr,
        document: &str,
        after: Option<&str>,
        room: Option<u32>,
    ) -> Option<Self> {
        let tcp = TcpSocket::new_v4().ok()?;
        if let Some(room) = room {
            tcp.set_recv_buffer_size(room).ok()?;
        }
        let stream = tcp.connect(address).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let mut request = format!("ws://{address}/graphql").into_client_request().ok()?;
        let protocol = HeaderValue::from_static("graphql-transport-ws");
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let config = Config::default().read_buffer_size(READ_BUFFER).write_buffer_size(0);
        let (socket, _) = client_async_with_config(request, stream, Some(config)).await.ok()?;
        let mut this = Self { socket, early: VecDeque::new() };
        let credential = json!({ "Authorization": format!("Bearer {KEY}") });
        this.send(json!({ "type": "connection_init", "payload": credential })).await?;
        assert_eq!(this.hear().await.ok()?["type"], "connection_ack");
        let payload = json!({ "query": document, "variables": { "after": after } });
        this.send(json!({ "id": "1", "type": "subscribe", "payload": payload })).await?;
        // Answered behind the subscription, so that it stands.
        this.send(json!({ "type": "ping" })).await?;
        loop {
            let message = this.hear().await.ok()?;
            if message["type"] == "pong" {
                return Some(this);
            }
            this.early.push_back(message);
        }
    }

    /// What is said next.
    pub(crate) async fn next(&mut self) -> Said {
        let message = match self.early.pop_front() {
            Some(message) => message,
            None => match self.hear().await {
                Ok(message) => message,
                Err(closed) => return Said::Closed(closed),
            },
        };
        assert_eq!(message["type"], "next", "{message}");
        let data = &message["payload"]["data"];
        assert!(data.is_object(), "{message}");
        Said::Data(data.clone())
    }

    async fn send(&mut self, message: Value) -> Option<()> {
        self.socket.send(Message::text(message.to_string())).await.ok()
    }

    async fn hear(&mut self) -> Result<Value, Option<(u16, String)>> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(frame))) => {
                    return Err(frame.map(|it| (it.code.into(), it.reason.to_string())));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }
}
