//! Aurora's two ways to write a time, and their near relations.

use jiff::Timestamp;

/// `2023-07-29 04:30:46 UTC`, or ISO 8601 with `Z` or an offset. A time without a zone could be any and is none.
pub(super) fn parse_time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let zoned = match text.rsplit_once(' ') {
        Some((local, "UTC" | "GMT" | "Z")) => Some(format!("{local}Z")),
        Some((local, offset)) if offset.starts_with(['+', '-']) => Some(format!("{local}{offset}")),
        _ => text.strip_suffix("UTC").map(|local| format!("{local}Z")),
    };
    zoned.as_deref().unwrap_or(text).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_published_form_is_read() {
        let cases = [
            ("2023-07-29 04:30:46 UTC", "2023-07-29T04:30:46Z"),
            ("2024-06-21T21:12:44.591Z", "2024-06-21T21:12:44.591Z"),
            ("2024-06-21T21:12:44Z", "2024-06-21T21:12:44Z"),
            ("2024-06-21T23:12:44.591+02:00", "2024-06-21T21:12:44.591Z"),
            ("2024-06-21 14:12:44 -0700", "2024-06-21T21:12:44Z"),
            (" 2023-07-29T04:30:46UTC ", "2023-07-29T04:30:46Z"),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_time(text).map(|it| it.to_string()).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in ["", "UTC", "soon", "2023-07-29", "2023-07-29T04:30:46", "2023-13-01 00:00:00 UTC", "17"]
        {
            assert_eq!(parse_time(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn both_forms_of_a_moment_are_that_moment(millis in 0_i64..4_102_444_800_000) {
            let moment = Timestamp::from_millisecond(millis).unwrap();
            let spaced = moment.to_string().replace('T', " ").replace('Z', " UTC");
            let offset = moment.to_string().replace('Z', "+00:00");
            prop_assert_eq!(parse_time(&moment.to_string()), Some(moment));
            prop_assert_eq!(parse_time(&spaced), Some(moment));
            prop_assert_eq!(parse_time(&offset), Some(moment));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}") {
            let _ = parse_time(&text);
        }
    }
}
