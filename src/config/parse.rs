//! Single values: from what was written to what it means, or to the reason why it cannot be.
//!
//! A reason says what would be right and never repeats what was written: see [`Error`](super::Error).

mod duration;
mod size;
mod web;

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use http::{HeaderName, HeaderValue};

pub(super) use duration::duration;
pub(super) use size::size;
pub(super) use web::{base_url, document_url, origin, public_url};

use super::node::Value;
use crate::domain::TenantId;

pub(super) fn text(value: &Value) -> Result<&str, String> {
    match value {
        Value::Raw(text) | Value::Text(text) => Ok(text),
        other => Err(format!("must be text in quotes, and is {}", other.type_name())),
    }
}

/// Text that is there, and that can stand in a line of a log.
pub(super) fn name(value: &Value) -> Result<String, String> {
    let text = text(value)?;
    if text.trim().is_empty() {
        return Err("is empty".to_owned());
    }
    if text.chars().any(char::is_control) {
        return Err("must not contain control characters".to_owned());
    }
    Ok(text.to_owned())
}

/// A whole number in the range; `why` says what is wrong with the others.
pub(super) fn whole(range: RangeInclusive<u32>, why: &str) -> impl Fn(&Value) -> Result<u32, String> {
    move |value| {
        let number = match value {
            Value::Integer(number) => Some(*number),
            Value::Raw(text) => text.trim().parse::<i64>().ok(),
            _ => None,
        };
        let Some(number) = number else {
            return Err(format!("must be a whole number, and is {}", value.type_name()));
        };
        u32::try_from(number)
            .ok()
            .filter(|number| range.contains(number))
            .ok_or_else(|| format!("must be a whole number from {} to {}: {why}", range.start(), range.end()))
    }
}

/// A `whole` number of things that are counted in memory.
pub(super) fn count(range: RangeInclusive<u32>, why: &str) -> impl Fn(&Value) -> Result<usize, String> {
    let whole = whole(range, why);
    move |value| {
        let number = whole(value)?;
        usize::try_from(number).map_err(|_| "is more than this machine can count".to_owned())
    }
}

/// Yes or no.
pub(super) fn boolean(value: &Value) -> Result<bool, String> {
    match value {
        Value::Boolean(boolean) => Ok(*boolean),
        Value::Raw(text) if text == "true" => Ok(true),
        Value::Raw(text) if text == "false" => Ok(false),
        other => Err(format!("must be true or false, and is {}", other.type_name())),
    }
}

/// Any number that is not negative.
pub(super) fn seed(value: &Value) -> Result<u64, String> {
    let number = match value {
        Value::Integer(number) => u64::try_from(*number).ok(),
        Value::Raw(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| "must be a whole number, not negative".to_owned())
}

/// One of a few words.
pub(super) fn one_of<T: Copy>(words: &[(&str, T)]) -> impl Fn(&Value) -> Result<T, String> {
    move |value| {
        let text = text(value)?;
        let found = words.iter().find(|(word, _)| *word == text);
        found.map(|(_, meaning)| *meaning).ok_or_else(|| {
            let quoted: Vec<_> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            format!("must be {}", quoted.join(" or "))
        })
    }
}

pub(super) fn address(value: &Value) -> Result<SocketAddr, String> {
    text(value)?.parse().map_err(|_| {
        "must be an IP address and a port, such as \"127.0.0.1:4000\" or \"[::1]:4000\"".to_owned()
    })
}

/// A path, relative to the working directory.
pub(super) fn path(value: &Value) -> Result<PathBuf, String> {
    name(value).map(PathBuf::from)
}

pub(super) fn tenant(value: &Value) -> Result<TenantId, String> {
    TenantId::parse(text(value)?).map_err(|error| error.to_string())
}

pub(super) fn header_name(value: &Value) -> Result<HeaderName, String> {
    let name = text(value)?;
    HeaderName::try_from(name)
        .map_err(|_| "must be the name of an HTTP header: letters, digits and hyphens".to_owned())
}

/// What can stand as one segment of a URL's path.
pub(super) fn segment(value: &Value) -> Result<String, String> {
    let name = name(value)?;
    if name.contains(['/', '\\']) || name.chars().all(|letter| letter == '.') {
        return Err("must be one segment of a path: without slashes, and not only dots".to_owned());
    }
    Ok(name)
}

/// What can be sent as the value of a header, and survives it unchanged.
pub(super) fn header_text(text: &str) -> Result<(), String> {
    let survives = text.trim() == text && HeaderValue::from_str(text).is_ok() && text.is_ascii();
    if survives { Ok(()) } else { Err("must be printable ASCII without spaces around it".to_owned()) }
}
