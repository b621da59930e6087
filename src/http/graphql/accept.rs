//! What a caller can read: the `Accept` header against the media types this edge writes.
//!
//! The rules are those of the GraphQL-over-HTTP specification: without the header, or with `*/*`, the caller is an
//! old one and reads `application/json`.

use http::{HeaderMap, HeaderValue, header::ACCEPT};

/// A media type that answers are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Media {
    /// `application/graphql-response+json`: the status tells whether the request was accepted.
    GraphqlResponse,
    /// `application/json`: an accepted form is 200, whatever the document is worth.
    Json,
}

impl Media {
    /// As it stands in `Content-Type`.
    pub(in crate::http) fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        })
    }
}

/// What the caller asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Wanted {
    /// An answer of this type.
    Answer(Media),
    /// Answers one by one, as server-sent events.
    Events,
    /// A page: this is a browser's address bar.
    Page,
    /// Nothing that this edge writes.
    Other,
}

/// Reads the `Accept` header.
pub(in crate::http) fn wanted(headers: &HeaderMap) -> Wanted {
    let mut best: Option<(u16, u8, Wanted)> = None;
    let mut given = false;
    for value in headers.get_all(ACCEPT) {
        let Ok(text) = value.to_str() else { continue };
        for range in text.split(',').map(str::trim).filter(|it| !it.is_empty()) {
            given = true;
            let Some((quality, rank, wanted)) = read(range) else { continue };
            if best.is_none_or(|(q, r, _)| (quality, rank) > (q, r)) {
                best = Some((quality, rank, wanted));
            }
        }
    }
    match best {
        Some((_, _, wanted)) => wanted,
        None if given => Wanted::Other,
        None => Wanted::Answer(Media::Json),
    }
}

/// One range: its quality in thousandths, and a rank that decides between equals.
fn read(range: &str) -> Option<(u16, u8, Wanted)> {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next()?;
    let mut quality = 1000;
    for parameter in parts {
        let (key, value) = parameter.split_once('=')?;
        let (key, value) = (key.trim_end(), value.trim_start().trim_matches('"'));
        if key.eq_ignore_ascii_case("q") {
            quality = thousandths(value)?;
        } else if key.eq_ignore_ascii_case("charset") && !value.eq_ignore_ascii_case("utf-8") {
            return None;
        }
    }
    if quality == 0 {
        return None;
    }
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    Some(if is("application/graphql-response+json") {
        (quality, 3, Wanted::Answer(Media::GraphqlResponse))
    } else if is("text/event-stream") {
        (quality, 4, Wanted::Events)
    } else if is("text/html") {
        (quality, 2, Wanted::Page)
    } else if is("application/json") {
        (quality, 1, Wanted::Answer(Media::Json))
    } else if is("application/*") || is("*/*") {
        (quality, 0, Wanted::Answer(Media::Json))
    } else {
        return None;
    })
}

fn thousandths(quality: &str) -> Option<u16> {
    let quality: f32 = quality.parse().ok()?;
    if !(0.0..=1.0).contains(&quality) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
    let thousandths = (quality * 1000.0) as u16;
    Some(thousandths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(accept: &str) -> Wanted {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_str(accept).unwrap());
        wanted(&headers)
    }

    const JSON: Wanted = Wanted::Answer(Media::Json);
    const GRAPHQL: Wanted = Wanted::Answer(Media::GraphqlResponse);

    #[test]
    fn a_caller_who_does_not_say_or_takes_anything_reads_json() {
        assert_eq!(wanted(&HeaderMap::new()), JSON);
        for accept in ["", "*/*", "application/*", "text/plain, */*;q=0.1", "application/json; charset=utf-8"]
        {
            assert_eq!(of(accept), JSON, "{accept:?}");
        }
    }

    #[test]
    fn the_higher_quality_wins_and_between_equals_the_newer_type() {
        assert_eq!(of("application/graphql-response+json"), GRAPHQL);
        assert_eq!(of("application/json, application/graphql-response+json"), GRAPHQL);
        assert_eq!(of("application/graphql-response+json;q=0.5, application/json;q=0.9"), JSON);
        assert_eq!(of("application/graphql-response+json; charset=utf-8, application/json; q=0.9"), GRAPHQL);
        assert_eq!(of("Application/GraphQL-Response+JSON"), GRAPHQL);
    }

    #[test]
    fn a_browser_wants_a_page() {
        assert_eq!(of("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), Wanted::Page);
    }

    #[test]
    fn a_reader_of_events_gets_events() {
        assert_eq!(of("text/event-stream"), Wanted::Events);
        assert_eq!(of("text/event-stream, application/json"), Wanted::Events);
        assert_eq!(of("text/event-stream;q=0.1, application/json"), JSON);
    }

    #[test]
    fn what_cannot_be_written_is_not_promised() {
        for accept in [
            "multipart/mixed",
            "text/plain",
            "application/json;q=0",
            "application/json; charset=iso-8859-1",
            "nonsense",
        ] {
            assert_eq!(of(accept), Wanted::Other, "{accept:?}");
        }
    }
}
