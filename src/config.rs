//! File + environment → one typed [`Config`]; nothing else reads either.
//!
//! Three layers, each over the one before: `default.toml`, which is part of the binary, the operator's
//! file, and `HELIOGRAPH_…` variables. Whatever is unknown or impossible is refused before anything else
//! happens, all of it at once ([`Error`]).
//!
//! Invariants: a value that left this module needs no second check; a secret appears in no `Debug`, no
//! [`Setting`] and no [`Error`].
//!
//! Not here: what a setting *does*. That is said in `default.toml`, and done by the part that has it.

mod advice;
mod aurora;
mod auth;
mod cache;
mod deliver;
mod environment;
mod error;
mod file;
mod keys;
mod limits;
mod log;
mod node;
mod origin;
mod parse;
mod reconcile;
mod sandbox;
mod section;
mod server;
mod settings;
mod store;
#[cfg(test)]
mod tests;
mod webhooks;

use std::path::Path;

pub use aurora::{Application, Aurora, SessionToken, TenantKey};
pub use auth::{ApiKey, Auth, Jwks, Jwt, KeyDigest};
pub use cache::Cache;
pub use deliver::{Deliver, DeliverFrom, Outbound};
pub use error::{Error, Place, Problem};
pub use limits::{Documents, Introspection, Limits};
pub use log::{Format, Log};
pub use reconcile::Reconcile;
pub use sandbox::Sandbox;
pub use server::Server;
pub use settings::Setting;
pub use store::{Backend, Store};
pub use webhooks::{BasicAuth, Webhooks};

use keys::Keys;
use node::Node;
use origin::Origin;
use section::{Reading, Reported, Section};

/// Every default with its reason: a starting point for an operator's own file.
pub const DEFAULTS: &str = include_str!("config/default.toml");

/// The file that is read when none is named.
pub const USUAL_FILE: &str = "heliograph.toml";

/// Everything that can be set.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the gateway listens.
    pub server: Server,
    /// How Aurora is reached.
    pub aurora: Aurora,
    /// How a delivery proves itself.
    pub webhooks: Webhooks,
    /// Who may call.
    pub auth: Auth,
    /// What outlives a restart, and where.
    pub store: Store,
    /// How long answers are kept.
    pub cache: Cache,
    /// How news that never came are looked for.
    pub reconcile: Reconcile,
    /// How patiently events are delivered.
    pub outbound: Outbound,
    /// Whom events are delivered to.
    pub deliver: Vec<Deliver>,
    /// The Aurora of our own.
    pub sandbox: Sandbox,
    /// How the log is written.
    pub log: Log,
    /// What one caller may take.
    pub limits: Limits,
    settings: Vec<Setting>,
    origin: Origin,
}

impl Config {
    /// Loads the named file, else `heliograph.toml` where there is one, under the process's environment.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_process(file: Option<&Path>) -> Result<Self, Error> {
        let usual = Path::new(USUAL_FILE);
        Self::from_named(file.or_else(|| usual.exists().then_some(usual)))
    }

    /// Loads the named file, or none, under the process's environment.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_named(file: Option<&Path>) -> Result<Self, Error> {
        #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
        let variables = std::env::vars_os();
        let (read, unreadable): (Vec<_>, Vec<_>) = variables
            .filter(|(name, _)| name.as_encoded_bytes().starts_with(environment::PREFIX.as_bytes()))
            .map(|(name, text)| (name.to_string_lossy().into_owned(), text.into_string()))
            .partition(|(_, text)| text.is_ok());
        if !unreadable.is_empty() {
            let reason = "is not UTF-8";
            let problems = unreadable.into_iter().map(|(name, _)| Problem {
                place: Place::Variable(name),
                key: String::new(),
                reason: reason.to_owned(),
            });
            return Err(Error::new(problems.collect()));
        }
        Self::load(file, read.into_iter().filter_map(|(name, text)| Some((name, text.ok()?))))
    }

    /// Loads one file and these variables over the defaults. The variables win.
    ///
    /// # Errors
    /// With everything that is unknown or impossible, each with its place and the reason.
    pub fn load(file: Option<&Path>, env: impl IntoIterator<Item = (String, String)>) -> Result<Self, Error> {
        let mut tree = defaults().map_err(Error::new)?;
        let keys = learn_keys(&tree);
        let mut problems = Vec::new();

        let mut file_is_toml = true;
        match file.map(file::read).transpose() {
            Ok(None) => {}
            Ok(Some(mut layer)) => {
                keys.prune(&mut layer, "", &mut problems);
                tree.overlay(layer);
            }
            Err(mistakes) => {
                problems.extend(mistakes);
                file_is_toml = false;
            }
        }
        let env: Vec<_> = env.into_iter().collect();
        let mut layer = environment::read(env.iter().cloned(), &keys, &mut problems);
        keys.prune(&mut layer, "", &mut problems);
        tree.overlay(layer);

        // Without its file a configuration lacks half of what it needs: to say so would help nobody.
        if !file_is_toml {
            return Err(Error::new(problems));
        }
        let mut reading = Reading { problems, ..Reading::default() };
        let config = Self::read(Section::root(Some(&tree), &mut reading), || settings::list(&tree, &keys));
        match config {
            Ok(config) if reading.problems.is_empty() => {
                Ok(Self { origin: Origin::new(file, &env, reading.secret_files), ..config })
            }
            _ => Err(Error::new(reading.problems)),
        }
    }

    /// The settings in force, each with the place it comes from; secrets redacted.
    #[must_use]
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// Whether the operator has set this (dotted key), rather than left it at its default.
    #[must_use]
    pub fn is_set(&self, key: &str) -> bool {
        self.settings.iter().any(|setting| setting.is_set(key))
    }

    fn read(mut root: Section<'_, '_>, settings: impl FnOnce() -> Vec<Setting>) -> Result<Self, Reported> {
        let server = Server::read(root.section("server"));
        let aurora = Aurora::read(root.section("aurora"));
        let webhooks = Webhooks::read(root.section("webhooks"));
        let auth = Auth::read(root.section("auth"));
        let store = Store::read(root.section("store"));
        let cache = Cache::read(root.section("cache"));
        let reconcile = Reconcile::read(root.section("reconcile"));
        let outbound = Outbound::read(root.section("outbound"));
        let deliver = Deliver::read_all(&mut root);
        let sandbox = Sandbox::read(root.section("sandbox"));
        let log = Log::read(root.section("log"));
        let limits = Limits::read(root.section("limits"));
        Ok(Self {
            server: server?,
            aurora: aurora?,
            webhooks: webhooks?,
            auth: auth?,
            store: store?,
            cache: cache?,
            reconcile: reconcile?,
            outbound: outbound?,
            deliver: deliver?,
            sandbox: sandbox?,
            log: log?,
            limits: limits?,
            settings: settings(),
            origin: Origin::default(),
        })
    }
}

fn defaults() -> Result<Node, Vec<Problem>> {
    file::parse(DEFAULTS, &|_| Place::Default)
}

/// The keys that a reading asks for, whatever it finds.
fn learn_keys(tree: &Node) -> Keys {
    let mut reading = Reading::default();
    // Only the keys matter: what is wrong with the values, the second reading says.
    drop(Config::read(Section::root(Some(tree), &mut reading), Vec::new));
    reading.keys
}
