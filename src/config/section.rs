//! A table being read: asks for each key by name and type, and notes every problem on the way.
//!
//! Reading goes on after a problem, so that all of them can be told at once. [`Reported`] stands for a
//! value that could not be had; whoever holds one knows that the reason has been noted.
//!
//! Invariant: to ask for a key is to make it known. There is no other list of keys.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::error::{Place, Problem};
use super::keys::{Keys, Kind, join};
use super::node::{Node, Value};
use super::parse;

/// The problem has been noted already.
#[derive(Debug)]
pub(super) struct Reported;

/// What one reading has found.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) keys: Keys,
    pub(super) problems: Vec<Problem>,
    /// The files that secrets were read from.
    pub(super) secret_files: Vec<PathBuf>,
}

/// One table, or the lack of it.
pub(super) struct Section<'r, 't> {
    path: String,
    node: Option<&'t Node>,
    reading: &'r mut Reading,
}

impl<'r, 't> Section<'r, 't> {
    pub(super) fn root(node: Option<&'t Node>, reading: &'r mut Reading) -> Self {
        Self { path: String::new(), node, reading }
    }

    pub(super) fn section(&mut self, name: &str) -> Section<'_, 't> {
        self.learn(name, Kind::Section);
        let node = self.child(name);
        Section { path: join(&self.path, name), node, reading: self.reading }
    }

    /// A value that has a default, or that its table makes no sense without.
    pub(super) fn required<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Result<T, Reported> {
        self.optional(name, parse)?.ok_or_else(|| self.refuse(name, "is required, and is not set"))
    }

    pub(super) fn optional<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Result<Option<T>, Reported> {
        self.learn(name, Kind::Setting);
        let parsed = self.child(name).map(|node| parse(&node.value)).transpose();
        parsed.map_err(|reason| self.refuse(name, &reason))
    }

    /// A list of plain values; without the key, an empty one.
    pub(super) fn list<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&Value) -> Result<T, String>,
    ) -> Result<Vec<T>, Reported> {
        self.learn(name, Kind::List);
        let Some(node) = self.child(name) else { return Ok(Vec::new()) };
        let Some(elements) = node.elements() else {
            let reason = format!("must be a list, and is {}", node.value.type_name());
            return Err(self.refuse(name, &reason));
        };
        let parsed: Vec<_> = elements
            .into_iter()
            .map(|(index, element)| {
                parse(&element.value)
                    .map_err(|reason| self.note(element.place.clone(), &format!("{name}[{index}]"), &reason))
            })
            .collect();
        parsed.into_iter().collect()
    }

    /// A list of tables; without the key, an empty one.
    pub(super) fn tables<T>(
        &mut self,
        name: &str,
        mut read: impl FnMut(&mut Section<'_, '_>) -> Result<T, Reported>,
    ) -> Result<Vec<T>, Reported> {
        self.learn(name, Kind::Tables);
        self.learn_element(name, &mut read);

        let mut tables = Vec::new();
        for (expected, (index, node)) in self.elements(name).into_iter().enumerate() {
            if index != expected {
                let reason = format!("there is no {name}[{expected}] before it: count from 0 without gaps");
                return Err(self.note(node.place.clone(), &format!("{name}[{index}]"), &reason));
            }
            let path = format!("{}[{index}]", join(&self.path, name));
            tables.push(read(&mut Section { path, node: Some(node), reading: self.reading }));
        }
        tables.into_iter().collect()
    }

    /// A secret, from its key or from the file that `<name>_file` names.
    pub(super) fn secret<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Reported> {
        let file_name = format!("{name}_file");
        self.learn(name, Kind::Secret);
        let path = self.optional(&file_name, parse::path)?;
        let here = match self.child(name).map(|node| parse::text(&node.value)).transpose() {
            Ok(text) => text.map(SecretString::from),
            Err(reason) => return Err(self.refuse(name, &reason)),
        };

        let (source, secret) = match (here, path) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                return Err(self.refuse(&file_name, &format!("`{name}` is given as well; keep one of them")));
            }
            (Some(secret), None) => (name, secret),
            (None, Some(path)) => match read_secret(&path) {
                Ok(secret) => {
                    self.reading.secret_files.push(path);
                    (file_name.as_str(), secret)
                }
                Err(error) => {
                    let reason = format!("the file it names cannot be read: {error}");
                    return Err(self.refuse(&file_name, &reason));
                }
            },
        };
        if secret.expose_secret().trim().is_empty() {
            return Err(self.refuse(source, "is empty"));
        }
        parse(secret.expose_secret()).map(Some).map_err(|reason| self.refuse(source, &reason))
    }

    /// A key that this version knows by name only.
    pub(super) fn unavailable(&mut self, name: &str, why: &str) {
        self.learn(name, Kind::Unavailable);
        if self.has(name) {
            self.refuse(name, why);
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.child(name).is_some()
    }

    /// The first of these keys that was written, to point at.
    pub(super) fn written<'n>(&self, names: [&'n str; 2]) -> &'n str {
        if self.has(names[0]) { names[0] } else { names[1] }
    }

    /// Notes a problem with a key of this table, at the key if it was written, else at the table.
    pub(super) fn refuse(&mut self, name: &str, reason: &str) -> Reported {
        let written = self.child(name).or(self.node);
        let place = written.map_or(Place::Nowhere, |node| node.place.clone());
        self.note(place, name, reason)
    }

    fn note(&mut self, place: Place, name: &str, reason: &str) -> Reported {
        let key = join(&self.path, name);
        self.reading.problems.push(Problem { place, key, reason: reason.to_owned() });
        Reported
    }

    fn learn(&mut self, name: &str, kind: Kind) {
        let path = join(&self.path, name);
        self.reading.keys.learn(&path, kind);
    }

    /// The keys of an element are learnt from one that is not there; what it lacks is no problem.
    fn learn_element<T>(
        &mut self,
        name: &str,
        read: &mut impl FnMut(&mut Section<'_, '_>) -> Result<T, Reported>,
    ) {
        let mut aside = Reading::default();
        let path = format!("{}[]", join(&self.path, name));
        // Only its keys matter: an element without values is refused for certain.
        drop(read(&mut Section { path, node: None, reading: &mut aside }));
        self.reading.keys.extend(aside.keys);
    }

    fn child(&self, name: &str) -> Option<&'t Node> {
        self.node?.child(name)
    }

    fn elements(&self, name: &str) -> Vec<(usize, &'t Node)> {
        self.child(name).and_then(Node::elements).unwrap_or_default()
    }
}

/// No key is longer; a path that leads to a device or to a database by mistake is left in time.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

/// The text of a secret's file without the newline that editors put at its end.
pub(super) fn read_secret(path: &Path) -> io::Result<SecretString> {
    let mut text = String::new();
    File::open(path)?.take(MAX_SECRET_BYTES).read_to_string(&mut text)?;
    Ok(SecretString::from(text.trim_end_matches(['\r', '\n'])))
}
