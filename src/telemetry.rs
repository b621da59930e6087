//! What the gateway says about itself: log lines and metrics.
//!
//! Invariants: a log line is one line, whatever is in its values; a value in it has an end; other crates' debug
//! lines, which print headers and bodies, never come out. A metric's labels come from closed lists, never from a
//! caller. Not here: what is worth saying. Each part decides that where it handles the matter.

pub mod log;
pub mod metrics;
pub mod panics;

pub use log::{Format, InvalidFilter};
pub use metrics::Metrics;
