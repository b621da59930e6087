//! `[log]`: how the log is written.

use tracing::Level;

use super::parse;
use super::section::{Reported, Section};

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// For whose eyes.
    pub format: Format,
    /// The least important lines that are still written.
    pub level: Level,
}

/// For whose eyes the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Lines for a person.
    Text,
    /// One JSON object a line, for a collector.
    Json,
}

const FORMATS: [(&str, Format); 2] = [("text", Format::Text), ("json", Format::Json)];

const LEVELS: [(&str, Level); 5] = [
    ("error", Level::ERROR),
    ("warn", Level::WARN),
    ("info", Level::INFO),
    ("debug", Level::DEBUG),
    ("trace", Level::TRACE),
];

impl Log {
    pub(super) fn read(mut section: Section<'_, '_>) -> Result<Self, Reported> {
        let format = section.required("format", parse::one_of(&FORMATS));
        let level = section.required("level", parse::one_of(&LEVELS));
        Ok(Self { format: format?, level: level? })
    }
}
