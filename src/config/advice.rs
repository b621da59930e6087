//! What a command needs beyond a sound configuration, and what is legal but worth a second look.

use std::net::SocketAddr;

use secrecy::{ExposeSecret, SecretString};

use super::error::{Error, Place, Problem};
use super::{Config, SessionToken, keys, server};

/// What Aurora's documentation grants one key per minute.
const DOCUMENTED_REQUESTS_PER_MINUTE: u32 = 90;

/// Shorter webhook secrets are within reach of guessing.
const SHORTEST_WEBHOOK_SECRET: usize = 16;

impl Config {
    /// Checks what `serve` needs: a proof for webhooks, a caller, and a way to tenants' keys.
    ///
    /// # Errors
    /// With one problem for each that is missing.
    pub fn require_for_serve(&self) -> Result<(), Error> {
        let mut problems = Vec::new();
        if self.webhooks.secret.is_none() && self.webhooks.basic.is_none() {
            problems.push(missing(
                "webhooks.secret",
                "is required, or `webhooks.basic_user` with `webhooks.basic_password`: without one of them \
                 anybody could send events",
            ));
        }
        if self.auth.accepts_nobody() {
            problems.push(missing(
                "auth.api_keys[].name",
                "is required, with a key, or an issuer of tokens under [auth.jwt]: without one of them nobody \
                 could call",
            ));
        }
        if self.aurora.application.is_none() && self.aurora.tenants.is_empty() {
            problems.push(missing(
                "aurora.application_id",
                "is required, with `aurora.application_key`, or a key under [[aurora.tenants]]: without one \
                 of them Aurora answers nothing",
            ));
        }
        if problems.is_empty() { Ok(()) } else { Err(Error::new(problems)) }
    }

    /// Checks what `demo` needs: a port of its own for the sandbox.
    ///
    /// # Errors
    /// When the sandbox would listen where the gateway does.
    pub fn require_for_demo(&self) -> Result<(), Error> {
        let clashes = |other: SocketAddr| server::clash(self.sandbox.listen, other);
        if !clashes(self.server.listen) && !clashes(self.server.admin_listen) {
            return Ok(());
        }
        let reason = "is an address of the gateway; one must move".to_owned();
        Err(Error::new(vec![Problem { place: Place::Nowhere, key: "sandbox.listen".to_owned(), reason }]))
    }

    /// What is legal and probably not meant, one sentence each.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let mut warn = |odd: bool, sentence: &str| {
            if odd {
                warnings.push(sentence.to_owned());
            }
        };
        let aurora = &self.aurora;
        warn(
            aurora.session_token == SessionToken::Required
                && aurora.application.is_some()
                && self.store.encryption_key.is_none(),
            "store.encryption_key is not set: tenants' keys live in memory only, and after a restart each tenant is \
             out of reach until it sends another session token",
        );
        warn(
            aurora.requests_per_minute.get() > DOCUMENTED_REQUESTS_PER_MINUTE,
            "aurora.requests_per_minute is above 90, which is what Aurora grants one key by default",
        );
        warn(
            !self.server.admin_listen.ip().is_loopback(),
            "server.admin_listen is no loopback address: health and metrics answer anybody who reaches it",
        );
        warn(
            self.webhooks.secret.iter().chain(&self.webhooks.previous_secret).any(is_short),
            "webhooks.secret has fewer than 16 letters: it can be guessed",
        );
        warn(
            self.server.public_url.as_ref().is_some_and(|url| url.scheme() != "https"),
            "server.public_url is not https: Aurora delivers to https only",
        );
        warn(
            self.auth.accepts_nobody(),
            "no [[auth.api_keys]] and no [auth.jwt]: every call that needs a credential is refused",
        );
        warn(
            aurora.tenants.iter().any(|tenant| !is_aurora_key(&tenant.key)),
            "a key under [[aurora.tenants]] begins with neither sk_ nor rk_, as Aurora's own do",
        );
        warn(
            !self.deliver.is_empty() && self.outbound.disable_after >= self.store.retention,
            "outbound.disable_after is not below store.retention: a target that is down for longer than events are \
             kept misses some before it is disabled",
        );
        warnings
    }
}

fn missing(key: &str, rest: &str) -> Problem {
    let reason = format!("{rest}; in the environment, {}", keys::variable(key));
    Problem { place: Place::Nowhere, key: key.to_owned(), reason }
}

fn is_short(secret: &SecretString) -> bool {
    secret.expose_secret().len() < SHORTEST_WEBHOOK_SECRET
}

fn is_aurora_key(key: &SecretString) -> bool {
    ["sk_", "rk_"].iter().any(|prefix| key.expose_secret().starts_with(prefix))
}
