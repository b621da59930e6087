//! What Aurora says when it refuses: two published shapes, a plain text, or nothing to be read.

use std::time::Duration;

use serde_json::value::RawValue;

use super::block::{Block, answer, finite, text};
use crate::aurora::Rejection;

/// More complaints than a person would work through at once.
const MOST_MESSAGES: usize = 20;

/// Longer than any sentence that helps.
const LONGEST_MESSAGE: usize = 300;

/// The messages of a refusal: `{"errors": [{"message"}]}`, `{"error": {field: […]}}` or `{"error": "…"}`. Never
/// empty; whatever else the body holds stays behind, and so do the secrets.
pub(in crate::aurora) fn rejections(body: &[u8], secrets: &[&str]) -> Vec<Rejection> {
    let mut found = answer(body).map(|it| messages(&it)).unwrap_or_default();
    for rejection in &mut found {
        rejection.message = clean(&rejection.message, secrets);
        rejection.field = rejection.field.take().map(|it| clean(&it, secrets)).filter(|it| !it.is_empty());
    }
    found.retain(|it| !it.message.is_empty());
    found.truncate(MOST_MESSAGES);
    if found.is_empty() {
        found.push(Rejection { field: None, message: "Aurora refused this without saying why.".to_owned() });
    }
    found
}

fn messages(body: &Block<'_>) -> Vec<Rejection> {
    let mut found: Vec<Rejection> = body
        .each("errors", |it| {
            let field = it.text("field").or_else(|| it.text("attribute"));
            it.text("message").map(|message| Rejection { field, message })
        })
        .into_iter()
        .flatten()
        .collect();
    found.extend(body.texts("errors").into_iter().map(of_none));
    if let Some(by_field) = body.block("error") {
        let mut by_field: Vec<_> = by_field.fields().collect();
        by_field.sort_unstable_by_key(|(field, _)| *field);
        for (field, raw) in by_field {
            found.extend(complaints(raw).into_iter().map(|it| of_field(field, it)));
        }
    } else {
        found.extend(body.text("error").map(of_none));
    }
    found
}

/// What is said of one field: a list of texts, or one text.
fn complaints(raw: &RawValue) -> Vec<String> {
    match serde_json::from_str::<Vec<&RawValue>>(raw.get()) {
        Ok(list) => list.into_iter().filter_map(text).collect(),
        Err(_) => text(raw).into_iter().collect(),
    }
}

fn of_none(message: String) -> Rejection {
    Rejection { field: None, message }
}

fn of_field(field: &str, message: String) -> Rejection {
    let general = matches!(field, "message" | "base");
    Rejection { field: (!general).then(|| field.to_owned()), message }
}

/// A text fit to be shown: no secrets, no control characters, not endless.
fn clean(text: &str, secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|it| !it.is_empty()) {
        text = text.replace(secret, "…");
    }
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    spaced.trim().chars().take(LONGEST_MESSAGE).collect()
}

/// How long a body of "too many" asks to wait: in a field `retry_after`, or in words.
pub(in crate::aurora) fn wait(body: &[u8]) -> Option<Duration> {
    let Ok(body) = answer(body) else {
        return in_words(str::from_utf8(body).ok()?);
    };
    let field = |block: &Block<'_>| block.quantity("retry_after").and_then(duration);
    let inner = ["error", "meta"].into_iter().filter_map(|name| body.block(name));
    field(&body)
        .or_else(|| inner.into_iter().find_map(|it| field(&it)))
        .or_else(|| body.each("errors", |it| field(&it)).into_iter().flatten().next())
        .or_else(|| body.text("message").as_deref().and_then(in_words))
        .or_else(|| messages(&body).iter().find_map(|it| in_words(&it.message)))
}

/// The first number that is followed by a unit of time: "retry in 12 seconds", "wait 1 minute", "12s".
fn in_words(text: &str) -> Option<Duration> {
    let spaced = spaced_after_digits(text);
    let words: Vec<&str> = spaced.split_whitespace().collect();
    words.windows(2).find_map(|pair| {
        let number = finite(pair[0]).filter(|it| *it >= 0.0)?;
        let unit = pair[1].trim_end_matches(|c: char| !c.is_alphanumeric()).to_ascii_lowercase();
        let seconds = match unit.as_str() {
            "ms" | "millisecond" | "milliseconds" => 0.001,
            "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            _ => return None,
        };
        duration(number * seconds)
    })
}

/// "12s" as "12 s".
fn spaced_after_digits(text: &str) -> String {
    let mut spaced = String::new();
    let mut digit = false;
    for c in text.chars() {
        if digit && c.is_alphabetic() {
            spaced.push(' ');
        }
        digit = c.is_ascii_digit();
        spaced.push(c);
    }
    spaced
}

fn duration(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}
