//! `HELIOGRAPH_…` variables → [`Node`]s that know their variable.
//!
//! `__` stands between levels, a number names an element of a list of tables, a list is a TOML literal
//! or separated by commas. A variable that sets no known key is refused: it is a setting that somebody
//! believes to be in force.

use std::collections::BTreeMap;

use super::error::{Place, Problem};
use super::file;
use super::keys::{self, Keys, Kind, join};
use super::node::{Node, Value};

/// Ours begin with this; every other variable is somebody else's.
pub(super) const PREFIX: &str = "HELIOGRAPH_";

/// Gathers our variables into one layer.
pub(super) fn read(
    variables: impl IntoIterator<Item = (String, String)>,
    keys: &Keys,
    problems: &mut Vec<Problem>,
) -> Node {
    let ours: BTreeMap<String, String> = variables
        .into_iter()
        .filter(|(name, _)| name.starts_with(PREFIX) && !is_service_link(name))
        .collect();

    let mut layer = Node::table(Place::Nowhere);
    for (name, text) in ours {
        match Variable::parse(&name, keys).and_then(|variable| variable.into_layer(text)) {
            Ok(one) => layer.merge(one),
            Err(reason) => {
                problems.push(Problem { place: Place::Variable(name), key: String::new(), reason });
            }
        }
    }
    layer
}

/// Kubernetes tells every container where a Service called `heliograph` is, by variables of these forms. They are nobody's
/// settings.
fn is_service_link(name: &str) -> bool {
    let Some(rest) = name.strip_prefix(PREFIX) else { return false };
    match rest.strip_prefix("PORT") {
        Some("") => true,
        Some(port) => {
            let mut parts = port.split('_').skip(1);
            parts.next().is_some_and(|it| it.bytes().all(|byte| byte.is_ascii_digit()))
                && parts.next().is_some_and(|it| ["TCP", "UDP", "SCTP"].contains(&it))
        }
        None => rest == "SERVICE_HOST" || rest == "SERVICE_PORT" || rest.starts_with("SERVICE_PORT_"),
    }
}

/// The way from the root to one key.
struct Variable {
    place: Place,
    steps: Vec<Step>,
    kind: Kind,
}

enum Step {
    Name(String),
    Index(usize),
}

impl Variable {
    fn parse(name: &str, keys: &Keys) -> Result<Self, String> {
        let unknown = || unknown(name, keys);
        if name.chars().any(char::is_lowercase) {
            return Err(unknown());
        }

        let mut variable =
            Self { place: Place::Variable(name.to_owned()), steps: Vec::new(), kind: Kind::Section };
        let mut path = String::new();
        for segment in name[PREFIX.len()..].to_lowercase().split("__") {
            if variable.kind == Kind::Tables {
                let index = index(segment).ok_or_else(unknown)?;
                path = format!("{path}[{index}]");
                variable.steps.push(Step::Index(index));
                variable.kind = Kind::Section;
                continue;
            }
            if variable.kind != Kind::Section {
                return Err(unknown());
            }
            path = join(&path, segment);
            variable.kind = keys.kind(&path).ok_or_else(unknown)?;
            variable.steps.push(Step::Name(segment.to_owned()));
            if variable.kind == Kind::Unavailable {
                break;
            }
        }
        if variable.kind == Kind::Section {
            return Err(format!("names the section `{path}`, not a key in it"));
        }
        Ok(variable)
    }

    /// The tree in which only this key is set.
    fn into_layer(self, text: String) -> Result<Node, String> {
        let leaf = match self.kind {
            Kind::Tables => file::parse_literal(&text, &self.place)?,
            Kind::List => list(&text, &self.place)?,
            _ => Node { place: self.place.clone(), value: Value::Raw(text) },
        };
        let place = self.place;
        Ok(self.steps.into_iter().rev().fold(leaf, |below, step| {
            let value = match step {
                Step::Name(name) => Value::Table(BTreeMap::from([(name, below)])),
                Step::Index(index) => Value::Indexed(BTreeMap::from([(index, below)])),
            };
            Node { place: place.clone(), value }
        }))
    }
}

fn list(text: &str, place: &Place) -> Result<Node, String> {
    if text.trim_start().starts_with('[') {
        return file::parse_literal(text.trim(), place);
    }
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    let nodes = items.map(|item| Node { place: place.clone(), value: Value::Text(item.to_owned()) });
    Ok(Node { place: place.clone(), value: Value::List(nodes.collect()) })
}

/// An index in its one spelling: `00` would be a second name for `0`.
fn index(segment: &str) -> Option<usize> {
    segment.parse().ok().filter(|index: &usize| index.to_string() == segment)
}

fn unknown(name: &str, keys: &Keys) -> String {
    let mut path = String::new();
    for segment in name[PREFIX.len()..].to_lowercase().split("__") {
        path = if index(segment).is_some() { format!("{path}[]") } else { join(&path, segment) };
    }
    let hint = keys.nearest(&path).map(|key| format!("; did you mean `{}`?", keys::variable(key)));
    format!("unknown variable{}", hint.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kubernetes_says_of_a_service_is_no_setting() {
        for name in [
            "HELIOGRAPH_SERVICE_HOST",
            "HELIOGRAPH_SERVICE_PORT",
            "HELIOGRAPH_SERVICE_PORT_HTTP",
            "HELIOGRAPH_PORT",
            "HELIOGRAPH_PORT_4000_TCP",
            "HELIOGRAPH_PORT_4000_TCP_ADDR",
        ] {
            assert!(is_service_link(name), "{name}");
        }
        for name in
            ["HELIOGRAPH_SERVER__LISTEN", "HELIOGRAPH_PORTS", "HELIOGRAPH_PORT_X_TCP", "HELIOGRAPH_SERVICE"]
        {
            assert!(!is_service_link(name), "{name}");
        }
    }
}
