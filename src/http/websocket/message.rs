//! The protocol's messages, read from text and written to it, in either of its dialects.
//!
//! Invariant: what is wrong with a message is said in our own words. Not here: when a message is allowed.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    graphql::{Answer, Call, Frame},
    http::graphql::params,
};

/// An operation's id is copied into every answer.
const LONGEST_ID: usize = 128;

/// The protocol as it is, and as older clients know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `graphql-transport-ws`.
    Current,
    /// `graphql-ws`, of the package subscriptions-transport-ws. It has other words for the same things, and no pings.
    Old,
}

impl Dialect {
    /// The subprotocol's name in the handshake.
    pub(super) fn subprotocol(self) -> &'static str {
        match self {
            Self::Current => "graphql-transport-ws",
            Self::Old => "graphql-ws",
        }
    }
}

/// What a client may say.
#[derive(Debug)]
pub(super) enum ClientMessage {
    Leave,
    Init(Option<Box<RawValue>>),
    Ping(Option<Box<RawValue>>),
    Pong,
    Subscribe { id: String, payload: Box<RawValue> },
    Complete { id: String },
}

#[derive(Deserialize)]
struct Envelope<'a> {
    r#type: Option<String>,
    id: Option<String>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

/// Reads a message, or says what is wrong with it.
pub(super) fn parse(dialect: Dialect, text: &str) -> Result<ClientMessage, &'static str> {
    if !text.trim_start().starts_with('{') {
        return Err("Invalid message: not a JSON object");
    }
    let envelope: Envelope<'_> = serde_json::from_str(text)
        .map_err(|_library| "Invalid message: not JSON, or a member of the wrong type")?;
    let object = |payload: Option<&RawValue>| match payload {
        Some(it) if !it.get().starts_with('{') => Err("Invalid message: the payload must be an object"),
        other => Ok(other.map(ToOwned::to_owned)),
    };
    let id = |id: Option<String>| match id {
        Some(id) if id.is_empty() => Err("Invalid message: the id is empty"),
        Some(id) if id.len() > LONGEST_ID => Err("Invalid message: the id is longer than 128 bytes"),
        Some(id) => Ok(id),
        None => Err("Invalid message: the id is missing"),
    };
    let Some(kind) = envelope.r#type else { return Err("Invalid message: the type is missing") };
    match (dialect, kind.as_str()) {
        (_, "connection_init") => Ok(ClientMessage::Init(object(envelope.payload)?)),
        (Dialect::Current, "ping") => Ok(ClientMessage::Ping(object(envelope.payload)?)),
        (Dialect::Current, "pong") => object(envelope.payload).map(|_ignored| ClientMessage::Pong),
        (Dialect::Current, "subscribe") | (Dialect::Old, "start") => {
            let payload = object(envelope.payload)?.ok_or("Invalid message: the payload is missing")?;
            Ok(ClientMessage::Subscribe { id: id(envelope.id)?, payload })
        }
        (Dialect::Current, "complete") | (Dialect::Old, "stop") => {
            Ok(ClientMessage::Complete { id: id(envelope.id)? })
        }
        (Dialect::Old, "connection_terminate") => Ok(ClientMessage::Leave),
        _ => Err("Invalid message: no such type in this protocol"),
    }
}

/// The request in a `subscribe`.
pub(super) fn call(payload: &RawValue) -> Result<Call, crate::graphql::Failure> {
    params::from_json(payload.get().as_bytes())
}

/// The value of `Authorization` in a `connection_init`, there or under `headers`, in any case.
pub(super) fn authorization(payload: &RawValue) -> Option<String> {
    let payload: serde_json::Map<_, _> = serde_json::from_str(payload.get()).ok()?;
    let find = |object: &serde_json::Map<String, serde_json::Value>| {
        let entry = object.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"))?;
        entry.1.as_str().map(ToOwned::to_owned)
    };
    find(&payload).or_else(|| find(payload.get("headers")?.as_object()?))
}

pub(super) const ACK: &str = r#"{"type":"connection_ack"}"#;

pub(super) fn pong(payload: Option<&RawValue>) -> String {
    match payload {
        Some(payload) => format!(r#"{{"type":"pong","payload":{}}}"#, payload.get()),
        None => r#"{"type":"pong"}"#.to_owned(),
    }
}

/// One answer of an operation.
pub(super) fn next(dialect: Dialect, id: &str, answer: &Frame) -> String {
    let payload = answer.json();
    let kind = match dialect {
        Dialect::Current => "next",
        Dialect::Old => "data",
    };
    format!(r#"{{"id":{},"type":"{kind}","payload":{payload}}}"#, quoted(id))
}

/// The end of an operation that was refused, or could not go on. Older clients read one error only.
pub(super) fn error(dialect: Dialect, id: &str, answer: &Answer) -> String {
    let errors = &answer.response.errors;
    let payload = match dialect {
        Dialect::Current => serde_json::to_string(errors),
        Dialect::Old => serde_json::to_string(&errors.first()),
    };
    let payload = payload.unwrap_or_else(|_unwritable| "null".to_owned());
    format!(r#"{{"id":{},"type":"error","payload":{payload}}}"#, quoted(id))
}

/// The end of an operation that said all it had to say.
pub(super) fn complete(id: &str) -> String {
    format!(r#"{{"id":{},"type":"complete"}}"#, quoted(id))
}

fn quoted(id: &str) -> serde_json::Value {
    serde_json::Value::from(id)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_wrong_with_a_message_is_said_in_our_own_words() {
        for (text, reason) in [
            ("", "not a JSON object"),
            ("[]", "not a JSON object"),
            ("{", "not JSON, or a member of the wrong type"),
            (r#"{"type":7}"#, "not JSON, or a member of the wrong type"),
            (r#"{"type":"ping","type":"ping"}"#, "not JSON, or a member of the wrong type"),
            ("{}", "the type is missing"),
            (r#"{"type":"start"}"#, "no such type in this protocol"),
            (r#"{"type":"ping","payload":"x"}"#, "the payload must be an object"),
            (r#"{"type":"pong","payload":[]}"#, "the payload must be an object"),
            (r#"{"type":"subscribe","payload":{}}"#, "the id is missing"),
            (r#"{"type":"subscribe","id":"","payload":{}}"#, "the id is empty"),
            (r#"{"type":"subscribe","id":"1"}"#, "the payload is missing"),
            (r#"{"type":"complete"}"#, "the id is missing"),
        ] {
            assert_eq!(
                parse(Dialect::Current, text).unwrap_err(),
                format!("Invalid message: {reason}"),
                "{text}"
            );
        }
        let long = format!(r#"{{"type":"complete","id":"{}"}}"#, "a".repeat(129));
        assert_eq!(
            parse(Dialect::Current, &long).unwrap_err(),
            "Invalid message: the id is longer than 128 bytes"
        );
    }

    #[test]
    fn the_credential_is_found_in_any_case_and_under_headers() {
        let of = |payload: &str| authorization(&RawValue::from_string(payload.to_owned()).unwrap());
        let found = Some("Bearer one".to_owned());
        assert_eq!(of(r#"{"Authorization":"Bearer one"}"#), found);
        assert_eq!(of(r#"{"authorization":"Bearer one"}"#), found);
        assert_eq!(of(r#"{"AUTHORIZATION":"Bearer one"}"#), found);
        assert_eq!(of(r#"{"headers":{"authorization":"Bearer one"}}"#), found);
        for none in ["{}", r#"{"Authorization":7}"#, r#"{"headers":[]}"#, r#"{"token":"one"}"#] {
            assert_eq!(of(none), None, "{none}");
        }
    }

    #[test]
    fn an_id_cannot_break_out_of_its_message() {
        let id = "a\",\"type\":\"x";
        let message: serde_json::Value = serde_json::from_str(&complete(id)).unwrap();
        assert_eq!((&message["id"], &message["type"]), (&id.into(), &"complete".into()));
    }

    /// A message with some of its members wrong.
    fn messages() -> impl Strategy<Value = String> {
        let kind = prop::sample::select(
            &[
                "connection_init",
                "ping",
                "pong",
                "subscribe",
                "start",
                "complete",
                "stop",
                "connection_terminate",
                "x",
            ][..],
        );
        let piece = prop_oneof![
            any::<String>().prop_map(|it| serde_json::Value::from(it).to_string()),
            prop::sample::select(
                &["null", "7", "{}", "[]", "{", "\"", r#"{"query":"{a}"}"#, r#"{"query":[]}"#][..]
            )
            .prop_map(ToOwned::to_owned),
        ];
        let member = |name: &'static str| {
            prop::option::of(piece.clone()).prop_map(move |it| it.map(|it| format!("\"{name}\":{it}")))
        };
        (kind, member("id"), member("payload"), member("more")).prop_map(|(kind, id, payload, more)| {
            let all = [Some(format!("\"type\":\"{kind}\"")), id, payload, more];
            format!("{{{}}}", all.into_iter().flatten().collect::<Vec<_>>().join(","))
        })
    }

    proptest! {
        #[test]
        fn whatever_is_said_is_understood_or_refused_in_words(text in prop_oneof![any::<String>(), messages()]) {
            for dialect in [Dialect::Current, Dialect::Old] {
                match parse(dialect, &text) {
                    Err(reason) => prop_assert!(reason.starts_with("Invalid message: ") && reason.len() <= 123),
                    Ok(ClientMessage::Subscribe { id, payload }) => {
                        prop_assert!(!id.is_empty() && id.len() <= LONGEST_ID);
                        let refused = call(&payload).err();
                        prop_assert!(refused.is_none_or(|it| !it.message.is_empty()));
                    }
                    Ok(ClientMessage::Complete { id }) => {
                        prop_assert!(!id.is_empty() && id.len() <= LONGEST_ID);
                    }
                    Ok(ClientMessage::Init(payload) | ClientMessage::Ping(payload)) => {
                        let shown = payload.as_deref().and_then(authorization);
                        prop_assert!(shown.is_none() || text.to_ascii_lowercase().contains("authorization"));
                        let echo = pong(payload.as_deref());
                        prop_assert!(serde_json::from_str::<serde_json::Value>(&echo).is_ok(), "{}", echo);
                    }
                    Ok(ClientMessage::Pong | ClientMessage::Leave) => {}
                }
            }
        }

        #[test]
        fn what_is_said_in_answer_is_json_with_the_same_id(id in any::<String>()) {
            for text in [complete(&id), error(Dialect::Current, &id, &refusal()), next(Dialect::Old, &id, &Frame::of(&refusal(), None))] {
                let message: serde_json::Value = serde_json::from_str(&text).unwrap();
                prop_assert_eq!(message["id"].as_str(), Some(id.as_str()));
            }
        }
    }

    fn refusal() -> Answer {
        Answer::refused(crate::graphql::Failure::new(crate::graphql::Code::BadUserInput, "x"))
    }
}
