//! File systems in files, mounted over loop devices: what they have not written is lost when the file is copied.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// A file system that is mounted for as long as this lives.
pub(crate) struct Mounted {
    folder: PathBuf,
}

impl Mounted {
    /// Makes one in a file of so many megabytes, and mounts it.
    pub(crate) fn new(image: &Path, megabytes: u64) -> Self {
        let file = std::fs::File::create(image).unwrap();
        file.set_len(megabytes * 1024 * 1024).unwrap();
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(image));
        Self::mount(image)
    }

    /// Mounts what is in a file.
    pub(crate) fn mount(image: &Path) -> Self {
        let folder = image.with_extension("mounted");
        std::fs::create_dir_all(&folder).unwrap();
        run(Command::new("mount").args(["-o", "loop"]).arg(image).arg(&folder));
        Self { folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Mounts it anew, `ro` or `rw`.
    pub(crate) fn again(&self, how: &str) {
        run(Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(&self.folder));
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: whatever still has a file open there ends soon.
        let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}

/// What the disk would hold if the power were cut now.
pub(crate) fn as_after_a_power_cut(image: &Path, copy: &Path) {
    run(Command::new("cp").arg("--sparse=always").arg(image).arg(copy));
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?} failed, and without mounting loop devices (root, on Linux) this part cannot run: {said}"
    );
}
