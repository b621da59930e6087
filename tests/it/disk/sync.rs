//! That a 200 comes after the sync, as the kernel saw it. A kill proves nothing of this: what was written survives it
//! without any sync.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use crate::load::{Gateway, caller::Caller, gateway::sandbox, process::Running};

const DELIVERIES: usize = 20;

/// What the trace has told so far.
#[derive(Default)]
struct Told {
    /// Something was written to the log that has not been synced.
    dirty: bool,
    /// The log was synced since the last answer.
    synced: bool,
    answers: usize,
}

impl Told {
    fn hear(&mut self, line: &str) {
        let of_the_log = line.contains("heliograph.db-wal");
        if line.contains("write") && of_the_log {
            (self.dirty, self.synced) = (true, false);
        } else if line.contains("sync(") && of_the_log && line.ends_with("= 0") {
            (self.dirty, self.synced) = (false, true);
        } else if line.contains("\"HTTP/1.1 200 ") {
            assert!(self.synced && !self.dirty, "answer {} was not synced: {line}", self.answers);
            (self.synced, self.answers) = (false, self.answers + 1);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_delivery_is_answered_200_before_the_sync_that_keeps_it() {
    let (sandbox, place) = (sandbox().await, tempfile::tempdir().unwrap());
    let trace = place.path().join("trace");
    let mut gateway = Gateway::start(place.path(), &sandbox);
    gateway.stop();
    let (strace, base, _) =
        Running::start_logging(&mut traced(&gateway, &trace), "listens on ", Stdio::null());
    let address = base.trim_start_matches("http://").parse().unwrap();
    let mut caller = Caller::new(tokio::sync::watch::Sender::new(address).subscribe());
    for job in 0..DELIVERIES {
        // It names no tenant, so nothing is announced that would write in between.
        let aside = format!("performance_simulation_job_completed?design_id=d&job_id={job}&status=failed");
        assert_eq!(caller.deliver(&aside).await, Some(200));
    }
    end(strace);
    let mut told = Told::default();
    joined(&fs::read_to_string(trace).unwrap()).iter().for_each(|line| told.hear(line));
    assert_eq!(told.answers, DELIVERIES);
}

/// The same command, watched.
fn traced(gateway: &Gateway, trace: &Path) -> Command {
    let serve = gateway.command();
    let mut strace = Command::new("strace");
    strace.args([
        "-f",
        "-qq",
        "-y",
        "-e",
        "trace=fsync,fdatasync,write,writev,sendto,sendmsg,pwrite64",
        "-o",
    ]);
    strace.arg(trace).arg("--").arg(serve.get_program()).arg("serve").env_clear();
    strace.envs(serve.get_envs().filter_map(|(key, value)| Some((key, value?))));
    strace.current_dir(serve.get_current_dir().unwrap());
    strace
}

/// Ends what is watched; its watcher ends with it.
fn end(mut strace: Running) {
    let pid = strace.0.id();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    for child in children.split_whitespace() {
        assert!(Command::new("kill").args(["-KILL", child]).status().unwrap().success());
    }
    strace.0.wait().unwrap();
}

/// The trace with each call in one line: at its end if it is a sync, at its beginning if it writes.
fn joined(trace: &str) -> Vec<String> {
    let mut begun = std::collections::HashMap::new();
    let mut lines = Vec::new();
    for line in trace.lines() {
        let (thread, call) = line.split_once(char::is_whitespace).unwrap();
        let call = call.trim_start();
        if let Some(beginning) = call.strip_suffix("<unfinished ...>") {
            if beginning.contains("sync(") {
                begun.insert(thread.to_owned(), beginning.to_owned());
            } else {
                lines.push(beginning.to_owned());
            }
        } else if call.starts_with("<... ") {
            if let Some(beginning) = begun.remove(thread) {
                lines.push(format!("{beginning}{call}"));
            }
        } else {
            lines.push(call.to_owned());
        }
    }
    lines
}
