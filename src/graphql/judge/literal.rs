//! What stands inside lists and objects that are written into a document.
//!
//! `apollo-compiler` looks at a variable only where it is an argument itself, and lets an object name a member twice.
//! Invariant: each fragment is walked once for each operation, so the work is linear in both. Not here: what is no
//! list and no object.

use std::collections::HashSet;

use apollo_compiler::{
    ExecutableDocument, Name, Node, Schema,
    ast::{Type, Value},
    executable::{Operation, Selection, SelectionSet},
};

/// What is wrong, and with which value.
#[derive(Debug)]
pub(super) struct Complaint<'a> {
    pub(super) message: String,
    pub(super) value: &'a Node<Value>,
}

/// Looks into every list and object of a document that is valid otherwise.
///
/// # Errors
/// At the first variable whose type may not stand where it does, and the first member that comes twice.
pub(super) fn check<'a>(schema: &'a Schema, document: &'a ExecutableDocument) -> Result<(), Complaint<'a>> {
    document.operations.iter().try_for_each(|operation| {
        let mut walk = Walk { schema, document, operation, opened: HashSet::new() };
        walk.selections(&operation.selection_set)
    })
}

struct Walk<'a> {
    schema: &'a Schema,
    document: &'a ExecutableDocument,
    operation: &'a Operation,
    opened: HashSet<&'a Name>,
}

impl<'a> Walk<'a> {
    fn selections(&mut self, set: &'a SelectionSet) -> Result<(), Complaint<'a>> {
        set.selections.iter().try_for_each(|selection| match selection {
            Selection::Field(field) => {
                for argument in &field.arguments {
                    if let Some(definition) = field.definition.argument_by_name(&argument.name) {
                        self.value(&argument.value, &definition.ty)?;
                    }
                }
                self.selections(&field.selection_set)
            }
            Selection::InlineFragment(inline) => self.selections(&inline.selection_set),
            Selection::FragmentSpread(spread) => match self.document.fragments.get(&spread.fragment_name) {
                Some(fragment) if self.opened.insert(&spread.fragment_name) => {
                    self.selections(&fragment.selection_set)
                }
                _ => Ok(()),
            },
        })
    }

    fn value(&self, value: &'a Node<Value>, ty: &Type) -> Result<(), Complaint<'a>> {
        match &**value {
            Value::List(items) => items.iter().try_for_each(|item| self.within(item, ty.item_type(), false)),
            Value::Object(members) => self.members(value, members, ty),
            _ => Ok(()),
        }
    }

    fn members(
        &self,
        object: &'a Node<Value>,
        members: &'a [(Name, Node<Value>)],
        ty: &Type,
    ) -> Result<(), Complaint<'a>> {
        let Some(input) = self.schema.get_input_object(ty.inner_named_type()) else { return Ok(()) };
        let mut named = HashSet::new();
        for (name, value) in members {
            if !named.insert(name) {
                let message = format!("There can be only one input field named \"{name}\"");
                return Err(Complaint { message, value: object });
            }
            if let Some(field) = input.fields.get(name) {
                self.within(value, &field.ty, field.default_value.is_some())?;
            }
        }
        Ok(())
    }

    /// A value inside of another.
    fn within(&self, value: &'a Node<Value>, ty: &Type, has_default: bool) -> Result<(), Complaint<'a>> {
        let Value::Variable(name) = &**value else { return self.value(value, ty) };
        let Some(variable) = self.operation.variables.iter().find(|it| it.name == *name) else {
            return Ok(());
        };
        // A default, of either, stands in for a value that is not given.
        let stood_in = has_default || variable.default_value.as_ref().is_some_and(|it| !it.is_null());
        let wanted = if stood_in { ty.clone().nullable() } else { ty.clone() };
        if variable.ty.is_assignable_to(&wanted) {
            return Ok(());
        }
        let message = format!(
            "Variable \"${name}\" of type \"{}\" used in position expecting type \"{ty}\"",
            variable.ty
        );
        Err(Complaint { message, value })
    }
}
