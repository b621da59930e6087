//! The binary before a sandbox: killed as a power switch would, started again on the same store.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use heliograph::sandbox::{self, Sandbox};
use tokio::sync::watch;

use super::process::{Running, command, with_files};

pub(crate) const SECRET: &str = "webhook-secret-under-load";
pub(crate) const KEY: &str = "key-under-load-0001";

/// Where its log goes, in its folder.
const LOG: &str = "gateway.log";

/// A gateway that comes and goes.
pub(crate) struct Gateway {
    place: PathBuf,
    settings: BTreeMap<String, String>,
    environment: Vec<(String, String)>,
    /// The files that it may open, where they are fewer than it could have.
    files: Option<u64>,
    running: Option<Running>,
    addresses: watch::Sender<SocketAddr>,
    admin: String,
    peak: u64,
    kills: u32,
}

impl Gateway {
    /// Starts one that keeps its store in that folder.
    pub(crate) fn start(place: &Path, sandbox: &Sandbox) -> Self {
        Self::start_with(place, sandbox, Vec::new())
    }

    /// The same with something more in its environment.
    pub(crate) fn start_with(place: &Path, sandbox: &Sandbox, environment: Vec<(String, String)>) -> Self {
        Self::start_under(place, sandbox, environment, None)
    }

    /// The same with no more files than these.
    pub(crate) fn start_under(
        place: &Path,
        sandbox: &Sandbox,
        environment: Vec<(String, String)>,
        files: Option<u64>,
    ) -> Self {
        let mut this = Self {
            place: place.to_owned(),
            settings: usual(sandbox).into(),
            environment,
            files,
            running: None,
            addresses: watch::Sender::new(([127, 0, 0, 1], 0).into()),
            admin: String::new(),
            peak: 0,
            kills: 0,
        };
        this.again();
        this
    }

    /// Starts it again. Blocks until it listens.
    pub(crate) fn again(&mut self) {
        let log = OpenOptions::new().create(true).append(true).open(self.place.join(LOG)).unwrap();
        let (running, base, said) =
            Running::start_logging(self.command().arg("serve"), "listens on ", log.into());
        let admin = said.split("(admin ").nth(1).and_then(|it| it.split(')').next()).unwrap();
        admin.clone_into(&mut self.admin);
        self.running = Some(running);
        let address = base.trim_start_matches("http://").parse().unwrap();
        self.addresses.send_replace(address);
    }

    /// The binary with its settings, to be told what to do.
    pub(crate) fn command(&self) -> Command {
        let mut command = command(&self.place, &self.settings);
        command.envs(self.environment.iter().map(|(key, value)| (key, value)));
        match self.files {
            Some(most) => with_files(most, &command),
            None => command,
        }
    }

    /// Starts it where it cannot start, and gives what it said.
    pub(crate) fn refuses(&self) -> String {
        let Output { status, stderr, .. } = self.command().arg("serve").output().unwrap();
        let said = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(1), "{said}");
        said
    }

    /// What it has said to its operator, over all of its lives.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.place.join(LOG)).unwrap()
    }

    /// The process, to be ended or waited for.
    pub(crate) fn take(&mut self) -> Running {
        self.running.take().expect("it runs")
    }

    /// The process, while it runs.
    pub(crate) fn process(&self) -> Option<&Running> {
        self.running.as_ref()
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.peak = self.peak_bytes();
        self.kills += 1;
        drop(self.take());
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(&mut self) {
        self.take().stop();
    }

    /// Where it listens, as it moves.
    pub(crate) fn addresses(&self) -> watch::Receiver<SocketAddr> {
        self.addresses.subscribe()
    }

    /// Where its operator's routes are.
    pub(crate) fn admin(&self) -> &str {
        &self.admin
    }

    /// Where it is asked.
    pub(crate) fn graphql(&self) -> String {
        format!("http://{}/graphql", *self.addresses.borrow())
    }

    /// Its page of metrics.
    pub(crate) async fn metrics(&self) -> String {
        reqwest::get(format!("{}/metrics", self.admin)).await.unwrap().text().await.unwrap()
    }

    /// The memory that it has now.
    pub(crate) fn resident_bytes(&self) -> u64 {
        self.process().map_or(0, |it| it.memory_kib("VmRSS") * 1024)
    }

    /// How often it was killed.
    pub(crate) fn kills(&self) -> u32 {
        self.kills
    }

    /// The most memory that any of its lives has had.
    pub(crate) fn peak_bytes(&self) -> u64 {
        let alive = self.process().map_or(0, Running::peak_bytes);
        self.peak.max(alive)
    }
}

/// An Aurora that allows as much as is asked.
pub(crate) async fn sandbox() -> Sandbox {
    let config = sandbox::Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        requests_per_minute: 0,
        ..sandbox::Config::default()
    };
    Sandbox::start(config).await.unwrap()
}

fn usual(sandbox: &Sandbox) -> [(String, String); 13] {
    [
        ("SERVER__LISTEN", "127.0.0.1:0"),
        ("SERVER__ADMIN_LISTEN", "127.0.0.1:0"),
        ("AURORA__BASE_URL", &sandbox.base_url()),
        ("AURORA__REQUESTS_PER_MINUTE", "10000"),
        ("AURORA__TENANTS__0__ID", sandbox::TENANT),
        ("AURORA__TENANTS__0__KEY", sandbox::TENANT_KEY),
        ("WEBHOOKS__SECRET", SECRET),
        ("AUTH__API_KEYS__0__NAME", "load"),
        ("AUTH__API_KEYS__0__KEY", KEY),
        ("AUTH__API_KEYS__0__TENANTS", sandbox::TENANT),
        ("AUTH__API_KEYS__0__SCOPES", "read,write"),
        // The log of a storm is not what is measured.
        ("LOG__LEVEL", "warn"),
        ("SERVER__DRAIN", "1s"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
}
