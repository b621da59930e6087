//! The binary, as a process of its own.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// How long it may take to end.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_heliograph");

/// The binary in that folder, with these settings and no others.
pub(crate) fn command<K: AsRef<str>>(place: &Path, settings: &BTreeMap<K, String>) -> Command {
    let mut command = Command::new(BINARY);
    command.current_dir(place).env_clear();
    command.envs(settings.iter().map(|(key, value)| (format!("HELIOGRAPH_{}", key.as_ref()), value)));
    command
}

/// The same with no more files than these.
pub(crate) fn with_files(most: u64, command: &Command) -> Command {
    let mut limited = Command::new("/bin/sh");
    limited.args(["-c", "ulimit -n \"$0\" && exec \"$@\"", &most.to_string()]).arg(command.get_program());
    limited.args(command.get_args()).env_clear();
    limited.envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
    limited.current_dir(command.get_current_dir().unwrap());
    limited
}

/// Of so many connections that a test would like to have, as many as this process may open files for, some left to others;
/// says so where they are fewer.
#[expect(clippy::print_stdout, reason = "a test that tries less than it says has to tell")]
pub(crate) fn connections(wanted: usize) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    const OTHERS: usize = 1_000;
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    let most = maximum.map_or(usize::MAX, |it| usize::try_from(it).unwrap());
    let there = wanted.min(most.saturating_sub(OTHERS).max(most / 2));
    if there < wanted {
        println!("{there} connections instead of {wanted}: no more than {most} files can be opened here");
    }
    there
}

/// A process that is killed when the test ends.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// Starts and reads standard output until a line holds an address behind `mark`. Its log is on standard error.
    pub(crate) fn start_logging(command: &mut Command, mark: &str, log: Stdio) -> (Self, String, String) {
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let running = Self(child);
        let mut said = String::new();
        for line in lines.by_ref() {
            said.push_str(&line.unwrap());
            said.push('\n');
            if let Some(at) = said.find(mark) {
                let address = said[at + mark.len()..].split_whitespace().next().unwrap().to_owned();
                // Whoever reads no further must not block the process.
                std::thread::spawn(move || lines.for_each(drop));
                return (running, address, said);
            }
        }
        panic!("it ended without saying {mark:?}: {said}");
    }

    /// A figure of its memory in KiB: `VmRSS` is what it has now, `VmHWM` what it had at most. What has ended has none.
    pub(crate) fn memory_kib(&self, what: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap_or_default();
        let line = status.lines().find_map(|it| it.strip_prefix(what)?.strip_prefix(':'));
        line.map_or(0, |it| it.trim().trim_end_matches(" kB").parse().unwrap())
    }

    /// The most memory that it has had.
    pub(crate) fn peak_bytes(&self) -> u64 {
        self.memory_kib("VmHWM") * 1024
    }

    /// Asks it to end, as an operator does, and waits until it has.
    pub(crate) fn stop(self) {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").arg(&pid).status().unwrap().success());
        assert!(self.ended().success());
    }

    /// Waits until it has ended by itself.
    pub(crate) fn ended(mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it goes on");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
