//! Amounts of memory: a number of bytes, or text such as `"256MiB"`.

use std::ops::RangeInclusive;

use crate::config::node::Value;

/// Bytes in each unit, the largest first.
const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// A number of bytes in the range; `why` says what is wrong with the others.
pub(in crate::config) fn size(
    range: RangeInclusive<usize>,
    why: &str,
) -> impl Fn(&Value) -> Result<usize, String> {
    move |value| {
        let bytes = match value {
            Value::Integer(bytes) => usize::try_from(*bytes).ok(),
            Value::Raw(text) | Value::Text(text) => parse(text),
            other => return Err(format!("must be a size, such as \"256MiB\", and is {}", other.type_name())),
        };
        let bytes = bytes.ok_or_else(|| {
            "must be a number of bytes, or text such as \"16KiB\", \"256MiB\" or \"1GiB\"".to_owned()
        })?;
        if range.contains(&bytes) {
            return Ok(bytes);
        }
        Err(format!("must be from {} to {}: {why}", written(*range.start()), written(*range.end())))
    }
}

fn parse(text: &str) -> Option<usize> {
    let digits_end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(digits_end);
    let number: u64 = digits.parse().ok()?;
    let unit = if unit.is_empty() { "B" } else { unit };
    let (_, bytes) = UNITS.iter().find(|(name, _)| *name == unit)?;
    usize::try_from(number.checked_mul(*bytes)?).ok()
}

/// In the largest unit that leaves no rest.
fn written(bytes: usize) -> String {
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    let whole = UNITS.iter().find(|(_, unit)| bytes > 0 && bytes.is_multiple_of(*unit));
    whole.map_or_else(|| "0B".to_owned(), |(name, unit)| format!("{}{name}", bytes / unit))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(bytes: usize) {
            prop_assert_eq!(parse(&written(bytes)), Some(bytes));
        }
    }

    #[test]
    fn powers_of_ten_signs_and_too_much_are_refused() {
        for text in ["", "MiB", "-1", "1MB", "1 MiB", "1.5GiB", "99999999999GiB"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
