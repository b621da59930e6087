//! Files that were torn or damaged.
