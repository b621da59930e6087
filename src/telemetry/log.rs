//! Log lines: one event, one line, as text or as JSON.
//!
//! Invariants: no value can break a line or forge one, since control characters are escaped; no value is longer
//! than [`LONGEST_VALUE`]; of crates that are not ours, debug and trace lines are dropped whatever the filter says,
//! because they print headers and bodies, and with them secrets.

use std::{fmt, fmt::Write};

use serde_json::{Map, Value};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::filter_fn,
    fmt::{
        FmtContext, FormatEvent, FormatFields, MakeWriter,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    layer::SubscriberExt,
    registry::LookupSpan,
};

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON object per line.
    Json,
}

/// A filter that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no log filter; one is \"info\" or \"info,heliograph::relay=debug\"")]
pub struct InvalidFilter(String);

/// No value is cut that a person would read to its end.
pub const LONGEST_VALUE: usize = 256;

/// Checks a filter.
///
/// # Errors
/// When it is none.
pub fn check_filter(filter: &str) -> Result<(), InvalidFilter> {
    parse(filter).map(drop)
}

/// Sends the process's log lines to standard error.
///
/// # Errors
/// When the filter is none.
pub fn init(format: Format, filter: &str) -> Result<(), InvalidFilter> {
    let lines = subscriber(format, filter, std::io::stderr)?;
    // A second call keeps the first set-up, as in a test binary.
    let _first_wins = tracing::subscriber::set_global_default(lines);
    Ok(())
}

/// A subscriber that writes lines to `writer`.
///
/// # Errors
/// When the filter is none.
pub fn subscriber<W>(
    format: Format,
    filter: &str,
    writer: W,
) -> Result<impl Subscriber + Send + Sync + use<W>, InvalidFilter>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer()
        .event_format(Lines(format))
        .with_writer(writer)
        .with_filter(filter_fn(may_be_said));
    Ok(tracing_subscriber::registry().with(parse(filter)?).with(lines))
}

fn parse(filter: &str) -> Result<EnvFilter, InvalidFilter> {
    EnvFilter::try_new(filter).map_err(|_library| InvalidFilter(filter.to_owned()))
}

fn may_be_said(event: &Metadata<'_>) -> bool {
    *event.level() <= Level::INFO || is_ours(event.target())
}

fn is_ours(target: &str) -> bool {
    target.strip_prefix(env!("CARGO_PKG_NAME")).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

struct Lines(Format);

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        _spans: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut time = String::with_capacity(32);
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let metadata = event.metadata();
        match self.0 {
            Format::Text => {
                write!(writer, "{time} {:>5} {}:", metadata.level(), metadata.target())?;
                let mut text = Text::default();
                event.record(&mut text);
                writeln!(writer, "{}{}", text.message, text.fields)
            }
            Format::Json => {
                let mut json = Json(Map::new());
                event.record(&mut json);
                json.0.insert("time".into(), time.into());
                json.0.insert("level".into(), metadata.level().as_str().into());
                json.0.insert("target".into(), metadata.target().into());
                writeln!(writer, "{}", Value::Object(json.0))
            }
        }
    }
}

/// Text that is cut at [`LONGEST_VALUE`] and cannot end its line.
struct Bounded {
    text: String,
    escape: bool,
}

impl Bounded {
    fn of(value: fmt::Arguments<'_>, escape: bool) -> String {
        let mut bounded = Self { text: String::new(), escape };
        // An error only says that the end was reached.
        let _cut = bounded.write_fmt(value);
        bounded.text
    }
}

impl Write for Bounded {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        for character in piece.chars() {
            if self.text.len() >= LONGEST_VALUE {
                self.text.push('…');
                return Err(fmt::Error);
            }
            if self.escape && must_be_escaped(character) {
                write!(self.text, "{}", character.escape_default())?;
            } else {
                self.text.push(character);
            }
        }
        Ok(())
    }
}

/// Controls, and the characters that reorder or break lines where a terminal or an editor shows them.
fn must_be_escaped(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format_args!("{value:?}"));
    }
}

impl Text {
    fn put(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        let value = Bounded::of(value, true);
        if field.name() == "message" {
            self.message = format!(" {value}");
        } else if value.is_empty() || value.contains([' ', '"', '=']) {
            // Writing to a string cannot fail.
            let _infallible = write!(self.fields, " {}={value:?}", field.name());
        } else {
            let _infallible = write!(self.fields, " {}={value}", field.name());
        }
    }
}

struct Json(Map<String, Value>);

impl Visit for Json {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().into(), Bounded::of(format_args!("{value}"), false).into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().into(), Bounded::of(format_args!("{value:?}"), false).into());
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use super::*;

    /// What was logged.
    #[derive(Clone, Default)]
    pub(crate) struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Captured {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl io::Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: Format, filter: &str, say: impl FnOnce()) -> String {
        let captured = Captured::default();
        let writer = captured.clone();
        let lines = subscriber(format, filter, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(lines, say);
        captured.text()
    }

    #[test]
    fn no_value_can_forge_a_line() {
        let say = || {
            tracing::info!(
                target: "heliograph",
                id = "a\nINFO forged\u{1b}[31m\u{202e}",
                "one\r\ntwo\u{2028}three"
            );
        };
        for format in [Format::Text, Format::Json] {
            let text = logged(format, "info", say);
            assert_eq!(text.lines().count(), 1, "{text:?}");
            assert!(!text.trim_end().contains(char::is_control), "{text:?}");
        }
    }

    #[test]
    fn a_long_value_is_cut() {
        let text = logged(Format::Text, "info", || {
            tracing::info!(target: "heliograph", id = %"ä".repeat(100_000), "x");
        });
        assert!(text.len() < 2 * LONGEST_VALUE && text.contains('…'), "{}", text.len());
    }

    #[test]
    fn a_json_line_is_an_object_with_its_fields_as_they_are() {
        let text = logged(Format::Json, "info", || {
            tracing::info!(target: "heliograph::relay", design = "d\"1", count = 3_u64, ok = true, "Forgot");
        });
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["design"], "d\"1");
        assert_eq!((&line["count"], &line["ok"]), (&3.into(), &true.into()));
        assert_eq!((&line["message"], &line["level"]), (&"Forgot".into(), &"INFO".into()));
        assert_eq!(line["target"], "heliograph::relay");
    }

    #[test]
    fn other_crates_debug_lines_never_come_out() {
        let text = logged(Format::Text, "trace", || {
            tracing::debug!(target: "h2::codec", "authorization: Bearer s3cret");
            tracing::trace!(target: "heliographic", "s3cret");
            tracing::debug!(target: "heliograph::http", "ours");
            tracing::warn!(target: "h2::codec", "theirs");
        });
        assert!(!text.contains("s3cret"), "{text}");
        assert!(text.contains("ours") && text.contains("theirs"), "{text}");
    }

    #[test]
    fn a_wrong_filter_is_named() {
        let error = check_filter("info,=%=").unwrap_err();
        assert!(error.to_string().contains("info,=%="), "{error}");
        assert!(check_filter("info,heliograph::relay=debug").is_ok());
    }
}
