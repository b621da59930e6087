//! Names that Aurora gives to things: opaque, and always paired with the tenant they belong to.
//!
//! Aurora promises nothing about the form of an id, so nothing here looks like a UUID check. What is refused is
//! only what could not be an id in any form, or could leave its place in a URL path.

use std::{fmt, sync::Arc};

/// The longest id that is accepted, in bytes. Aurora's are 36; the rest is room for a change of format.
pub const MAX_ID_BYTES: usize = 128;

/// Why a text cannot be an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// Nothing, or nothing but white space.
    #[error("is empty")]
    Empty,
    /// Longer than [`MAX_ID_BYTES`].
    #[error("is longer than {MAX_ID_BYTES} bytes")]
    TooLong,
    /// A control character, a slash or a backslash: it could not be one segment of a path.
    #[error("contains a control character or a slash")]
    Character,
    /// Only dots: it would climb in a path.
    #[error("consists of dots only")]
    Dots,
}

fn check(text: &str) -> Result<(), InvalidId> {
    if text.trim().is_empty() {
        return Err(InvalidId::Empty);
    }
    if text.len() > MAX_ID_BYTES {
        return Err(InvalidId::TooLong);
    }
    if text.chars().any(|c| c.is_control() || c == '/' || c == '\\') {
        return Err(InvalidId::Character);
    }
    if text.bytes().all(|b| b == b'.') {
        return Err(InvalidId::Dots);
    }
    Ok(())
}

macro_rules! opaque_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Accepts any text that could be an id.
            ///
            /// # Errors
            /// When it is empty, too long, or could not stand as one segment of a path.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                check(text)?;
                Ok(Self(Arc::from(text)))
            }

            /// An id that stands for one that is not known. Aurora gave it to nothing, as far as anybody knows.
            #[must_use]
            pub fn unknown(number: usize) -> Self {
                Self(Arc::from(format!("unknown-{number}")))
            }

            /// The id as Aurora spells it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    };
}

opaque_id! {
    /// A customer of Aurora: everything else belongs to exactly one.
    TenantId
}
opaque_id! {
    /// A project: one property of one homeowner.
    ProjectId
}
opaque_id! {
    /// A design: one proposed system on a project.
    DesignId
}
opaque_id! {
    /// A run of one of Aurora's asynchronous jobs.
    JobId
}

/// A design and the tenant it is read for. Caches are keyed by this, so nothing crosses from one to another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DesignKey {
    /// Whose design.
    pub tenant: TenantId,
    /// Which one.
    pub design: DesignId,
}

/// A project and the tenant it is read for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProjectKey {
    /// Whose project.
    pub tenant: TenantId,
    /// Which one.
    pub project: ProjectId,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_of_any_form_is_kept_as_it_came() {
        for text in ["3fa85f64-5717-4562-b3fc-2c963f66afa6", "42", "a b", "proj:7", "é", "%2f"] {
            assert_eq!(DesignId::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_could_leave_its_place_in_a_path_is_refused() {
        let cases = [
            ("", InvalidId::Empty),
            ("  ", InvalidId::Empty),
            ("a/b", InvalidId::Character),
            ("a\\b", InvalidId::Character),
            ("a\nb", InvalidId::Character),
            ("..", InvalidId::Dots),
        ];
        for (text, reason) in cases {
            assert_eq!(DesignId::parse(text), Err(reason), "{text:?}");
        }
        assert_eq!(DesignId::parse(&"x".repeat(MAX_ID_BYTES + 1)), Err(InvalidId::TooLong));
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_never_changes_the_text(text in "\\PC{0,200}") {
            if let Ok(id) = TenantId::parse(&text) {
                prop_assert_eq!(id.as_str(), text);
            }
        }
    }
}
