//! The figures of a document: how deep, how many, how often it would call Aurora.
//!
//! Invariant: measuring takes time linear in the document, however its fragments spread one another, because each fragment
//! is measured once. Not here: how much is too much.

use std::collections::HashMap;

use async_graphql::{
    Name, Positioned, Value, Variables,
    parser::types::{
        ExecutableDocument, Field, FragmentDefinition, Selection, SelectionSet, VariableDefinition,
    },
};

use crate::graphql::connection::DEFAULT_PAGE;

/// Designs that a project is taken to have. Most have one or two.
const DESIGNS_OF_A_PROJECT: u64 = 5;

/// Lines of a bill of materials, or arrays of a design. Most have fewer.
const PARTS_OF_A_DESIGN: u64 = 10;

/// Root fields that call Aurora, each for each thing that it names.
const ROOT_CALLS: [&str; 9] = [
    "project",
    "projectByExternalProviderId",
    "projects",
    "design",
    "designSummary",
    "node",
    "nodes",
    "createProject",
    "connectTenant",
];

/// Fields further down that call Aurora, once for each object that they are asked of.
const INNER_CALLS: [&str; 4] = ["project", "designs", "design", "summary"];

/// The figures of a selection. Sums saturate: what is too much stays too much.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Shape {
    pub(super) depth: u64,
    pub(super) aliases: u64,
    pub(super) directives: u64,
    /// Fields, spreads and inline fragments.
    pub(super) selections: u64,
    pub(super) roots: u64,
    /// Root fields that tell of the schema.
    pub(super) introspections: u64,
    pub(super) calls: u64,
    pub(super) values: u64,
}

impl Shape {
    fn and(self, other: Self) -> Self {
        Self {
            depth: self.depth.max(other.depth),
            aliases: self.aliases.saturating_add(other.aliases),
            directives: self.directives.saturating_add(other.directives),
            selections: self.selections.saturating_add(other.selections),
            roots: self.roots.saturating_add(other.roots),
            introspections: self.introspections.saturating_add(other.introspections),
            calls: self.calls.saturating_add(other.calls),
            values: self.values.saturating_add(other.values),
        }
    }
}

/// Measures selections, each fragment once.
pub(super) struct Measuring<'a> {
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    definitions: &'a [Positioned<VariableDefinition>],
    variables: &'a Variables,
    /// Each fragment's shape at the root and below; `None` while it is being measured, so that a circle ends.
    known: HashMap<(&'a Name, bool), Option<Shape>>,
    /// What is wrong with the fragments, if anything is.
    pub(super) wrong: Option<String>,
    /// Whether the value of a variable was asked for.
    pub(super) consulted: bool,
}

impl<'a> Measuring<'a> {
    pub(super) fn new(
        document: &'a ExecutableDocument,
        definitions: &'a [Positioned<VariableDefinition>],
        variables: &'a Variables,
    ) -> Self {
        Self {
            fragments: &document.fragments,
            definitions,
            variables,
            known: HashMap::new(),
            wrong: None,
            consulted: false,
        }
    }

    /// The figures of a selection, at the root of an operation or below.
    pub(super) fn set(&mut self, set: &'a SelectionSet, root: bool) -> Shape {
        set.items.iter().fold(Shape::default(), |sum, item| {
            let mut shape = match &item.node {
                Selection::Field(field) => self.field(&field.node, root),
                Selection::InlineFragment(inline) => self.set(&inline.node.selection_set.node, root),
                Selection::FragmentSpread(spread) => self.fragment(&spread.node.fragment_name.node, root),
            };
            shape.selections = shape.selections.saturating_add(1);
            shape.directives = shape.directives.saturating_add(item.node.directives().len() as u64);
            sum.and(shape)
        })
    }

    fn fragment(&mut self, name: &'a Name, root: bool) -> Shape {
        if let Some(known) = self.known.get(&(name, root)) {
            return known.unwrap_or_else(|| {
                self.wrong = Some(format!("the fragment {name} spreads itself"));
                Shape::default()
            });
        }
        let Some(fragment) = self.fragments.get(name) else {
            self.wrong = Some(format!("there is no fragment {name}"));
            return Shape::default();
        };
        self.known.insert((name, root), None);
        let mut shape = self.set(&fragment.node.selection_set.node, root);
        shape.directives = shape.directives.saturating_add(fragment.node.directives.len() as u64);
        self.known.insert((name, root), Some(shape));
        shape
    }

    fn field(&mut self, field: &'a Field, root: bool) -> Shape {
        let name = field.name.node.as_str();
        let inner = self.set(&field.selection_set.node, false);
        let times = self.times(field, name);
        let calls = match name {
            "nodes" if root => times,
            _ if root => u64::from(ROOT_CALLS.contains(&name)),
            _ => u64::from(INNER_CALLS.contains(&name)),
        };
        Shape {
            depth: inner.depth.saturating_add(1),
            aliases: inner.aliases.saturating_add(u64::from(field.alias.is_some())),
            directives: inner.directives,
            selections: inner.selections,
            roots: u64::from(root),
            introspections: u64::from(root && matches!(name, "__schema" | "__type")),
            calls: calls.saturating_add(times.saturating_mul(inner.calls)),
            values: times.saturating_mul(inner.values.saturating_add(1)),
        }
    }

    /// How many objects, or plain values, the field gives.
    fn times(&mut self, field: &Field, name: &str) -> u64 {
        match name {
            "projects" | "events" | "setAsideDeliveries" => match self.argument(field, "first") {
                Some(Value::Number(number)) => number.as_u64().unwrap_or_default(),
                _ => u64::from(DEFAULT_PAGE),
            },
            "nodes" => match self.argument(field, "ids") {
                Some(Value::List(ids)) => ids.len() as u64,
                _ => 1,
            },
            "designs" => DESIGNS_OF_A_PROJECT,
            "arrays" | "billOfMaterials" => PARTS_OF_A_DESIGN,
            "monthly" => 12,
            "hourly" => 8_760,
            _ => 1,
        }
    }

    /// The value of an argument, those of variables and of their defaults included.
    fn argument(&mut self, field: &Field, name: &str) -> Option<Value> {
        let value = field.get_argument(name)?.node.clone();
        value.into_const_with(|name| self.variable(&name).ok_or(())).ok()
    }

    fn variable(&mut self, name: &Name) -> Option<Value> {
        self.consulted = true;
        if let Some(value) = self.variables.get(name) {
            return Some(value.clone());
        }
        let definition = self.definitions.iter().find(|it| it.node.name.node == *name)?;
        definition.node.default_value.as_ref().map(|it| it.node.clone())
    }
}
