//! A request's parameters, from a JSON body, a query string or a WebSocket payload, into one [`Call`].
//!
//! Invariants: what is wrong is said by the member's name and in our own words; a member that comes twice is
//! refused, since two readers of it could disagree. Not here: whether the document is worth anything.

use std::borrow::Cow;

use async_graphql::Variables;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{error::Category, value::RawValue};
use url::form_urlencoded;

use super::tokens;
use crate::{
    graphql::{Call, Code, Failure},
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
}

/// The parameters in a JSON object.
pub(in crate::http) fn from_json(body: &[u8]) -> Result<Call, Failure> {
    match body.trim_ascii_start().first() {
        Some(b'{') => {}
        Some(b'[') => return Err(bad("batches are not accepted: send one operation at a time")),
        Some(_) => return Err(bad("the request must be a JSON object")),
        None => return Err(bad("the request is empty: a JSON object with \"query\" was expected")),
    }
    let members: Members<'_> = serde_json::from_slice(body).map_err(|error| {
        if error.classify() == Category::Data {
            return bad("the request names a member twice");
        }
        bad(format!("the request is not JSON: line {}, column {}", error.line(), error.column()))
    })?;
    let text = |name, raw: Option<&RawValue>| {
        raw.map(|raw| read::<String>(name, raw.get(), '"', "a string")).transpose()
    };
    let query = text("query", members.query)?;
    let operation_name = text("operationName", members.operation_name)?;
    assemble(
        query,
        operation_name,
        members.variables.map(RawValue::get),
        members.extensions.map(RawValue::get),
    )
}

/// The parameters in a URL's query string.
pub(in crate::http) fn from_query(query: &str) -> Result<Call, Failure> {
    let [mut document, mut operation_name, mut variables, mut extensions] =
        [const { None::<Cow<'_, str>> }; 4];
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let slot = match &*name {
            "query" => &mut document,
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
    assemble(filled(document), filled(operation_name), variables.as_deref(), extensions.as_deref())
}

/// Refuses a document that would be too long to parse.
pub(in crate::http) fn check_length(call: &Call, config: &Config) -> Result<(), Failure> {
    let too_long = |limit: usize, unit: &str| {
        let message = format!("the document is longer than {limit} {unit}");
        Err(Failure::new(Code::OperationTooExpensive, message))
    };
    if call.query.len() > config.document_bytes {
        return too_long(config.document_bytes, "bytes");
    }
    if tokens::exceed(&call.query, config.document_tokens) {
        return too_long(config.document_tokens, "tokens");
    }
    Ok(())
}

fn assemble(
    query: Option<String>,
    operation_name: Option<String>,
    variables: Option<&str>,
    extensions: Option<&str>,
) -> Result<Call, Failure> {
    let variables = match variables {
        Some(text) => read::<Variables>("variables", text, '{', "an object")?,
        None => Variables::default(),
    };
    let extensions = match extensions {
        Some(text) => read::<serde_json::Map<_, _>>("extensions", text, '{', "an object")?,
        None => serde_json::Map::new(),
    };
    let Some(query) = query else {
        // Clients that ask by hash send the text too once they are told this code.
        if extensions.contains_key("persistedQuery") {
            return Err(Failure::new(Code::PersistedQueryNotFound, "PersistedQueryNotFound"));
        }
        return Err(bad("\"query\" is missing"));
    };
    Ok(Call { query, operation_name, variables, explain: false })
}

/// Reads one member, whose JSON must begin with `first` to be of the right type.
fn read<T: DeserializeOwned>(name: &str, json: &str, first: char, article: &str) -> Result<T, Failure> {
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
        assert_eq!((call.query.as_str(), call.operation_name.as_deref()), ("{a}", Some("A")));
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
        assert_eq!((call.query.as_str(), call.operation_name.as_deref()), ("{a}", Some("A")));
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
    fn a_hash_without_a_text_is_answered_so_that_the_client_sends_the_text() {
        let body = br#"{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"ab"}}}"#;
        assert_eq!(from_json(body).unwrap_err().code, Code::PersistedQueryNotFound);
    }

    #[test]
    fn a_document_over_the_limits_is_refused_before_it_is_parsed() {
        let config = Config { document_bytes: 10, document_tokens: 4, ..Config::default() };
        let check = |query: &str| {
            check_length(&Call { query: query.into(), ..Call::default() }, &config).map_err(|it| it.message)
        };
        assert_eq!(check("{ a b }"), Ok(()));
        assert_eq!(check("{ a b c }"), Err("the document is longer than 4 tokens".into()));
        assert_eq!(check("{        a }"), Err("the document is longer than 10 bytes".into()));
    }
}
