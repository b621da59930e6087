//! Files: how many the system lets this process open, and how many of them connections may be.
//!
//! Invariant: connections never take the files without which nothing could be answered. Not here: who waits for a
//! connection's place.

/// Connections that there are files for where so many are kept for the rest. The process takes as many files as it can get:
/// what it gets at first is often 1,024, for the sake of programs of the 1980s.
pub(super) fn for_connections(kept: u32) -> u32 {
    u32::try_from(room(most(), kept)).unwrap_or(u32::MAX)
}

/// Where there are very few, half of them.
fn room(files: u64, kept: u32) -> u64 {
    files.saturating_sub(kept.into()).max(files / 2)
}

#[cfg(unix)]
fn most() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // Without a figure there is no limit.
    let Some(now) = current else { return u64::MAX };
    if current == maximum || setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_err() {
        return now;
    }
    maximum.unwrap_or(u64::MAX)
}

#[cfg(not(unix))]
fn most() -> u64 {
    u64::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_has_its_files_or_half_of_them() {
        for (files, connections) in [(1_048_576, 1_048_192), (1024, 640), (768, 384), (256, 128), (0, 0)] {
            assert_eq!(room(files, 384), connections, "{files}");
        }
        assert_eq!(room(u64::MAX, 384), u64::MAX - 384);
    }
}
