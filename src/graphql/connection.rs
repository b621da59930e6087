//! What Relay connections share: page sizes, page information and opaque cursors.

use async_graphql::SimpleObject;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use super::error::{Code, Failure};

/// Where a page stands in its list.
#[derive(SimpleObject)]
pub struct PageInfo {
    /// Whether there is more behind this page.
    pub has_next_page: bool,
    /// Whether this page was reached from one before it.
    pub has_previous_page: bool,
    /// The place of the first item, null on an empty page.
    pub start_cursor: Option<String>,
    /// The place of the last item, for the next page's `after`; null on an empty page.
    pub end_cursor: Option<String>,
}

/// Items in a page whose size was not given.
pub(super) const DEFAULT_PAGE: u32 = 20;

/// The size of a page by its argument `first`, where `most` is what the largest page may hold.
///
/// # Errors
/// When it is negative or larger than a page may be.
pub fn page_size(first: Option<i32>, most: u32) -> Result<u32, Failure> {
    match first.map(u32::try_from) {
        None => Ok(DEFAULT_PAGE.min(most)),
        Some(Ok(size)) if size <= most => Ok(size),
        Some(_) => Err(Failure::new(Code::BadUserInput, format!("first must be between 0 and {most}"))),
    }
}

/// Makes an opaque cursor of two texts. The first holds no line break.
#[must_use]
pub fn seal(parts: &[&str; 2]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(parts.join("\n"))
}

/// Takes a cursor apart again; `None` where it is none.
#[must_use]
pub fn open(cursor: &str) -> Option<[String; 2]> {
    let plain = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let (first, second) = plain.split_once('\n')?;
    Some([first.to_owned(), second.to_owned()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_cursor_comes_back_as_it_went(first in "[^\n]{0,12}", second in ".{0,20}") {
            prop_assert_eq!(open(&seal(&[&first, &second])), Some([first, second]));
        }

        #[test]
        fn any_text_is_a_cursor_or_none(text in ".{0,40}") {
            let _ = open(&text);
        }
    }

    #[test]
    fn a_page_is_as_large_as_asked_within_its_bounds() {
        assert_eq!(page_size(None, 100).unwrap(), DEFAULT_PAGE);
        assert_eq!(page_size(Some(0), 100).unwrap(), 0);
        assert_eq!(page_size(Some(100), 100).unwrap(), 100);
        assert!(page_size(Some(101), 100).is_err() && page_size(Some(-1), 100).is_err());
    }
}
