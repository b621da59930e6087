//! Counts a document's tokens before the parser sees it, and how deep they nest: parsing costs far more than counting, and
//! a parser goes down with its text, until its stack ends and the process with it.
//!
//! Invariants: linear in the text, no allocation, never a panic; of a well-formed document the figures are exact. Not
//! here: whether the document is GraphQL at all. A wrong one is counted somehow and left to the parser.

/// Brackets of any kind within one another. Selections may be a hundred deep where an operator allows it, and no argument
/// of the schema is ten deep; the parser's own stack ends at some three hundred lists within lists.
pub(in crate::http) const DEEPEST: usize = 128;

/// What a document has too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Excess {
    Tokens,
    Nesting,
}

/// Whether the document has more than `limit` tokens, or nests deeper than [`DEEPEST`]. Reads no further than it must.
pub(in crate::http) fn excess(document: &str, limit: usize) -> Option<Excess> {
    let mut deep = 0_usize;
    for (at, first) in Tokens(document.as_bytes()).enumerate() {
        if at >= limit {
            return Some(Excess::Tokens);
        }
        match first {
            b'{' | b'[' | b'(' => deep += 1,
            b'}' | b']' | b')' => deep = deep.saturating_sub(1),
            _ => {}
        }
        if deep > DEEPEST {
            return Some(Excess::Nesting);
        }
    }
    None
}

struct Tokens<'a>(&'a [u8]);

impl Iterator for Tokens<'_> {
    /// The token's first byte.
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        self.skip_ignored();
        let length = match *self.0 {
            [] => return None,
            [b'"', b'"', b'"', ..] => block_string(self.0),
            [b'"', ..] => string(self.0),
            [b'.', b'.', b'.', ..] => 3,
            [first, ..] if is_word(first) || first == b'-' => word(self.0),
            _ => 1,
        };
        let first = self.0.first().copied();
        self.0 = self.0.get(length..).unwrap_or_default();
        first
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
        assert_eq!(excess("{a}", 3), None);
        assert_eq!(excess("{a}", 2), Some(Excess::Tokens));
        assert_eq!(excess("", 0), None);
    }

    #[test]
    fn what_nests_too_deep_is_told_from_what_is_only_long() {
        for (open, close) in [("{a", "}"), ("[", "]"), ("(", ")"), ("{a(b:[", "]){a}}")] {
            let nested = |times: usize| open.repeat(times) + &close.repeat(times);
            let each = open.bytes().filter(|it| b"{[(".contains(it)).count();
            assert_eq!(excess(&nested(DEEPEST / each), 10_000), None, "{open}");
            assert_eq!(excess(&nested(DEEPEST / each + 1), 10_000), Some(Excess::Nesting), "{open}");
        }
        let flat = "{ a(b: [1]) { c } } ".repeat(500);
        assert_eq!(excess(&flat, 10_000), None);
        assert_eq!(excess(&"}".repeat(500), 10_000), None);
        let hidden = format!("{{ a(b: \"{0}\", c: \"\"\"{0}\"\"\") #{0}\n }}", "[".repeat(500));
        assert_eq!(excess(&hidden, 10_000), None, "what stands in strings and comments does not nest");
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
            prop_assert_eq!(excess(&document, tokens.len()), None);
            prop_assert!(tokens.is_empty() || excess(&document, tokens.len() - 1) == Some(Excess::Tokens));
        }
    }
}
