//! The engine with its types forgotten, so that transports need not name the schema's roots.
//!
//! Invariants: a mutation that has begun runs to its end, whoever stops listening; what went wrong in the gateway itself
//! leaves with the request's id; a panic costs one operation, and no socket. Not here: what a transport makes of an
//! [`Answer`].

use std::{fmt, panic::AssertUnwindSafe, sync::Arc};

use async_graphql::{ObjectType, SubscriptionType};
use futures_util::{
    FutureExt, StreamExt,
    future::BoxFuture,
    stream::{self, BoxStream},
};

use super::{
    answer::{Answer, Refused, Reply, reply},
    engine::{Call, Engine, Kind, Operation, internal},
    error::{Code, Failure},
};
use crate::domain::Viewer;

/// What transports hold: prepares, executes and subscribes. Cheap to clone.
#[derive(Clone)]
pub struct Doorway(Arc<dyn Run>);

impl fmt::Debug for Doorway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doorway").finish_non_exhaustive()
    }
}

impl Doorway {
    /// The doorway to an engine.
    #[must_use]
    pub fn new<Q, M, S>(engine: Engine<Q, M, S>) -> Self
    where
        Q: ObjectType + 'static,
        M: ObjectType + 'static,
        S: SubscriptionType + 'static,
    {
        Self(Arc::new(engine))
    }

    /// Finds or parses a request's document, chooses its operation, and sees whether that may run at all.
    ///
    /// # Errors
    /// As [`Engine::prepare`].
    pub fn prepare(&self, call: Call, viewer: &Viewer) -> Result<Operation, Refused> {
        self.0.prepare(call, viewer)
    }

    /// Runs a query or a mutation.
    pub async fn execute(&self, operation: Operation, viewer: Viewer, request_id: &str) -> Answer {
        if operation.kind() != Kind::Mutation {
            return self.0.execute(operation, viewer, request_id).await.named(request_id);
        }
        let (run, id) = (Arc::clone(&self.0), request_id.to_owned());
        // In a task of its own: a caller who hangs up must not leave a write half done.
        let task = tokio::spawn(async move { run.execute(operation, viewer, &id).await });
        let answer = task.await.unwrap_or_else(|_stopped| {
            let failure = Failure::new(Code::Internal, "the gateway stopped before the mutation ended");
            Answer::refused(failure.retryable(false))
        });
        answer.named(request_id)
    }

    /// Everything an operation answers: one answer for a query or a mutation, any number for a subscription. Nothing happens
    /// before the first look at it. What breaks off, then or later, is refused and ends; whoever looks goes on.
    #[must_use]
    pub fn answers(
        &self,
        operation: Operation,
        viewer: Viewer,
        request_id: &str,
    ) -> BoxStream<'static, Reply> {
        let (doorway, kind, id) = (self.clone(), operation.kind(), Arc::<str>::from(request_id));
        let request_id = Arc::clone(&id);
        let said = async move {
            if kind == Kind::Subscription {
                return doorway.0.subscribe(operation, viewer, &id);
            }
            let answer = doorway.execute(operation, viewer, &id).await;
            stream::once(async { reply(answer, None) }).boxed()
        };
        let said = AssertUnwindSafe(said.flatten_stream()).catch_unwind();
        let broke_off = move |_panic| Err(Answer::refused(internal(&request_id, kind)).into());
        said.map(move |item| item.unwrap_or_else(&broke_off)).boxed()
    }
}

trait Run: Send + Sync {
    fn prepare(&self, call: Call, viewer: &Viewer) -> Result<Operation, Refused>;

    fn execute<'a>(
        &'a self,
        operation: Operation,
        viewer: Viewer,
        request_id: &'a str,
    ) -> BoxFuture<'a, Answer>;

    fn subscribe(&self, operation: Operation, viewer: Viewer, request_id: &str) -> BoxStream<'static, Reply>;
}

impl<Q, M, S> Run for Engine<Q, M, S>
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    fn prepare(&self, call: Call, viewer: &Viewer) -> Result<Operation, Refused> {
        Self::prepare(self, call, viewer)
    }

    fn execute<'a>(
        &'a self,
        operation: Operation,
        viewer: Viewer,
        request_id: &'a str,
    ) -> BoxFuture<'a, Answer> {
        Self::execute(self, operation, viewer, request_id).boxed()
    }

    fn subscribe(&self, operation: Operation, viewer: Viewer, request_id: &str) -> BoxStream<'static, Reply> {
        Self::subscribe(self, operation, viewer, request_id)
    }
}
