//! A JSON object of Aurora's, read field by field.
//!
//! Each field stays raw text until it is asked for as something. So a number beyond all bounds, half a
//! surrogate pair or a list where a text should be spoils that field and no other.

use std::{borrow::Cow, collections::HashMap};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Unreadable, time::parse_time};
use crate::domain::units::{Degrees, KilowattHours, Percent, Watts};

/// An object whose fields may be anything.
#[derive(Default)]
pub(super) struct Block<'a> {
    fields: HashMap<String, &'a RawValue>,
}

/// A whole answer.
///
/// # Errors
/// When it is not a JSON object.
pub(super) fn answer(body: &[u8]) -> Result<Block<'_>, Unreadable> {
    let text = str::from_utf8(body).map_err(|_| Unreadable("it is not UTF-8 text"))?;
    let text = text.trim_start_matches('\u{feff}').trim();
    if !text.starts_with('{') {
        return Err(Unreadable("it is not a JSON object"));
    }
    object(text).ok_or(Unreadable("its JSON is broken or ends early"))
}

fn object(text: &str) -> Option<Block<'_>> {
    serde_json::from_str(text).ok().map(|fields| Block { fields })
}

impl<'a> Block<'a> {
    /// The object that an answer wraps.
    ///
    /// # Errors
    /// When it is not there or no object.
    pub(super) fn wrapped(&self, name: &'static str) -> Result<Self, Unreadable> {
        self.block(name).ok_or(Unreadable("the object it should wrap is missing"))
    }

    /// The list that an answer wraps.
    ///
    /// # Errors
    /// When it is not there or no list.
    pub(super) fn wrapped_list<T>(
        &self,
        name: &'static str,
        read: impl FnMut(Block<'_>) -> T,
    ) -> Result<Vec<T>, Unreadable> {
        self.each_if_list(name, read).ok_or(Unreadable("the list it should wrap is missing"))
    }

    pub(super) fn block(&self, name: &'static str) -> Option<Self> {
        self.leaf(name, |raw| object(raw.get()))
    }

    /// What `read` makes of each item of a list, in its order. An item that is no object is read as an empty
    /// one, for its place in the list is a fact of its own. A text that holds a list is read as that list.
    pub(super) fn each<T>(&self, name: &'static str, read: impl FnMut(Block<'_>) -> T) -> Vec<T> {
        self.each_if_list(name, read).unwrap_or_default()
    }

    fn each_if_list<T>(&self, name: &'static str, mut read: impl FnMut(Block<'_>) -> T) -> Option<Vec<T>> {
        self.leaf(name, |raw| {
            let list = unquoted(raw)?;
            let items: Vec<&RawValue> = serde_json::from_str(&list).ok()?;
            Some(items.into_iter().map(|item| read(object(item.get()).unwrap_or_default())).collect())
        })
    }

    /// Whether any of these fields is there, whatever it holds.
    pub(super) fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.fields.contains_key(*name))
    }

    /// The texts of a list; what is no text is left out.
    pub(super) fn texts(&self, name: &'static str) -> Vec<String> {
        self.leaf(name, |raw| serde_json::from_str::<Vec<&RawValue>>(raw.get()).ok())
            .into_iter()
            .flatten()
            .filter_map(text)
            .collect()
    }

    /// A text, or a number as it is written.
    pub(super) fn text(&self, name: &'static str) -> Option<String> {
        self.leaf(name, text)
    }

    /// An id, once it has passed the check of its type.
    pub(super) fn id<T, E>(&self, name: &'static str, parse: impl Fn(&str) -> Result<T, E>) -> Option<T> {
        self.leaf(name, |raw| parse(text(raw)?.trim()).ok())
    }

    /// A finite number, or a text that is one.
    pub(super) fn number(&self, name: &'static str) -> Option<f64> {
        self.leaf(name, number)
    }

    /// A number that says how many.
    pub(super) fn quantity(&self, name: &'static str) -> Option<f64> {
        self.number(name).filter(|it| *it >= 0.0)
    }

    /// A number without a fraction.
    pub(super) fn whole(&self, name: &'static str) -> Option<i32> {
        self.leaf(name, |raw| {
            let number = number(raw)?;
            let fits = number.fract() == 0.0 && (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number);
            #[expect(clippy::cast_possible_truncation, reason = "the guard keeps it within i32")]
            fits.then_some(number as i32)
        })
    }

    /// A number of pieces.
    pub(super) fn pieces(&self, name: &'static str) -> Option<i32> {
        self.whole(name).filter(|it| *it >= 0)
    }

    pub(super) fn watts(&self, name: &'static str) -> Option<Watts> {
        self.number(name).and_then(|it| Watts::try_new(it).ok())
    }

    pub(super) fn kilowatt_hours(&self, name: &'static str) -> Option<KilowattHours> {
        self.number(name).and_then(|it| KilowattHours::try_new(it).ok())
    }

    pub(super) fn degrees(&self, name: &'static str) -> Option<Degrees> {
        self.number(name).and_then(|it| Degrees::try_new(it).ok())
    }

    pub(super) fn percent(&self, name: &'static str) -> Option<Percent> {
        self.number(name).and_then(|it| Percent::try_new(it).ok())
    }

    /// A list of numbers with one of the given lengths, all of them readable.
    pub(super) fn numbers(&self, name: &'static str, lengths: &[usize]) -> Option<Vec<f64>> {
        self.leaf(name, |raw| {
            let list = unquoted(raw)?;
            let items: Vec<&RawValue> = serde_json::from_str(&list).ok()?;
            let right_length = lengths.contains(&items.len());
            right_length.then(|| items.into_iter().map(number).collect())?
        })
    }

    pub(super) fn flag(&self, name: &'static str) -> Option<bool> {
        self.leaf(name, |raw| match text(raw).as_deref().unwrap_or(raw.get()) {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        })
    }

    pub(super) fn time(&self, name: &'static str) -> Option<Timestamp> {
        self.leaf(name, |raw| parse_time(&text(raw)?))
    }

    /// Reads a field that is there and not null. Says so, by the field's name only, when it makes no sense.
    pub(super) fn leaf<T>(
        &self,
        name: &'static str,
        read: impl FnOnce(&'a RawValue) -> Option<T>,
    ) -> Option<T> {
        let raw = self.fields.get(name).copied().filter(|raw| raw.get() != "null")?;
        let value = read(raw);
        if value.is_none() {
            tracing::debug!(field = name, "Aurora's {name} cannot be read and counts as absent");
        }
        value
    }

    /// Every field and what it holds.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.fields.iter().map(|(name, raw)| (name.as_str(), *raw))
    }
}

/// The text of a JSON string; a number as it is written.
pub(super) fn text(raw: &RawValue) -> Option<String> {
    let json = raw.get();
    if json.starts_with('"') {
        return serde_json::from_str(json).ok();
    }
    json.starts_with(|c: char| c == '-' || c.is_ascii_digit()).then(|| json.to_owned())
}

fn number(raw: &RawValue) -> Option<f64> {
    finite(&text(raw)?)
}

/// A number that is one: neither endless nor "not a number".
pub(super) fn finite(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|it: &f64| it.is_finite())
}

/// JSON that may have been wrapped in a JSON string once more.
fn unquoted(raw: &RawValue) -> Option<Cow<'_, str>> {
    let json = raw.get();
    if json.starts_with('"') {
        String::deserialize(raw).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(json))
    }
}
