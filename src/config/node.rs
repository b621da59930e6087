//! Settings as they were written, each with its place, and how one layer goes over another.
//!
//! Invariants: the upper layer wins key by key; a list is replaced as a whole, unless the upper layer
//! names single elements by index; `x` and `x_file` are one setting, so either hides the other below.
//! Nothing here derives `Debug`: the values may be secrets.

use std::collections::BTreeMap;

use super::error::Place;

/// One value and where it was written.
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// What was written, before anybody knows what it should be.
pub(super) enum Value {
    /// From the environment, where everything is text: also accepted as a number, or as true or false.
    Raw(String),
    Text(String),
    Integer(i64),
    Boolean(bool),
    /// A TOML type that no setting has, by its name.
    Other(&'static str),
    List(Vec<Node>),
    /// Single elements of a list, from variables such as `…__0__NAME`.
    Indexed(BTreeMap<usize, Node>),
    Table(BTreeMap<String, Node>),
}

impl Value {
    /// The name of the type, for "must be …, and is …".
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Raw(_) | Self::Text(_) => "text",
            Self::Integer(_) => "a whole number",
            Self::Boolean(_) => "true or false",
            Self::Other(name) => name,
            Self::List(_) | Self::Indexed(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

impl Node {
    pub(super) fn table(place: Place) -> Self {
        Self { place, value: Value::Table(BTreeMap::new()) }
    }

    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        match &self.value {
            Value::Table(children) => children.get(name),
            _ => None,
        }
    }

    /// The elements of a list with their indices; `None` where this is no list.
    pub(super) fn elements(&self) -> Option<Vec<(usize, &Self)>> {
        match &self.value {
            Value::List(nodes) => Some(nodes.iter().enumerate().collect()),
            Value::Indexed(nodes) => Some(nodes.iter().map(|(index, node)| (*index, node)).collect()),
            _ => None,
        }
    }

    /// Lays the next layer over this one.
    pub(super) fn overlay(&mut self, over: Self) {
        self.drop_twins(&over);
        self.merge(over);
    }

    /// Adds what the same layer says elsewhere: here `x` does not hide `x_file`, so that a reader
    /// who was given both can refuse them.
    pub(super) fn merge(&mut self, over: Self) {
        match (&mut self.value, over.value) {
            (Value::Table(base), Value::Table(over_children)) => {
                if self.place == Place::Default {
                    self.place = over.place;
                }
                merge_children(base, over_children);
            }
            (Value::Indexed(base), Value::Indexed(over)) => merge_children(base, over),
            (Value::List(base), Value::Indexed(over)) => {
                let mut elements = std::mem::take(base).into_iter().enumerate().collect();
                merge_children(&mut elements, over);
                self.value = Value::Indexed(elements);
            }
            (_, value) => *self = Self { place: over.place, value },
        }
    }

    fn drop_twins(&mut self, over: &Self) {
        match (&mut self.value, &over.value) {
            (Value::Table(base), Value::Table(over)) => {
                for (name, node) in over {
                    match name.strip_suffix("_file") {
                        Some(plain) => base.remove(plain),
                        None => base.remove(&format!("{name}_file")),
                    };
                    if let Some(below) = base.get_mut(name) {
                        below.drop_twins(node);
                    }
                }
            }
            (Value::List(base), Value::Indexed(over)) => {
                for (index, node) in over {
                    if let Some(below) = base.get_mut(*index) {
                        below.drop_twins(node);
                    }
                }
            }
            _ => {}
        }
    }
}

fn merge_children<K: Ord>(base: &mut BTreeMap<K, Node>, over: BTreeMap<K, Node>) {
    for (key, node) in over {
        match base.get_mut(&key) {
            Some(below) => below.merge(node),
            None => {
                base.insert(key, node);
            }
        }
    }
}
