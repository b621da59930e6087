//! The disk on a bad day.
