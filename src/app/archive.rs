//! The store's events for the command line, beside a gateway that may be running.

use anyhow::Context;

use crate::{
    config::Config,
    journal::{Archive, Cursors},
    store,
};

/// The events, and what opens and makes their cursors.
///
/// # Errors
/// When the store cannot be opened, or no gateway has ever used it.
pub fn archive(config: &Config) -> anyhow::Result<(Archive, Cursors)> {
    let path = &config.store.path;
    let told = || format!("the store {} cannot be opened", path.display());
    let archive = Archive::open(path).with_context(told)?;
    let key = store::cursor_key_of(archive.guest()).with_context(told)?;
    let key = key.context("no gateway has used this store yet")?;
    Ok((archive, Cursors::new(&key)))
}
