//! Makes what is selected twice under one response key, at the root of a mutation or a subscription, run once.
//!
//! GraphQL says that equal selections are one field; the engine would run each, and overlooks fragments at the root of a
//! subscription. So the root is flattened and its equal fields are merged, before validation: fields that differ in their
//! arguments are left as they are, for validation to refuse. To be done only on documents whose fragments have been
//! measured, for each is opened wherever it is spread.

use std::collections::HashMap;

use async_graphql::{
    Name, Positioned, Value, Variables,
    parser::types::{
        Directive, DocumentOperations, ExecutableDocument, Field, FragmentDefinition, InlineFragment,
        OperationDefinition, OperationType, Selection, SelectionSet, VariableDefinition,
    },
};

/// The document with one field for each thing that the named operation does.
pub(super) fn merge_roots(
    document: &ExecutableDocument,
    name: Option<&str>,
    variables: &Variables,
) -> ExecutableDocument {
    let mut merged = document.clone();
    let mut inlined = Vec::new();
    if let Some(operation) = chosen(&mut merged.operations, name) {
        let type_name = match operation.ty {
            OperationType::Query => "Query",
            OperationType::Mutation => "Mutation",
            OperationType::Subscription => "Subscription",
        };
        let mut flattening =
            Flattening { fragments: &document.fragments, type_name, flat: Vec::new(), inlined: &mut inlined };
        flattening.open(&operation.selection_set.node, &[]);
        let flat = flattening.flat;
        let given = Given { definitions: &operation.variable_definitions, variables };
        operation.selection_set.node.items = merge(flat, &given);
    }
    for name in inlined {
        if !is_spread(&merged, &name) {
            merged.fragments.remove(&name);
        }
    }
    merged
}

fn chosen<'a>(
    operations: &'a mut DocumentOperations,
    name: Option<&str>,
) -> Option<&'a mut OperationDefinition> {
    match (operations, name) {
        (DocumentOperations::Single(operation), _) => Some(&mut operation.node),
        (DocumentOperations::Multiple(all), Some(name)) => all.get_mut(name).map(|it| &mut it.node),
        (DocumentOperations::Multiple(all), None) => all.values_mut().next().map(|it| &mut it.node),
    }
}

struct Flattening<'a> {
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    type_name: &'static str,
    flat: Vec<Positioned<Selection>>,
    inlined: &'a mut Vec<Name>,
}

impl Flattening<'_> {
    /// Takes the selections out of the fragments of this type; the directives around them go with each.
    fn open(&mut self, set: &SelectionSet, around: &[Positioned<Directive>]) {
        for item in &set.items {
            let directives: Vec<_> = around.iter().chain(item.node.directives()).cloned().collect();
            match &item.node {
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    let fragment = self.fragments.get(name);
                    if let Some(fragment) =
                        fragment.filter(|it| self.fits(&it.node.type_condition.node.on.node))
                    {
                        self.inlined.push(name.clone());
                        self.open(&fragment.node.selection_set.node, &directives);
                        continue;
                    }
                }
                Selection::InlineFragment(inline) => {
                    let on = inline.node.type_condition.as_ref().map(|it| &it.node.on.node);
                    if on.is_none_or(|on| self.fits(on)) {
                        self.open(&inline.node.selection_set.node, &directives);
                        continue;
                    }
                }
                Selection::Field(_) => {}
            }
            let mut item = item.clone();
            *item.node.directives_mut() = directives;
            self.flat.push(item);
        }
    }

    fn fits(&self, on: &Name) -> bool {
        on == self.type_name
    }
}

/// What variables stand for.
struct Given<'a> {
    definitions: &'a [Positioned<VariableDefinition>],
    variables: &'a Variables,
}

impl Given<'_> {
    /// Whether a field with these directives is there at all.
    fn includes(&self, directives: &[Positioned<Directive>]) -> bool {
        directives.iter().all(|directive| {
            let condition = directive
                .node
                .get_argument("if")
                .and_then(|it| it.node.clone().into_const_with(|name| self.value(&name).ok_or(())).ok());
            match (directive.node.name.node.as_str(), condition) {
                ("skip", Some(Value::Boolean(skip))) => !skip,
                ("include", Some(Value::Boolean(include))) => include,
                _ => true,
            }
        })
    }

    fn value(&self, name: &Name) -> Option<Value> {
        if let Some(value) = self.variables.get(name) {
            return Some(value.clone());
        }
        let definition = self.definitions.iter().find(|it| it.node.name.node == *name)?;
        definition.node.default_value.as_ref().map(|it| it.node.clone())
    }
}

/// Of equal fields that are there, the first takes in what the others select. What is not there stays as it is, for its
/// variables count as used.
fn merge(flat: Vec<Positioned<Selection>>, given: &Given<'_>) -> Vec<Positioned<Selection>> {
    let mut kept: Vec<Positioned<Selection>> = Vec::with_capacity(flat.len());
    for item in flat {
        let twin = match &item.node {
            Selection::Field(field) if given.includes(&field.node.directives) => {
                kept.iter().position(|known| match &known.node {
                    Selection::Field(known) => {
                        given.includes(&known.node.directives) && same(&known.node, &field.node)
                    }
                    _ => false,
                })
            }
            _ => None,
        };
        match (twin.and_then(|at| kept.get_mut(at)), item.node) {
            (Some(Positioned { node: Selection::Field(first), .. }), Selection::Field(more)) => {
                conditional_inside(&mut first.node);
                let mut more = more.node;
                conditional_inside(&mut more);
                first.node.selection_set.node.items.extend(more.selection_set.node.items);
            }
            (_, node) => kept.push(Positioned::new(node, item.pos)),
        }
    }
    kept
}

/// Moves a field's directives onto what it selects: the merged field is there whichever of its parts are.
fn conditional_inside(field: &mut Field) {
    if field.directives.is_empty() {
        return;
    }
    let pos = field.selection_set.pos;
    let inside = InlineFragment {
        type_condition: None,
        directives: std::mem::take(&mut field.directives),
        selection_set: std::mem::take(&mut field.selection_set),
    };
    field.selection_set.pos = pos;
    field.selection_set.node.items =
        vec![Positioned::new(Selection::InlineFragment(Positioned::new(inside, pos)), pos)];
}

fn same(a: &Field, b: &Field) -> bool {
    let arguments = |field: &Field| {
        let mut pairs: Vec<_> =
            field.arguments.iter().map(|(name, value)| (name.node.clone(), value.node.to_string())).collect();
        pairs.sort();
        pairs
    };
    a.response_key().node == b.response_key().node
        && a.name.node == b.name.node
        && arguments(a) == arguments(b)
}

fn is_spread(document: &ExecutableDocument, name: &Name) -> bool {
    fn within(set: &SelectionSet, name: &Name) -> bool {
        set.items.iter().any(|item| match &item.node {
            Selection::Field(field) => within(&field.node.selection_set.node, name),
            Selection::FragmentSpread(spread) => spread.node.fragment_name.node == *name,
            Selection::InlineFragment(inline) => within(&inline.node.selection_set.node, name),
        })
    }
    document.operations.iter().any(|(_, operation)| within(&operation.node.selection_set.node, name))
        || document.fragments.values().any(|fragment| within(&fragment.node.selection_set.node, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::parser::parse_query;
    use serde_json::json;

    /// Root fields that are there after merging, and fragments that are left.
    fn roots(text: &str, variables: serde_json::Value) -> (usize, usize) {
        let variables = Variables::from_json(variables);
        let document = merge_roots(&parse_query(text).unwrap(), None, &variables);
        let (_, operation) = document.operations.iter().next().unwrap();
        let given = Given { definitions: &operation.node.variable_definitions, variables: &variables };
        let items = operation.node.selection_set.node.items.iter();
        (items.filter(|it| given.includes(it.node.directives())).count(), document.fragments.len())
    }

    #[test]
    fn equal_selections_become_one() {
        for text in [
            "mutation { a(x: 1, y: 2) { b } a(y: 2, x: 1) { c } }",
            "mutation { a(x: 1) { b } ...F } fragment F on Mutation { a(x: 1) { c } }",
            "mutation { ...F ...F } fragment F on Mutation { ...G } fragment G on Mutation { a { c } }",
            "mutation { ... { a { b } } ... on Mutation { a { b } } }",
            "subscription { a { b } ...F } fragment F on Subscription { a { c } }",
        ] {
            assert_eq!(roots(text, json!({})), (1, 0), "{text}");
        }
    }

    #[test]
    fn what_differs_stays_apart() {
        assert_eq!(roots("mutation { a(x: 1) { b } a(x: 2) { b } }", json!({})), (2, 0));
        assert_eq!(roots("mutation { a { b } c: a { b } }", json!({})), (2, 0));
    }

    #[test]
    fn directives_count_by_their_values() {
        let text =
            "mutation($s: Boolean = true) { a { b } a @include(if: $s) { c } ... @skip(if: $s) { a { d } } }";
        assert_eq!(roots(text, json!({})), (1, 0));
        assert_eq!(roots(text, json!({ "s": false })), (1, 0));
        let text = "mutation($s: Boolean!) { a @skip(if: $s) { b } a @include(if: $s) { c } }";
        assert_eq!(roots(text, json!({ "s": true })), (1, 0));
        assert_eq!(roots(text, json!({ "s": false })), (1, 0));
    }
}
