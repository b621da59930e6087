//! A client of `graphql-transport-ws` with one subscription.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{self, Message, client::IntoClientRequest, http::HeaderValue},
};

const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Subscriber(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Subscriber {
    /// Connects, presents the key, and subscribes. A ping that is answered after the subscription was sent shows that
    /// the gateway has accepted it.
    pub(crate) async fn open(url: &str, key: &str, query: &str, variables: Value) -> Self {
        let mut this = Self::begin(url, key, query, variables).await;
        this.send(json!({ "type": "ping" })).await;
        let message = this.message().await;
        assert_eq!(message["type"], "pong", "before anything happened: {message}");
        this
    }

    /// The same where events may come before the ping is answered: those too.
    pub(crate) async fn open_busy(url: &str, key: &str, query: &str) -> (Self, Vec<Value>) {
        let mut this = Self::begin(url, key, query, json!({})).await;
        this.send(json!({ "type": "ping" })).await;
        let mut came = Vec::new();
        loop {
            let message = this.message().await;
            if message["type"] == "pong" {
                return (this, came);
            }
            came.push(message);
        }
    }

    /// Connects, presents the key, and subscribes, without waiting.
    pub(crate) async fn begin(url: &str, key: &str, query: &str, variables: Value) -> Self {
        let mut this = Self::connect(url, key).await;
        this.begin_operation(json!({ "query": query, "variables": variables })).await;
        this
    }

    /// Connects and presents the key, which is accepted.
    pub(crate) async fn connect(url: &str, key: &str) -> Self {
        let mut this = Self::knock(url, key).await;
        assert_eq!(this.message().await["type"], "connection_ack");
        this
    }

    /// Connects and presents the key.
    pub(crate) async fn knock(url: &str, key: &str) -> Self {
        Self::knock_with(url, key, &[]).await
    }

    /// Connects with further headers and presents the key.
    pub(crate) async fn knock_with(url: &str, key: &str, headers: &[(&'static str, &str)]) -> Self {
        let mut this = Self::dial(url, headers).await.expect("a handshake");
        let credential = json!({ "Authorization": format!("Bearer {key}") });
        this.send(json!({ "type": "connection_init", "payload": credential })).await;
        this
    }

    /// Connects and says this first.
    pub(crate) async fn say_first(url: &str, message: Value) -> Self {
        let mut this = Self::dial(url, &[]).await.expect("a handshake");
        this.send(message).await;
        this
    }

    /// Connects as a page of that origin does, if it may; else the status with which the handshake was refused.
    pub(crate) async fn try_connect(url: &str, origin: &str) -> Result<Self, u16> {
        Self::dial(url, &[("origin", origin)]).await
    }

    /// Connects with further headers, and says nothing yet.
    async fn dial(url: &str, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let mut request = url.replacen("http", "ws", 1).into_client_request().unwrap();
        let protocol = HeaderValue::from_static("graphql-transport-ws");
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        for (name, value) in headers {
            request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
        }
        match tokio_tungstenite::connect_async(request).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(tungstenite::Error::Http(refused)) => Err(refused.status().as_u16()),
            Err(other) => panic!("{other}"),
        }
    }

    /// Sends an operation, whatever its payload is.
    pub(crate) async fn begin_operation(&mut self, payload: Value) {
        self.send(json!({ "id": "1", "type": "subscribe", "payload": payload })).await;
    }

    async fn send(&mut self, message: Value) {
        self.say(message.to_string()).await;
    }

    /// Sends a message as it is, whatever it is worth.
    pub(crate) async fn say(&mut self, text: String) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// The next message, or the code and the reason of the close that came instead.
    pub(crate) async fn message_or_close(&mut self) -> Result<Value, (u16, String)> {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("a message in time");
            match next.expect("the socket is open").expect("the socket is sound") {
                Message::Text(text) => return Ok(serde_json::from_str(&text).unwrap()),
                Message::Close(frame) => {
                    let frame = frame.expect("a code");
                    return Err((frame.code.into(), frame.reason.to_string()));
                }
                _ => {}
            }
        }
    }

    /// The next message.
    pub(crate) async fn message(&mut self) -> Value {
        self.message_or_close().await.unwrap_or_else(|close| panic!("closed: {close:?}"))
    }

    /// The code with which the gateway closes the socket, without another message before.
    pub(crate) async fn closed(&mut self) -> u16 {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("an end in time");
            match next.expect("the socket is open").expect("the socket is sound") {
                Message::Close(frame) => return frame.expect("a code").code.into(),
                Message::Text(text) => panic!("one more message: {text}"),
                _ => {}
            }
        }
    }

    /// What was said before the gateway closed the socket with that code, and the reason that it gave.
    pub(crate) async fn until_closed(&mut self, code: u16) -> (Vec<Value>, String) {
        let mut said = Vec::new();
        loop {
            let next = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("an end in time");
            match next.expect("the socket is open").expect("the socket is sound") {
                Message::Text(text) => said.push(serde_json::from_str(&text).unwrap()),
                Message::Close(frame) => {
                    let frame = frame.expect("a code");
                    assert_eq!(u16::from(frame.code), code, "{frame:?}");
                    return (said, frame.reason.to_string());
                }
                _ => {}
            }
        }
    }

    /// Everything that is said of a query or mutation until it ends.
    pub(crate) async fn until_ended(&mut self) -> String {
        self.until(&["complete", "error"]).await
    }

    /// Everything that has been said by the time that a ping is answered.
    pub(crate) async fn until_now(&mut self) -> String {
        self.send(json!({ "type": "ping" })).await;
        self.until(&["pong"]).await
    }

    async fn until(&mut self, last: &[&str]) -> String {
        let mut said = String::new();
        loop {
            let message = self.message().await;
            said += &message.to_string();
            if last.iter().any(|it| message["type"] == *it) {
                return said;
            }
        }
    }

    /// The next event of the given field.
    pub(crate) async fn next(&mut self, field: &str) -> Value {
        let message = self.message().await;
        assert_eq!(message["type"], "next", "{message}");
        message["payload"]["data"][field].clone()
    }

    /// The errors with which the subscription was refused, or ended.
    pub(crate) async fn refusal(&mut self) -> Vec<String> {
        let message = self.message().await;
        let errors = match message["type"].as_str() {
            Some("error") => message["payload"].clone(),
            Some("next") => message["payload"]["errors"].clone(),
            _ => panic!("no refusal: {message}"),
        };
        errors.as_array().unwrap().iter().map(super::answer::shown).collect()
    }
}
