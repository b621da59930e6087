//! Why the catalog cannot answer.

use super::Unsettled;
use crate::{aurora, store};

/// A variant is something that the caller does; the cause is kept for the log.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Aurora could not be asked, or refused.
    #[error("Aurora could not be asked")]
    Aurora(#[from] aurora::Error),
    /// What was read was overtaken by news again and again.
    #[error("the answer was overtaken by news")]
    Overtaken,
    /// The key stands for another input.
    #[error("the idempotency key was used with another input")]
    Conflict,
    /// Whether a create took effect is not known.
    #[error("the outcome of an earlier create is not known")]
    Unsettled(Unsettled),
    /// The store could not be read or written.
    #[error("the store failed")]
    Store(#[from] store::Error),
    /// A position in a list that no list has.
    #[error("no such position")]
    Position,
}
