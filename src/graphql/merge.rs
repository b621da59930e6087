//! Makes a mutation that is selected twice under one response key run once.
//!
//! GraphQL says that equal selections are one field; the engine would run each. This is done once per document, on the
//! roots of mutations, before validation: selections that differ in their arguments are left as they are, for
//! validation to refuse.

use async_graphql::{
    Name, Positioned,
    parser::types::{ExecutableDocument, Field, OperationType, Selection, SelectionSet},
};

/// Merges equal fields at the root of each mutation, those in fragments included. Selections with directives stay
/// as they are: whether they count is known only with the variables.
pub(super) fn merge_mutations(document: &mut ExecutableDocument) {
    let mut inlined = Vec::new();
    let fragments = document.fragments.clone();
    let operations: Vec<_> = match &mut document.operations {
        async_graphql::parser::types::DocumentOperations::Single(operation) => vec![operation],
        async_graphql::parser::types::DocumentOperations::Multiple(operations) => {
            operations.values_mut().collect()
        }
    };
    for operation in operations {
        if operation.node.ty != OperationType::Mutation {
            continue;
        }
        let root = &mut operation.node.selection_set.node;
        let mut flat = Vec::new();
        flatten(root, &fragments, &mut flat, &mut inlined, MOST_NESTED);
        root.items = merged(flat);
    }
    for name in inlined {
        if !is_spread(document, &name) {
            document.fragments.remove(&name);
        }
    }
}

/// How deep fragments at the root are opened. Deeper ones, and circles, are left for validation.
const MOST_NESTED: usize = 8;

type Fragments =
    std::collections::HashMap<Name, Positioned<async_graphql::parser::types::FragmentDefinition>>;

fn flatten(
    set: &SelectionSet,
    fragments: &Fragments,
    flat: &mut Vec<Positioned<Selection>>,
    inlined: &mut Vec<Name>,
    depth: usize,
) {
    for item in &set.items {
        let plain = item.node.directives().is_empty() && depth > 0;
        match &item.node {
            Selection::FragmentSpread(spread) if plain => {
                let name = &spread.node.fragment_name.node;
                match fragments.get(name).filter(|it| it.node.directives.is_empty()) {
                    Some(fragment) if fragment.node.type_condition.node.on.node == "Mutation" => {
                        inlined.push(name.clone());
                        flatten(&fragment.node.selection_set.node, fragments, flat, inlined, depth - 1);
                    }
                    _ => flat.push(item.clone()),
                }
            }
            Selection::InlineFragment(inline)
                if plain
                    && inline.node.type_condition.as_ref().is_none_or(|on| on.node.on.node == "Mutation") =>
            {
                flatten(&inline.node.selection_set.node, fragments, flat, inlined, depth - 1);
            }
            _ => flat.push(item.clone()),
        }
    }
}

fn merged(items: Vec<Positioned<Selection>>) -> Vec<Positioned<Selection>> {
    let mut kept: Vec<Positioned<Selection>> = Vec::with_capacity(items.len());
    for item in items {
        let Selection::Field(field) = &item.node else {
            kept.push(item);
            continue;
        };
        let twin = kept.iter_mut().find_map(|known| match &mut known.node {
            Selection::Field(known) if same(&known.node, &field.node) => Some(known),
            _ => None,
        });
        match twin {
            Some(known) => {
                let more = field.node.selection_set.node.items.iter().cloned();
                known.node.selection_set.node.items.extend(more);
            }
            None => kept.push(item),
        }
    }
    kept
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
        && a.directives.is_empty()
        && b.directives.is_empty()
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

    fn roots(text: &str) -> (usize, usize) {
        let mut document = parse_query(text).unwrap();
        merge_mutations(&mut document);
        let (_, operation) = document.operations.iter().next().unwrap();
        (operation.node.selection_set.node.items.len(), document.fragments.len())
    }

    #[test]
    fn equal_selections_become_one() {
        assert_eq!(roots("mutation { a(x: 1, y: 2) { b } a(y: 2, x: 1) { c } }"), (1, 0));
        assert_eq!(roots("mutation { a(x: 1) { b } ...F } fragment F on Mutation { a(x: 1) { c } }"), (1, 0));
        assert_eq!(roots("mutation { ... { a { b } } ... on Mutation { a { b } } }"), (1, 0));
    }

    #[test]
    fn what_differs_stays_apart() {
        assert_eq!(roots("mutation { a(x: 1) { b } a(x: 2) { b } }"), (2, 0));
        assert_eq!(roots("mutation { a { b } c: a { b } }"), (2, 0));
        assert_eq!(roots("mutation($s: Boolean!) { a { b } a @skip(if: $s) { b } }"), (2, 0));
        assert_eq!(roots("query { a { b } a { b } }"), (2, 0));
    }

    #[test]
    fn a_circle_of_fragments_ends() {
        let text = "mutation { ...F } fragment F on Mutation { a { b } ...F }";
        assert!(roots(text).1 == 1, "the circle stays for validation to refuse");
    }
}
