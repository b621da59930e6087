//! Why a configuration is refused: every problem at once, each with its place, its key and the reason.
//!
//! Invariant: a message never repeats a value, so it cannot give a secret away, not even one that was
//! written under the wrong key.

use std::fmt;
use std::path::PathBuf;

/// Everything that is wrong with one configuration.
#[derive(Debug)]
pub struct Error {
    problems: Vec<Problem>,
}

impl Error {
    /// Orders the problems as a person meets them: file from the top, then variables.
    pub(super) fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort_by(|a, b| a.place.cmp(&b.place));
        Self { problems }
    }

    /// The problems, file first and from the top, then variables; never empty.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.len() {
            1 => write!(f, "the configuration is refused:")?,
            many => write!(f, "the configuration is refused, with {many} problems:")?,
        }
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for Error {}

/// One thing to put right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub(super) place: Place,
    /// Dotted, as in `server.listen`; empty when the whole file is meant.
    pub(super) key: String,
    pub(super) reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place != Place::Nowhere {
            write!(f, "{}: ", self.place)?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.reason)
    }
}

/// Where a setting was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the file that is part of the binary.
    Default,
    /// In the operator's file; line 0 means the file as a whole.
    File {
        /// As it was named to us.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// In this environment variable.
    Variable(String),
    /// Nowhere: something is missing.
    Nowhere,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line: 0 } => write!(f, "{}", path.display()),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => write!(f, "{}", name.escape_debug()),
            Self::Nowhere => f.write_str("not set"),
        }
    }
}
