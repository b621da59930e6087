//! What subscriptions must have in common to be answered alike.
//!
//! Invariant: whatever a resolver may look at is part of it, but for the credential's name, which no field below a
//! subscription tells; so it is executed by a viewer without one. Not here: where a subscription begins, which is each
//! subscriber's own.

use std::{
    fmt::Write,
    hash::{Hash, Hasher},
    ptr,
    sync::Arc,
};

use async_graphql::{
    Name, Positioned, Value, Variables,
    parser::types::{BaseType, Directive, ExecutableDocument, OperationDefinition, Selection, SelectionSet},
};

use super::super::{engine::Operation, prepared::Prepared};
use crate::domain::{Scope, TenantId, Viewer, viewer::Tenants};

/// A subscription, as far as it is the same for all who share it.
pub(in crate::graphql) struct Shared {
    prepared: Arc<Prepared>,
    operation: Option<Name>,
    /// The values of its variables in one spelling, without the cursor.
    spelling: String,
    /// As it is executed.
    pub(in crate::graphql) document: Arc<ExecutableDocument>,
    pub(in crate::graphql) variables: Variables,
    pub(in crate::graphql) viewer: Viewer,
}

/// What a group is found by.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) shared: Arc<Shared>,
    pub(super) tenant: TenantId,
}

impl Shared {
    /// Whatever others may have in common with this operation of a viewer.
    pub(in crate::graphql) fn of(operation: &Operation, viewer: &Viewer) -> Self {
        let Operation { prepared, name, document, variables, .. } = operation;
        Self::over(Arc::clone(prepared), name.clone(), Arc::clone(document), variables.clone(), viewer)
    }

    pub(super) fn over(
        prepared: Arc<Prepared>,
        operation: Option<Name>,
        document: Arc<ExecutableDocument>,
        variables: Variables,
        viewer: &Viewer,
    ) -> Self {
        let spelling = spelling(&document, &variables);
        let viewer = Viewer::new("", viewer.tenants().clone(), viewer.scopes().to_vec());
        Self { prepared, operation, spelling, document, variables, viewer }
    }

    fn parts(&self) -> (*const Prepared, Option<&Name>, &str, &Tenants, &[Scope]) {
        let Self { prepared, operation, spelling, viewer, .. } = self;
        (Arc::as_ptr(prepared), operation.as_ref(), spelling, viewer.tenants(), viewer.scopes())
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.tenant == other.tenant
            && (ptr::eq(&raw const *self.shared, &raw const *other.shared)
                || self.shared.parts() == other.shared.parts())
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.tenant.hash(state);
        self.shared.parts().hash(state);
    }
}

/// The values of an operation's variables, each by its name and written in one way. A variable that is not declared has
/// no part in it, and one with a default that is not given is its default.
fn spelling(document: &ExecutableDocument, variables: &Variables) -> String {
    let mut text = String::new();
    let Some((_, operation)) = document.operations.iter().next() else { return text };
    let cursor = cursor_variable(&operation.node);
    for definition in &operation.node.variable_definitions {
        let (name, definition) = (&definition.node.name.node, &definition.node);
        if cursor == Some(name) {
            continue;
        }
        let default = definition.default_value.as_ref().map(|it| &it.node);
        if let Some(value) = variables.get(name).or(default) {
            let _infallible = write!(text, "{name}:");
            spell(value, is_id(&definition.var_type.node.base), &mut text);
            text.push(';');
        }
    }
    text
}

fn is_id(ty: &BaseType) -> bool {
    match ty {
        BaseType::Named(name) => name == "ID",
        BaseType::List(item) => is_id(&item.base),
    }
}

/// An id may be a number as well as a text, and a value of an enumeration a text as well as a word.
fn spell(value: &Value, id: bool, text: &mut String) {
    match value {
        Value::Number(number) if id => quote(&number.to_string(), text),
        Value::String(it) => quote(it, text),
        Value::Enum(it) => quote(it, text),
        Value::List(items) => {
            text.push('[');
            for item in items {
                spell(item, id, text);
                text.push(',');
            }
            text.push(']');
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(name, _)| name.as_str());
            text.push('{');
            for (name, value) in fields {
                let _infallible = write!(text, "{name}:");
                spell(value, false, text);
                text.push(',');
            }
            text.push('}');
        }
        other => {
            let _infallible = write!(text, "{other}");
        }
    }
}

fn quote(it: &str, text: &mut String) {
    let _infallible = write!(text, "{it:?}");
}

/// The variable that says where the subscription goes on, if it has no other part in the operation.
fn cursor_variable(operation: &OperationDefinition) -> Option<&Name> {
    let set = &operation.selection_set.node;
    let [item] = set.items.as_slice() else { return None };
    let Selection::Field(field) = &item.node else { return None };
    let argument = field.node.get_argument("after")?.node.to_string();
    let name = argument.strip_prefix('$')?;
    let mut uses = 0;
    in_set(set, &mut |it| uses += usize::from(it == name));
    let definitions = operation.variable_definitions.iter().map(|it| &it.node.name.node);
    definitions.filter(|_| uses == 1).find(|it| *it == name)
}

/// Tells of each use of a variable.
fn in_set(set: &SelectionSet, tell: &mut impl FnMut(&str)) {
    for item in &set.items {
        in_directives(item.node.directives(), tell);
        match &item.node {
            Selection::Field(field) => {
                for (_, value) in &field.node.arguments {
                    // The parser's own type of values cannot be named, but it can be asked for its variables.
                    let _no_value = value.node.clone().into_const_with(|name| told(&name, tell));
                }
                in_set(&field.node.selection_set.node, tell);
            }
            Selection::InlineFragment(inline) => in_set(&inline.node.selection_set.node, tell),
            // A merged operation has none.
            Selection::FragmentSpread(_) => {}
        }
    }
}

fn in_directives(directives: &[Positioned<Directive>], tell: &mut impl FnMut(&str)) {
    for (_, value) in directives.iter().flat_map(|it| &it.node.arguments) {
        let _no_value = value.node.clone().into_const_with(|name| told(&name, tell));
    }
}

fn told(name: &Name, tell: &mut impl FnMut(&str)) -> Result<Value, ()> {
    tell(name);
    Ok(Value::Null)
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;
    use serde_json::json;

    use super::*;

    fn spelt(document: &str, variables: serde_json::Value) -> String {
        spelling(&parse_query(document).unwrap(), &Variables::from_json(variables))
    }

    #[test]
    fn values_that_mean_the_same_are_spelt_the_same() {
        let document = "subscription($t: ID, $k: [EventType!] = [OTHER], $o: In, $n: Int) { events(tenantId: $t, types: $k, o: $o, n: $n) { id } }";
        let one = spelt(document, json!({ "t": 7, "o": { "a": 1, "b": "x" }, "more": 1 }));
        let other = spelt(document, json!({ "o": { "b": "x", "a": 1 }, "t": "7", "k": ["OTHER"] }));
        assert_eq!(one, other);
    }

    #[test]
    fn values_that_differ_are_spelt_apart() {
        let document = "subscription($t: ID, $k: [EventType!], $n: Int) { events(tenantId: $t, types: $k, n: $n) { id } }";
        let mut all: Vec<_> = [
            json!({}),
            json!({ "t": null }),
            json!({ "t": "a" }),
            json!({ "t": "a;n:1" }),
            json!({ "t": "a", "n": 1 }),
            json!({ "t": "\";n:1;\"" }),
            json!({ "n": 1 }),
            json!({ "k": [] }),
            json!({ "k": ["A", "B"] }),
            json!({ "k": ["B", "A"] }),
            json!({ "k": ["A,B"] }),
            json!({ "k": "A" }),
        ]
        .into_iter()
        .map(|it| spelt(document, it))
        .collect();
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count, "{all:#?}");
    }

    #[test]
    fn only_a_cursor_that_is_nothing_else_is_left_out() {
        let all = |document: &str| {
            let of = |cursor: &str| spelt(document, json!({ "c": cursor, "t": "a" }));
            of("1") == of("2")
        };
        assert!(all("subscription($c: Cursor, $t: ID) { events(after: $c, tenantId: $t) { id } }"));
        for document in [
            "subscription($c: Cursor) { events(after: $c) { node(after: $c) } }",
            "subscription($c: Cursor) { events(after: $c, other: [{ a: $c }]) { id } }",
            "subscription($c: Cursor) { events(after: $c) { ... on X @include(if: $c) { id } } }",
            "subscription($c: Cursor) { events(after: $c) @skip(if: $c) { id } }",
            "subscription($c: Cursor) { events(before: $c) { id } }",
        ] {
            assert!(!all(document), "{document}");
        }
    }
}
