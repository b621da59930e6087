//! Answers as server-sent events: GraphQL over SSE, in its distinct connections mode.
//!
//! Invariants: an event that has a place in the order of events says it as its `id`, with which a reader comes again;
//! only what is over says `complete`, so that after anything else readers do come again. Not here: when there is
//! something to say.

use bytes::Bytes;
use http::HeaderMap;

use super::{live::Framing, stream::End};
use crate::{graphql::Frame, http::RequestId};

/// GraphQL over SSE.
pub(super) struct Events;

const COMMENT: &[u8] = b":\n\n";

const COMPLETE: &[u8] = b"event: complete\ndata:\n\n";

impl Framing for Events {
    const MEDIA: &'static str = "text/event-stream; charset=utf-8";
    const OPENING: &'static [u8] = COMMENT;

    fn sign_of_life() -> Bytes {
        Bytes::from_static(COMMENT)
    }

    fn answer(answer: &Frame) -> Bytes {
        next(answer.cursor().map(|it| &**it), answer.json().as_bytes()).into()
    }

    fn end(end: &End, _id: &RequestId) -> Option<Bytes> {
        match end {
            End::Completed => Some(Bytes::from_static(COMPLETE)),
            End::Refused(answer) => {
                Some([next(None, &answer.to_json()).as_slice(), COMPLETE].concat().into())
            }
            End::Expired | End::Restarting => None,
        }
    }
}

/// One answer. JSON as it is written here holds no line break, so one line of data holds it all.
fn next(cursor: Option<&str>, json: &[u8]) -> Vec<u8> {
    let mut event = b"event: next\n".to_vec();
    if let Some(id) = cursor.filter(|it| is_line(it)) {
        event.extend_from_slice(b"id: ");
        event.extend_from_slice(id.as_bytes());
        event.push(b'\n');
    }
    event.extend_from_slice(b"data: ");
    event.extend_from_slice(json);
    event.extend_from_slice(b"\n\n");
    event
}

/// Whether readers would take it for an id: one with a line break would be another field, one with a NUL is passed over.
fn is_line(id: &str) -> bool {
    !id.is_empty() && !id.bytes().any(|it| matches!(it, b'\n' | b'\r' | 0))
}

/// The id of the last event that the reader has seen, where it says so. Several are joined, as any header's values are,
/// and then no cursor: what cannot be told must not be guessed.
pub(super) fn last_event_id(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all("last-event-id").iter();
    let values: Vec<_> = values.map(|it| String::from_utf8_lossy(it.as_bytes())).collect();
    let id = values.join(", ");
    (!id.is_empty()).then_some(id)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn written(cursor: Option<&str>) -> String {
        String::from_utf8(next(cursor, b"{\"data\":null}")).unwrap()
    }

    #[test]
    fn an_id_is_one_line_or_is_left_out() {
        assert_eq!(written(Some("AQx-_")), "event: next\nid: AQx-_\ndata: {\"data\":null}\n\n");
        let without = "event: next\ndata: {\"data\":null}\n\n";
        for cursor in [None, Some(""), Some("a\nb"), Some("a\rb"), Some("a\0b")] {
            assert_eq!(written(cursor), without, "{cursor:?}");
        }
    }

    #[test]
    fn a_reader_that_is_sent_on_is_not_told_that_it_is_over() {
        let id = RequestId::of(&HeaderMap::new());
        assert_eq!(Events::end(&End::Completed, &id).as_deref(), Some(COMPLETE));
        assert!(Events::end(&End::Restarting, &id).is_none() && Events::end(&End::Expired, &id).is_none());
    }

    #[test]
    fn an_empty_id_is_none_and_two_are_no_cursor() {
        let mut headers = HeaderMap::new();
        assert_eq!(last_event_id(&headers), None);
        headers.append("last-event-id", HeaderValue::from_static(""));
        assert_eq!(last_event_id(&headers), None);
        headers.insert("last-event-id", HeaderValue::from_static("a"));
        assert_eq!(last_event_id(&headers).as_deref(), Some("a"));
        headers.append("last-event-id", HeaderValue::from_static("b"));
        assert_eq!(last_event_id(&headers).as_deref(), Some("a, b"));
    }
}
