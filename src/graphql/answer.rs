//! What comes of an operation: refused, or executed; and its JSON, written once for all who read it.
//!
//! Invariant: what was refused has errors and no data. Not here: how a transport wraps it.

use std::sync::Arc;

use async_graphql::{ErrorExtensionValues, Response, ServerError, Value};

use super::{
    error::{Code, Failure},
    place::Reached,
};
use crate::domain::Seq;

/// Why a request does not run: never empty, and every error has a code.
#[derive(Debug)]
pub struct Refused(Vec<ServerError>);

/// Errors of a request that was refused: nobody mends more at a time, and a document of nonsense has hundreds.
pub(super) const MOST_REFUSALS: usize = 20;

impl Refused {
    /// What validation has against a document.
    pub(super) fn invalid(mut errors: Vec<ServerError>) -> Self {
        give_codes(&mut errors, Code::GraphqlValidationFailed);
        cap(&mut errors, MOST_REFUSALS);
        Self(errors)
    }

    /// The first reason.
    pub(super) fn message(&self) -> &str {
        self.0.first().map_or("", |it| &it.message)
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self(vec![failure.into()])
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
    pub fn refused(why: impl Into<Refused>) -> Self {
        Self { executed: false, response: Response::from_errors(why.into().0) }
    }

    /// Names the request in every error of ours that does not yet: the operator finds by it what the caller is not told.
    #[must_use]
    pub fn named(mut self, request_id: &str) -> Self {
        for error in &mut self.response.errors {
            let Some(extensions) = error.extensions.as_mut().filter(|it| is_ours(it)) else { continue };
            if extensions.get("requestId").is_none() {
                extensions.set("requestId", request_id);
            }
        }
        self
    }

    /// Whether somebody's request is named in it, or has to be.
    pub(super) fn names(&self) -> bool {
        self.response.errors.iter().filter_map(|it| it.extensions.as_ref()).any(is_ours)
    }

    /// The answer as JSON: `errors` before `data`, and no `data` where nothing ran.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let written = if self.executed {
            serde_json::to_vec(&self.response)
        } else {
            serde_json::to_vec(&serde_json::json!({ "errors": self.response.errors }))
        };
        written.unwrap_or_else(|_| UNWRITABLE.as_bytes().to_vec())
    }
}

fn is_ours(extensions: &ErrorExtensionValues) -> bool {
    extensions.get("code").is_some_and(|it| *it == Value::from(Code::Internal.text()))
}

const UNWRITABLE: &str = r#"{"errors":[{"message":"the answer could not be written","extensions":{"code":"INTERNAL","retryable":true}}]}"#;

/// An answer that was executed, written once. Subscribers of the same thing share it.
#[derive(Debug)]
pub struct Frame {
    json: String,
    cursor: Option<Arc<str>>,
    seq: Option<Seq>,
    failed: bool,
}

impl Frame {
    /// Writes an answer that has this place in the order of events, or none.
    #[must_use]
    pub fn of(answer: &Answer, reached: Option<Reached>) -> Self {
        let json = String::from_utf8(answer.to_json()).unwrap_or_else(|_| UNWRITABLE.to_owned());
        let (seq, cursor) = reached.map_or((None, None), |it| (it.seq, Some(it.cursor.into())));
        Self { json, cursor, seq, failed: !answer.response.errors.is_empty() }
    }

    /// Its JSON.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.json
    }

    /// Of an event, its cursor, whether or not the document asks for it.
    #[must_use]
    pub fn cursor(&self) -> Option<&Arc<str>> {
        self.cursor.as_ref()
    }

    /// Of an event of the journal, its place.
    #[must_use]
    pub fn seq(&self) -> Option<Seq> {
        self.seq
    }

    /// Whether there are errors in it.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.failed
    }
}

/// What an operation says: an answer, or that it was refused and why.
pub type Reply = Result<Arc<Frame>, Box<Answer>>;

/// The answer as it is handed on.
///
/// # Errors
/// With the answer itself, where it was refused.
pub fn reply(answer: Answer, reached: Option<Reached>) -> Reply {
    if answer.executed { Ok(Arc::new(Frame::of(&answer, reached))) } else { Err(Box::new(answer)) }
}

/// Gives a code to errors that have none.
pub(super) fn give_codes(errors: &mut [ServerError], code: Code) {
    for error in errors {
        if error.extensions.as_ref().is_none_or(|it| it.get("code").is_none()) {
            error.extensions = Some(Failure::new(code, "").extensions());
        }
    }
}

/// Keeps the first errors, and says of how many others there is no more to tell.
pub(super) fn cap(errors: &mut Vec<ServerError>, most: usize) {
    let left_out = errors.len().saturating_sub(most);
    errors.truncate(most);
    if let (Some(last), 1..) = (errors.last_mut(), left_out) {
        last.message.push_str(&format!(" (and {left_out} more errors, left out)"));
    }
}
