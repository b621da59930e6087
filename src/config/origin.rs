//! Where a configuration came from, so that it can be read again while the process runs.
//!
//! Invariant: variables are as they were at the start, for a process's environment does not change; what can change
//! is the operator's file and the files that hold secrets.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};

use super::{Config, Error, section::read_secret};

/// The sources of one configuration.
#[derive(Debug, Clone, Default)]
pub(super) struct Origin {
    file: Option<PathBuf>,
    /// Those that are ours. One of them may be a secret.
    variables: Vec<(String, SecretString)>,
    secret_files: Vec<PathBuf>,
}

impl Origin {
    pub(super) fn new(
        file: Option<&Path>,
        variables: &[(String, String)],
        secret_files: Vec<PathBuf>,
    ) -> Self {
        let ours = variables.iter().filter(|(name, _)| name.starts_with(super::environment::PREFIX));
        let variables = ours.map(|(name, text)| (name.clone(), SecretString::from(text.as_str()))).collect();
        Self { file: file.map(Path::to_owned), variables, secret_files }
    }
}

impl Config {
    /// Reads the same file and variables again, and every file of a secret that they name.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn reload(&self) -> Result<Self, Error> {
        let variables = self.origin.variables.iter();
        let variables = variables.map(|(name, text)| (name.clone(), text.expose_secret().to_owned()));
        Self::load(self.origin.file.as_deref(), variables.collect::<Vec<_>>())
    }

    /// Stands for what the files of secrets hold now: another text, another digest. None where no secret is in a file.
    #[must_use]
    pub fn secret_files_digest(&self) -> Option<[u8; 32]> {
        if self.origin.secret_files.is_empty() {
            return None;
        }
        let mut digest = Sha256::new();
        for path in &self.origin.secret_files {
            match read_secret(path) {
                Ok(secret) => {
                    let text = secret.expose_secret().as_bytes();
                    digest.update((text.len() as u64).to_be_bytes());
                    digest.update(text);
                }
                // No text has this length.
                Err(_missing) => digest.update(u64::MAX.to_be_bytes()),
            }
        }
        Some(digest.finalize().into())
    }
}
