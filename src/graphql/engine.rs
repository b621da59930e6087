//! Runs operations: prepared once per document, executed in the context of one request.
//!
//! Invariants: a document is parsed and validated once per text, not once per request; a panic in a resolver costs one
//! operation (of a stream, by the doorway's doing); nothing leaves without a code. Not here: bytes, status codes and sockets, which are `http`'s.

mod explain;
mod permit;

use std::{panic::AssertUnwindSafe, sync::Arc};

use async_graphql::{
    Name, ObjectType, Request, Response, Schema, SchemaBuilder, SubscriptionType, ValidationMode, Value,
    Variables,
    parser::types::{ExecutableDocument, OperationType},
};
use futures_util::{
    FutureExt, StreamExt,
    stream::{self, BoxStream},
};

use super::{
    answer::{Answer, Refused, Reply, cap, give_codes, reply},
    context::{Asked, Parts},
    error::{Code, Failure},
    fanout::{Fanout, Shared, Subscription, Tell},
    limit::{Introspection, Limits},
    persisted::Persisted,
    place::{Item, Place},
    prepared::{Documents, Plan, Prepared},
    rules::{Inputs, one_root_field},
    types::Types,
};
use crate::domain::Viewer;

pub use explain::Explain;
use permit::{introspection_is_off, may, may_introspect};

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
    pub(super) fn of(ty: OperationType) -> Self {
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
    /// The document's text.
    pub query: Option<String>,
    /// What stands for the text, where it is known already: a document's id, or the SHA-256 of a text in hexadecimals.
    pub id: Option<String>,
    /// Which of its operations; needed only where there are several.
    pub operation_name: Option<String>,
    /// The values of its variables.
    pub variables: Variables,
    /// Whether `extensions.upstream` shall say what the operation cost, or would cost.
    pub explain: Explain,
}

/// An operation that has been chosen, judged, and may be executed.
#[derive(Debug)]
pub struct Operation {
    pub(super) prepared: Arc<Prepared>,
    /// Its name, as the document has it.
    pub(super) name: Option<Name>,
    pub(super) document: Arc<ExecutableDocument>,
    pub(super) variables: Variables,
    explain: Explain,
    kind: Kind,
    /// Calls to Aurora at the worst, by the document alone; counted where it is only planned.
    calls: u64,
    after: Option<String>,
}

impl Operation {
    /// What it does.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether it is not to be run: only what it would cost is asked for.
    #[must_use]
    pub fn is_plan(&self) -> bool {
        self.explain == Explain::Plan
    }

    /// Goes on behind the event of this cursor, whatever the arguments say. Only a subscription can.
    #[must_use]
    pub fn resumed(self, after: Option<String>) -> Self {
        Self { after, ..self }
    }
}

/// Errors of an answer. A page of a hundred projects that cannot be read still says so of each; what goes beyond repeats
/// itself.
const MOST_ERRORS: usize = 100;

/// The schema with what it needs to run.
pub struct Engine<Q, M, S> {
    /// Runs what has been judged, and judges no more.
    schema: Schema<Q, M, S>,
    documents: Documents<Q, M, S>,
    persisted: Persisted,
    types: Types,
    inputs: Inputs,
    parts: Option<Arc<Parts>>,
    fanout: Option<Arc<Fanout>>,
    limits: Option<Limits>,
}

impl<Q, M, S> Engine<Q, M, S>
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    /// Puts an engine around a schema whose resolvers need nothing but the viewer. The schema is built twice: one judges
    /// documents, the other runs them.
    #[must_use]
    pub fn new(build: impl Fn() -> SchemaBuilder<Q, M, S>) -> Self {
        let schema = build().validation_mode(ValidationMode::Fast).finish();
        let sdl = schema.sdl();
        Self {
            schema,
            documents: Documents::new(build()),
            persisted: Persisted::default(),
            types: Types::of(&sdl),
            inputs: Inputs::of(&sdl),
            parts: None,
            fanout: None,
            limits: None,
        }
    }

    /// Gives resolvers the parts of the gateway.
    #[must_use]
    pub fn with_parts(self, parts: Arc<Parts>) -> Self {
        let teller = Teller { schema: self.schema.clone(), parts: Arc::clone(&parts) };
        let (feed, told) = (parts.feed.clone(), Arc::clone(&parts.told));
        let fanout = Fanout::new(feed, parts.backlog, told, Box::new(teller));
        Self { parts: Some(parts), fanout: Some(fanout), ..self }
    }

    /// Refuses operations that ask for too much.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits: Some(limits), ..self }
    }

    /// Runs trusted documents, and only those if it says so.
    ///
    /// # Errors
    /// When one of them does not fit the schema, or the limits whatever its variables are: it could never run.
    pub fn with_persisted(self, persisted: Persisted) -> Result<Self, String> {
        let engine = Self { persisted, ..self };
        for (id, text) in engine.persisted.trusted() {
            engine.trust(text).map_err(|refused| format!("the document {id:?}: {}", refused.message()))?;
        }
        Ok(engine)
    }

    fn trust(&self, text: &str) -> Result<(), Refused> {
        let prepared = self.documents.get(text, &self.types)?;
        let Some(limits) = &self.limits else { return Ok(()) };
        for measured in prepared.plans().iter().filter_map(Plan::fixed) {
            measured.check(limits)?;
            if measured.introspects() && limits.introspection == Introspection::Off {
                return Err(introspection_is_off().into());
            }
        }
        Ok(())
    }

    /// Finds or parses a request's document, chooses its operation, and sees whether that may run at all.
    ///
    /// # Errors
    /// Why not: the document is not known, not GraphQL or does not fit the schema, the operation
    /// cannot be told or asks for too much, or a variable is not what it says.
    pub fn prepare(&self, call: Call, viewer: &Viewer) -> Result<Operation, Refused> {
        let Call { query, id, operation_name, variables, explain } = call;
        let text = self.persisted.text(query, id)?;
        let prepared = self.documents.get(text.as_str(), &self.types)?;
        let plan = self.judge(&prepared, operation_name.as_deref(), &variables, viewer)?;
        let document = prepared.merged(plan, &variables, &self.types)?;
        let kind = plan.kind();
        if kind == Kind::Subscription {
            one_root_field(&document)?;
        }
        let planned = (explain == Explain::Plan).then(|| prepared.measured(plan, &variables).calls());
        let (name, calls) = (plan.name().cloned(), planned.unwrap_or_default());
        self.persisted.keep(text);
        Ok(Operation { prepared, name, document, variables, explain, kind, calls, after: None })
    }

    /// Chooses the operation, and sees whether the viewer may ask for that much of it.
    fn judge<'a>(
        &self,
        prepared: &'a Prepared,
        name: Option<&str>,
        variables: &Variables,
        viewer: &Viewer,
    ) -> Result<&'a Plan, Failure> {
        let plan = prepared.plan(name)?;
        if let Some(limits) = &self.limits {
            let measured = prepared.measured(plan, variables);
            measured.check(limits)?;
            if measured.introspects() {
                may_introspect(viewer, limits.introspection)?;
            }
        }
        self.inputs.check(plan.operation(), variables)?;
        Ok(plan)
    }

    /// Runs a query or a mutation. A subscription gives its first answer.
    pub async fn execute(&self, operation: Operation, viewer: Viewer, request_id: &str) -> Answer {
        if let Err(failure) = may(&viewer, operation.kind) {
            return Answer::refused(failure);
        }
        if operation.is_plan() {
            return self.plan(&operation, &viewer, request_id).await;
        }
        let (explain, kind) = (operation.explain, operation.kind);
        let (request, asked) = self.request(operation, viewer);
        let mut answer = match AssertUnwindSafe(self.schema.execute(request)).catch_unwind().await {
            Ok(response) => finish(response),
            Err(_panic) => return Answer::refused(internal(request_id, kind)),
        };
        if let (Some(parts), Some(asked)) = (&self.parts, asked)
            && explain == Explain::Cost
            && answer.executed
        {
            explain::tell_cost(parts, &asked, &mut answer.response);
        }
        answer
    }

    /// Listens. The stream ends when the subscription does, and with an answer that was refused when it cannot begin. Panics
    /// are the caller's to catch, of this call and of the stream.
    pub fn subscribe(
        &self,
        operation: Operation,
        viewer: Viewer,
        request_id: &str,
    ) -> BoxStream<'static, Reply> {
        if let Err(failure) = may(&viewer, operation.kind) {
            return stream::once(async { Err(Answer::refused(failure).into()) }).boxed();
        }
        if operation.is_plan() {
            let planned = reply(self.plan_by_document(&operation, &viewer), None);
            return stream::once(async { planned }).boxed();
        }
        let place = Arc::new(Place::asking(operation.after.clone()));
        let shared = Arc::new(Shared::of(&operation, &viewer));
        let request_id = Arc::<str>::from(request_id);
        let request = self.request(operation, viewer).0.data(Arc::clone(&place));
        let asked = replies(self.schema.execute_stream(request), &place, Some(Arc::clone(&request_id)));
        match &self.fanout {
            Some(fanout) => Subscription::new(fanout, shared, asked, place, &request_id).boxed(),
            None => asked,
        }
    }

    fn request(&self, operation: Operation, viewer: Viewer) -> (Request, Option<Arc<Asked>>) {
        let request = request(&operation.document, operation.variables);
        match &self.parts {
            Some(parts) => {
                let asked = Arc::new(Asked::new(operation.kind, viewer, Arc::clone(parts)));
                (request.data(Arc::clone(&asked)), Some(asked))
            }
            None => (request.data(viewer), None),
        }
    }
}

fn request(document: &ExecutableDocument, variables: Variables) -> Request {
    let mut request = Request::new("").variables(variables);
    request.set_parsed_query(document.clone());
    request
}

/// What is said by responses whose places are told past them: to one request, or to whoever shares it. What would have to
/// name a request is said to nobody then.
fn replies(
    responses: BoxStream<'static, Response>,
    place: &Arc<Place>,
    request_id: Option<Arc<str>>,
) -> BoxStream<'static, Reply> {
    let place = Arc::clone(place);
    let said = move |response| {
        let (answer, reached) = (finish(response), place.take());
        match &request_id {
            Some(id) => reply(answer.named(id), reached),
            None if answer.names() => Err(answer.into()),
            None => reply(answer, reached),
        }
    };
    responses.map(said).boxed()
}

/// Tells subscriptions of events.
struct Teller<Q, M, S> {
    schema: Schema<Q, M, S>,
    parts: Arc<Parts>,
}

impl<Q, M, S> Tell for Teller<Q, M, S>
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    fn tell(
        &self,
        shared: &Shared,
        items: Vec<Item>,
        request_id: Option<Arc<str>>,
    ) -> BoxStream<'static, Reply> {
        let place = Arc::new(Place::telling(items));
        let asked = Arc::new(Asked::new(Kind::Subscription, shared.viewer.clone(), Arc::clone(&self.parts)));
        let request = request(&shared.document, shared.variables.clone());
        let responses = self.schema.execute_stream(request.data(asked).data(Arc::clone(&place)));
        replies(responses, &place, request_id)
    }
}

/// What a mutation that broke off has done is not known: whoever sends it again may do it twice.
pub(super) fn internal(request_id: &str, kind: Kind) -> Failure {
    Failure::new(Code::Internal, "something went wrong in the gateway; the request id helps to find it")
        .retryable(kind != Kind::Mutation)
        .detail("requestId", request_id)
}

/// Gives a code to what the engine itself refused, and tells "refused" from "executed".
fn finish(mut response: Response) -> Answer {
    let executed = response.data != Value::Null
        || response.errors.is_empty()
        || response.errors.iter().any(|error| !error.path.is_empty());
    if !executed {
        return Answer::refused(Refused::invalid(response.errors));
    }
    give_codes(&mut response.errors, Code::BadUserInput);
    cap(&mut response.errors, MOST_ERRORS);
    Answer { executed, response }
}
