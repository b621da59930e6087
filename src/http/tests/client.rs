//! A client of GraphQL over WebSocket, message by message.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{self, Message, client::IntoClientRequest, http::HeaderValue},
};

use super::world::{KEY, World};

/// What an old client offers.
pub(super) const OLD: (&str, &str) = ("sec-websocket-protocol", "graphql-ws");

/// A socket's client, which speaks the protocol and nothing else.
pub(super) struct Client(pub(super) WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    pub(super) async fn try_connect(
        world: &World,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, (u16, Value)> {
        let mut request = format!("ws://{}/graphql", world.address).into_client_request().unwrap();
        request
            .headers_mut()
            .insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
        for (name, value) in headers {
            if value.is_empty() {
                request.headers_mut().remove(*name);
            } else {
                request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
            }
        }
        match connect_async(request).await {
            Ok((socket, answer)) => {
                let chosen = if headers.contains(&OLD) { OLD.1 } else { "graphql-transport-ws" };
                assert_eq!(answer.headers()["sec-websocket-protocol"], chosen);
                assert!(answer.headers().contains_key("x-request-id"));
                Ok(Self(socket))
            }
            Err(tungstenite::Error::Http(refused)) => {
                let body = refused.body().clone().unwrap_or_default();
                Err((refused.status().as_u16(), serde_json::from_slice(&body).unwrap_or_default()))
            }
            Err(other) => panic!("{other}"),
        }
    }

    pub(super) async fn connect(world: &World) -> Self {
        Self::try_connect(world, &[]).await.ok().unwrap()
    }

    pub(super) async fn admitted(world: &World) -> Self {
        let mut client = Self::connect(world).await;
        client.say(json!({ "type": "connection_init", "payload": { "Authorization": KEY } })).await;
        assert_eq!(client.hear().await, json!({ "type": "connection_ack" }));
        client
    }

    pub(super) async fn say(&mut self, message: Value) {
        self.say_text(&message.to_string()).await;
    }

    pub(super) async fn say_text(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    pub(super) async fn subscribe(&mut self, id: &str, document: &str) {
        self.say(json!({ "id": id, "type": "subscribe", "payload": { "query": document } })).await;
    }

    pub(super) async fn hear(&mut self) -> Value {
        loop {
            match self.next().await {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The code that the socket is closed with, whatever comes before.
    pub(super) async fn closed(&mut self) -> u16 {
        loop {
            if let Message::Close(frame) = self.next().await {
                let frame = frame.unwrap();
                assert!(frame.reason.len() <= 123 && !frame.reason.contains("serde"), "{frame:?}");
                return frame.code.into();
            }
        }
    }

    pub(super) async fn next(&mut self) -> Message {
        let next = tokio::time::timeout(Duration::from_secs(5), self.0.next()).await;
        next.expect("nothing came").expect("the socket ended").unwrap()
    }
}
