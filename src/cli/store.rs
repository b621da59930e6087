//! `heliograph store`: whether the file is sound, and what can be had of it if it is not.

use std::path::PathBuf;

use anyhow::{Context, bail};

use crate::{
    cli::{SalvageStore, Store},
    config::Config,
    sqlite,
};

/// Checks or salvages.
#[expect(clippy::print_stdout, reason = "the answer of the command")]
pub(super) fn run(command: &Store) -> anyhow::Result<()> {
    match command {
        Store::Check(file) => {
            let path = Config::from_process(file.path.as_deref())?.store.path;
            if !sqlite::is_sound(&path)? {
                bail!("{} is damaged (docs/disk-trouble.md)", path.display());
            }
            println!("{} is sound", path.display());
            Ok(())
        }
        Store::Salvage(args) => salvage(args),
    }
}

#[expect(clippy::print_stdout, reason = "the answer of the command")]
fn salvage(args: &SalvageStore) -> anyhow::Result<()> {
    let from: PathBuf = match &args.from {
        Some(path) => path.clone(),
        None => Config::from_process(args.config.path.as_deref())?.store.path,
    };
    let salvaged =
        sqlite::salvage(&from, &args.to).with_context(|| format!("{} cannot be salvaged", from.display()))?;
    for it in salvaged.iter().filter(|it| it.rows > 0 || !it.whole) {
        println!(
            "{:>10}  {}{}",
            it.rows,
            it.table,
            if it.whole { "" } else { "  (not all of it could be read)" }
        );
    }
    println!("{} holds what could be had; move it to store.path and start", args.to.display());
    Ok(())
}
