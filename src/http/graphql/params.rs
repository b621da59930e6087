//! A request's parameters, from a JSON body, a query string or a WebSocket payload, into one [`Call`].
//!
//! Invariants: what is wrong is said by the member's name and in our own words; a member that comes twice is
//! refused, since two readers of it could disagree. Not here: whether the document is worth anything.

use std::borrow::Cow;

use async_graphql::Variables;
use serde::Deserialize;
use serde_json::{error::Category, value::RawValue};
use url::form_urlencoded;

use super::tokens;
use crate::{
    graphql::{Call, Code, Explain, Failure},
    http::Config,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Members<'a> {
    #[serde(borrow)]
    query: Option<&'a RawValue>,
    #[serde(borrow)]
    operation_name: Option<&'a RawValue>,
    #[serde(borrow)]
    variables: Option<&'a RawValue>,
    #[serde(borrow)]
    extensions: Option<&'a RawValue>,
    #[serde(borrow)]
    document_id: Option<&'a RawValue>,
}

/// What of `extensions` means something here. Other members are other people's.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Extensions<'a> {
    #[serde(borrow)]
    persisted_query: Option<&'a RawValue>,
}

/// Apollo's way to name a document.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PersistedQuery {
    version: u8,
    sha256_hash: String,
}

/// Whether a JSON body is a list.
pub(in crate::http) fn is_batch(body: &[u8]) -> bool {
    body.trim_ascii_start().first() == Some(&b'[')
}

/// The requests in a JSON list, at most so many, each with what is wrong with it alone.
pub(in crate::http) fn from_list(body: &[u8], most: usize) -> Result<Vec<Result<Call, Failure>>, Failure> {
    if most <= 1 {
        return Err(bad("batches are not accepted: send one operation at a time"));
    }
    let requests: Vec<&RawValue> = serde_json::from_slice(body).map_err(|error| not_json(&error))?;
    match requests.len() {
        0 => Err(bad("the batch is empty")),
        number if number > most => {
            let message = format!("the batch has {number} operations, and {most} are allowed");
            let failure = Failure::new(Code::OperationTooExpensive, message);
            Err(failure.detail("limit", most as u64).detail("found", number as u64))
        }
        _ => Ok(requests.into_iter().map(|it| from_json(it.get().as_bytes())).collect()),
    }
}

/// The parameters in a JSON object.
pub(in crate::http) fn from_json(body: &[u8]) -> Result<Call, Failure> {
    match body.trim_ascii_start().first() {
        Some(b'{') => {}
        Some(b'[') => return Err(bad("batches are not accepted: send one operation at a time")),
        Some(_) => return Err(bad("the request must be a JSON object")),
        None => return Err(bad("the request is empty: a JSON object with \"query\" was expected")),
    }
    let members: Members<'_> = serde_json::from_slice(body).map_err(|error| match error.classify() {
        Category::Data => bad("the request names a member twice"),
        _ => not_json(&error),
    })?;
    let text = |name, raw: Option<&RawValue>| {
        raw.map(|raw| read::<String>(name, raw.get(), '"', "a string")).transpose()
    };
    let query = text("query", members.query)?;
    let operation_name = text("operationName", members.operation_name)?;
    let document_id = text("documentId", members.document_id)?;
    let (variables, extensions) =
        (members.variables.map(RawValue::get), members.extensions.map(RawValue::get));
    assemble(query, document_id, operation_name, variables, extensions)
}

/// The parameters in a URL's query string.
pub(in crate::http) fn from_query(query: &str) -> Result<Call, Failure> {
    let [mut document, mut document_id, mut operation_name, mut variables, mut extensions] =
        [const { None::<Cow<'_, str>> }; 5];
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let slot = match &*name {
            "query" => &mut document,
            "documentId" => &mut document_id,
            "operationName" => &mut operation_name,
            "variables" => &mut variables,
            "extensions" => &mut extensions,
            _ => continue,
        };
        if slot.replace(value).is_some() {
            return Err(bad(format!("the parameter {name:?} is given twice")));
        }
    }
    // A form with an empty field means that the field was not filled in.
    let filled = |it: Option<Cow<'_, str>>| it.filter(|it| !it.is_empty()).map(Cow::into_owned);
    let json = |it: Option<Cow<'_, str>>| filled(it).filter(|it| it.trim() != "null");
    let (variables, extensions) = (json(variables), json(extensions));
    let (document, document_id) = (filled(document), filled(document_id));
    assemble(document, document_id, filled(operation_name), variables.as_deref(), extensions.as_deref())
}

/// Refuses a document that would be too long to parse.
pub(in crate::http) fn check_length(call: &Call, config: &Config) -> Result<(), Failure> {
    let too_long = |limit: usize, unit: &str| {
        let message = format!("the document is longer than {limit} {unit}");
        Err(Failure::new(Code::OperationTooExpensive, message))
    };
    let Some(query) = &call.query else { return Ok(()) };
    if query.len() > config.document_bytes {
        return too_long(config.document_bytes, "bytes");
    }
    if tokens::exceed(query, config.document_tokens) {
        return too_long(config.document_tokens, "tokens");
    }
    Ok(())
}

fn assemble(
    query: Option<String>,
    document_id: Option<String>,
    operation_name: Option<String>,
    variables: Option<&str>,
    extensions: Option<&str>,
) -> Result<Call, Failure> {
    let variables = match variables {
        Some(text) => read::<Variables>("variables", text, '{', "an object")?,
        None => Variables::default(),
    };
    let hash = extensions.map(persisted_hash).transpose()?.flatten();
    if document_id.is_some() && hash.is_some() {
        return Err(bad("\"documentId\" and \"persistedQuery\" both name a document: send one of them"));
    }
    let id = document_id.or(hash);
    if query.is_none() && id.is_none() {
        return Err(bad("\"query\" is missing"));
    }
    Ok(Call { query, id, operation_name, variables, explain: Explain::No })
}

/// The hash in `extensions.persistedQuery`, as Apollo's clients write it.
fn persisted_hash(extensions: &str) -> Result<Option<String>, Failure> {
    let extensions: Extensions<'_> = read("extensions", extensions, '{', "an object")?;
    let Some(named) = extensions.persisted_query else { return Ok(None) };
    match serde_json::from_str(named.get()) {
        Ok(PersistedQuery { version: 1, sha256_hash }) => Ok(Some(sha256_hash)),
        _ => Err(bad("\"persistedQuery\" must be an object with the version 1 and a \"sha256Hash\"")),
    }
}

fn not_json(error: &serde_json::Error) -> Failure {
    bad(format!("the request is not JSON: line {}, column {}", error.line(), error.column()))
}

/// Reads one member, whose JSON must begin with `first` to be of the right type.
fn read<'a, T: Deserialize<'a>>(name: &str, json: &'a str, first: char, article: &str) -> Result<T, Failure> {
    if !json.trim_start().starts_with(first) {
        return Err(bad(format!("{name:?} must be {article}")));
    }
    serde_json::from_str(json).map_err(|_library| bad(format!("{name:?} is not well-formed JSON")))
}

fn bad(message: impl Into<String>) -> Failure {
    Failure::new(Code::BadUserInput, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> String {
        from_json(body.as_bytes()).unwrap_err().message
    }

    #[test]
    fn a_body_gives_a_call_and_null_members_count_as_absent() {
        let call = from_json(
            br#" {"query":"{a}","operationName":"A","variables":{"x":[1]},"extensions":{},"id":7}"#,
        )
        .unwrap();
        assert_eq!((call.query.as_deref(), call.operation_name.as_deref()), (Some("{a}"), Some("A")));
        assert_eq!(call.variables.len(), 1);

        let call =
            from_json(br#"{"query":"{a}","operationName":null,"variables":null,"extensions":null}"#).unwrap();
        assert!(call.operation_name.is_none() && call.variables.is_empty());
    }

    #[test]
    fn what_is_wrong_with_a_body_is_said_by_name() {
        for (body, message) in [
            ("", "the request is empty: a JSON object with \"query\" was expected"),
            ("[]", "batches are not accepted: send one operation at a time"),
            ("7", "the request must be a JSON object"),
            ("{", "the request is not JSON: line 1, column 1"),
            ("{}", "\"query\" is missing"),
            (r#"{"query":null}"#, "\"query\" is missing"),
            (r#"{"query":7}"#, "\"query\" must be a string"),
            (r#"{"query":"\ud800"}"#, "\"query\" is not well-formed JSON"),
            (r#"{"query":"{a}","query":"{b}"}"#, "the request names a member twice"),
            (r#"{"query":"{a}","operationName":[]}"#, "\"operationName\" must be a string"),
            (r#"{"query":"{a}","variables":"x"}"#, "\"variables\" must be an object"),
            (r#"{"query":"{a}","variables":[]}"#, "\"variables\" must be an object"),
            (r#"{"query":"{a}","extensions":1}"#, "\"extensions\" must be an object"),
        ] {
            assert_eq!(refused(body), message, "{body}");
        }
    }

    #[test]
    fn a_query_string_gives_the_same_call_by_the_names_of_the_specification() {
        let call = from_query("query=%7Ba%7D&operationName=A&variables=%7B%22x%22%3A1%7D&other=1").unwrap();
        assert_eq!((call.query.as_deref(), call.operation_name.as_deref()), (Some("{a}"), Some("A")));
        assert_eq!(call.variables.len(), 1);
        let call = from_query("query={a}&operationName=&variables=&extensions=null").unwrap();
        assert!(call.operation_name.is_none());
        for (query, message) in [
            ("", "\"query\" is missing"),
            ("query={a}&query={b}", "the parameter \"query\" is given twice"),
            ("query={a}&variables=[]", "\"variables\" must be an object"),
            ("query={a}&variables={", "\"variables\" is not well-formed JSON"),
        ] {
            assert_eq!(from_query(query).unwrap_err().message, message, "{query}");
        }
    }

    #[test]
    fn a_document_may_be_named_instead_of_sent() {
        let hash = r#"{"persistedQuery":{"version":1,"sha256Hash":"ab"},"other":{}}"#;
        let call = from_json(format!(r#"{{"extensions":{hash}}}"#).as_bytes()).unwrap();
        assert_eq!((call.query, call.id.as_deref()), (None, Some("ab")));
        let call = from_query(&format!("extensions={hash}")).unwrap();
        assert_eq!(call.id.as_deref(), Some("ab"));
        let call = from_json(br#"{"documentId":"summary-1"}"#).unwrap();
        assert_eq!(call.id.as_deref(), Some("summary-1"));
        for wrong in [
            format!(r#"{{"documentId":"a","extensions":{hash}}}"#),
            r#"{"extensions":{"persistedQuery":{"version":2,"sha256Hash":"ab"}}}"#.to_owned(),
            r#"{"extensions":{"persistedQuery":7}}"#.to_owned(),
        ] {
            assert_eq!(from_json(wrong.as_bytes()).unwrap_err().code, Code::BadUserInput, "{wrong}");
        }
    }

    #[test]
    fn a_batch_has_its_own_limit_and_each_of_its_requests_its_own_faults() {
        let body = br#" [{"query":"{a}"}, {}, {"query":"{b}"}]"#;
        assert!(is_batch(body));
        let calls = from_list(body, 3).unwrap();
        assert_eq!(calls.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
        for (most, code) in [(1, Code::BadUserInput), (2, Code::OperationTooExpensive)] {
            assert_eq!(from_list(body, most).unwrap_err().code, code);
        }
        assert_eq!(from_list(b"[]", 3).unwrap_err().message, "the batch is empty");
        assert!(from_list(b"[{]", 3).unwrap_err().message.contains("not JSON"));
    }

    #[test]
    fn a_document_over_the_limits_is_refused_before_it_is_parsed() {
        let config = Config { document_bytes: 10, document_tokens: 4, ..Config::default() };
        let check = |query: &str| {
            check_length(&Call { query: Some(query.into()), ..Call::default() }, &config)
                .map_err(|it| it.message)
        };
        assert_eq!(check("{ a b }"), Ok(()));
        assert_eq!(check("{ a b c }"), Err("the document is longer than 4 tokens".into()));
        assert_eq!(check("{        a }"), Err("the document is longer than 10 bytes".into()));
    }
}
