//! Runs operations: prepared once per document, executed in the context of one request.
//!
//! Invariants: a document is parsed once per text, not once per request; a panic in a resolver costs one
//! operation; nothing leaves without a code. Not here: bytes, status codes and sockets, which are `http`'s.

use std::{panic::AssertUnwindSafe, sync::Arc};

use async_graphql::{
    ObjectType, Pos, Request, Response, Schema, ServerError, SubscriptionType, Value, Variables,
    parser::{
        parse_query,
        types::{DocumentOperations, ExecutableDocument, OperationDefinition, OperationType},
    },
    value,
};
use futures_util::{FutureExt, Stream, StreamExt};

use super::{
    context::{Asked, Parts},
    error::{Code, Failure},
    limit::{self, Limits},
    merge::merge_roots,
    rules::{Inputs, one_root_field},
};
use crate::domain::{Scope, Viewer};

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Reads.
    Query,
    /// Changes something.
    Mutation,
    /// Listens.
    Subscription,
}

impl Kind {
    fn of(ty: OperationType) -> Self {
        match ty {
            OperationType::Query => Self::Query,
            OperationType::Mutation => Self::Mutation,
            OperationType::Subscription => Self::Subscription,
        }
    }
}

/// A request as every transport brings it.
#[derive(Debug, Default)]
pub struct Call {
    /// The document.
    pub query: String,
    /// Which of its operations; needed only where there are several.
    pub operation_name: Option<String>,
    /// The values of its variables.
    pub variables: Variables,
    /// Whether `extensions.upstream` shall say what the operation cost.
    pub explain: bool,
}

/// An operation that has been parsed and chosen, and may be executed.
#[derive(Debug)]
pub struct Operation {
    document: Arc<ExecutableDocument>,
    call: Call,
    kind: Kind,
}

impl Operation {
    /// What it does.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

/// What comes back.
#[derive(Debug)]
pub struct Answer {
    /// False when the request was refused before anything ran: then there is no `data`.
    pub executed: bool,
    /// Data, errors and extensions.
    pub response: Response,
}

impl Answer {
    /// The answer to a request that was refused before anything ran.
    #[must_use]
    pub fn refused(failure: Failure) -> Self {
        Self { executed: false, response: Response::from_errors(vec![failure.into()]) }
    }

    /// The answer as JSON: `errors` before `data`, and no `data` where nothing ran.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let written = if self.executed {
            serde_json::to_vec(&self.response)
        } else {
            serde_json::to_vec(&serde_json::json!({ "errors": self.response.errors }))
        };
        written.unwrap_or_else(|_| {
            br#"{"errors":[{"message":"the answer could not be written","extensions":{"code":"INTERNAL","retryable":true}}]}"#.to_vec()
        })
    }
}

/// The schema with what it needs to run.
pub struct Engine<Q, M, S> {
    schema: Schema<Q, M, S>,
    documents: moka::sync::Cache<Box<str>, Arc<ExecutableDocument>>,
    inputs: Inputs,
    parts: Option<Arc<Parts>>,
    limits: Option<Limits>,
}

/// Bytes of document text that are kept parsed. A parsed document weighs about ten times its text.
const DOCUMENT_CACHE_BYTES: u64 = 4 * 1024 * 1024;

impl<Q, M, S> Engine<Q, M, S>
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    /// Puts an engine around a schema whose resolvers need nothing but the viewer.
    #[must_use]
    pub fn new(schema: Schema<Q, M, S>) -> Self {
        let documents = moka::sync::Cache::<Box<str>, _>::builder()
            .weigher(|text, _| u32::try_from(text.len()).unwrap_or(u32::MAX))
            .max_capacity(DOCUMENT_CACHE_BYTES)
            .build();
        let inputs = Inputs::of(&schema.sdl());
        Self { schema, documents, inputs, parts: None, limits: None }
    }

    /// Gives resolvers the parts of the gateway.
    #[must_use]
    pub fn with_parts(self, parts: Arc<Parts>) -> Self {
        Self { parts: Some(parts), ..self }
    }

    /// Refuses operations that ask for too much.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits: Some(limits), ..self }
    }

    /// Parses a request, chooses its operation, and sees whether that may run at all.
    ///
    /// # Errors
    /// When the document is not GraphQL, the operation cannot be told, it asks for too much, or a variable is not what
    /// it says.
    pub fn prepare(&self, call: Call) -> Result<Operation, Failure> {
        let document = self.document(&call.query)?;
        let operation = choose(&document, call.operation_name.as_deref())?;
        if let Some(limits) = &self.limits {
            limit::check(&document, operation, &call.variables, limits)?;
        }
        self.inputs.check(operation, &call.variables)?;
        let kind = Kind::of(operation.ty);
        if kind == Kind::Query {
            return Ok(Operation { document, call, kind });
        }
        let merged = merge_roots(&document, call.operation_name.as_deref(), &call.variables);
        if kind == Kind::Subscription {
            one_root_field(choose(&merged, call.operation_name.as_deref())?)?;
        }
        Ok(Operation { document: Arc::new(merged), call, kind })
    }

    fn document(&self, text: &str) -> Result<Arc<ExecutableDocument>, Failure> {
        if let Some(known) = self.documents.get(text) {
            return Ok(known);
        }
        let parsed = parse_query(text).map_err(|error| syntax(&ServerError::from(error)))?;
        limit::check_fragments(&parsed)?;
        let parsed = Arc::new(parsed);
        self.documents.insert(text.into(), Arc::clone(&parsed));
        Ok(parsed)
    }

    /// Runs a query or a mutation. A subscription gives its first answer.
    pub async fn execute(&self, operation: Operation, viewer: Viewer, request_id: &str) -> Answer {
        if let Err(failure) = may(&viewer, operation.kind) {
            return Answer::refused(failure);
        }
        let (explain, kind) = (operation.call.explain, operation.kind);
        let (request, asked) = self.request(operation, viewer);
        let mut answer = match AssertUnwindSafe(self.schema.execute(request)).catch_unwind().await {
            Ok(response) => finish(response),
            Err(_panic) => return Answer::refused(internal(request_id, kind)),
        };
        if let Some(asked) = asked.filter(|_| explain && answer.executed) {
            self.explain(&asked, &mut answer.response);
        }
        answer
    }

    /// Listens. The stream ends when the subscription does, and with an answer that was refused when it cannot begin.
    pub fn subscribe(
        &self,
        operation: Operation,
        viewer: Viewer,
        request_id: &str,
    ) -> impl Stream<Item = Answer> + Send + 'static + use<Q, M, S> {
        let refused = may(&viewer, operation.kind).err();
        let request_id = request_id.to_owned();
        let begin = match refused {
            Some(failure) => futures_util::stream::once(async { Answer::refused(failure) }).boxed(),
            None => {
                let (request, _asked) = self.request(operation, viewer);
                self.schema.execute_stream(request).map(finish).boxed()
            }
        };
        AssertUnwindSafe(begin).catch_unwind().map(move |item| {
            item.unwrap_or_else(|_panic| Answer::refused(internal(&request_id, Kind::Subscription)))
        })
    }

    fn request(&self, operation: Operation, viewer: Viewer) -> (Request, Option<Arc<Asked>>) {
        let mut request = Request::new(operation.call.query).variables(operation.call.variables);
        if let Some(name) = operation.call.operation_name {
            request = request.operation_name(name);
        }
        request.set_parsed_query((*operation.document).clone());
        match &self.parts {
            Some(parts) => {
                let begin = if operation.kind == Kind::Subscription { Asked::lasting } else { Asked::new };
                let asked = Arc::new(begin(viewer, Arc::clone(parts)));
                (request.data(Arc::clone(&asked)), Some(asked))
            }
            None => (request.data(viewer), None),
        }
    }

    /// Says what the operation cost, where it concerned one tenant: a budget is a tenant's.
    fn explain(&self, asked: &Asked, response: &mut Response) {
        let (Some(parts), Some(tenant)) = (&self.parts, asked.sole_concern()) else { return };
        let budget = parts.catalog.budget(&tenant).map(|budget| {
            value!({
                "limit": budget.limit,
                "remaining": budget.remaining,
                "resetsInMs": u64::try_from(budget.resets_in.as_millis()).unwrap_or(u64::MAX),
            })
        });
        let usage = &asked.usage;
        let upstream = value!({
            "calls": usage.calls(),
            "cacheHits": usage.hits(),
            "coalesced": usage.coalesced(),
            "budget": budget.unwrap_or(Value::Null),
        });
        response.extensions.insert("upstream".to_owned(), upstream);
    }
}

/// What a mutation that broke off has done is not known: whoever sends it again may do it twice.
fn internal(request_id: &str, kind: Kind) -> Failure {
    Failure::new(Code::Internal, "something went wrong in the gateway; the request id helps to find it")
        .retryable(kind != Kind::Mutation)
        .detail("requestId", request_id)
}

fn may(viewer: &Viewer, kind: Kind) -> Result<(), Failure> {
    let needed = if kind == Kind::Mutation { Scope::Write } else { Scope::Read };
    if viewer.may(needed) {
        return Ok(());
    }
    Err(Failure::new(
        Code::Forbidden,
        format!("this needs a credential with the scope \"{}\"", needed.name()),
    ))
}

fn choose<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<&'a OperationDefinition, Failure> {
    let refuse = |message: &str| Failure::new(Code::GraphqlValidationFailed, message);
    let found = match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Some(operation),
        (DocumentOperations::Single(_), Some(_)) => None,
        (DocumentOperations::Multiple(operations), Some(name)) => operations.get(name),
        (DocumentOperations::Multiple(operations), None) if operations.len() <= 1 => {
            operations.values().next()
        }
        (DocumentOperations::Multiple(_), None) => {
            return Err(refuse("the document has several operations: say which with operationName"));
        }
    };
    found.map(|it| &it.node).ok_or_else(|| refuse("the document has no operation of that name"))
}

fn syntax(error: &ServerError) -> Failure {
    let place = error.locations.first().copied().unwrap_or(Pos { line: 1, column: 1 });
    let message = format!("the document is not GraphQL: line {}, column {}", place.line, place.column);
    Failure::new(Code::GraphqlParseFailed, message)
}

/// Gives a code to what the engine itself refused, and tells "refused" from "executed".
fn finish(mut response: Response) -> Answer {
    let executed = response.data != Value::Null
        || response.errors.is_empty()
        || response.errors.iter().any(|error| !error.path.is_empty());
    for error in &mut response.errors {
        if error.extensions.as_ref().is_some_and(|it| it.get("code").is_some()) {
            continue;
        }
        let code = if executed { Code::BadUserInput } else { Code::GraphqlValidationFailed };
        error.extensions = Some(Failure::new(code, "").extensions());
    }
    Answer { executed, response }
}
