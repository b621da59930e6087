//! Which keys exist: learnt by reading, so that no second list can go stale.
//!
//! A path names one place (`auth.api_keys[0].name`); a pattern names all its likes
//! (`auth.api_keys[].name`). Keys are kept by pattern.

use std::collections::BTreeMap;

use super::error::Problem;
use super::node::{Node, Value};

/// What may stand under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A table with fixed keys.
    Section,
    /// A list of tables.
    Tables,
    /// A list of plain values.
    List,
    /// One plain value.
    Setting,
    /// One plain value that is never shown.
    Secret,
    /// Named in the product's description, and not in this version: known, and refused by its reader.
    Unavailable,
}

/// Every known key, by pattern.
#[derive(Debug, Default)]
pub(super) struct Keys(BTreeMap<String, Kind>);

impl Keys {
    pub(super) fn learn(&mut self, path: &str, kind: Kind) {
        self.0.insert(pattern(path), kind);
    }

    pub(super) fn kind(&self, path: &str) -> Option<Kind> {
        self.0.get(&pattern(path)).copied()
    }

    pub(super) fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Kind)> {
        self.0.iter().map(|(pattern, kind)| (pattern.as_str(), *kind))
    }

    /// Takes out, and reports, whatever one layer says that no reader would ever ask for.
    pub(super) fn prune(&self, layer: &mut Node, path: &str, problems: &mut Vec<Problem>) {
        let Value::Table(children) = &mut layer.value else { return };
        children.retain(|name, node| {
            let path = join(path, name);
            match self.refusal(&path, node) {
                Some(reason) => {
                    problems.push(Problem { place: node.place.clone(), key: printable(&path), reason });
                    false
                }
                None => {
                    self.prune_below(node, &path, problems);
                    true
                }
            }
        });
    }

    fn prune_below(&self, node: &mut Node, path: &str, problems: &mut Vec<Problem>) {
        match (self.kind(path), &mut node.value) {
            (Some(Kind::Section), _) => self.prune(node, path, problems),
            (Some(Kind::Tables), Value::List(elements)) => {
                for (index, element) in elements.iter_mut().enumerate() {
                    self.prune(element, &format!("{path}[{index}]"), problems);
                }
            }
            (Some(Kind::Tables), Value::Indexed(elements)) => {
                for (index, element) in elements {
                    self.prune(element, &format!("{path}[{index}]"), problems);
                }
            }
            _ => {}
        }
    }

    fn refusal(&self, path: &str, node: &Node) -> Option<String> {
        let Some(kind) = self.kind(path) else {
            let hint = self.nearest(path).map(|key| format!("; did you mean `{key}`?"));
            return Some(format!("unknown key{}", hint.unwrap_or_default()));
        };
        let found = node.value.type_name();
        let is_table = |node: &Node| matches!(node.value, Value::Table(_));
        match kind {
            Kind::Section if !is_table(node) => {
                Some(format!("must be a table, written [{}], and is {found}", pattern(path)))
            }
            Kind::Tables if !node.elements().is_some_and(|list| list.iter().all(|(_, it)| is_table(it))) => {
                Some(format!("must be a list of tables, each written [[{}]], and is {found}", pattern(path)))
            }
            _ => None,
        }
    }

    /// The known key that a person most likely meant.
    pub(super) fn nearest(&self, path: &str) -> Option<&str> {
        let wanted = pattern(path);
        // A quarter of the letters wrong is a slip; more is another word.
        let furthest = 1 + wanted.len() / 4;
        self.0
            .iter()
            .filter(|(_, kind)| **kind != Kind::Unavailable)
            .map(|(known, _)| (distance(&wanted, known), known.as_str()))
            .min()
            .filter(|(distance, _)| *distance <= furthest)
            .map(|(_, known)| known)
    }
}

/// The path of a key inside a section. The root's path is empty; an empty name means the section itself.
pub(super) fn join(section: &str, name: &str) -> String {
    let dot = if section.is_empty() || name.is_empty() { "" } else { "." };
    format!("{section}{dot}{name}")
}

/// The variable that sets a key.
pub(super) fn variable(pattern: &str) -> String {
    let name = pattern.replace("[]", ".0").replace('.', "__").to_uppercase();
    format!("{}{name}", super::environment::PREFIX)
}

fn pattern(path: &str) -> String {
    let mut inside = false;
    path.chars()
        .filter(|&letter| {
            inside = (inside || letter == '[') && letter != ']';
            !inside || letter == '['
        })
        .collect()
}

/// A key as it may stand in a message: a quoted TOML key can hold any character.
fn printable(path: &str) -> String {
    path.escape_debug().to_string()
}

/// Letters to change, add or drop, and as many again for a different section.
fn distance(a: &str, b: &str) -> usize {
    let b_letters: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b_letters.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b_letters.iter().enumerate() {
            let swapped = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = swapped.min(diagonal + 1).min(row[j] + 1);
        }
    }
    let of_letters = row[b_letters.len()];
    let same_name = a.rsplit('.').next() == b.rsplit('.').next();
    if same_name { of_letters.min(1) } else { of_letters }
}
