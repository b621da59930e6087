//! Which type a field gives, and which objects an interface stands for: what merging selections has to know.
//!
//! Read once out of the schema's own text. Invariant: a type that is not here (introspection's own) is an object.

use std::collections::{HashMap, HashSet};

use async_graphql::Positioned;
use async_graphql::parser::{
    parse_schema,
    types::{BaseType, FieldDefinition, OperationType, Type, TypeKind, TypeSystemDefinition},
};

/// The schema's output types.
#[derive(Debug, Default)]
pub(super) struct Types {
    /// Of each object and interface, the named type that each of its fields gives.
    fields: HashMap<String, HashMap<String, String>>,
    /// Of each interface and union, the objects that it may be.
    possible: HashMap<String, HashSet<String>>,
    query: Option<String>,
    mutation: Option<String>,
    subscription: Option<String>,
}

impl Types {
    /// Reads them out of the schema's text.
    pub(super) fn of(sdl: &str) -> Self {
        let mut types = Self::default();
        for definition in parse_schema(sdl).map(|it| it.definitions).unwrap_or_default() {
            match definition {
                TypeSystemDefinition::Type(ty) => types.add(ty.node.name.node.as_str(), ty.node.kind),
                TypeSystemDefinition::Schema(schema) => {
                    let named = |it: Option<Positioned<_>>| {
                        it.map(|it: Positioned<async_graphql::Name>| it.node.to_string())
                    };
                    types.query = named(schema.node.query);
                    types.mutation = named(schema.node.mutation);
                    types.subscription = named(schema.node.subscription);
                }
                TypeSystemDefinition::Directive(_) => {}
            }
        }
        types
    }

    /// The type at the root of such an operation.
    pub(super) fn root(&self, operation: OperationType) -> Option<&str> {
        match operation {
            OperationType::Query => self.query.as_deref(),
            OperationType::Mutation => self.mutation.as_deref(),
            OperationType::Subscription => self.subscription.as_deref(),
        }
    }

    /// The type of what a field gives, lists and non-nulls taken off.
    pub(super) fn of_field(&self, parent: &str, field: &str) -> Option<&str> {
        self.fields.get(parent)?.get(field).map(String::as_str)
    }

    /// Whether whatever is a `parent` fits a fragment on `on` too, given that some may.
    pub(super) fn always_fits(&self, parent: Option<&str>, on: &str) -> bool {
        let Some(parent) = parent.filter(|parent| *parent != on) else { return true };
        match (self.possible.get(parent), self.possible.get(on)) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(these), Some(those)) => these.is_subset(those),
        }
    }

    fn add(&mut self, name: &str, kind: TypeKind) {
        let (fields, implements) = match kind {
            TypeKind::Object(it) => (it.fields, it.implements),
            TypeKind::Interface(it) => {
                self.possible.entry(name.to_owned()).or_default();
                (it.fields, Vec::new())
            }
            TypeKind::Union(it) => {
                let members = it.members.into_iter().map(|it| it.node.to_string());
                self.possible.entry(name.to_owned()).or_default().extend(members);
                return;
            }
            TypeKind::Scalar | TypeKind::Enum(_) | TypeKind::InputObject(_) => return,
        };
        for interface in implements {
            self.possible.entry(interface.node.to_string()).or_default().insert(name.to_owned());
        }
        self.fields.insert(name.to_owned(), fields.into_iter().map(typed).collect());
    }
}

fn typed(field: Positioned<FieldDefinition>) -> (String, String) {
    let mut ty: &Type = &field.node.ty.node;
    let name = loop {
        match &ty.base {
            BaseType::Named(name) => break name.to_string(),
            BaseType::List(item) => ty = item,
        }
    };
    (field.node.name.node.to_string(), name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_products_schema_is_read_whole() {
        let types = Types::of(&crate::graphql::sdl());
        assert_eq!(types.root(OperationType::Query), Some("Query"));
        assert_eq!(types.root(OperationType::Subscription), Some("Subscription"));
        assert_eq!(types.of_field("Query", "nodes"), Some("Node"));
        assert_eq!(types.of_field("DesignSummary", "arrays"), Some("SolarArray"));
        assert_eq!(types.of_field("Query", "__schema"), None);
    }

    #[test]
    fn a_fragment_always_fits_an_object_and_its_own_type_and_what_all_of_an_interface_are() {
        let types = Types::of(&crate::graphql::sdl());
        for (parent, on, always) in [
            (Some("Project"), "Node", true),
            (Some("Node"), "Node", true),
            (Some("Event"), "Node", true),
            (Some("Node"), "Event", false),
            (Some("Event"), "DesignCompletedEvent", false),
            (None, "__Type", true),
        ] {
            assert_eq!(types.always_fits(parent, on), always, "{parent:?} … {on}");
        }
    }

    /// Why an interface's own fields need not be merged with those of its fragments: running them twice costs nothing.
    #[test]
    fn the_fields_of_an_interface_are_plain_values() {
        let types = Types::of(&crate::graphql::sdl());
        for interface in types.possible.keys() {
            for (field, ty) in &types.fields[interface] {
                assert!(!types.fields.contains_key(ty), "{interface}.{field} is {ty}");
            }
        }
    }
}
