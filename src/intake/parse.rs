//! What a delivery says, or why it cannot be understood.

use jiff::Timestamp;
use secrecy::SecretString;

use super::query::{self, SESSION_TOKEN};
use crate::domain::{Delivery, DesignId, EventKind, InvalidId, JobId, ProjectId, TenantId, event::Source};

/// The longest name of an event. Aurora's longest has 47 letters.
const MAX_EVENT_BYTES: usize = 64;

/// Why a delivery cannot be understood. The texts name parameters, never their values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The path ends in something that is no event.
    #[error("the event's name must be 1 to {MAX_EVENT_BYTES} of a-z, 0-9 and _")]
    Event,
    /// The query string is too long.
    #[error("the query string is longer than {} bytes", query::MAX_QUERY_BYTES)]
    QueryTooLong,
    /// It has too many parameters.
    #[error("there are more than {} parameters", query::MAX_PARAMETERS)]
    TooManyParameters,
    /// It is not UTF-8.
    #[error("the query string is not UTF-8")]
    Encoding,
    /// A name is empty, too long or has a control character.
    #[error(
        "a parameter's name is empty, longer than {} bytes, or has a control character",
        query::MAX_NAME_BYTES
    )]
    Name,
    /// A value is too long.
    #[error("{} is too long", shown(.0))]
    TooLong(String),
    /// A value has a control character.
    #[error("{} has a control character", shown(.0))]
    ControlCharacter(String),
    /// A parameter came twice and disagrees with itself.
    #[error("{} came more than once, with different values", shown(.0))]
    Ambiguous(String),
    /// A placeholder of the template was not replaced.
    #[error("{} is a placeholder that was not replaced", shown(.0))]
    Placeholder(String),
    /// The event cannot do without this id.
    #[error("{} is missing or empty", shown(.0))]
    Missing(String),
    /// This is no id.
    #[error("{} {why}", shown(.name))]
    Id {
        /// The parameter.
        name: String,
        /// Why not.
        why: InvalidId,
    },
}

/// A name as it may be repeated to whoever sent it, and in logs.
fn shown(name: &str) -> &str {
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if plain { name } else { "a parameter" }
}

/// A delivery, and the secret that came with it.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) delivery: Delivery,
    pub(super) session_token: Option<SecretString>,
}

pub(super) fn parse(event: &str, query: &str, received_at: Timestamp) -> Result<Parsed, Reason> {
    check_event(event)?;
    let mut parameters = query::parameters(query)?;
    for (name, value) in &parameters {
        let idle = name == JOB_ID && !has_job(event);
        if may_not_be_placeholder(name) && is_placeholder(value) && !idle {
            return Err(Reason::Placeholder(name.clone()));
        }
    }
    parameters.retain(|(name, value)| name != JOB_ID || !is_placeholder(value));
    let session_token = parameters
        .iter()
        .position(|(name, _)| name == SESSION_TOKEN)
        .map(|at| parameters.remove(at).1)
        .filter(|token| !token.is_empty())
        .map(SecretString::from);

    let kind = EventKind::of(event);
    let said = Said { parameters: &parameters, required: required(kind) };
    said.check_required()?;
    let tenant = said.id("tenant_id", TenantId::parse)?;
    let design = said.id("design_id", DesignId::parse)?;
    let project = said.id("project_id", ProjectId::parse)?;
    let job = said.id("job_id", JobId::parse)?;
    let status = said.value("status").map(str::to_owned);
    let name = event.to_owned();
    let source = Source::Webhook;
    let delivery = Delivery { name, tenant, design, project, job, status, parameters, received_at, source };
    Ok(Parsed { delivery, session_token })
}

fn check_event(event: &str) -> Result<(), Reason> {
    let sane = (1..=MAX_EVENT_BYTES).contains(&event.len())
        && event.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if sane { Ok(()) } else { Err(Reason::Event) }
}

/// The id without which an event says nothing.
fn required(kind: EventKind) -> Option<&'static str> {
    match kind {
        EventKind::PerformanceSimulationJobCompleted => Some("design_id"),
        EventKind::ProjectCreated | EventKind::ProjectChanged => Some("project_id"),
        EventKind::AgreementStatusChanged => Some("agreement_id"),
        EventKind::Other => None,
    }
}

const JOB_ID: &str = "job_id";

/// Every template of ours asks for a job, also where the event has none: what Aurora does with a placeholder that an event
/// does not have is not published, and it may leave it as it is.
fn has_job(event: &str) -> bool {
    event.contains("_job_")
}

fn may_not_be_placeholder(name: &str) -> bool {
    name.ends_with("_id") || name == "status" || name == SESSION_TOKEN
}

/// `<DESIGN_ID>`: what Aurora's template says where it knows no value, or the name is misspelt there.
fn is_placeholder(value: &str) -> bool {
    value
        .trim()
        .strip_prefix('<')
        .and_then(|rest| rest.strip_suffix('>'))
        .is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_- ".contains(&byte)))
}

/// What the parameters say. A placeholder for which Aurora has no value arrives empty, so empty is absent.
struct Said<'a> {
    parameters: &'a [(String, String)],
    required: Option<&'static str>,
}

impl Said<'_> {
    fn value(&self, wanted: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    fn id<T>(&self, name: &str, parse: fn(&str) -> Result<T, InvalidId>) -> Result<Option<T>, Reason> {
        let id = self.value(name).map(parse).transpose();
        id.map_err(|why| Reason::Id { name: name.to_owned(), why })
    }

    /// The required id has no field of its own in every delivery, so it is checked as any id would be.
    fn check_required(&self) -> Result<(), Reason> {
        let Some(name) = self.required else { return Ok(()) };
        match self.id(name, ProjectId::parse) {
            Ok(None) | Err(Reason::Id { why: InvalidId::Empty, .. }) => Err(Reason::Missing(name.to_owned())),
            checked => checked.map(drop),
        }
    }
}
