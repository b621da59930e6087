//! Aurora's own words, exactly; they end here.
//!
//! Aurora's fields come and go, change type between versions and mistake numbers for text, so everything is
//! read through [`Block`](block::Block): a field that cannot be read is absent, and only an answer that is not
//! the object it should be is refused as a whole.
//!
//! Invariants: no bytes from Aurora make this panic; nothing is made up for what Aurora left out; the serde
//! types and field names of Aurora stay in here.

mod block;
mod design;
mod project;
mod refusal;
mod summary;
#[cfg(test)]
mod tests;
mod time;
mod token;
mod webhook;
mod word;

use super::Error;

pub(super) use design::{design, designs};
pub(super) use project::{new_project, project, projects};
pub(super) use refusal::{rejections, wait};
pub(super) use summary::summary;
pub(super) use token::token;
pub(super) use webhook::{new_webhook, webhook, webhooks};

/// Why an answer cannot be read at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unreadable(pub(super) &'static str);

impl From<Unreadable> for Error {
    fn from(Unreadable(reason): Unreadable) -> Self {
        Self::InvalidResponse(reason)
    }
}
