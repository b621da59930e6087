//! What an operation costs Aurora: told beside its answer, or told instead of running it.
//!
//! A plan goes through the operation's own resolvers with a catalog that asks for nothing, three times: with memory as
//! it is, empty, and full. Invariants: a plan changes nothing and costs nothing; a mutation is gone through only if all
//! of it is known to be harmless that way; whoever may not run an operation may not plan it.

use std::{collections::BTreeMap, panic::AssertUnwindSafe, sync::Arc};

use async_graphql::{
    Name, ObjectType, Request, Response, ServerError, SubscriptionType, Value,
    parser::types::{DocumentOperations, ExecutableDocument, Selection, SelectionSet},
    value,
};
use futures_util::FutureExt;

use super::{Answer, Engine, Kind, Operation, internal};
use crate::{
    catalog::{Cost, Memory},
    domain::{TenantId, Viewer},
    graphql::context::{Asked, Parts},
};

/// What a caller wants to know of an operation's cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Explain {
    /// Nothing.
    #[default]
    No,
    /// What it did cost.
    Cost,
    /// What it would cost; it is not to be run.
    Plan,
}

impl Explain {
    /// By the value of the header `x-heliograph-explain`. What is not known asks for nothing.
    #[must_use]
    pub fn of(header: &[u8]) -> Self {
        match header {
            b"1" => Self::Cost,
            b"plan" => Self::Plan,
            _ => Self::No,
        }
    }
}

/// The mutations that ask only the catalog, through the request's own usage, which sends nothing when it plans. Any other
/// is never gone through; its calls are counted on the document alone.
const HARMLESS: [&str; 2] = ["createProject", "__typename"];

/// The query that asks Aurora past the catalog, once in some minutes: for the subscriptions that it holds.
const ASKS_BY_ITSELF: &str = "webhookHealth";

/// The figures of one plan.
struct Plan {
    now: Cost,
    cold: Cost,
    warm: Cost,
}

impl<Q, M, S> Engine<Q, M, S>
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    /// What a query or a mutation would cost. The viewer may run it.
    pub(super) async fn plan(&self, operation: &Operation, viewer: &Viewer, request_id: &str) -> Answer {
        let Some(parts) = self.parts.as_ref().filter(|_| is_harmless(operation)) else {
            return self.plan_by_document(operation, viewer);
        };
        let mut costs = Vec::new();
        let (mut errors, mut concern) = (Vec::new(), None);
        for memory in [Memory::AsItIs, Memory::Empty, Memory::Full] {
            let mut request = Request::new("").variables(operation.variables.clone());
            request.set_parsed_query((*operation.document).clone());
            let asked = Arc::new(Asked::planning(operation.kind, viewer.clone(), Arc::clone(parts), memory));
            let run = self.schema.execute(request.data(Arc::clone(&asked)));
            let Ok(response) = AssertUnwindSafe(run).catch_unwind().await else {
                return Answer::refused(internal(request_id, Kind::Query));
            };
            costs.extend(asked.usage.planning().map(|it| it.cost()));
            if memory == Memory::AsItIs {
                (errors, concern) = (response.errors, asked.sole_concern());
            }
        }
        let Ok([now, cold, warm]) = <[Cost; 3]>::try_from(costs) else {
            return Answer::refused(internal(request_id, Kind::Query));
        };
        answer(parts, concern.as_ref(), &Plan { now, cold, warm }, errors)
    }

    /// What the document says of its own cost, at the worst: of a subscription, for each event.
    pub(super) fn plan_by_document(&self, operation: &Operation, viewer: &Viewer) -> Answer {
        let Some(parts) = &self.parts else { return Answer::refused(internal("", Kind::Query)) };
        let calls = u32::try_from(operation.calls).unwrap_or(u32::MAX);
        let tenant = viewer.sole_tenant();
        let (now, ever) = tenant.filter(|_| calls > 0).map_or((0, 0), |it| parts.catalog.key_cost(it));
        let cost = |calls: u32| Cost { calls, exact: calls == 0, requests: BTreeMap::new() };
        let warm = if operation.kind == Kind::Mutation { calls } else { 0 };
        let plan = Plan {
            now: cost(calls.saturating_add(now)),
            cold: cost(calls.saturating_add(ever)),
            warm: cost(warm),
        };
        answer(parts, tenant, &plan, Vec::new())
    }
}

fn answer(
    parts: &Parts,
    tenant: Option<&TenantId>,
    Plan { now, cold, warm }: &Plan,
    errors: Vec<ServerError>,
) -> Answer {
    let upstream = value!({
        "plan": { "now": figures(now), "cold": figures(cold), "warm": figures(warm) },
        "budget": tenant.and_then(|it| budget(parts, it)).unwrap_or(Value::Null),
    });
    let mut response = Response::new(Value::Null);
    response.errors = errors;
    response.extensions.insert("upstream".to_owned(), upstream);
    Answer { executed: true, response }
}

fn figures(cost: &Cost) -> Value {
    let requests =
        cost.requests.iter().map(|(request, calls)| value!({ "request": *request, "calls": *calls }));
    value!({ "calls": cost.calls, "exact": cost.exact, "requests": Value::List(requests.collect()) })
}

/// Says what the operation cost, where it concerned one tenant: a budget is a tenant's.
pub(super) fn tell_cost(parts: &Parts, asked: &Asked, response: &mut Response) {
    let Some(tenant) = asked.sole_concern() else { return };
    let usage = &asked.usage;
    let upstream = value!({
        "calls": usage.calls(),
        "cacheHits": usage.hits(),
        "coalesced": usage.coalesced(),
        "budget": budget(parts, &tenant).unwrap_or(Value::Null),
        "breaker": parts.catalog.standing(&tenant).name(),
    });
    response.extensions.insert("upstream".to_owned(), upstream);
}

fn budget(parts: &Parts, tenant: &TenantId) -> Option<Value> {
    let budget = parts.catalog.budget(tenant)?;
    Some(value!({
        "limit": budget.limit,
        "remaining": budget.remaining,
        "resetsInMs": u64::try_from(budget.resets_in.as_millis()).unwrap_or(u64::MAX),
    }))
}

/// Whether going through its resolvers without a catalog that acts does nothing at all.
fn is_harmless(operation: &Operation) -> bool {
    match operation.kind {
        Kind::Query => !roots(&operation.document).iter().any(|it| it.as_str() == ASKS_BY_ITSELF),
        Kind::Mutation => roots(&operation.document).iter().all(|it| HARMLESS.contains(&it.as_str())),
        Kind::Subscription => false,
    }
}

/// The fields at the root of a document's operations.
fn roots(document: &ExecutableDocument) -> Vec<&Name> {
    fn collect<'a>(document: &'a ExecutableDocument, set: &'a SelectionSet, names: &mut Vec<&'a Name>) {
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => names.push(&field.node.name.node),
                Selection::InlineFragment(inline) => {
                    collect(document, &inline.node.selection_set.node, names);
                }
                // Judged before: no fragment spreads itself, and each is there.
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                        collect(document, &fragment.node.selection_set.node, names);
                    }
                }
            }
        }
    }
    let mut names = Vec::new();
    match &document.operations {
        DocumentOperations::Single(operation) => {
            collect(document, &operation.node.selection_set.node, &mut names);
        }
        DocumentOperations::Multiple(operations) => {
            for operation in operations.values() {
                collect(document, &operation.node.selection_set.node, &mut names);
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::parser::parse_query;

    #[test]
    fn a_root_is_found_through_fragments() {
        let document = parse_query(
            "mutation { ... on Mutation { a: createProject } ...F } fragment F on Mutation { b: eraseAll }",
        )
        .unwrap();
        let names: Vec<_> = roots(&document).into_iter().map(Name::as_str).collect();
        assert_eq!(names, ["createProject", "eraseAll"]);
    }

    #[test]
    fn only_the_known_words_ask_for_something() {
        assert_eq!((Explain::of(b"1"), Explain::of(b"plan")), (Explain::Cost, Explain::Plan));
        for other in [&b""[..], b"0", b"true", b"Plan", b"plan ", b"1, plan", b"\xff"] {
            assert_eq!(Explain::of(other), Explain::No);
        }
    }
}
