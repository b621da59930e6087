//! What a caller can read: the `Accept` header against the media types this edge writes.
//!
//! The rules are those of the GraphQL-over-HTTP specification: without the header, or with `*/*`, the caller is an
//! old one and reads `application/json`.

use http::{HeaderMap, HeaderValue, header::ACCEPT};

use crate::graphql::Kind;

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

/// What the caller can read, each with how much it likes it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::http) struct Readable {
    answer: Option<(Liking, Media)>,
    events: Option<Liking>,
    page: Option<Liking>,
}

/// A quality in thousandths, and a rank that decides between equals.
type Liking = (u16, u8);

impl Readable {
    /// Reads the `Accept` header.
    pub(in crate::http) fn of(headers: &HeaderMap) -> Self {
        let mut readable = Self::default();
        let mut given = false;
        for value in headers.get_all(ACCEPT) {
            let Ok(text) = value.to_str() else { continue };
            for range in text.split(',').map(str::trim).filter(|it| !it.is_empty()) {
                given = true;
                readable.add(range);
            }
        }
        if !given {
            readable.answer = Some(((1000, 0), Media::Json));
        }
        readable
    }

    /// The type of an answer. Of one that is only told by events, the type of what is refused before they begin.
    pub(in crate::http) fn media(&self) -> Option<Media> {
        let of_refusal = self.events.map(|_| Media::GraphqlResponse);
        self.answer.map(|(_, media)| media).or(of_refusal)
    }

    /// Whether this is a browser's address bar: nothing else that is written here is liked better than a page.
    pub(in crate::http) fn prefers_page(&self) -> bool {
        self.page.is_some() && self.page > self.events && self.page > self.answer.map(|(liking, _)| liking)
    }

    /// Whether to answer by events. A subscription can be answered in no other way; anything else only where the caller
    /// likes that better: many clients list all they can read, and expect an answer where one is enough.
    pub(in crate::http) fn by_events(&self, kind: Kind) -> bool {
        let quality = |liking: Option<Liking>| liking.map(|(quality, _)| quality);
        let preferred = quality(self.events) > quality(self.answer.map(|(liking, _)| liking));
        self.events.is_some() && (kind == Kind::Subscription || preferred)
    }

    fn add(&mut self, range: &str) {
        let Some((quality, name)) = read(range) else { return };
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        let mut answer = |rank, media| {
            let liking = (quality, rank);
            if self.answer.is_none_or(|(known, _)| liking > known) {
                self.answer = Some((liking, media));
            }
        };
        if is("application/graphql-response+json") {
            answer(3, Media::GraphqlResponse);
        } else if is("application/json") {
            answer(1, Media::Json);
        } else if is("application/*") || is("*/*") || is("*") {
            // A lone star is what Java's own client sends.
            answer(0, Media::Json);
        } else if is("text/event-stream") {
            self.events = self.events.max(Some((quality, 4)));
        } else if is("text/html") {
            self.page = self.page.max(Some((quality, 2)));
        }
    }
}

/// One range: its quality in thousandths, and its name; nothing where it asks for what is never written.
fn read(range: &str) -> Option<(u16, &str)> {
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
    (quality > 0).then_some((quality, name))
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

    fn of(accept: &str) -> Readable {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_str(accept).unwrap());
        Readable::of(&headers)
    }

    fn media(accept: &str) -> Option<Media> {
        of(accept).media()
    }

    const JSON: Option<Media> = Some(Media::Json);
    const GRAPHQL: Option<Media> = Some(Media::GraphqlResponse);

    #[test]
    fn a_caller_who_does_not_say_or_takes_anything_reads_json() {
        assert_eq!(Readable::of(&HeaderMap::new()).media(), JSON);
        for accept in [
            "",
            "*/*",
            "*",
            "application/*",
            "text/plain, */*;q=0.1",
            "application/json; charset=utf-8",
            "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
        ] {
            assert_eq!(media(accept), JSON, "{accept:?}");
        }
    }

    #[test]
    fn the_higher_quality_wins_and_between_equals_the_newer_type() {
        assert_eq!(media("application/graphql-response+json"), GRAPHQL);
        assert_eq!(media("application/json, application/graphql-response+json"), GRAPHQL);
        assert_eq!(media("application/graphql-response+json;q=0.5, application/json;q=0.9"), JSON);
        assert_eq!(
            media("application/graphql-response+json; charset=utf-8, application/json; q=0.9"),
            GRAPHQL
        );
        assert_eq!(media("Application/GraphQL-Response+JSON"), GRAPHQL);
    }

    #[test]
    fn a_browser_prefers_a_page() {
        assert!(of("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8").prefers_page());
        assert!(!of("text/html, application/graphql-response+json").prefers_page());
        assert!(!of("application/json").prefers_page());
    }

    #[test]
    fn events_are_for_subscriptions_and_for_whoever_likes_them_better() {
        for (accept, query, subscription) in [
            ("text/event-stream", true, true),
            ("text/event-stream, */*;q=0.5", true, true),
            ("text/event-stream, application/json", false, true),
            ("application/graphql-response+json, application/json, text/event-stream", false, true),
            ("text/event-stream;q=0.1, application/json", false, true),
            ("application/json", false, false),
            ("*/*", false, false),
        ] {
            assert_eq!(of(accept).by_events(Kind::Query), query, "{accept}");
            assert_eq!(of(accept).by_events(Kind::Subscription), subscription, "{accept}");
        }
    }

    #[test]
    fn what_cannot_be_written_is_not_promised() {
        for accept in [
            "multipart/mixed",
            "text/plain",
            "text/html",
            "application/json;q=0",
            "application/json; charset=iso-8859-1",
            "nonsense",
        ] {
            assert_eq!(media(accept), None, "{accept:?}");
        }
    }
}
