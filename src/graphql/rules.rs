//! What the specification demands of a request before it runs, and the engine finds too late or not at all.
//!
//! [`Inputs`] checks the values of variables, so that a wrong one is a refused request and no failed field;
//! [`one_root_field`] keeps a subscription to one thing. Invariant: both are linear in what they read. Not here:
//! whether the document fits the schema, which the engine's own validation tells.

use std::collections::{HashMap, HashSet};

use async_graphql::{
    Name, Value, Variables,
    indexmap::IndexMap,
    parser::{
        parse_schema,
        types::{
            BaseType, ExecutableDocument, OperationDefinition, Selection, Type, TypeKind,
            TypeSystemDefinition,
        },
    },
};

use super::error::{Code, Failure};

/// The schema's input types.
#[derive(Debug, Default)]
pub struct Inputs(HashMap<String, Input>);

#[derive(Debug)]
enum Input {
    /// One that the specification does not know.
    Scalar,
    Enum(HashSet<String>),
    Object {
        fields: HashMap<String, Field>,
        one_of: bool,
    },
}

#[derive(Debug)]
struct Field {
    ty: Type,
    has_default: bool,
}

impl Inputs {
    /// Reads them out of the schema's text.
    #[must_use]
    pub fn of(sdl: &str) -> Self {
        let definitions = parse_schema(sdl).map(|it| it.definitions).unwrap_or_default();
        let types = definitions.into_iter().filter_map(|definition| match definition {
            TypeSystemDefinition::Type(it) => Some(it.node),
            _ => None,
        });
        let inputs = types.filter_map(|ty| {
            let one_of = ty.directives.iter().any(|it| it.node.name.node == "oneOf");
            let input = match ty.kind {
                TypeKind::Scalar => Input::Scalar,
                TypeKind::Enum(it) => {
                    Input::Enum(it.values.into_iter().map(|it| it.node.value.node.to_string()).collect())
                }
                TypeKind::InputObject(it) => {
                    let fields = it.fields.into_iter().map(|it| {
                        let field = it.node;
                        let has_default = field.default_value.is_some();
                        (field.name.node.to_string(), Field { ty: field.ty.node, has_default })
                    });
                    Input::Object { fields: fields.collect(), one_of }
                }
                _ => return None,
            };
            Some((ty.name.node.to_string(), input))
        });
        Self(inputs.collect())
    }

    /// Checks the values that an operation's variables were given.
    ///
    /// # Errors
    /// When one is missing, or is not of its type.
    pub fn check(&self, operation: &OperationDefinition, variables: &Variables) -> Result<(), Failure> {
        for definition in &operation.variable_definitions {
            let (name, ty) = (&definition.node.name.node, &definition.node.var_type.node);
            let checked = match variables.get(name) {
                Some(value) => self.fits(value, ty),
                None if ty.nullable || definition.node.default_value.is_some() => Ok(()),
                None => Err(Misfit::here(ty)),
            };
            checked.map_err(|misfit| {
                let message = format!("the variable \"${name}{}\" {}", misfit.place, misfit.complaint);
                Failure::new(Code::BadUserInput, message)
            })?;
        }
        Ok(())
    }

    fn fits(&self, value: &Value, ty: &Type) -> Result<(), Misfit> {
        if *value == Value::Null {
            return if ty.nullable { Ok(()) } else { Err(Misfit::here(ty)) };
        }
        match (&ty.base, value) {
            (BaseType::List(item), Value::List(values)) => {
                values.iter().enumerate().try_for_each(|(index, value)| {
                    self.fits(value, item).map_err(|it| it.within(&format!("[{index}]")))
                })
            }
            // A single value stands for a list of one.
            (BaseType::List(item), single) => self.fits(single, item),
            (BaseType::Named(name), value) => self.is_a(value, name, ty),
        }
    }

    fn is_a(&self, value: &Value, name: &Name, ty: &Type) -> Result<(), Misfit> {
        let fits = match (name.as_str(), value) {
            ("Int", Value::Number(it)) => it.as_i64().is_some_and(|it| i32::try_from(it).is_ok()),
            ("Float", Value::Number(_)) | ("String", Value::String(_)) | ("Boolean", Value::Boolean(_)) => {
                true
            }
            ("ID", Value::String(_)) => true,
            ("ID", Value::Number(it)) => it.is_i64() || it.is_u64(),
            ("Int" | "Float" | "String" | "Boolean" | "ID", _) => false,
            _ => match (self.0.get(name.as_str()), value) {
                (Some(Input::Enum(values)), Value::String(it)) => values.contains(it),
                (Some(Input::Enum(values)), Value::Enum(it)) => values.contains(it.as_str()),
                (Some(Input::Object { fields, one_of }), Value::Object(given)) => {
                    return self.has_fields(fields, *one_of, given, ty);
                }
                // Every scalar of our own is written as a string; what it may say, its own parser tells.
                (Some(Input::Scalar), Value::String(_)) => true,
                (Some(Input::Enum(_) | Input::Object { .. } | Input::Scalar), _) => false,
                // A document with a type that there is not has been refused before.
                (None, _) => true,
            },
        };
        if fits { Ok(()) } else { Err(Misfit::here(ty)) }
    }

    fn has_fields(
        &self,
        fields: &HashMap<String, Field>,
        one_of: bool,
        given: &IndexMap<Name, Value>,
        ty: &Type,
    ) -> Result<(), Misfit> {
        for (name, value) in given {
            let Some(field) = fields.get(name.as_str()) else {
                let complaint = format!("has no such field in {ty}");
                return Err(Misfit { place: format!(".{}", short(name)), complaint });
            };
            self.fits(value, &field.ty).map_err(|it| it.within(&format!(".{name}")))?;
        }
        let missing = |(name, field): &(&String, &Field)| {
            !field.ty.nullable && !field.has_default && !given.contains_key(name.as_str())
        };
        if let Some((name, field)) = fields.iter().find(missing) {
            return Err(Misfit::here(&field.ty).within(&format!(".{name}")));
        }
        if one_of && (given.len() != 1 || given.values().any(|it| *it == Value::Null)) {
            return Err(Misfit { place: String::new(), complaint: "must have exactly one field".to_owned() });
        }
        Ok(())
    }
}

/// A name that a caller made up, as far as it is worth repeating.
fn short(name: &str) -> String {
    name.chars().take(64).collect()
}

struct Misfit {
    place: String,
    complaint: String,
}

impl Misfit {
    fn here(ty: &Type) -> Self {
        Self { place: String::new(), complaint: format!("must be of type {ty}") }
    }

    fn within(self, place: &str) -> Self {
        Self { place: format!("{place}{}", self.place), ..self }
    }
}

/// Checks that a merged subscription listens to one thing.
///
/// # Errors
/// When it has several root fields, or none.
pub fn one_root_field(merged: &ExecutableDocument) -> Result<(), Failure> {
    let mut operations = merged.operations.iter();
    let items = operations.next().map(|(_, it)| it.node.selection_set.node.items.as_slice());
    match items.unwrap_or_default() {
        [item] if matches!(item.node, Selection::Field(_)) => Ok(()),
        _ => {
            let message = "a subscription listens to one thing: send one operation for each root field";
            Err(Failure::new(Code::GraphqlValidationFailed, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::{parse_query, types::DocumentOperations};

    use super::*;
    use crate::graphql::{merge::merge, types::Types};

    const SDL: &str = "
        scalar Date
        enum Unit { WATT KILOWATT }
        input Address { street: String!, lines: [Int!], unit: Unit, note: String! = \"-\" }
        input By @oneOf { id: ID, name: String }
    ";

    fn operation(document: &ExecutableDocument) -> &OperationDefinition {
        match &document.operations {
            DocumentOperations::Single(it) => &it.node,
            DocumentOperations::Multiple(all) => &all.values().next().unwrap().node,
        }
    }

    fn check(ty: &str, value: Option<serde_json::Value>) -> Result<(), String> {
        let document = parse_query(format!("query($v: {ty}) {{ a(v: $v) }}")).unwrap();
        let given = value.map_or(serde_json::json!({}), |it| serde_json::json!({ "v": it }));
        Inputs::of(SDL).check(operation(&document), &Variables::from_json(given)).map_err(|it| it.message)
    }

    #[test]
    fn every_input_type_of_the_product_is_known() {
        let sdl = crate::graphql::sdl();
        let inputs = Inputs::of(&sdl);
        let declared: Vec<_> = sdl.lines().filter_map(|line| line.strip_prefix("input ")).collect();
        assert!(!declared.is_empty());
        for line in declared {
            let name = line.split([' ', '{']).next().unwrap();
            assert!(matches!(inputs.0.get(name), Some(Input::Object { .. })), "{name}");
        }
    }

    #[test]
    fn values_that_fit_pass() {
        for (ty, value) in [
            ("Int!", "7"),
            ("Int", "null"),
            ("Float!", "7"),
            ("ID!", "7"),
            ("ID!", "\"a\""),
            ("[Int!]!", "[1, 2]"),
            ("[[Int]]", "[[1, null], null, 3]"),
            ("[Int!]", "7"),
            ("Unit!", "\"WATT\""),
            ("Date!", "\"2026-11-23\""),
            ("Unknown!", "1"),
            ("Address!", "{\"street\": \"a\", \"lines\": [1], \"unit\": null}"),
            ("By!", "{\"id\": 1}"),
        ] {
            assert_eq!(check(ty, Some(serde_json::from_str(value).unwrap())), Ok(()), "{ty} {value}");
        }
        assert_eq!(check("Int", None), Ok(()));
        assert_eq!(check("Int! = 3", None), Ok(()));
    }

    #[test]
    fn values_that_do_not_are_named_with_their_place() {
        for (ty, value, complaint) in [
            ("Int!", "null", "the variable \"$v\" must be of type Int!"),
            ("Int!", "\"7\"", "the variable \"$v\" must be of type Int!"),
            ("Int!", "1.5", "the variable \"$v\" must be of type Int!"),
            ("Int!", "99999999999", "the variable \"$v\" must be of type Int!"),
            ("ID!", "1.5", "the variable \"$v\" must be of type ID!"),
            ("[Int!]", "[1, null]", "the variable \"$v[1]\" must be of type Int!"),
            ("Date", "7", "the variable \"$v\" must be of type Date"),
            ("Unit", "\"FOOT\"", "the variable \"$v\" must be of type Unit"),
            ("Address", "7", "the variable \"$v\" must be of type Address"),
            ("Address", "{}", "the variable \"$v.street\" must be of type String!"),
            (
                "Address",
                "{\"street\":\"a\",\"lines\":[\"b\"]}",
                "the variable \"$v.lines[0]\" must be of type Int!",
            ),
            ("Address", "{\"street\":\"a\",\"x\":1}", "the variable \"$v.x\" has no such field in Address"),
            (
                "Address",
                "{\"street\":\"a\",\"note\":null}",
                "the variable \"$v.note\" must be of type String!",
            ),
            ("By", "{}", "the variable \"$v\" must have exactly one field"),
            ("By", "{\"id\":1,\"name\":\"a\"}", "the variable \"$v\" must have exactly one field"),
        ] {
            let checked = check(ty, Some(serde_json::from_str(value).unwrap()));
            assert_eq!(checked, Err(complaint.to_owned()), "{ty} {value}");
        }
        assert_eq!(check("Int!", None), Err("the variable \"$v\" must be of type Int!".to_owned()));
    }

    #[test]
    fn a_subscription_has_one_root_field_however_it_is_spelt() {
        for (document, good) in [
            ("subscription { a }", true),
            ("subscription { a { b } a { c } }", true),
            ("subscription { a ...F } fragment F on Subscription { a }", true),
            ("subscription { a b }", false),
            ("subscription { a: x b: x }", false),
            ("subscription { a ... on Subscription { b } }", false),
            (
                "subscription { ...F } fragment F on Subscription { a ...G } fragment G on Subscription { b }",
                false,
            ),
        ] {
            let parsed = parse_query(document).unwrap();
            let (_, operation) = parsed.operations.iter().next().unwrap();
            let merged = merge(&parsed, operation, &Variables::default(), &Types::default()).unwrap();
            assert_eq!(one_root_field(&merged).is_ok(), good, "{document}");
        }
    }
}
