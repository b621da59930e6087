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

/// How an operation is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Manner {
    /// By one answer.
    Once,
    /// By events.
    Events,
    /// By the parts of a body.
    Parts,
}

/// What the caller can read, each with how much it likes it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::http) struct Readable {
    answer: Option<(Liking, Media)>,
    events: Option<Liking>,
    parts: Option<Liking>,
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
            for range in split(text, ',').filter(|it| !it.is_empty()) {
                given = true;
                readable.add(range);
            }
        }
        if !given {
            readable.answer = Some(((1000, 0), Media::Json));
        }
        readable
    }

    /// The type of an answer. Of one that can only be told bit by bit, the type of what is refused before it begins.
    pub(in crate::http) fn media(&self) -> Option<Media> {
        let of_refusal = self.events.or(self.parts).map(|_| Media::GraphqlResponse);
        self.answer.map(|(_, media)| media).or(of_refusal)
    }

    /// Whether this is a browser's address bar: nothing else that is written here is liked better than a page.
    pub(in crate::http) fn prefers_page(&self) -> bool {
        let others = self.events.max(self.parts);
        self.page.is_some() && self.page > others && self.page > self.answer.map(|(liking, _)| liking)
    }

    /// How an operation is answered; not at all, where the caller reads nothing that would do.
    ///
    /// A subscription has to be told bit by bit, if it can be by events: their reader resumes by itself. Anything else is
    /// told by events only where the caller likes that better: many clients list all that they can read, and expect an
    /// answer where one is enough.
    pub(in crate::http) fn manner(&self, kind: Kind) -> Option<Manner> {
        let quality = |liking: Option<Liking>| liking.map(|(quality, _)| quality);
        let (events, parts) = (quality(self.events), quality(self.parts));
        if kind == Kind::Subscription {
            let by_parts = parts > events;
            return events.max(parts).map(|_| if by_parts { Manner::Parts } else { Manner::Events });
        }
        let once = quality(self.answer.map(|(liking, _)| liking));
        events.max(once).map(|_| if events > once { Manner::Events } else { Manner::Once })
    }

    fn add(&mut self, range: &str) {
        let Some(Range { name, quality, parts }) = Range::read(range) else { return };
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
        } else if is("multipart/mixed") && parts {
            self.parts = self.parts.max(Some((quality, 4)));
        } else if is("text/html") {
            self.page = self.page.max(Some((quality, 2)));
        }
    }
}

/// One range of media types.
struct Range<'a> {
    name: &'a str,
    /// In thousandths.
    quality: u16,
    /// Whether parts, if it names them, can be those of a subscription: not in a version that is not written here, nor
    /// where it is `@defer` that is asked for.
    parts: bool,
}

impl<'a> Range<'a> {
    /// Nothing where it asks for what is never written.
    fn read(range: &'a str) -> Option<Self> {
        let mut pieces = split(range, ';');
        let mut read = Self { name: pieces.next()?, quality: 1000, parts: true };
        for parameter in pieces {
            let (key, value) = parameter.split_once('=')?;
            let (key, value) = (key.trim_end(), value.trim_start().trim_matches('"'));
            if key.eq_ignore_ascii_case("q") {
                read.quality = thousandths(value)?;
            } else if key.eq_ignore_ascii_case("charset") && !value.eq_ignore_ascii_case("utf-8") {
                return None;
            } else if key.eq_ignore_ascii_case("subscriptionspec") {
                read.parts &= value == "1.0";
            } else if key.eq_ignore_ascii_case("deferspec") {
                read.parts = false;
            }
        }
        (read.quality > 0).then_some(read)
    }
}

/// The trimmed pieces between separators, but for those that stand in quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let pieces = text.split(move |it| {
        quoted ^= it == '"';
        it == separator && !quoted
    });
    pieces.map(str::trim)
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
    use proptest::prelude::*;

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
        let (once, events) = (Some(Manner::Once), Some(Manner::Events));
        for (accept, query, subscription) in [
            ("text/event-stream", events, events),
            ("text/event-stream, */*;q=0.5", events, events),
            ("text/event-stream, application/json", once, events),
            ("application/graphql-response+json, application/json, text/event-stream", once, events),
            ("text/event-stream;q=0.1, application/json", once, events),
            ("application/json", once, None),
            ("*/*", once, None),
        ] {
            assert_eq!(of(accept).manner(Kind::Query), query, "{accept}");
            assert_eq!(of(accept).manner(Kind::Subscription), subscription, "{accept}");
        }
    }

    #[test]
    fn parts_are_for_subscriptions_only_and_for_whoever_means_them() {
        let (once, parts) = (Some(Manner::Once), Some(Manner::Parts));
        for (accept, query, subscription) in [
            (r#"multipart/mixed;boundary="graphql";subscriptionSpec=1.0,application/json"#, once, parts),
            ("multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json;q=0.9", once, parts),
            ("multipart/mixed;subscriptionSpec=1.0, application/json", once, parts),
            (r#"Multipart/Mixed; SUBSCRIPTIONSPEC = "1.0" ; Boundary=graphql"#, None, parts),
            (r#"multipart/mixed;boundary="a,b;c";subscriptionSpec="1.0""#, None, parts),
            ("multipart/mixed;subscriptionSpec=1.0;q=0.5, */*", once, parts),
            (
                "multipart/mixed;subscriptionSpec=1.0;q=0.5, text/event-stream;q=0.4",
                Some(Manner::Events),
                parts,
            ),
            (
                "multipart/mixed;subscriptionSpec=1.0, text/event-stream",
                Some(Manner::Events),
                Some(Manner::Events),
            ),
            ("multipart/mixed, application/json", once, parts),
            ("multipart/mixed", None, parts),
            ("multipart/mixed;subscriptionSpec=1.0;q=0, application/json", once, None),
            ("multipart/mixed;subscriptionSpec=2.0, application/json", once, None),
            ("multipart/mixed;deferSpec=20220824, application/json", once, None),
        ] {
            assert_eq!(of(accept).manner(Kind::Query), query, "{accept}");
            assert_eq!(of(accept).manner(Kind::Mutation), query, "{accept}");
            assert_eq!(of(accept).manner(Kind::Subscription), subscription, "{accept}");
        }
        assert_eq!(media("multipart/mixed;subscriptionSpec=1.0, application/json"), JSON);
        assert_eq!(media("multipart/mixed;subscriptionSpec=1.0"), GRAPHQL, "what is refused");
    }

    #[test]
    fn what_cannot_be_written_is_not_promised() {
        for accept in [
            "multipart/mixed;deferSpec=20220824",
            "multipart/mixed;subscriptionSpec=2.0",
            "text/plain",
            "text/html",
            "application/json;q=0",
            "application/json; charset=iso-8859-1",
            "nonsense",
        ] {
            assert_eq!(media(accept), None, "{accept:?}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read_and_never_promises_what_was_refused(
            values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..3)
        ) {
            let mut headers = HeaderMap::new();
            for value in values.iter().filter_map(|it| HeaderValue::from_bytes(it).ok()) {
                headers.append(ACCEPT, value);
            }
            let readable = Readable::of(&headers);
            // Whoever can be answered in some manner can also be refused in some type.
            for kind in [Kind::Query, Kind::Mutation, Kind::Subscription] {
                prop_assert!(readable.manner(kind).is_none() || readable.media().is_some());
            }
        }

        #[test]
        fn the_order_of_ranges_does_not_matter(
            ranges in prop::collection::vec((
                prop::sample::select(&[
                    "application/json", "application/graphql-response+json", "text/event-stream", "*/*",
                    "multipart/mixed;subscriptionSpec=1.0", "text/html", "image/png",
                ][..]),
                prop::option::of(prop::sample::select(&["0", "0.3", "0.3000", "1", "2", "-1", "NaN", "inf", "x"][..])),
            ), 0..6)
        ) {
            let written: Vec<_> = ranges.iter().map(|(name, quality)| match quality {
                Some(quality) => format!("{name};q={quality}"),
                None => (*name).to_owned(),
            }).collect();
            let backwards: Vec<_> = written.iter().rev().cloned().collect();
            prop_assert_eq!(of(&written.join(", ")), of(&backwards.join(",")));
        }
    }
}
