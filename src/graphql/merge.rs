//! Makes what is selected twice under one response key run once.
//!
//! GraphQL says that equal selections are one field; the engine would run each, would drop what a second selection adds
//! to a list of lists, and overlooks fragments at the root of a subscription. So an operation is opened into one tree:
//! what `@skip` and `@include` leave out is dropped, fragments are opened wherever their type is certain, and equal
//! fields become one. To be done only on documents that are valid and whose fragments have been measured, for each is
//! opened wherever it is spread.

use std::collections::HashMap;

use async_graphql::{
    Name, Pos, Positioned, Value, Variables,
    parser::types::{
        Directive, DocumentOperations, ExecutableDocument, Field, FragmentDefinition, InlineFragment,
        OperationDefinition, Selection, SelectionSet, TypeCondition, VariableDefinition,
    },
};

use super::{
    error::{Code, Failure},
    types::Types,
};

/// The operation alone, with one field for each thing that it asks for and no fragment but those whose type only the
/// answer tells.
///
/// # Errors
/// When two fields under one response key differ: there is no telling which of them is meant.
pub(super) fn merge(
    document: &ExecutableDocument,
    operation: &Positioned<OperationDefinition>,
    variables: &Variables,
    types: &Types,
) -> Result<ExecutableDocument, Failure> {
    let definition = &operation.node;
    let merging = Merging {
        fragments: &document.fragments,
        given: Given { definitions: &definition.variable_definitions, variables },
        types,
    };
    let set = &definition.selection_set;
    let items = merging.one(&[&set.node], types.root(definition.ty))?;
    let merged = OperationDefinition {
        ty: definition.ty,
        variable_definitions: definition.variable_definitions.clone(),
        directives: Vec::new(),
        selection_set: Positioned::new(SelectionSet { items }, set.pos),
    };
    Ok(ExecutableDocument {
        operations: DocumentOperations::Single(Positioned::new(merged, operation.pos)),
        fragments: HashMap::new(),
    })
}

struct Merging<'a> {
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    given: Given<'a>,
    types: &'a Types,
}

/// Something that is selected, with all the selections inside it.
struct Group<'a> {
    first: First<'a>,
    pos: Pos,
    inside: Vec<&'a SelectionSet>,
}

enum First<'a> {
    Field(&'a Field),
    /// Only where the object is of this type.
    On(&'a Name),
}

/// What has been found in one place, in the order of first mention.
#[derive(Default)]
struct Found<'a> {
    groups: Vec<Group<'a>>,
    /// By response key or type; no type is also a key, for they are told apart.
    places: HashMap<(bool, &'a str), usize>,
}

impl<'a> Merging<'a> {
    /// All these selections of one object as one.
    fn one(
        &self,
        sets: &[&'a SelectionSet],
        parent: Option<&str>,
    ) -> Result<Vec<Positioned<Selection>>, Failure> {
        let mut found = Found::default();
        for set in sets {
            self.open(set, parent, &mut found)?;
        }
        found.groups.into_iter().map(|group| self.rebuilt(&group, parent)).collect()
    }

    fn open(
        &self,
        set: &'a SelectionSet,
        parent: Option<&str>,
        found: &mut Found<'a>,
    ) -> Result<(), Failure> {
        for item in &set.items {
            if !self.given.includes(item.node.directives())? {
                continue;
            }
            let (on, inside) = match &item.node {
                Selection::Field(field) => {
                    found.field(&field.node, item.pos)?;
                    continue;
                }
                Selection::InlineFragment(inline) => (
                    inline.node.type_condition.as_ref().map(|it| &it.node.on.node),
                    &inline.node.selection_set.node,
                ),
                Selection::FragmentSpread(spread) => {
                    // Validation has seen to it that there is one.
                    let Some(fragment) = self.fragments.get(&spread.node.fragment_name.node) else {
                        continue;
                    };
                    (Some(&fragment.node.type_condition.node.on.node), &fragment.node.selection_set.node)
                }
            };
            match on.filter(|on| !self.types.always_fits(parent, on)) {
                None => self.open(inside, parent, found)?,
                Some(on) => found.fragment(on, inside, item.pos),
            }
        }
        Ok(())
    }

    fn rebuilt(&self, group: &Group<'a>, parent: Option<&str>) -> Result<Positioned<Selection>, Failure> {
        let at = |items| Positioned::new(SelectionSet { items }, group.pos);
        let selection = match group.first {
            First::Field(field) => {
                let name = &field.name.node;
                let ty = parent.and_then(|parent| self.types.of_field(parent, name));
                let selection_set = at(self.one(&group.inside, ty)?);
                let (alias, name, arguments) =
                    (field.alias.clone(), field.name.clone(), field.arguments.clone());
                let field = Field { alias, name, arguments, directives: Vec::new(), selection_set };
                Selection::Field(Positioned::new(field, group.pos))
            }
            First::On(on) => {
                let selection_set = at(self.one(&group.inside, Some(on))?);
                let condition = TypeCondition { on: Positioned::new(on.clone(), group.pos) };
                let type_condition = Some(Positioned::new(condition, group.pos));
                let inline = InlineFragment { type_condition, directives: Vec::new(), selection_set };
                Selection::InlineFragment(Positioned::new(inline, group.pos))
            }
        };
        Ok(Positioned::new(selection, group.pos))
    }
}

impl<'a> Found<'a> {
    fn field(&mut self, field: &'a Field, pos: Pos) -> Result<(), Failure> {
        let inside = &field.selection_set.node;
        let group = self.group((false, field.response_key().node.as_str()), First::Field(field), pos);
        if matches!(group.first, First::Field(first) if !std::ptr::eq(first, field) && !same(first, field)) {
            let message = format!(
                "two fields are to be answered as \"{}\" and differ: give one of them an alias",
                field.response_key().node
            );
            return Err(Failure::new(Code::GraphqlValidationFailed, message));
        }
        group.inside.push(inside);
        Ok(())
    }

    fn fragment(&mut self, on: &'a Name, inside: &'a SelectionSet, pos: Pos) {
        self.group((true, on.as_str()), First::On(on), pos).inside.push(inside);
    }

    fn group(&mut self, key: (bool, &'a str), first: First<'a>, pos: Pos) -> &mut Group<'a> {
        let place = *self.places.entry(key).or_insert(self.groups.len());
        if place == self.groups.len() {
            self.groups.push(Group { first, pos, inside: Vec::new() });
        }
        &mut self.groups[place]
    }
}

/// What variables stand for.
struct Given<'a> {
    definitions: &'a [Positioned<VariableDefinition>],
    variables: &'a Variables,
}

impl Given<'_> {
    /// Whether a selection with these directives is there at all.
    fn includes(&self, directives: &[Positioned<Directive>]) -> Result<bool, Failure> {
        for directive in directives {
            let name = directive.node.name.node.as_str();
            let wanted = match name {
                "include" => true,
                "skip" => false,
                _ => continue,
            };
            let condition = directive
                .node
                .get_argument("if")
                .and_then(|it| it.node.clone().into_const_with(|name| self.value(&name).ok_or(())).ok());
            match condition {
                Some(Value::Boolean(condition)) if condition == wanted => {}
                Some(Value::Boolean(_)) => return Ok(false),
                // A variable that has a default may be nullable, and be given null all the same.
                _ => {
                    let message = format!("the condition of @{name} must be true or false");
                    return Err(Failure::new(Code::BadUserInput, message));
                }
            }
        }
        Ok(true)
    }

    fn value(&self, name: &Name) -> Option<Value> {
        if let Some(value) = self.variables.get(name) {
            return Some(value.clone());
        }
        let definition = self.definitions.iter().find(|it| it.node.name.node == *name)?;
        definition.node.default_value.as_ref().map(|it| it.node.clone())
    }
}

/// Whether both are the same field with the same arguments, in whatever order these stand.
fn same(a: &Field, b: &Field) -> bool {
    a.name.node == b.name.node
        && a.arguments.len() == b.arguments.len()
        && a.arguments
            .iter()
            .all(|(name, value)| b.get_argument(&name.node).is_some_and(|other| other.node == value.node))
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::parser::parse_query;
    use serde_json::json;

    const SDL: &str = "
        type Query { a: A, thing(x: Int, y: Int): Thing, list: [[A]] }
        type Mutation { a(x: Int, y: Int): A }
        type Subscription { a: A }
        type A { b: Int, c: Int, a: A }
        interface Thing { id: ID }
        type One implements Thing { id: ID, a: A }
        type Two implements Thing { id: ID, a: A }
        schema { query: Query, mutation: Mutation, subscription: Subscription }";

    /// The merged operation in short: a field is its response key, a fragment its type.
    fn merged(text: &str, variables: serde_json::Value) -> String {
        let document = parse_query(text).unwrap();
        let (_, operation) = document.operations.iter().next().unwrap();
        match merge(&document, operation, &Variables::from_json(variables), &Types::of(SDL)) {
            Ok(merged) => {
                let (_, operation) = merged.operations.iter().next().unwrap();
                short(&operation.node.selection_set.node)
            }
            Err(failure) => failure.message,
        }
    }

    fn short(set: &SelectionSet) -> String {
        let items = set.items.iter().map(|item| match &item.node {
            Selection::Field(field) => {
                assert!(field.node.directives.is_empty());
                let inside = short(&field.node.selection_set.node);
                format!("{}{inside}", field.node.response_key().node)
            }
            Selection::InlineFragment(inline) => {
                let on = inline.node.type_condition.as_ref().unwrap();
                format!("…{}{}", on.node.on.node, short(&inline.node.selection_set.node))
            }
            Selection::FragmentSpread(_) => panic!("a spread is left"),
        });
        let items: Vec<_> = items.collect();
        if items.is_empty() { String::new() } else { format!("({})", items.join(" ")) }
    }

    #[test]
    fn equal_selections_become_one_at_the_root_and_below() {
        for (text, one) in [
            ("mutation { a(x: 1, y: 2) { b } a(y: 2, x: 1) { c } }", "(a(b c))"),
            ("mutation { a(x: 1) { b } ...F } fragment F on Mutation { a(x: 1) { c b } }", "(a(b c))"),
            (
                "mutation { ...F ...F } fragment F on Mutation { ...G } fragment G on Mutation { a { c } }",
                "(a(c))",
            ),
            ("mutation { ... { a { b } } ... on Mutation { a { b } } }", "(a(b))"),
            ("subscription { a { b } ...F } fragment F on Subscription { a { c } }", "(a(b c))"),
            ("{ a { a { b } } a { c a { a { b } b } } }", "(a(a(b a(b)) c))"),
            ("{ list { b } list { c } }", "(list(b c))"),
            ("{ a { ...F } a { ... on A { b } } } fragment F on A { c b }", "(a(c b))"),
        ] {
            assert_eq!(merged(text, json!({})), one, "{text}");
        }
    }

    #[test]
    fn fragments_whose_type_only_the_answer_tells_stay_one_for_each_type() {
        for (text, one) in [
            (
                "{ thing { id ... on One { a { b } } ... on Two { a { c } } ... on One { a { c } } } }",
                "(thing(id …One(a(b c)) …Two(a(c))))",
            ),
            ("{ thing { ... on Thing { id ... on One { id } } id } }", "(thing(id …One(id)))"),
        ] {
            assert_eq!(merged(text, json!({})), one, "{text}");
        }
    }

    #[test]
    fn what_has_a_name_of_its_own_stays_apart_and_what_has_not_is_refused() {
        assert_eq!(merged("mutation { a { b } c: a { b } }", json!({})), "(a(b) c(b))");
        for text in [
            "mutation { a(x: 1) { b } a(x: 2) { b } }",
            "mutation { a(x: 1) { b } a { b } }",
            "{ a { b } a { b: c } }",
        ] {
            assert!(merged(text, json!({})).contains("differ"), "{text}");
        }
    }

    #[test]
    fn directives_count_by_their_values() {
        let text = "mutation($s: Boolean = true) { a { b } a @include(if: $s) { c } ... @skip(if: $s) { a { x: c } } }";
        assert_eq!(merged(text, json!({})), "(a(b c))");
        assert_eq!(merged(text, json!({ "s": false })), "(a(b x))");
        let text = "mutation($s: Boolean!) { a @skip(if: $s) { b } a @include(if: $s) { c } }";
        assert_eq!(merged(text, json!({ "s": true })), "(a(c))");
        assert_eq!(merged(text, json!({ "s": false })), "(a(b))");
    }
}
