//! Clients that listen over plain HTTP: one of server-sent events, one of multipart subscriptions. They know their protocols
//! from the outside, and nothing of how the gateway writes them.

use std::time::Duration;

use reqwest::{RequestBuilder, Response};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(30);

/// What comes piece by piece.
struct Body {
    response: Response,
    text: String,
}

impl Body {
    async fn open(request: RequestBuilder, media: &str) -> Self {
        let response = request.send().await.unwrap();
        let (status, kind) =
            (response.status(), response.headers()["content-type"].to_str().unwrap().to_owned());
        assert!(status == 200 && kind == media, "{status} {kind}: {}", response.text().await.unwrap());
        Self { response, text: String::new() }
    }

    /// What stands before the next mark; nothing where the body ends before that.
    async fn until(&mut self, mark: &str) -> Option<String> {
        loop {
            if let Some((before, after)) = self.text.split_once(mark) {
                let (before, after) = (before.to_owned(), after.to_owned());
                self.text = after;
                return Some(before);
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("a piece in time");
            self.text.push_str(std::str::from_utf8(&chunk.expect("the body is sound")?).unwrap());
        }
    }
}

/// A client of GraphQL over SSE.
pub(crate) struct Listener(Body);

/// One event.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) name: String,
    pub(crate) id: Option<String>,
    pub(crate) data: Value,
}

impl Listener {
    pub(crate) async fn open(request: RequestBuilder) -> Self {
        let request = request.header("accept", "text/event-stream");
        Self(Body::open(request, "text/event-stream; charset=utf-8").await)
    }

    /// The next event that is no comment; nothing where the stream has ended.
    pub(crate) async fn heard(&mut self) -> Option<Heard> {
        loop {
            let block = self.0.until("\n\n").await?;
            let mut heard = Heard { name: String::new(), id: None, data: Value::Null };
            for line in block.lines() {
                match line.split_once(':').unwrap() {
                    ("", _comment) => {}
                    ("event", name) => name.trim_start().clone_into(&mut heard.name),
                    ("id", id) => heard.id = Some(id.trim_start().to_owned()),
                    ("data", "") => {}
                    ("data", json) => heard.data = serde_json::from_str(json).unwrap(),
                    _ => panic!("{line}"),
                }
            }
            if !heard.name.is_empty() {
                return Some(heard);
            }
        }
    }

    /// The next answer and the id of its event.
    pub(crate) async fn next(&mut self) -> (Value, Option<String>) {
        let heard = self.heard().await.expect("the stream goes on");
        assert_eq!(heard.name, "next", "{heard:?}");
        (heard.data, heard.id)
    }

    /// The errors with which it was refused, after which it is over.
    pub(crate) async fn refusal(&mut self) -> Vec<String> {
        let (answer, id) = self.next().await;
        assert!(id.is_none(), "an error has no place: {answer}");
        assert_eq!(self.heard().await.expect("an end").name, "complete");
        assert!(self.heard().await.is_none());
        answer["errors"].as_array().unwrap().iter().map(super::answer::shown).collect()
    }
}

/// A client of multipart subscriptions.
pub(crate) struct Reader {
    body: Body,
    last: bool,
}

impl Reader {
    /// Opens one, by an `Accept` of either form.
    pub(crate) async fn open(request: RequestBuilder, accept: &str) -> Self {
        let request = request.header("accept", accept);
        let media = "multipart/mixed;boundary=\"graphql\";subscriptionSpec=1.0";
        let mut body = Body::open(request, media).await;
        let preamble = body.until("--graphql").await.unwrap();
        assert!(preamble.trim().is_empty(), "{preamble}");
        Self { body, last: false }
    }

    /// The next part, signs of life among them; nothing behind the last line.
    pub(crate) async fn part(&mut self) -> Option<Value> {
        while !self.last && self.body.text.len() < 2 {
            let more = self.body.response.chunk().await.unwrap().expect("no body ends before its last line");
            self.body.text.push_str(std::str::from_utf8(&more).unwrap());
        }
        if self.last || self.body.text.starts_with("--") {
            self.last = true;
            assert_eq!(self.body.until("--graphql").await, None, "nothing comes behind the last line");
            return None;
        }
        let part = self.body.until("\r\n--graphql").await.expect("no body ends before its last line");
        let (head, json) = part.split_once("\r\n\r\n").unwrap();
        assert_eq!(head.trim().to_ascii_lowercase(), "content-type: application/json");
        Some(serde_json::from_str(json).unwrap())
    }

    /// The next part that is no sign of life.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            match self.part().await? {
                Value::Object(part) if part.is_empty() => {}
                part => return Some(part),
            }
        }
    }
}
