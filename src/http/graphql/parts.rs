//! Answers as the parts of one body: multipart subscriptions over HTTP, as Apollo's clients speak them.
//!
//! Invariants: the line before the next part is written together with a part, for only that line tells a reader where
//! a part ends; the closing line means that nothing more is to come, so whoever is sent away before is told by an error.
//! Not here: when there is something to say.

use bytes::Bytes;

use super::{live::Framing, stream::End};
use crate::{
    graphql::{Answer, Code, Failure, Frame},
    http::RequestId,
};

/// Multipart subscriptions, version 1.0.
pub(super) struct Parts;

/// What comes between the line before a part and its JSON.
const HEAD: &[u8] = b"\r\ncontent-type: application/json\r\n\r\n";

/// The line before the next part; with two dashes more, the last line.
const LINE: &[u8] = b"\r\n--graphql";

const LAST: &[u8] = b"--\r\n";

impl Framing for Parts {
    const MEDIA: &'static str = "multipart/mixed;boundary=\"graphql\";subscriptionSpec=1.0";
    const OPENING: &'static [u8] = LINE;

    /// A part without a payload.
    fn sign_of_life() -> Bytes {
        part(&[b"{}"]).into()
    }

    fn answer(answer: &Frame) -> Bytes {
        part(&[b"{\"payload\":", answer.json().as_bytes(), b"}"]).into()
    }

    fn end(end: &End, id: &RequestId) -> Option<Bytes> {
        let away = |code, message| Answer::refused(Failure::new(code, message)).named(id.as_str());
        Some(match end {
            End::Completed => Bytes::from_static(LAST),
            End::Refused(answer) => fatal(answer),
            End::Expired => {
                let message = "the credential must be shown anew: subscribe again and resume";
                fatal(&away(Code::Unauthenticated, message))
            }
            End::Restarting => {
                fatal(&away(Code::Internal, "the gateway restarts: subscribe again and resume"))
            }
        })
    }
}

/// The end, by an error that is not of the payload.
fn fatal(refused: &Answer) -> Bytes {
    let error = serde_json::json!({ "payload": null, "errors": refused.response.errors });
    let mut last = part(&[error.to_string().as_bytes()]);
    last.extend_from_slice(LAST);
    last.into()
}

/// A part and the line behind it.
fn part(json: &[&[u8]]) -> Vec<u8> {
    [&[HEAD], json, &[LINE]].concat().concat()
}

#[cfg(test)]
mod tests {
    use async_graphql::Response;

    use super::*;

    fn text(bytes: &Bytes) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_part_ends_with_the_line_that_ends_it() {
        let response = Response::new(async_graphql::Value::Null);
        let answer = Frame::of(&Answer { executed: true, response }, None);
        assert_eq!(
            text(&Parts::answer(&answer)),
            "\r\ncontent-type: application/json\r\n\r\n{\"payload\":{\"data\":null}}\r\n--graphql"
        );
        assert_eq!(text(&Parts::sign_of_life()), "\r\ncontent-type: application/json\r\n\r\n{}\r\n--graphql");
    }

    #[test]
    fn whoever_is_sent_away_is_told_so_before_the_last_line() {
        let id = RequestId::of(&http::HeaderMap::new());
        assert_eq!(text(&Parts::end(&End::Completed, &id).unwrap()), "--\r\n");
        for (end, code) in [
            (End::Restarting, "INTERNAL"),
            (End::Expired, "UNAUTHENTICATED"),
            (End::Refused(Answer::refused(Failure::new(Code::Forbidden, "x")).into()), "FORBIDDEN"),
        ] {
            let last = Parts::end(&end, &id).unwrap();
            let json = text(&last).strip_prefix("\r\ncontent-type: application/json\r\n\r\n").unwrap();
            let json = json.strip_suffix("\r\n--graphql--\r\n").unwrap();
            let error: serde_json::Value = serde_json::from_str(json).unwrap();
            assert!(error["payload"].is_null() && error.get("data").is_none(), "{error}");
            assert_eq!(error["errors"][0]["extensions"]["code"], code);
            let named = &error["errors"][0]["extensions"]["requestId"];
            assert!(if code == "INTERNAL" { *named == id.as_str() } else { named.is_null() }, "{error}");
        }
    }
}
