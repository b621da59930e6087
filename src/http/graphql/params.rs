//! A request's parameters, from a JSON body, a query string or a WebSocket payload, into one [`Call`].
//!
//! Invariants: what is wrong is said by the member's name and in our own words; a member that comes twice is
//! refused, since two readers of it could disagree. Not here: whether the document is worth anything.

use std::borrow::Cow;

use async_graphql::Variables;
use serde::Deserialize;
use serde_json::{error::Category, value::RawValue};
use url::form_urlencoded;

use super::tokens::{self, DEEPEST, Excess};
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

/// Refuses a document that would be too long or too deep to parse.
pub(in crate::http) fn check_length(call: &Call, config: &Config) -> Result<(), Failure> {
    let too_long = |limit: usize, unit: &str| {
        let message = format!("the document is longer than {limit} {unit}");
        Err(Failure::new(Code::OperationTooExpensive, message))
    };
    let Some(query) = &call.query else { return Ok(()) };
    if query.len() > config.document_bytes {
        return too_long(config.document_bytes, "bytes");
    }
    match tokens::excess(query, config.document_tokens) {
        Some(Excess::Tokens) => too_long(config.document_tokens, "tokens"),
        Some(Excess::Nesting) => {
            let message = format!("the document nests deeper than {DEEPEST} brackets within one another");
            Err(Failure::new(Code::OperationTooExpensive, message))
        }
        None => Ok(()),
    }
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
    Ok(Call { query, id, operation_name, variables, explain: false })
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
    use proptest::prelude::*;

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

    /// JSON as people and machines write it, and sometimes not quite.
    fn json() -> impl Strategy<Value = String> {
        let value = prop_oneof![
            Just("null".to_owned()),
            any::<bool>().prop_map(|it| it.to_string()),
            any::<i64>().prop_map(|it| it.to_string()),
            any::<String>().prop_map(|it| serde_json::Value::from(it).to_string()),
            "[ -~]{0,12}",
        ];
        value.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(|all| format!("[{}]", all.join(","))),
                prop::collection::vec(("[a-zA-Z0-9]{1,16}", inner), 0..4).prop_map(|all| {
                    let members: Vec<_> = all.iter().map(|(name, it)| format!("\"{name}\":{it}")).collect();
                    format!("{{{}}}", members.join(","))
                }),
            ]
        })
    }

    const MEMBERS: [&str; 5] = ["query", "operationName", "documentId", "variables", "extensions"];

    fn refused_well(outcome: &Result<Call, Failure>) -> bool {
        outcome.as_ref().err().is_none_or(|it| {
            let known = matches!(it.code, Code::BadUserInput | Code::OperationTooExpensive);
            known && !it.message.is_empty() && it.message.len() < 256
        })
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_in_words(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(refused_well(&from_json(&bytes)));
            if let Ok(text) = std::str::from_utf8(&bytes) {
                prop_assert!(refused_well(&from_query(text)));
            }
            prop_assert!(from_list(&bytes, 3).is_ok_and(|all| all.iter().all(refused_well))
                || refused_well(&from_list(&bytes, 3).map(|_| Call::default())));
        }

        #[test]
        fn any_members_are_read_or_refused_in_words(
            members in prop::collection::vec((prop::sample::select(&MEMBERS[..]), json()), 0..6)
        ) {
            let all: Vec<_> = members.iter().map(|(name, json)| format!("\"{name}\":{json}")).collect();
            let body = format!("{{{}}}", all.join(","));
            let outcome = from_json(body.as_bytes());
            prop_assert!(refused_well(&outcome), "{} {:?}", body, outcome);
            let mut names: Vec<_> = members.iter().map(|(name, _)| name).collect();
            names.sort();
            names.dedup();
            prop_assert!(names.len() == members.len() || outcome.is_err(), "a member came twice: {}", body);
        }

        #[test]
        fn a_url_and_a_body_with_the_same_members_give_the_same_call(
            query in prop::option::of(any::<String>()),
            operation_name in prop::option::of(any::<String>()),
            document_id in prop::option::of(any::<String>()),
            variables in prop::option::of(json()),
            hash in prop::option::of("[0-9a-f]{0,64}"),
        ) {
            // A field of a form that is empty counts as one that is not there; a member of an object does not.
            prop_assume!([&query, &operation_name, &document_id].iter().all(|it| it.as_deref() != Some("")));
            prop_assume!(variables.as_deref().is_none_or(|it| !it.is_empty()));
            let extensions = hash.map(|it| {
                format!(r#"{{"persistedQuery":{{"version":1,"sha256Hash":"{it}"}}}}"#)
            });
            let text = |it: &Option<String>| it.as_ref().map(|it| serde_json::Value::from(it.clone()).to_string());
            let (mut url, mut body) = (form_urlencoded::Serializer::new(String::new()), Vec::new());
            for (name, plain, json) in [
                ("query", &query, text(&query)),
                ("operationName", &operation_name, text(&operation_name)),
                ("documentId", &document_id, text(&document_id)),
                ("variables", &variables, variables.clone()),
                ("extensions", &extensions, extensions.clone()),
            ] {
                if let (Some(plain), Some(json)) = (plain, json) {
                    url.append_pair(name, plain);
                    body.push(format!("\"{name}\":{json}"));
                }
            }
            let by_url = from_query(&url.finish());
            let by_body = from_json(format!("{{{}}}", body.join(",")).as_bytes());
            match (by_url, by_body) {
                (Ok(one), Ok(other)) => {
                    prop_assert_eq!(&one.query, &other.query);
                    prop_assert_eq!(&one.id, &other.id);
                    prop_assert_eq!(&one.operation_name, &other.operation_name);
                    prop_assert_eq!(&one.variables, &other.variables);
                }
                (Err(one), Err(other)) => prop_assert_eq!(one.code, other.code),
                (one, other) => prop_assert!(false, "{:?} but {:?}", one, other),
            }
        }
    }
}
