//! The doorway to the schema: every transport prepares an operation here, then executes it or subscribes to it.
//!
//! Invariants: a document is parsed once per text, not once per request; a panic in a resolver costs one
//! operation; nothing leaves without a code. Not here: bytes, status codes and sockets, which are `http`'s.

use std::{panic::AssertUnwindSafe, sync::Arc};

use async_graphql::{
    Pos, Request, Response, Schema, ServerError, Value, Variables,
    parser::{
        parse_query,
        types::{DocumentOperations, ExecutableDocument, OperationDefinition, OperationType},
    },
};
use futures_util::{FutureExt, Stream, StreamExt};

use super::{
    error::{Code, Failure},
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
}

/// Bytes of document text that are kept parsed. A parsed document weighs about ten times its text.
const DOCUMENT_CACHE_BYTES: u64 = 4 * 1024 * 1024;

impl<Q, M, S> Engine<Q, M, S>
where
    Q: async_graphql::ObjectType + 'static,
    M: async_graphql::ObjectType + 'static,
    S: async_graphql::SubscriptionType + 'static,
{
    /// Puts an engine around a schema.
    #[must_use]
    pub fn new(schema: Schema<Q, M, S>) -> Self {
        let documents = moka::sync::Cache::<Box<str>, _>::builder()
            .weigher(|text, _| u32::try_from(text.len()).unwrap_or(u32::MAX))
            .max_capacity(DOCUMENT_CACHE_BYTES)
            .build();
        let inputs = Inputs::of(&schema.sdl());
        Self { schema, documents, inputs }
    }

    /// Parses a request and chooses its operation.
    ///
    /// # Errors
    /// When the document is not GraphQL, or the operation cannot be told.
    pub fn prepare(&self, call: Call) -> Result<Operation, Failure> {
        let document = self.document(&call.query)?;
        let operation = choose(&document, call.operation_name.as_deref())?;
        let kind = kind_of(operation);
        self.inputs.check(operation, &call.variables)?;
        if kind == Kind::Subscription {
            one_root_field(&document, operation)?;
        }
        Ok(Operation { document, call, kind })
    }

    fn document(&self, text: &str) -> Result<Arc<ExecutableDocument>, Failure> {
        if let Some(known) = self.documents.get(text) {
            return Ok(known);
        }
        let parsed = parse_query(text).map_err(|error| syntax(&ServerError::from(error)))?;
        let parsed = Arc::new(parsed);
        self.documents.insert(text.into(), Arc::clone(&parsed));
        Ok(parsed)
    }

    /// Runs a query or a mutation. A subscription gives its first answer.
    pub async fn execute(&self, operation: Operation, viewer: Viewer, request_id: &str) -> Answer {
        if let Err(failure) = may(&viewer, operation.kind) {
            return Answer::refused(failure);
        }
        let request = request(operation, viewer);
        match AssertUnwindSafe(self.schema.execute(request)).catch_unwind().await {
            Ok(response) => finish(response),
            Err(_panic) => Answer::refused(internal(request_id)),
        }
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
            None => self.schema.execute_stream(request(operation, viewer)).map(finish).boxed(),
        };
        AssertUnwindSafe(begin)
            .catch_unwind()
            .map(move |item| item.unwrap_or_else(|_panic| Answer::refused(internal(&request_id))))
    }
}

fn internal(request_id: &str) -> Failure {
    Failure::new(Code::Internal, "something went wrong in the gateway; the request id helps to find it")
        .detail("requestId", request_id)
}

/// # Errors
/// When the viewer's scopes do not go that far.
pub fn may(viewer: &Viewer, kind: Kind) -> Result<(), Failure> {
    let needed = if kind == Kind::Mutation { Scope::Write } else { Scope::Read };
    if viewer.may(needed) {
        return Ok(());
    }
    let message = format!("this credential has no scope {:?}", needed.name());
    Err(Failure::new(Code::Forbidden, message))
}

fn request(operation: Operation, viewer: Viewer) -> Request {
    let mut request = Request::new(operation.call.query).variables(operation.call.variables).data(viewer);
    if let Some(name) = operation.call.operation_name {
        request = request.operation_name(name);
    }
    request.set_parsed_query((*operation.document).clone());
    request
}

fn choose<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<&'a OperationDefinition, Failure> {
    let refuse = |message: &str| Failure::new(Code::GraphqlValidationFailed, message);
    let operation = match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => operation,
        (DocumentOperations::Single(_), Some(_)) => {
            return Err(refuse("the document has no operation of that name"));
        }
        (DocumentOperations::Multiple(operations), Some(name)) => {
            operations.get(name).ok_or_else(|| refuse("the document has no operation of that name"))?
        }
        (DocumentOperations::Multiple(operations), None) if operations.len() == 1 => {
            operations.values().next().ok_or_else(|| refuse("the document has no operation"))?
        }
        (DocumentOperations::Multiple(_), None) => {
            return Err(refuse("the document has several operations: say which with operationName"));
        }
    };
    Ok(&operation.node)
}

fn kind_of(operation: &OperationDefinition) -> Kind {
    match operation.ty {
        OperationType::Query => Kind::Query,
        OperationType::Mutation => Kind::Mutation,
        OperationType::Subscription => Kind::Subscription,
    }
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
        let code = match error.message.as_str() {
            "Query is nested too deep." | "Query is too complex." => Code::OperationTooExpensive,
            _ if executed => Code::BadUserInput,
            _ => Code::GraphqlValidationFailed,
        };
        error.extensions = Some(Failure::new(code, "").extensions());
    }
    Answer { executed, response }
}
