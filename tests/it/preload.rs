//! Small libraries that are loaded into the real binary, so that what the system says to it can be played.

use std::{collections::HashMap, path::PathBuf, process::Command, sync::Mutex};

/// Those that have been compiled, by their source. A C compiler is there, for the database needs one.
static COMPILED: Mutex<Option<HashMap<&'static str, (tempfile::TempDir, PathBuf)>>> = Mutex::new(None);

/// The library of that source, which lies beside these tests.
pub(crate) fn library(source: &'static str) -> PathBuf {
    let mut compiled = COMPILED.lock().unwrap();
    let (_, path) = compiled.get_or_insert_default().entry(source).or_insert_with(|| {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("library.so");
        let mut compile = Command::new("cc");
        compile
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .arg(&path)
            .arg(format!("{}/tests/it/{source}", env!("CARGO_MANIFEST_DIR")))
            .arg("-ldl");
        let output = compile.output().expect("a C compiler, as `cc`");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        (place, path)
    });
    path.clone()
}
