//! TOML text → [`Node`]s that know their line.
//!
//! Not here: which keys exist and what they mean.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Place, Problem};
use super::node::{Node, Value};

/// Reads one file.
///
/// # Errors
/// When it cannot be read, and for every mistake in its syntax.
pub(super) fn read(path: &Path) -> Result<Node, Vec<Problem>> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let place = Place::File { path: path.to_owned(), line: 0 };
        vec![Problem { place, key: String::new(), reason: format!("cannot be read: {error}") }]
    })?;
    parse(&text, &|line| Place::File { path: path.to_owned(), line })
}

/// Reads TOML text; `place` says how a line of it is called.
///
/// # Errors
/// One problem for every mistake in the syntax.
pub(super) fn parse(text: &str, place: &dyn Fn(usize) -> Place) -> Result<Node, Vec<Problem>> {
    let source = Source { line_starts: line_starts(text), place };
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(source.table(place(1), table.into_inner()));
    }

    let problems = errors.iter().map(|error| Problem {
        place: source.place_of(error.span().map_or(0, |span| span.start)),
        key: String::new(),
        reason: format!("not TOML: {}", error.message()),
    });
    Err(problems.collect())
}

/// Reads one TOML value, all of it at one place: what an environment variable may hold.
///
/// # Errors
/// The reason, where it is no TOML value.
pub(super) fn parse_literal(text: &str, place: &Place) -> Result<Node, String> {
    let value = DeValue::parse(text).map_err(|error| format!("not a TOML value: {}", error.message()))?;
    let source = Source { line_starts: vec![0], place: &|_| place.clone() };
    Ok(source.node(place.clone(), value.into_inner()))
}

struct Source<'a> {
    line_starts: Vec<usize>,
    place: &'a dyn Fn(usize) -> Place,
}

impl Source<'_> {
    fn place_of(&self, offset: usize) -> Place {
        (self.place)(self.line_starts.partition_point(|start| *start <= offset))
    }

    fn table(&self, place: Place, table: DeTable<'_>) -> Node {
        let children = table.into_iter().map(|(name, value)| {
            // The key's line, not the value's: a list may begin a line further down.
            let place = self.place_of(name.span().start);
            (name.into_inner().into_owned(), self.node(place, value.into_inner()))
        });
        Node { place, value: Value::Table(children.collect()) }
    }

    fn node(&self, place: Place, value: DeValue<'_>) -> Node {
        let value = match value {
            DeValue::String(text) => Value::Text(text.into_owned()),
            DeValue::Integer(digits) => match i64::from_str_radix(digits.as_str(), digits.radix()) {
                Ok(number) => Value::Integer(number),
                Err(_) => Value::Other("a number beyond 64 bits"),
            },
            DeValue::Float(_) => Value::Other("a fractional number"),
            DeValue::Boolean(boolean) => Value::Boolean(boolean),
            DeValue::Datetime(_) => Value::Other("a date or time"),
            DeValue::Array(items) => Value::List(items.into_iter().map(|item| self.item(item)).collect()),
            DeValue::Table(table) => return self.table(place, table),
        };
        Node { place, value }
    }

    fn item(&self, item: Spanned<DeValue<'_>>) -> Node {
        let place = self.place_of(item.span().start);
        self.node(place, item.into_inner())
    }
}

fn line_starts(text: &str) -> Vec<usize> {
    let after_newlines = text.match_indices('\n').map(|(offset, _)| offset + 1);
    std::iter::once(0).chain(after_newlines).collect()
}
