//! What an operation may ask for, measured on its document before anything runs.
//!
//! Cost is counted in calls to Aurora first, for those are what there is least of, and in fields second. [`measuring`]
//! finds the figures. Invariant: what is refused names its figures. Not here: bytes and tokens, which are counted before
//! parsing.

mod measuring;

use async_graphql::{
    Variables,
    parser::types::{ExecutableDocument, OperationDefinition},
};

use self::measuring::{Measuring, Shape};
use super::error::{Code, Failure};

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
    /// Who may ask what the schema is.
    pub introspection: Introspection,
}

/// Who may ask what the schema is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Introspection {
    /// Every credential that may read.
    Read,
    /// Only those of operators.
    Admin,
    /// Nobody.
    Off,
}

/// Selections after all fragments are opened, over all operations of a document. The largest useful document, the whole
/// design summary in several units, has some two hundred; beyond this, even looking at it costs more than answering it
/// is worth, and what looks at it opens every fragment wherever it is spread.
const MOST_SELECTIONS: u64 = 4_000;

/// Values in an answer, if every list were as long as it is taken to be: some megabytes of JSON.
const MOST_VALUES: u64 = 250_000;

/// Refuses a document whose fragments make it too large, name what is not there, or spread themselves. To be asked before
/// anything else looks at the document.
///
/// # Errors
/// `OPERATION_TOO_EXPENSIVE` or `GRAPHQL_VALIDATION_FAILED`.
pub(super) fn opened(document: &ExecutableDocument) -> Result<u64, Failure> {
    let variables = Variables::default();
    let mut measuring = Measuring::new(document, &[], &variables);
    let mut selections = 0_u64;
    let sets = document.operations.iter().map(|(_, operation)| &operation.node.selection_set.node);
    for set in sets.chain(document.fragments.values().map(|it| &it.node.selection_set.node)) {
        selections = selections.saturating_add(measuring.set(set, true).selections);
    }
    if let Some(why) = measuring.wrong {
        return Err(Failure::new(Code::GraphqlValidationFailed, why));
    }
    within("selections", selections, MOST_SELECTIONS)?;
    Ok(selections)
}

/// Measures one operation of a document.
pub(super) fn measure(
    document: &ExecutableDocument,
    operation: &OperationDefinition,
    variables: &Variables,
) -> Measured {
    let mut measuring = Measuring::new(document, &operation.variable_definitions, variables);
    let mut shape = measuring.set(&operation.selection_set.node, true);
    shape.directives = shape.directives.saturating_add(operation.directives.len() as u64);
    Measured { shape, depends_on_variables: measuring.consulted }
}

/// What an operation asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    shape: Shape,
    /// Whether other variables give other figures.
    pub(super) depends_on_variables: bool,
}

impl Measured {
    /// Refuses what is too much.
    ///
    /// # Errors
    /// `OPERATION_TOO_EXPENSIVE` with the figures.
    pub(super) fn check(&self, limits: &Limits) -> Result<(), Failure> {
        let found = &self.shape;
        within("levels", found.depth, limits.depth as u64)?;
        within("aliases", found.aliases, limits.aliases as u64)?;
        within("root fields", found.roots, limits.root_fields as u64)?;
        within("directives", found.directives, limits.directives as u64)?;
        within("calls to Aurora", found.calls, limits.cost as u64)?;
        within("values", found.values, MOST_VALUES)
    }

    /// Whether it may leave something out, depending on its variables.
    pub(super) fn is_conditional(&self) -> bool {
        self.shape.directives > 0
    }

    /// Whether it asks what the schema is.
    pub(super) fn introspects(&self) -> bool {
        self.shape.introspections > 0
    }
}

fn within(what: &str, found: u64, limit: u64) -> Result<(), Failure> {
    if found <= limit {
        return Ok(());
    }
    let message = format!("the operation asks for too much: {found} {what}, and {limit} are allowed");
    let failure = Failure::new(Code::OperationTooExpensive, message);
    Err(failure.detail("limit", limit).detail("found", found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::parser::parse_query;
    use serde_json::json;

    const LIMITS: Limits = Limits {
        depth: 15,
        aliases: 30,
        root_fields: 20,
        directives: 10,
        cost: 150,
        introspection: Introspection::Read,
    };

    fn refusal(text: &str, variables: serde_json::Value) -> Option<String> {
        let document = parse_query(text).unwrap();
        let (_, operation) = document.operations.iter().next().unwrap();
        let variables = Variables::from_json(variables);
        let checked = opened(&document);
        checked
            .and_then(|_| measure(&document, &operation.node, &variables).check(&LIMITS))
            .err()
            .map(|it| it.message)
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
        let ids: Vec<_> = (0..151).map(|it| it.to_string()).collect();
        assert!(refusal("query($i: [ID!]!) { nodes(ids: $i) { id } }", json!({ "i": ids })).is_some());
    }

    #[test]
    fn depth_aliases_roots_and_directives_have_their_limits() {
        let deep = format!("{}{}", "{ a".repeat(16), "}".repeat(16));
        assert!(refusal(&deep, json!({})).unwrap().contains("16 levels"));
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
    fn a_default_of_a_variable_counts_as_its_value() {
        let list = "query($n: Int = 100) { projects(first: $n) { nodes { designs { summary { stale } } } } }";
        assert!(refusal(list, json!({})).unwrap().contains("601 calls"));
        let ids: Vec<_> = (0..151).map(|it| format!("\"{it}\"")).collect();
        let nodes = format!("query($i: [ID!]! = [{}]) {{ nodes(ids: $i) {{ id }} }}", ids.join(","));
        assert!(refusal(&nodes, json!({})).unwrap().contains("151 calls"));
    }

    #[test]
    fn the_hours_of_a_year_weigh_what_they_are() {
        let hours = |aliases: usize| {
            let fields: String = (0..aliases).map(|it| format!("h{it}: hourly ")).collect();
            format!("{{ designSummary(designId: 1) {{ energyProduction {{ {fields} }} }} }}")
        };
        assert_eq!(refusal(&hours(3), json!({})), None);
        assert!(refusal(&hours(29), json!({})).unwrap().contains("values"));
    }

    #[test]
    fn a_bomb_of_fragments_is_measured_in_no_time_whatever_lies_at_its_end() {
        for end in ["__typename", "...Missing", "...F0"] {
            for begin in [
                "query { ...F0 }",
                "query Good { tenant { id } } query Bad { ...F0 }",
                "query { tenant { id } }",
            ] {
                let mut bomb = format!("{begin} ");
                for number in 0..60 {
                    let next = number + 1;
                    bomb.push_str(&format!(
                        "fragment F{number} on Query {{ ...F{next} ...F{next} ... {{ ...F{next} }} }} "
                    ));
                }
                bomb.push_str(&format!("fragment F60 on Query {{ {end} }}"));
                assert!(refusal(&bomb, json!({})).is_some(), "{begin} … {end}");
            }
        }
        let circle = "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A __typename }";
        assert!(refusal(circle, json!({})).unwrap().contains("spreads itself"));
        assert!(refusal("{ ...A }", json!({})).unwrap().contains("no fragment A"));
    }
}
