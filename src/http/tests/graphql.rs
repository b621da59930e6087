//! GraphQL over HTTP, as the specification has it.

use std::{convert::Infallible, sync::atomic::Ordering::SeqCst};

use bytes::Bytes;
use http_body_util::StreamBody;
use hyper::body::Frame;
use serde_json::Value;

use super::world::{FRIEND, READER, Reply, World, eventually};
use crate::telemetry::log::{self, tests::Captured};

#[tokio::test]
async fn an_operation_is_answered_in_the_media_type_that_was_asked_for() {
    let world = World::start().await;
    let body = r#"{"query":"{ name }"}"#;
    for (accept, written) in [
        ("application/graphql-response+json", "application/graphql-response+json; charset=utf-8"),
        ("application/json", "application/json; charset=utf-8"),
        ("*/*", "application/json; charset=utf-8"),
        (
            "application/json;q=0.5, application/graphql-response+json",
            "application/graphql-response+json; charset=utf-8",
        ),
        // What Java's own client sends to whomever it asks.
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "application/json; charset=utf-8"),
        // A client that could read events too, and sends all it can read with everything.
        (
            "application/graphql-response+json, application/json, text/event-stream",
            "application/graphql-response+json; charset=utf-8",
        ),
    ] {
        let reply = world.post_accepting(accept, body).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("content-type"), written, "{accept}");
        assert_eq!(reply.json(), serde_json::json!({ "data": { "name": "crm" } }));
    }
    for accept in ["multipart/mixed", "text/html", "image/png"] {
        assert_eq!(
            world.post_accepting(accept, body).await.refusal(),
            (406, "BAD_USER_INPUT".into()),
            "{accept}"
        );
    }
}

#[tokio::test]
async fn a_refused_document_has_no_data_and_a_status_that_fits_the_media_type() {
    let world = World::start().await;
    for (document, code) in [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A { name } query B { name }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A($id: ID!) { echo(id: $id) }", "BAD_USER_INPUT"),
        ("query A($x: ID!) { echo(id: $x) }", "BAD_USER_INPUT"),
    ] {
        let body = serde_json::json!({ "query": document, "variables": { "id": null } }).to_string();
        let reply = world.post(body.clone()).await;
        let (status, given) = reply.refusal();
        assert_eq!(status, 400, "{document}");
        assert_eq!(given, code, "{document}");
        assert_eq!(world.post_accepting("application/json", body).await.refusal().0, 200, "{document}");
    }
}

#[tokio::test]
async fn a_field_that_fails_leaves_data_and_status_200() {
    let world = World::start().await;
    let reply = world.query("{ name broken }").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json()["data"], serde_json::json!({ "name": "crm", "broken": null }));
    assert_eq!(reply.json()["errors"][0]["path"][0], "broken");
}

#[tokio::test]
async fn a_malformed_request_is_400_in_both_media_types_and_names_the_member() {
    let world = World::start().await;
    for (body, named) in [
        ("", "query"),
        ("{ \"not JSON", "JSON"),
        ("[{\"query\":\"{name}\"}]", "batches"),
        (r#"{"query":7}"#, "\"query\""),
        (r#"{"query":"{name}","variables":"x"}"#, "\"variables\""),
        (r#"{"query":"{name}","operationName":[]}"#, "\"operationName\""),
        (r#"{"query":"{name}","extensions":0}"#, "\"extensions\""),
        (r#"{"query":"{name}","query":"{name}"}"#, "twice"),
    ] {
        for accept in ["application/json", "application/graphql-response+json"] {
            let reply = world.post_accepting(accept, body).await;
            assert_eq!(reply.refusal(), (400, "BAD_USER_INPUT".into()), "{body}");
            let message = reply.json()["errors"][0]["message"].as_str().unwrap().to_owned();
            assert!(message.contains(named), "{body}: {message}");
            for library in ["serde", "expected", "EOF", "Error(", "untagged"] {
                assert!(!message.contains(library) || body.is_empty(), "{message}");
            }
        }
    }
}

#[tokio::test]
async fn only_json_is_read_so_no_form_on_a_foreign_page_runs_anything() {
    let world = World::start().await;
    let body = r#"{"query":"mutation { increment }"}"#;
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
        "application/json, text/plain",
        "application/json; charset=latin1",
        "application/jsonp",
        "",
    ] {
        let request = world.request("POST", "/graphql").header("content-type", kind).body(body);
        assert_eq!(Reply::to(request).await.refusal().0, 415, "{kind:?}");
    }
    assert_eq!(Reply::to(world.request("POST", "/graphql").body(body)).await.refusal().0, 415);
    let packed = world.request("POST", "/graphql").header("content-type", "application/json");
    assert_eq!(Reply::to(packed.header("content-encoding", "gzip").body(body)).await.refusal().0, 415);
    assert_eq!(world.script.increments.load(SeqCst), 0);

    for kind in ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=\"UTF-8\""]
    {
        let request = world.request("POST", "/graphql").header("content-type", kind).body(body);
        assert_eq!(Reply::to(request).await.status, 200, "{kind}");
    }
    assert_eq!(world.script.increments.load(SeqCst), 3);
}

#[tokio::test]
async fn a_get_runs_queries_with_the_parameters_of_the_specification() {
    let world = World::start().await;
    let get = |query: &str| world.request("GET", &format!("/graphql?{query}"));
    let document = "query=query+A%7Bname%7D+query+B(%24i:ID!)%7Becho(id:%24i)%7D";
    let reply = Reply::to(get(&format!("{document}&operationName=B&variables=%7B%22i%22:%227%22%7D"))).await;
    assert_eq!(reply.json()["data"]["echo"], "7");
    assert_eq!(Reply::to(get("")).await.refusal(), (400, "BAD_USER_INPUT".into()));
    assert_eq!(Reply::to(get("query={name}&variables=7")).await.refusal().0, 400);

    let head = Reply::to(world.request("HEAD", "/graphql?query=%7Bname%7D")).await;
    assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));

    let typed = get("query=%7Bname%7D").header("content-type", "text/plain");
    assert_eq!(Reply::to(typed).await.refusal().0, 415);
}

#[tokio::test]
async fn a_get_changes_nothing_and_says_how_it_is_done() {
    let world = World::start().await;
    for method in ["GET", "HEAD"] {
        let reply = Reply::to(world.request(method, "/graphql?query=mutation%7Bincrement%7D")).await;
        assert_eq!((reply.status.as_u16(), reply.header("allow")), (405, "POST"));
    }
    assert_eq!(world.script.increments.load(SeqCst), 0);
}

#[tokio::test]
async fn other_methods_are_405_and_options_tells_which_there_are() {
    let world = World::start().await;
    for method in ["PUT", "PATCH", "DELETE", "PROPFIND"] {
        let reply = Reply::to(world.request(method, "/graphql").body(r#"{"query":"{name}"}"#)).await;
        assert_eq!(reply.refusal().0, 405, "{method}");
        assert_eq!(reply.header("allow"), "GET, HEAD, POST, OPTIONS");
    }
    let reply = Reply::to(world.anonymous("OPTIONS", "/graphql")).await;
    assert_eq!((reply.status.as_u16(), reply.header("allow")), (204, "GET, HEAD, POST, OPTIONS"));
}

#[tokio::test]
async fn without_a_good_credential_nothing_is_even_read() {
    let world = World::start().await;
    for credential in [None, Some("Bearer wrong"), Some("Basic k-crm"), Some("k-crm"), Some("")] {
        let mut request = world.anonymous("POST", "/graphql").body("not JSON at all");
        if let Some(credential) = credential {
            request = request.header("authorization", credential);
        }
        let reply = Reply::to(request).await;
        assert_eq!(reply.refusal(), (401, "UNAUTHENTICATED".into()), "{credential:?}");
        assert_eq!(reply.header("www-authenticate"), "Bearer");
    }
}

#[tokio::test]
async fn a_credential_without_the_scope_is_403() {
    let world = World::start().await;
    let request = world.anonymous("POST", "/graphql").header("authorization", READER);
    let request = request.header("content-type", "application/json");
    let reply = Reply::to(request.body(r#"{"query":"mutation { increment }"}"#)).await;
    assert_eq!(reply.refusal(), (403, "FORBIDDEN".into()));
    assert_eq!(world.script.increments.load(SeqCst), 0);
}

/// A body whose length nobody announces.
fn in_pieces(body: &str, size: usize) -> reqwest::Body {
    let pieces: Vec<_> = body.as_bytes().chunks(size).map(Bytes::copy_from_slice).collect();
    let frames = pieces.into_iter().map(|it| Ok::<_, Infallible>(Frame::data(it)));
    reqwest::Body::wrap(StreamBody::new(futures_util::stream::iter(frames)))
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_announced_or_in_pieces() {
    let world = World::start().await;
    let long = format!(r#"{{"query":"{{name}}","extensions":{{"x":"{}"}}}}"#, "x".repeat(200_000));
    assert_eq!(world.post(long.clone()).await.refusal(), (413, "BAD_USER_INPUT".into()));
    assert_eq!(world.post(in_pieces(&long, 1000)).await.refusal().0, 413);
    assert_eq!(world.post("x".repeat(20_000_000)).await.refusal().0, 413);
    assert_eq!(world.post(in_pieces(&"x".repeat(20_000_000), 10_000)).await.refusal().0, 413);
    assert_eq!(world.post(in_pieces(r#"{"query":"{ name }"}"#, 7)).await.status, 200);
}

#[tokio::test]
async fn a_document_over_the_limits_is_refused_unparsed() {
    let world = World::start().await;
    for document in [format!("{{ {} ", "a ".repeat(1001)), format!("{{ name }} #{}", "x".repeat(17_000))] {
        assert_eq!(world.query(&document).await.refusal(), (400, "OPERATION_TOO_EXPENSIVE".into()));
    }
}

#[tokio::test]
async fn a_subscription_is_told_where_to_go() {
    let world = World::start().await;
    let reply = world.query("subscription { count(until: 1) }").await;
    assert_eq!(reply.refusal(), (400, "BAD_USER_INPUT".into()));
    assert!(reply.text.contains("graphql-transport-ws"), "{}", reply.text);
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_is_the_callers_own() {
    let world = World::start().await;
    let request = || world.request("GET", "/graphql?query=%7Bname%7D");
    let reply = Reply::to(request().header("x-request-id", "deal-42")).await;
    assert_eq!(reply.header("x-request-id"), "deal-42");
    for path in ["/graphql", "/", "/nowhere", "/schema.graphql"] {
        let reply = Reply::to(world.request("GET", path).header("x-request-id", "not sane")).await;
        assert_eq!(reply.header("x-request-id").len(), 36, "{path}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
        assert!(!reply.header("vary").is_empty() && !reply.header("cache-control").is_empty(), "{path}");
    }
    let by_get = Reply::to(request()).await;
    assert_eq!(by_get.header("cache-control"), "private, no-cache");
    let by_post = world.query("{ name }").await;
    assert_eq!(by_post.header("cache-control"), "private, no-store");
    assert_eq!(by_post.header("vary"), "accept, authorization, origin");
}

#[tokio::test]
async fn a_browser_that_opens_the_endpoint_is_sent_to_the_explorer() {
    let world = World::start().await;
    let accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let reply = Reply::to(world.anonymous("GET", "/graphql").header("accept", accept)).await;
    assert_eq!((reply.status.as_u16(), reply.header("location")), (302, "/graphiql"));
}

#[tokio::test]
async fn a_friendly_page_may_read_answers_and_a_foreign_one_may_not() {
    let world = World::start().await;
    let ask = |method: &str, origin: &str| {
        let request = world.request(method, "/graphql?query=%7Bname%7D").header("origin", origin);
        Reply::to(request.header("access-control-request-method", "POST"))
    };
    for method in ["GET", "OPTIONS"] {
        assert_eq!(ask(method, FRIEND).await.header("access-control-allow-origin"), FRIEND, "{method}");
    }
    let preflight = ask("OPTIONS", FRIEND).await;
    assert!(preflight.header("access-control-allow-headers").contains("authorization"));
    assert!(preflight.header("access-control-allow-methods").contains("POST"));
    for foreign in ["https://evil.example", "null", "https://crm.example.com.evil.example"] {
        for method in ["GET", "OPTIONS"] {
            let reply = ask(method, foreign).await;
            let granted: Vec<_> =
                reply.headers.keys().filter(|it| it.as_str().starts_with("access-control")).collect();
            assert!(granted.is_empty(), "{foreign}: {granted:?}");
        }
    }
    // A refusal, too, can be read by the page that caused it.
    let refused = world.anonymous("POST", "/graphql").header("origin", FRIEND);
    assert_eq!(Reply::to(refused).await.header("access-control-allow-origin"), FRIEND);
}

#[tokio::test]
async fn a_panic_costs_one_answer() {
    let world = World::start().await;
    let reply = world.query("{ boom }").await;
    assert_eq!(reply.refusal(), (500, "INTERNAL".into()));
    assert_eq!(reply.json()["errors"][0]["extensions"]["requestId"], reply.header("x-request-id"));
    assert!(!reply.text.contains("boom"));
    assert_eq!(world.query("{ name }").await.status, 200);
}

#[tokio::test]
async fn a_mutation_runs_to_its_end_when_its_caller_hangs_up() {
    let world = World::start().await;
    let entered = world.script.entered.notified();
    {
        let request = world.query("mutation { incrementLate }");
        tokio::select! {
            _ = request => panic!("answered before the gate opened"),
            () = entered => {}
        }
    }
    world.script.gate.notify_one();
    eventually("the mutation ended", || world.script.increments.load(SeqCst) == 1).await;
}

#[tokio::test]
async fn what_happened_is_counted() {
    let world = World::start().await;
    world.query("{ name }").await;
    world.query("{").await;
    world.query("mutation { increment }").await;
    let page = world.metrics.page().unwrap();
    for line in [
        r#"heliograph_http_requests_total{route="/graphql",status="2xx"} 2"#,
        r#"heliograph_http_requests_total{route="/graphql",status="4xx"} 1"#,
        r#"heliograph_operations_total{kind="query",outcome="ok"} 1"#,
        r#"heliograph_operations_total{kind="mutation",outcome="ok"} 1"#,
        r#"heliograph_operations_total{kind="unknown",outcome="refused"} 1"#,
    ] {
        assert!(page.contains(line), "{line} is missing from\n{page}");
    }
}

#[tokio::test]
async fn a_client_that_asks_by_hash_is_told_to_send_the_text() {
    let world = World::start().await;
    let body = r#"{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"00"}}}"#;
    assert_eq!(world.post(body).await.refusal().1, "PERSISTED_QUERY_NOT_FOUND");
}

#[tokio::test]
async fn a_request_is_logged_by_its_template_and_never_by_what_it_carried() {
    let captured = Captured::default();
    let writer = captured.clone();
    let lines = log::subscriber(log::Format::Json, "trace", move || writer.clone()).unwrap();
    // With one subscriber only, tracing asks whichever thread comes first whether a line is wanted, and remembers it.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    // The server runs on this thread too, so that its lines come here.
    let _here = tracing::subscriber::set_default(lines);
    let world = World::start().await;
    let secret = "query=%7Bname%7D&session_token=s3cret";
    Reply::to(world.request("GET", &format!("/graphql?{secret}")).header("x-request-id", "deal-1")).await;
    Reply::to(world.request("GET", &format!("/s3cret?{secret}")).header("cookie", "s3cret")).await;
    world.post(r#"{"query":"{ echo(id: \"s3cret\") }"}"#).await;
    let delivery = "/webhooks/aurora/project_created?tenant_id=s3cret&session_token=s3cret";
    Reply::to(world.anonymous("GET", delivery).header("x-heliograph-webhook-token", "s3cret")).await;
    let text = captured.text();
    assert!(!text.contains("s3cret") && !text.contains("k-crm"), "{text}");
    let line: Value = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find(|line| line["request_id"] == "deal-1")
        .unwrap();
    assert_eq!((&line["method"], &line["route"]), (&"GET".into(), &"/graphql".into()), "{line}");
    assert_eq!((&line["status"], &line["credential"]), (&200.into(), &"crm".into()), "{line}");
    assert!(line["duration_us"].is_u64(), "{line}");
}
