//! Counts a document's tokens before the parser sees it: parsing costs far more than counting.
//!
//! Invariants: linear in the text, no allocation, never a panic; of a well-formed document the count is exact. Not
//! here: whether the document is GraphQL at all. A wrong one is counted somehow and left to the parser.

/// Whether the document has more than `limit` tokens. Reads no further than it must.
pub(in crate::http) fn exceed(document: &str, limit: usize) -> bool {
    Tokens(document.as_bytes()).nth(limit).is_some()
}

struct Tokens<'a>(&'a [u8]);

impl Iterator for Tokens<'_> {
    type Item = ();

    fn next(&mut self) -> Option<()> {
        self.skip_ignored();
        let length = match *self.0 {
            [] => return None,
            [b'"', b'"', b'"', ..] => block_string(self.0),
            [b'"', ..] => string(self.0),
            [b'.', b'.', b'.', ..] => 3,
            [first, ..] if is_word(first) || first == b'-' => word(self.0),
            _ => 1,
        };
        self.0 = self.0.get(length..).unwrap_or_default();
        Some(())
    }
}

impl Tokens<'_> {
    /// White space, commas, comments and the byte order mark are no tokens.
    fn skip_ignored(&mut self) {
        loop {
            self.0 = match *self.0 {
                [b' ' | b'\t' | b'\n' | b'\r' | b',', ref rest @ ..] => rest,
                [0xEF, 0xBB, 0xBF, ref rest @ ..] => rest,
                [b'#', ref rest @ ..] => {
                    let end = rest.iter().position(|it| matches!(it, b'\n' | b'\r'));
                    rest.get(end.unwrap_or(rest.len())..).unwrap_or_default()
                }
                _ => return,
            };
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// A name or a number. A number may hold a point and signs: `-1.5e+10` is one token.
fn word(text: &[u8]) -> usize {
    let number = text.first().is_some_and(|it| it.is_ascii_digit() || *it == b'-');
    let mut previous = b' ';
    let end = text.iter().position(|&it| {
        let sign = matches!(it, b'+' | b'-') && (previous == b' ' || matches!(previous, b'e' | b'E'));
        let part = is_word(it) || (number && (it == b'.' || sign));
        previous = it;
        !part
    });
    end.unwrap_or(text.len()).max(1)
}

/// A string ends at its quote, or, unfinished, with its line.
fn string(text: &[u8]) -> usize {
    let mut escaped = false;
    for (index, &byte) in text.iter().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return index + 1,
            b'\n' | b'\r' => return index,
            _ => {}
        }
    }
    text.len()
}

/// A block string ends at three quotes that no backslash precedes.
fn block_string(text: &[u8]) -> usize {
    let mut index = 3;
    while let Some(rest) = text.get(index..) {
        if rest.starts_with(br#"\""""#) {
            index += 4;
        } else if rest.starts_with(br#"""""#) {
            return index + 3;
        } else if rest.is_empty() {
            break;
        } else {
            index += 1;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn count(document: &str) -> usize {
        Tokens(document.as_bytes()).count()
    }

    #[test]
    fn names_numbers_strings_and_marks_count_once_and_nothing_else_counts() {
        for (document, tokens) in [
            ("", 0),
            ("  ,, \n# only { a } comment", 0),
            ("{a}", 3),
            ("\u{feff}{ a, b }", 4),
            (r#"{ a(b: "x { y } \" z") }"#, 8),
            ("{ a(b: \"\"\"x \\\"\"\" { \" } \n y\"\"\") }", 8),
            (r#"{ a(b: "") }"#, 8),
            ("{ a(b: -1.5e+10, c: [1 2.0]) }", 14),
            ("query Q($a: Int! = 1) @d { ...F ... on T { x } }", 23),
            ("# c\r{ a } # b", 3),
        ] {
            assert_eq!(count(document), tokens, "{document}");
        }
    }

    #[test]
    fn the_limit_itself_is_allowed() {
        assert!(!exceed("{a}", 3));
        assert!(exceed("{a}", 2));
        assert!(!exceed("", 0));
    }

    #[test]
    fn what_is_unfinished_still_ends() {
        for document in ["\"", "\"\"\"", "\"\\", "\"\"\"\\\"", "#", "..", "-", "\"a\n\"b"] {
            assert!(count(document) <= document.len(), "{document:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_ends_and_has_no_more_tokens_than_bytes(document in any::<String>()) {
            prop_assert!(count(&document) <= document.len());
        }

        #[test]
        fn tokens_between_any_ignored_text_are_all_counted(
            tokens in prop::collection::vec(
                prop::sample::select(vec!["{", "}", "...", "name", "\"s # t\"", "\"\"\"b\n\"c\"\"\"", "-1.5e3", "$", "!"]),
                0..50,
            ),
            gap in prop::sample::select(vec![" ", ",", "\n", " # c \n", "\t\r\n"]),
        ) {
            let document = tokens.join(gap);
            prop_assert_eq!(count(&document), tokens.len());
            prop_assert!(!exceed(&document, tokens.len()));
            prop_assert!(tokens.is_empty() || exceed(&document, tokens.len() - 1));
        }
    }
}
