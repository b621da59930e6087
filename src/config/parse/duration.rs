//! Lengths of time, as `"250ms"`, `"20s"`, `"5m"`, `"1h"` or `"7d"`.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::text;
use crate::config::node::Value;

/// Milliseconds in each unit, the longest first.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// A length of time in the range; `why` says what is wrong with the others.
pub(in crate::config) fn duration(
    range: RangeInclusive<Duration>,
    why: &str,
) -> impl Fn(&Value) -> Result<Duration, String> {
    move |value| {
        let duration = parse(text(value)?).ok_or_else(|| {
            "must be a whole number and a unit, such as \"250ms\", \"20s\", \"5m\", \"1h\" or \"7d\""
                .to_owned()
        })?;
        if range.contains(&duration) {
            return Ok(duration);
        }
        Err(format!("must be from {} to {}: {why}", written(*range.start()), written(*range.end())))
    }
}

fn parse(text: &str) -> Option<Duration> {
    let digits_end = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (digits, unit) = text.split_at(digits_end);
    let number: u64 = digits.parse().ok()?;
    let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(*millis).map(Duration::from_millis)
}

/// In the longest unit that leaves no rest.
fn written(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let whole = UNITS.iter().find(|(_, unit)| millis > 0 && millis.is_multiple_of(*unit));
    whole.map_or_else(|| "0s".to_owned(), |(name, unit)| format!("{}{name}", millis / unit))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(millis in 0..=u64::MAX / 2) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse(&written(duration)), Some(duration));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            if let Some(duration) = parse(&text) {
                prop_assert_eq!(parse(&written(duration)), Some(duration));
            }
        }
    }

    #[test]
    fn no_unit_no_number_a_sign_a_fraction_and_too_much_are_refused() {
        for text in ["", "5", "s", "-5s", "+5s", "1.5h", "5 s", "5S", "1h30m", "99999999999999999999d"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
