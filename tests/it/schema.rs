//! `schema.graphql` is what the code says, it has all that clients build on, and it explains itself.

use apollo_compiler::{Schema, ast::Type, schema::ExtendedType};

const OURS: &str = include_str!("../../schema.graphql");
const PROMISED: &str = include_str!("../fixtures/contract.graphql");

fn parse(text: &str, name: &str) -> Schema {
    Schema::parse_and_validate(text, name).unwrap_or_else(|error| panic!("{error}")).into_inner()
}

#[test]
fn the_printed_schema_is_the_committed_one() {
    assert!(heliograph::graphql::sdl() == OURS, "schema.graphql is out of date: run `make schema`");
}

/// Everything that can have a description, by its path.
fn described(schema: &Schema) -> Vec<(String, Option<String>)> {
    let mut all = Vec::new();
    let mut note = |path: String, text: Option<&str>| all.push((path, text.map(str::to_owned)));
    for (name, kind) in schema.types.iter().filter(|(_, kind)| !kind.is_built_in()) {
        note(name.to_string(), kind.description().map(|it| it.as_str()));
        match kind {
            ExtendedType::Object(it) => {
                for (field, it) in &it.fields {
                    note(format!("{name}.{field}"), it.description.as_deref());
                    for argument in &it.arguments {
                        let path = format!("{name}.{field}({})", argument.name);
                        note(path, argument.description.as_deref());
                    }
                }
            }
            ExtendedType::Interface(it) => {
                for (field, it) in &it.fields {
                    note(format!("{name}.{field}"), it.description.as_deref());
                }
            }
            ExtendedType::InputObject(it) => {
                for (field, it) in &it.fields {
                    note(format!("{name}.{field}"), it.description.as_deref());
                }
            }
            ExtendedType::Enum(it) => {
                for (value, it) in &it.values {
                    note(format!("{name}.{value}"), it.description.as_deref());
                }
            }
            ExtendedType::Scalar(_) | ExtendedType::Union(_) => {}
        }
    }
    all
}

#[test]
fn everything_in_the_schema_is_described() {
    let schema = parse(OURS, "schema.graphql");
    let all = described(&schema);
    assert!(all.len() > 200, "the walk found {} places", all.len());
    let mute: Vec<_> = all.iter().filter(|(_, text)| text.as_deref().is_none_or(|it| it.len() < 3)).collect();
    assert!(mute.is_empty(), "not described: {mute:#?}");
}

#[test]
fn a_quantity_tells_its_unit() {
    let schema = parse(OURS, "schema.graphql");
    let units = ["watt", "kilowatt-hour", "percent", "degree", "pieces", "byte"];
    for (name, kind) in &schema.types {
        let ExtendedType::Object(it) = kind else { continue };
        for (field, it) in it.fields.iter().filter(|(_, it)| it.ty.inner_named_type() == "Float") {
            let text = it.description.as_deref().unwrap_or_default().to_lowercase();
            assert!(units.iter().any(|unit| text.contains(unit)), "{name}.{field} tells no unit: {text}");
        }
    }
}

#[test]
fn the_schema_has_all_that_clients_build_on() {
    let (ours, promised) = (parse(OURS, "schema.graphql"), parse(PROMISED, "contract.graphql"));
    let mut missing = Vec::new();
    for (name, wanted) in promised.types.iter().filter(|(_, kind)| !kind.is_built_in()) {
        match ours.types.get(name) {
            None => missing.push(name.to_string()),
            Some(ours) => compare(name, ours, wanted, &mut missing),
        }
    }
    assert!(missing.is_empty(), "missing or other than promised: {missing:#?}");
}

fn compare(name: &str, ours: &ExtendedType, wanted: &ExtendedType, missing: &mut Vec<String>) {
    use ExtendedType as Kind;
    match (ours, wanted) {
        (Kind::Scalar(_), Kind::Scalar(_)) => {}
        (Kind::Enum(ours), Kind::Enum(wanted)) => {
            let lacking = wanted.values.keys().filter(|value| !ours.values.contains_key(*value));
            missing.extend(lacking.map(|value| format!("{name}.{value}")));
        }
        (Kind::InputObject(ours), Kind::InputObject(wanted)) => {
            for (field, wanted) in &wanted.fields {
                let same = ours
                    .fields
                    .get(field)
                    .is_some_and(|it| it.ty == wanted.ty && it.default_value == wanted.default_value);
                if !same {
                    missing.push(format!("{name}.{field}: {}", wanted.ty));
                }
            }
            // A further input field must not be required: older clients do not send it.
            let demanded = ours
                .fields
                .iter()
                .filter(|(field, it)| it.is_required() && !wanted.fields.contains_key(*field));
            missing.extend(demanded.map(|(field, _)| format!("{name}.{field} is newly required")));
        }
        (Kind::Object(ours), Kind::Object(wanted)) => {
            for interface in &wanted.implements_interfaces {
                if !ours.implements_interfaces.contains(interface) {
                    missing.push(format!("{name} implements {interface}"));
                }
            }
            for (field, wanted) in &wanted.fields {
                let found = ours.fields.get(field);
                compare_field(&format!("{name}.{field}"), found.map(|it| &***it), wanted, missing);
            }
        }
        (Kind::Interface(ours), Kind::Interface(wanted)) => {
            for (field, wanted) in &wanted.fields {
                let found = ours.fields.get(field);
                compare_field(&format!("{name}.{field}"), found.map(|it| &***it), wanted, missing);
            }
        }
        _ => missing.push(format!("{name} is of another kind")),
    }
}

fn compare_field(
    path: &str,
    ours: Option<&apollo_compiler::ast::FieldDefinition>,
    wanted: &apollo_compiler::ast::FieldDefinition,
    missing: &mut Vec<String>,
) {
    let Some(ours) = ours else {
        missing.push(path.to_owned());
        return;
    };
    if ours.ty != wanted.ty {
        missing.push(format!("{path}: {} instead of {}", ours.ty, wanted.ty));
    }
    for argument in &wanted.arguments {
        let same = ours.arguments.iter().any(|it| {
            it.name == argument.name && it.ty == argument.ty && it.default_value == argument.default_value
        });
        if !same {
            missing.push(format!("{path}({}: {})", argument.name, argument.ty));
        }
    }
    let required = |it: &&apollo_compiler::Node<apollo_compiler::ast::InputValueDefinition>| {
        matches!(*it.ty, Type::NonNullNamed(_) | Type::NonNullList(_)) && it.default_value.is_none()
    };
    let demanded = ours.arguments.iter().filter(required);
    let new = demanded.filter(|it| !wanted.arguments.iter().any(|old| old.name == it.name));
    missing.extend(new.map(|it| format!("{path}({}) is newly required", it.name)));
}

/// What one caller is told of an event, all are told who may see and do the same: nothing of it may be one caller's own.
#[test]
fn nothing_that_an_event_leads_to_is_a_callers_own() {
    let schema = parse(OURS, "schema.graphql");
    let (mut seen, mut next) = (std::collections::BTreeSet::new(), vec!["Subscription".to_owned()]);
    while let Some(name) = next.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let fields = match &schema.types[name.as_str()] {
            ExtendedType::Object(it) => &it.fields,
            ExtendedType::Interface(it) => {
                let implementing = schema.types.values().filter_map(|it| it.as_object());
                let implementing =
                    implementing.filter(|of| of.implements_interfaces.iter().any(|i| i.name == it.name));
                next.extend(implementing.map(|it| it.name.to_string()));
                &it.fields
            }
            ExtendedType::Union(it) => {
                next.extend(it.members.iter().map(|it| it.to_string()));
                continue;
            }
            _ => continue,
        };
        next.extend(fields.values().map(|it| it.ty.inner_named_type().to_string()));
    }
    assert!(seen.contains("DesignSummary") && seen.contains("Project"), "the walk came far: {seen:?}");
    assert!(!seen.contains("Viewer"), "the name of a credential is its own");
}
