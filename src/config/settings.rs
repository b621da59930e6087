//! The settings in force, each with the place it comes from, fit to be shown.
//!
//! Invariant: a secret is shown as `[redacted]`, whichever way it was given.

use std::fmt;

use super::error::Place;
use super::keys::{Keys, Kind, join};
use super::node::{Node, Value};

/// One setting in force.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Dotted, with indices: `auth.api_keys[0].name`.
    key: String,
    /// As TOML would write it, or `[redacted]`.
    value: String,
    place: Place,
}

impl Setting {
    /// Whether this is the setting of that key, and not its default.
    pub(super) fn is_set(&self, key: &str) -> bool {
        self.key == key && self.place != Place::Default
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}  # {}", self.key, self.value, self.place)
    }
}

/// Every setting of the tree, ordered by key.
pub(super) fn list(node: &Node, keys: &Keys) -> Vec<Setting> {
    let mut settings = Vec::new();
    gather(node, "", keys, &mut settings);
    settings
}

fn gather(section: &Node, section_path: &str, keys: &Keys, settings: &mut Vec<Setting>) {
    let Value::Table(children) = &section.value else { return };
    for (name, node) in children {
        let path = join(section_path, name);
        match keys.kind(&path) {
            Some(Kind::Section) => gather(node, &path, keys, settings),
            Some(Kind::Tables) => {
                for (index, element) in node.elements().unwrap_or_default() {
                    gather(element, &format!("{path}[{index}]"), keys, settings);
                }
            }
            Some(Kind::Setting | Kind::List) => {
                settings.push(Setting { key: path, value: shown(&node.value), place: node.place.clone() });
            }
            // What is not known to be harmless is not shown.
            Some(Kind::Secret | Kind::Unavailable) | None => {
                settings.push(Setting {
                    key: path,
                    value: "[redacted]".to_owned(),
                    place: node.place.clone(),
                });
            }
        }
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Raw(text) | Value::Text(text) => format!("{text:?}"),
        Value::Integer(number) => number.to_string(),
        Value::Boolean(boolean) => boolean.to_string(),
        Value::List(items) => {
            let items: Vec<_> = items.iter().map(|item| shown(&item.value)).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.type_name().to_owned(),
    }
}
