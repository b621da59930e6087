//! What is worked out once for each text of a document, and kept: its tree, whether it is valid, what it costs.
//!
//! Invariants: nothing is kept that the schema refuses, so strangers' nonsense pushes nothing out; what depends on the
//! variables of a request is never kept. Not here: who may run it.

use std::sync::Arc;

use async_graphql::{
    Name, ObjectType, Pos, Positioned, SchemaBuilder, ServerError, SubscriptionType, Variables,
    parser::{
        parse_query,
        types::{DocumentOperations, ExecutableDocument, OperationDefinition},
    },
};

use super::{
    answer::Refused,
    engine::Kind,
    error::{Code, Failure},
    judge::Judge,
    limit::{self, Measured},
    merge::merge,
    types::Types,
};

/// Bytes that the kept documents may weigh together: some thousand of usual size.
const MOST_BYTES: u64 = 32 * 1024 * 1024;

/// How much a document weighs for each byte of its text: the text itself, and the tree that was read from it.
const BYTES_PER_BYTE: u64 = 24;

/// How much it weighs for each selection that its fragments open into: operations are kept as they are run.
const BYTES_PER_SELECTION: u64 = 512;

/// A document that the schema accepts.
#[derive(Debug)]
pub(super) struct Prepared {
    document: ExecutableDocument,
    plans: Vec<Plan>,
    /// In bytes, about.
    weight: u64,
}

/// One operation of a document.
#[derive(Debug)]
pub(super) struct Plan {
    name: Option<Name>,
    operation: Positioned<OperationDefinition>,
    measured: Measured,
    /// As it is run, if that does not depend on variables.
    merged: Option<Arc<ExecutableDocument>>,
}

impl Prepared {
    /// The operation of that name; without a name, the only one.
    ///
    /// # Errors
    /// `GRAPHQL_VALIDATION_FAILED` when there is none, or more than one.
    pub(super) fn plan(&self, name: Option<&str>) -> Result<&Plan, Failure> {
        let refuse = |message: &str| Err(Failure::new(Code::GraphqlValidationFailed, message));
        match (name, self.plans.as_slice()) {
            (None, [only]) => Ok(only),
            (None, _) => refuse("the document has several operations: say which with operationName"),
            (Some(name), plans) => match plans.iter().find(|it| it.name.as_deref() == Some(name)) {
                Some(plan) => Ok(plan),
                None => refuse("the document has no operation of that name"),
            },
        }
    }

    /// What the operation asks for with these variables.
    pub(super) fn measured(&self, plan: &Plan, variables: &Variables) -> Measured {
        if plan.measured.depends_on_variables {
            return limit::measure(&self.document, &plan.operation.node, variables);
        }
        plan.measured
    }

    /// All operations.
    pub(super) fn plans(&self) -> &[Plan] {
        &self.plans
    }

    /// The operation as it is run with these variables.
    ///
    /// # Errors
    /// When two of its fields under one response key differ.
    pub(super) fn merged(
        &self,
        plan: &Plan,
        variables: &Variables,
        types: &Types,
    ) -> Result<Arc<ExecutableDocument>, Failure> {
        if let Some(merged) = &plan.merged {
            return Ok(Arc::clone(merged));
        }
        merge(&self.document, &plan.operation, variables, types).map(Arc::new)
    }
}

impl Plan {
    /// What it asks for, if that is the same whatever its variables are.
    pub(super) fn fixed(&self) -> Option<&Measured> {
        Some(&self.measured).filter(|it| !it.depends_on_variables)
    }

    pub(super) fn operation(&self) -> &OperationDefinition {
        &self.operation.node
    }

    pub(super) fn name(&self) -> Option<&Name> {
        self.name.as_ref()
    }

    pub(super) fn kind(&self) -> Kind {
        Kind::of(self.operation.node.ty)
    }
}

/// The documents that are known, and the judge of those that are not.
pub(super) struct Documents<Q, M, S> {
    known: moka::sync::Cache<Box<str>, Arc<Prepared>>,
    judge: Judge<Q, M, S>,
}

impl<Q, M, S> Documents<Q, M, S>
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    /// Judges by this schema.
    pub(super) fn new(schema: SchemaBuilder<Q, M, S>) -> Self {
        let known = moka::sync::Cache::<Box<str>, _>::builder()
            .weigher(|_, prepared: &Arc<Prepared>| u32::try_from(prepared.weight).unwrap_or(u32::MAX))
            .max_capacity(MOST_BYTES)
            .build();
        Self { known, judge: Judge::new(schema) }
    }

    /// What is known of a document, worked out now if it is new.
    ///
    /// # Errors
    /// When it is no GraphQL, opens into too much, or does not fit the schema.
    pub(super) fn get(&self, text: &str, types: &Types) -> Result<Arc<Prepared>, Refused> {
        if let Some(known) = self.known.get(text) {
            return Ok(known);
        }
        let document = parse_query(text).map_err(|error| syntax(&ServerError::from(error)))?;
        let selections = limit::opened(&document)?;
        self.judge.hear(text, &document)?;
        let plans = operations(&document).map(|(name, operation)| plan(&document, name, operation, types));
        let plans = plans.collect::<Result<_, _>>()?;
        let weight = BYTES_PER_BYTE * text.len() as u64 + BYTES_PER_SELECTION * selections;
        let prepared = Arc::new(Prepared { plans, document, weight });
        self.known.insert(text.into(), Arc::clone(&prepared));
        Ok(prepared)
    }
}

fn plan(
    document: &ExecutableDocument,
    name: Option<&Name>,
    operation: &Positioned<OperationDefinition>,
    types: &Types,
) -> Result<Plan, Failure> {
    let none = Variables::default();
    let measured = limit::measure(document, &operation.node, &none);
    let merged = match measured.is_conditional() {
        true => None,
        false => Some(Arc::new(merge(document, operation, &none, types)?)),
    };
    Ok(Plan { name: name.cloned(), operation: operation.clone(), measured, merged })
}

fn operations(
    document: &ExecutableDocument,
) -> impl Iterator<Item = (Option<&Name>, &Positioned<OperationDefinition>)> {
    let (single, several) = match &document.operations {
        DocumentOperations::Single(operation) => (Some(operation), None),
        DocumentOperations::Multiple(operations) => (None, Some(operations)),
    };
    let several = several.into_iter().flatten().map(|(name, operation)| (Some(name), operation));
    single.into_iter().map(|operation| (None, operation)).chain(several)
}

fn syntax(error: &ServerError) -> Failure {
    let place = error.locations.first().copied().unwrap_or(Pos { line: 1, column: 1 });
    let message = format!("the document is not GraphQL: line {}, column {}", place.line, place.column);
    Failure::new(Code::GraphqlParseFailed, message)
}

#[cfg(test)]
mod tests {
    use async_graphql::{EmptyMutation, EmptySubscription, Object, Schema};

    use super::*;

    struct Query;

    #[Object]
    impl Query {
        async fn thing(&self) -> Thing {
            Thing
        }
    }

    struct Thing;

    #[Object]
    impl Thing {
        async fn thing(&self) -> Self {
            Self
        }

        async fn name(&self) -> &str {
            "thing"
        }
    }

    #[test]
    fn a_document_is_worked_out_once_and_one_that_is_refused_is_not_kept() {
        let documents = Documents::new(Schema::build(Query, EmptyMutation, EmptySubscription));
        let types = Types::default();
        let first = documents.get("{ thing { name } }", &types).unwrap();
        assert!(Arc::ptr_eq(&first, &documents.get("{ thing { name } }", &types).unwrap()));
        let other = documents.get("{ thing { name name } }", &types).unwrap();
        assert!(!Arc::ptr_eq(&first, &other), "another text is another document");
        assert!(documents.get("{ nothing }", &types).is_err() && documents.get("{", &types).is_err());
        documents.known.run_pending_tasks();
        assert_eq!(documents.known.entry_count(), 2);
    }

    #[test]
    fn what_is_kept_is_bounded_by_what_documents_open_into() {
        let documents = Documents::new(Schema::build(Query, EmptyMutation, EmptySubscription));
        let types = Types::default();
        // A short text that opens into three thousand selections, in four hundred spellings.
        for spelling in 0..400 {
            let each = |body: &str| (0..30).map(|at| format!("x{at}: {body} ")).collect::<String>();
            let text = format!(
                "query Q{spelling} {{ thing {{ {} }} }} fragment B on Thing {{ {} }}",
                each("thing { ...B ...B ...B }"),
                each("name")
            );
            documents.get(&text, &types).unwrap();
        }
        documents.known.run_pending_tasks();
        let kept = documents.known.entry_count();
        assert!(documents.known.weighted_size() <= MOST_BYTES && (5..60).contains(&kept), "{kept} kept");
    }
}
