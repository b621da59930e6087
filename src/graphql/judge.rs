//! Whether a document fits the schema.
//!
//! Two judges hear it. The engine's own validation explains best, with suggestions, and knows what our scalars are
//! written like; but it lets pass what the specification refuses: a variable where its type may not stand, an enum's
//! value in quotes, a member given twice, two answers of different types under one key. So `apollo-compiler` has the
//! last word. Invariant: what both accept, the engine executes without looking again. Not here: what a document costs.

mod literal;

use std::sync::Arc;

use apollo_compiler::{
    ExecutableDocument as Judged, Schema as Types,
    diagnostic::Diagnostic,
    parser::LineColumn,
    validation::{DiagnosticData, Valid},
};
use async_graphql::{
    ObjectType, Pos, Request, Schema, SchemaBuilder, ServerError, SubscriptionType, ValidationResult,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextValidation},
    parser::types::ExecutableDocument,
};
use futures_util::FutureExt;

use super::{
    answer::{MOST_REFUSALS, Refused},
    error::{Code, Failure},
};

/// Both judges, with the schema by which they judge.
pub(super) struct Judge<Q, M, S> {
    engine: Schema<Q, M, S>,
    types: Valid<Types>,
}

impl<Q, M, S> Judge<Q, M, S>
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    pub(super) fn new(schema: SchemaBuilder<Q, M, S>) -> Self {
        let engine = schema.extension(OnlyValidate).finish();
        // A schema that is not understood whole, which ours is, still refuses what it is sure of.
        let types = Types::parse_and_validate(engine.sdl(), "schema.graphql")
            .unwrap_or_else(|doubtful| Valid::assume_valid(doubtful.partial));
        Self { engine, types }
    }

    /// Judges a document, given as its text and as the engine's tree of it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn hear(&self, text: &str, document: &ExecutableDocument) -> Result<(), Refused> {
        self.ask_engine(document)?;
        self.ask_compiler(text)
    }

    fn ask_engine(&self, document: &ExecutableDocument) -> Result<(), Refused> {
        let mut request = Request::new("");
        request.set_parsed_query(document.clone());
        match self.engine.execute(request).now_or_never() {
            Some(response) if response.errors.is_empty() => Ok(()),
            Some(response) => Err(Refused::invalid(response.errors)),
            // Nothing waits in there: validation is all that runs.
            None => Err(Failure::new(Code::Internal, "the document could not be judged").into()),
        }
    }

    fn ask_compiler(&self, text: &str) -> Result<(), Refused> {
        let (document, complaints) = match Judged::parse_and_validate(&self.types, text, "document") {
            Ok(document) => (document.into_inner(), Vec::new()),
            Err(refused) => {
                let relevant = refused.errors.iter().filter(|it| !counts_fields(it));
                (refused.partial, relevant.take(MOST_REFUSALS).map(|it| explain(&it)).collect())
            }
        };
        if !complaints.is_empty() {
            return Err(Refused::invalid(complaints));
        }
        literal::check(&self.types, &document).map_err(|complaint| {
            let place = complaint.value.line_column_range(&document.sources);
            Refused::invalid(vec![ServerError::new(complaint.message, place.map(|it| pos(it.start)))])
        })
    }
}

/// It counts a field that is selected twice under one key as two. What is left of a subscription when equal fields are
/// one is counted elsewhere.
fn counts_fields(complaint: &Diagnostic<'_, DiagnosticData>) -> bool {
    complaint.error.unstable_error_name() == Some("SubscriptionUsesMultipleFields")
}

fn explain(complaint: &Diagnostic<'_, DiagnosticData>) -> ServerError {
    let place = complaint.line_column_range().map(|it| pos(it.start));
    ServerError::new(complaint.unstable_to_json_compat().message, place)
}

fn pos(place: LineColumn) -> Pos {
    Pos { line: place.line, column: place.column }
}

/// Ends every request where its validation ends: without an error when it is valid.
struct OnlyValidate;

impl ExtensionFactory for OnlyValidate {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait::async_trait]
impl Extension for OnlyValidate {
    async fn validation(
        &self,
        ctx: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        Err(next.run(ctx).await.err().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{EmptyMutation, EmptySubscription, Enum, InputObject, Object, parser::parse_query};

    use super::*;

    #[derive(Enum, Clone, Copy, PartialEq, Eq)]
    enum Unit {
        Watt,
    }

    #[derive(InputObject)]
    struct Filter {
        name: Option<String>,
        unit: Option<Unit>,
        #[graphql(default = 7)]
        more: i32,
    }

    struct Query;

    #[Object]
    impl Query {
        async fn thing(&self, id: async_graphql::ID) -> String {
            id.to_string()
        }

        async fn things(
            &self,
            filter: Option<Filter>,
            first: Option<i32>,
            ids: Option<Vec<i32>>,
        ) -> Vec<Thing> {
            drop((filter.map(|it| (it.name, it.unit, it.more)), first, ids));
            Vec::new()
        }
    }

    struct Thing;

    #[Object]
    impl Thing {
        async fn name(&self) -> &str {
            "thing"
        }
    }

    fn judge(document: &str) -> Result<(), String> {
        let judge = Judge::new(Schema::build(Query, EmptyMutation, EmptySubscription));
        let heard = judge.hear(document, &parse_query(document).unwrap());
        heard.map_err(|refused| refused.message().to_owned())
    }

    #[test]
    fn what_fits_passes() {
        for document in [
            "{ thing(id: 1) things { name } }",
            "query($id: ID!, $f: Filter, $n: Int = 3) { thing(id: $id) things(filter: $f, first: $n) { ...T } }
             fragment T on Thing { name __typename }",
            "query($n: String) { things(filter: { name: $n, unit: WATT }) { a: name @skip(if: false) } }",
            "query($a: Int!, $b: Int = 1) { things(ids: [$a, 2, $b]) { name } }",
            "query($a: [Int!]!, $m: Int) { things(ids: $a, filter: { more: $m }) { name } }",
            "{ __schema { queryType { name } } __type(name: \"Thing\") { name } }",
        ] {
            assert_eq!(judge(document), Ok(()), "{document}");
        }
    }

    #[test]
    fn what_the_engine_would_let_pass_is_refused() {
        for document in [
            "query($id: ID) { thing(id: $id) }",
            "query($id: Int!) { thing(id: $id) }",
            "query($n: Int) { things(filter: { name: $n }) { name } }",
            "{ things(filter: { unit: \"WATT\" }) { name } }",
            "{ things(filter: { name: \"a\", name: \"b\" }) { name } }",
            "query($a: Int) { things(ids: [$a]) { name } }",
            "query($a: [Int!]) { things(ids: [$a]) { name } }",
            "query($a: Int) { ...F } fragment F on Query { things(ids: [1, $a]) { name } }",
            "query A($a: Int!) { a: things(ids: [$a]) { name } } query B($a: String) { things(filter: { more: $a }) { name } }",
            "{ things(filter: 1) { name } }",
            "query () { things { name } }",
            "{ things { x: name } ... on Query { things(first: 1) { x: __typename } } }",
        ] {
            assert!(judge(document).is_err(), "{document}");
        }
    }

    #[test]
    fn a_misspelt_field_is_refused_with_a_suggestion() {
        assert!(judge("{ thngs { name } }").unwrap_err().contains("Did you mean"));
    }
}
