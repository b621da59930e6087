//! Rebuilds the crate when the pages that it embeds were built anew.

use std::io;

fn main() -> io::Result<()> {
    // Made here where nobody built the pages yet: a folder that is missing would make every build a full one.
    std::fs::create_dir_all("web/dist")?;
    println!("cargo::rerun-if-changed=web/dist");
    println!("cargo::rerun-if-changed=build.rs");
    Ok(())
}
