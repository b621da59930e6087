//! What an operation may ask for, measured on its document before anything runs.
//!
//! Cost is counted in calls to Aurora first, for those are what there is least of, and in fields second. Invariants:
//! measuring takes time linear in the document, however its fragments spread one another, because each fragment is
//! measured once; what is refused names its figures. Not here: bytes and tokens, which are counted before parsing.

use std::collections::HashMap;

use async_graphql::{
    Name, Positioned, Value, Variables,
    parser::types::{
        ExecutableDocument, Field, FragmentDefinition, OperationDefinition, Selection, SelectionSet,
    },
};

use super::{
    connection::DEFAULT_PAGE,
    error::{Code, Failure},
};

/// How much one operation may ask for.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Levels of fields within fields.
    pub depth: usize,
    /// Fields under another name than their own.
    pub aliases: usize,
    /// Fields at the root.
    pub root_fields: usize,
    /// Directives.
    pub directives: usize,
    /// Calls to Aurora at the worst: with nothing in the cache and every page full.
    pub cost: usize,
}

/// Fields after all fragments are opened. The largest useful document, the whole design summary in several units, has
/// some two hundred; beyond this, even looking at the document costs more than answering it is worth.
const MOST_FIELDS: u64 = 4_000;

/// Designs that a project is taken to have. Most have one or two.
const DESIGNS_OF_A_PROJECT: u64 = 5;

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

/// Refuses an operation that asks for too much.
///
/// # Errors
/// `OPERATION_TOO_EXPENSIVE` with the figures. What cannot be measured is left to validation.
pub(super) fn check(
    document: &ExecutableDocument,
    operation: &OperationDefinition,
    variables: &Variables,
    limits: &Limits,
) -> Result<(), Failure> {
    let mut measuring = Measuring { fragments: &document.fragments, variables, known: HashMap::new() };
    let mut found = measuring.set(&operation.selection_set.node, true);
    found.directives = found.directives.saturating_add(operation.directives.len() as u64);
    let figures = [
        ("depth", found.depth, limits.depth),
        ("aliases", found.aliases, limits.aliases),
        ("root fields", found.roots, limits.root_fields),
        ("directives", found.directives, limits.directives),
        ("calls to Aurora", found.calls, limits.cost),
        ("fields", found.fields, usize::try_from(MOST_FIELDS).unwrap_or(usize::MAX)),
    ];
    for (what, found, limit) in figures {
        if found > limit as u64 {
            let message = format!("the operation asks for too much: {found} {what}, and {limit} are allowed");
            return Err(Failure::new(Code::OperationTooExpensive, message)
                .detail("limit", limit as u64)
                .detail("found", found));
        }
    }
    Ok(())
}

/// The figures of a selection. Sums saturate: what is too much stays too much.
#[derive(Debug, Clone, Copy, Default)]
struct Shape {
    depth: u64,
    aliases: u64,
    directives: u64,
    fields: u64,
    roots: u64,
    calls: u64,
}

impl Shape {
    fn and(self, other: Self) -> Self {
        Self {
            depth: self.depth.max(other.depth),
            aliases: self.aliases.saturating_add(other.aliases),
            directives: self.directives.saturating_add(other.directives),
            fields: self.fields.saturating_add(other.fields),
            roots: self.roots.saturating_add(other.roots),
            calls: self.calls.saturating_add(other.calls),
        }
    }
}

struct Measuring<'a> {
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    variables: &'a Variables,
    /// Each fragment's shape at the root and below; `None` while it is being measured, so that a circle ends.
    known: HashMap<(&'a Name, bool), Option<Shape>>,
}

impl<'a> Measuring<'a> {
    fn set(&mut self, set: &'a SelectionSet, root: bool) -> Shape {
        set.items.iter().fold(Shape::default(), |sum, item| {
            let mut shape = match &item.node {
                Selection::Field(field) => self.field(&field.node, root),
                Selection::InlineFragment(inline) => self.set(&inline.node.selection_set.node, root),
                Selection::FragmentSpread(spread) => self.fragment(&spread.node.fragment_name.node, root),
            };
            shape.directives = shape.directives.saturating_add(item.node.directives().len() as u64);
            sum.and(shape)
        })
    }

    fn fragment(&mut self, name: &'a Name, root: bool) -> Shape {
        if let Some(known) = self.known.get(&(name, root)) {
            return known.unwrap_or_default();
        }
        let Some(fragment) = self.fragments.get(name) else { return Shape::default() };
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
        let own = if root { ROOT_CALLS.contains(&name) } else { INNER_CALLS.contains(&name) };
        let own = match name {
            "nodes" if root => times,
            _ => u64::from(own),
        };
        Shape {
            depth: inner.depth.saturating_add(1),
            aliases: inner.aliases.saturating_add(u64::from(field.alias.is_some())),
            directives: inner.directives,
            fields: inner.fields.saturating_add(1),
            roots: u64::from(root),
            calls: own.saturating_add(times.saturating_mul(inner.calls)),
        }
    }

    /// How many objects the field's selection is asked of.
    fn times(&self, field: &Field, name: &str) -> u64 {
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
            _ => 1,
        }
    }

    /// The value of an argument, those of variables included.
    fn argument(&self, field: &Field, name: &str) -> Option<Value> {
        let value = field.get_argument(name)?.node.clone();
        value.into_const_with(|name| self.variables.get(&name).cloned().ok_or(())).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::parser::parse_query;
    use serde_json::json;

    const LIMITS: Limits = Limits { depth: 15, aliases: 30, root_fields: 20, directives: 10, cost: 450 };

    fn refusal(text: &str, variables: serde_json::Value) -> Option<String> {
        let document = parse_query(text).unwrap();
        let (_, operation) = document.operations.iter().next().unwrap();
        let variables = Variables::from_json(variables);
        check(&document, &operation.node, &variables, &LIMITS).err().map(|it| it.message)
    }

    #[test]
    fn what_people_ask_is_allowed() {
        let list =
            "{ projects { nodes { name designs { name summary { moduleCount } } } pageInfo { endCursor } } }";
        assert_eq!(refusal(list, json!({})), None);
        assert_eq!(
            refusal(
                "{ events(first: 100) { nodes { ... on DesignCompletedEvent { summary { stale } } } } }",
                json!({})
            ),
            None
        );
    }

    #[test]
    fn cost_multiplies_through_pages_also_through_variables_and_fragments() {
        let list = "query($n: Int) { projects(first: $n) { ...F } }
            fragment F on ProjectConnection { nodes { designs { summary { stale } } } }";
        assert_eq!(refusal(list, json!({ "n": 20 })), None);
        let message = refusal(list, json!({ "n": 100 })).unwrap();
        assert!(message.contains("601 calls to Aurora"), "{message}");
        let ids: Vec<_> = (0..451).map(|it| it.to_string()).collect();
        assert!(refusal("query($i: [ID!]!) { nodes(ids: $i) { id } }", json!({ "i": ids })).is_some());
    }

    #[test]
    fn depth_aliases_roots_and_directives_have_their_limits() {
        let deep = format!("{}{}", "{ a".repeat(16), "}".repeat(16));
        assert!(refusal(&deep, json!({})).unwrap().contains("16 depth"));
        let aliases: String = (0..31).map(|it| format!("a{it}: name ")).collect();
        assert!(refusal(&format!("{{ viewer {{ {aliases} }} }}"), json!({})).unwrap().contains("31 aliases"));
        assert!(
            refusal(&format!("{{ {} }}", "tenant ".repeat(21)), json!({}))
                .unwrap()
                .contains("21 root fields")
        );
        let directives = "@include(if: true) ".repeat(11);
        assert!(refusal(&format!("{{ tenant {directives} }}"), json!({})).unwrap().contains("11 directives"));
    }

    #[test]
    fn a_bomb_of_fragments_is_measured_in_no_time() {
        let mut bomb = "query { ...F0 } ".to_owned();
        for number in 0..60 {
            let next = number + 1;
            bomb.push_str(&format!("fragment F{number} on Query {{ ...F{next} ...F{next} }} "));
        }
        bomb.push_str("fragment F60 on Query { __typename }");
        assert!(refusal(&bomb, json!({})).is_some());
        let circle = "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A __typename }";
        assert_eq!(refusal(circle, json!({})), None, "circles are left for validation");
    }
}
