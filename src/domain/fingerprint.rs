//! Thirty-two bytes that stand for a content: equal contents, equal fingerprints.

use sha2::{Digest, Sha256};

/// A SHA-256 over length-prefixed parts, so that `("ab", "c")` and `("a", "bc")` differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

/// Collects the parts of a [`Fingerprint`].
#[derive(Default)]
pub struct Fingerprinter(Sha256);

impl Fingerprinter {
    /// Starts with the name of what is fingerprinted, so that two kinds of thing never share one.
    #[must_use]
    pub fn new(kind: &str) -> Self {
        Self::default().text(kind)
    }

    /// Adds a text.
    #[must_use]
    pub fn text(self, part: &str) -> Self {
        self.bytes(part.as_bytes())
    }

    /// Adds a text that may be absent; absent and empty differ.
    #[must_use]
    pub fn maybe(self, part: Option<&str>) -> Self {
        match part {
            Some(text) => self.bytes(b"+").text(text),
            None => self.bytes(b"-"),
        }
    }

    /// Adds any bytes.
    #[must_use]
    pub fn bytes(mut self, part: &[u8]) -> Self {
        self.0.update((part.len() as u64).to_be_bytes());
        self.0.update(part);
        self
    }

    /// The fingerprint of all that was added, in its order.
    #[must_use]
    pub fn finish(self) -> Fingerprint {
        Fingerprint(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn moving_a_letter_over_a_border_changes_the_fingerprint(a in ".{1,8}", b in ".{0,8}") {
            let one = Fingerprinter::new("t").text(&a).text(&b).finish();
            let other = Fingerprinter::new("t").text(&format!("{a}{b}")).text("").finish();
            prop_assert_eq!(one == other, b.is_empty());
        }
    }

    #[test]
    fn absent_and_empty_differ() {
        let absent = Fingerprinter::new("t").maybe(None).finish();
        let empty = Fingerprinter::new("t").maybe(Some("")).finish();
        assert_ne!(absent, empty);
    }
}
