//! Documents: sent, named by their hash, trusted, in batches, asked for again; and what of them runs how often.

use std::time::Duration;

use heliograph::{app::App, clock::Clock, config::Config, sandbox};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::world::{ADMIN_KEY, Answer, KEY, Subscriber, TENANT, World};

const VIEWER: &str = "{ viewer { name } }";

fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn persisted(hash: &str) -> Value {
    json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } })
}

impl World {
    async fn post(&self, body: &Value) -> Answer {
        let request = self.http.post(self.url("/graphql")).bearer_auth(KEY).json(body);
        Answer::of(request.send().await.unwrap()).await
    }

    fn get(&self, parameters: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let mut url = url::Url::parse(&self.url("/graphql")).unwrap();
        url.query_pairs_mut().extend_pairs(parameters);
        self.http.get(url).bearer_auth(KEY)
    }
}

#[tokio::test]
async fn a_text_is_sent_once_and_then_named_by_its_hash_on_every_transport() {
    let world = World::start().await;
    let extensions = persisted(&hash(VIEWER));
    let by_hash = json!({ "extensions": extensions });
    let unknown = world.post(&by_hash).await;
    assert_eq!(unknown.errors(), ["PERSISTED_QUERY_NOT_FOUND"]);
    assert_eq!(unknown.body["errors"][0]["message"], "PersistedQueryNotFound");

    world.post(&json!({ "query": VIEWER, "extensions": extensions })).await.sound();
    assert_eq!(world.post(&by_hash).await.sound()["viewer"]["name"], "first");
    let got = world.get(&[("extensions", &extensions.to_string())]).send().await.unwrap();
    assert_eq!(Answer::of(got).await.sound()["viewer"]["name"], "first");
    let named = world.post(&json!({ "documentId": format!("sha256:{}", hash(VIEWER)) })).await;
    assert_eq!(named.sound()["viewer"]["name"], "first");

    let mut socket = Subscriber::connect(&world.url("/graphql"), KEY).await;
    socket.begin_operation(by_hash).await;
    assert_eq!(socket.next("viewer").await["name"], "first");
}

#[tokio::test]
async fn only_what_the_schema_accepts_is_kept_and_only_under_its_own_hash() {
    let world = World::start().await;
    for (text, code) in [
        ("{ viewer { nonsense } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ viewer { name }", "GRAPHQL_PARSE_FAILED"),
    ] {
        let extensions = persisted(&hash(text));
        let sent = world.post(&json!({ "query": text, "extensions": extensions })).await;
        assert_eq!(sent.errors(), [code]);
        let named = world.post(&json!({ "extensions": extensions })).await;
        assert_eq!(named.errors(), ["PERSISTED_QUERY_NOT_FOUND"], "{text}");
    }
    let foreign = persisted(&hash("{ tenants { tenantId } }"));
    let sent = world.post(&json!({ "query": VIEWER, "extensions": foreign })).await;
    assert_eq!(sent.errors(), ["BAD_USER_INPUT"]);
}

/// A manifest with one trusted document, and the settings that name it.
fn trusting(folder: &tempfile::TempDir, documents: &Value) -> [(&'static str, String); 2] {
    let path = folder.path().join("documents.json");
    std::fs::write(&path, documents.to_string()).unwrap();
    [
        ("HELIOGRAPH_LIMITS__DOCUMENTS", "trusted".to_owned()),
        ("HELIOGRAPH_LIMITS__DOCUMENTS_MANIFEST", path.display().to_string()),
    ]
}

#[tokio::test]
async fn where_documents_are_trusted_nothing_else_is_even_parsed() {
    let folder = tempfile::tempdir().unwrap();
    let settings = trusting(&folder, &json!({ "who-1": VIEWER }));
    let settings = settings.each_ref().map(|(key, value)| (*key, value.as_str()));
    let world = World::with(|_| {}, &settings).await;

    for trusted in [
        json!({ "documentId": "who-1" }),
        json!({ "extensions": persisted(&hash(VIEWER)) }),
        json!({ "query": VIEWER }),
    ] {
        assert_eq!(world.post(&trusted).await.sound()["viewer"]["name"], "first", "{trusted}");
    }
    for other in [
        json!({ "query": "{ viewer { name scopes } }" }),
        // Were it parsed, it would be refused for that.
        json!({ "query": "{ viewer { name " }),
        json!({ "query": "{ tenants { tenantId } }", "documentId": "who-2" }),
        json!({ "documentId": "who-2" }),
        json!({ "query": "{ __schema { queryType { name } } }" }),
    ] {
        let refused = world.post(&other).await;
        assert_eq!((refused.status, refused.errors()), (403, vec!["FORBIDDEN".to_owned()]), "{other}");
    }
    let mut socket = Subscriber::connect(&world.url("/graphql"), KEY).await;
    socket.begin_operation(json!({ "query": "{ viewer { scopes } }" })).await;
    assert_eq!(socket.refusal().await, ["FORBIDDEN"]);
}

#[tokio::test]
async fn a_trusted_document_that_could_never_run_stops_the_start() {
    let aurora = sandbox::Sandbox::start(sandbox::Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        ..sandbox::Config::default()
    });
    let aurora = aurora.await.unwrap();
    let aliases: String = (0..31).map(|at| format!("a{at}: __typename ")).collect();
    for (broken, why) in [
        ("{ viewer { nonsense } }", "nonsense"),
        ("{ __schema { queryType { name } } }", "introspection"),
        (&*format!("{{ {aliases} }}"), "aliases"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = trusting(&folder, &json!({ "good-1": VIEWER, "broken-1": broken })).to_vec();
        settings.push(("HELIOGRAPH_AURORA__BASE_URL", aurora.base_url()));
        settings.push(("HELIOGRAPH_STORE__PATH", folder.path().join("heliograph.db").display().to_string()));
        let settings = settings.into_iter().map(|(key, value)| (key.to_owned(), value));
        let config = Config::load(None, settings).unwrap();
        let Err(error) = App::build(&config, Clock::system()).await else { panic!("it started") };
        let message = format!("{error:#}");
        for part in ["limits.documents_manifest", "broken-1", why] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }
}

#[tokio::test]
async fn a_get_that_was_answered_before_is_answered_by_304_until_the_news_come() {
    let world = World::start().await;
    let (_, design) = world.design().await;
    let query =
        format!(r#"{{ designSummary(designId: "{design}") {{ systemSizeStc moduleCount fetchedAt }} }}"#);
    let asked = || world.get(&[("query", &query)]);

    let first = asked().send().await.unwrap();
    assert_eq!(
        (first.status(), first.headers()["cache-control"].to_str().unwrap()),
        (200.try_into().unwrap(), "private, no-cache")
    );
    let tag = first.headers()["etag"].clone();
    assert!(tag.to_str().unwrap().starts_with('"'), "a strong tag: {tag:?}");
    for known in
        [tag.to_str().unwrap().to_owned(), format!("\"other\", W/{}", tag.to_str().unwrap()), "*".to_owned()]
    {
        let again = asked().header("if-none-match", known).send().await.unwrap();
        assert_eq!((again.status().as_u16(), &again.headers()["etag"]), (304, &tag));
        assert!(again.headers().contains_key("vary"));
        assert_eq!(again.text().await.unwrap(), "");
    }
    assert_eq!(world.aurora.calls_to("GET", &format!("/tenants/{TENANT}/designs/{design}/summary")), 1);

    world.advance(Duration::from_secs(60));
    world.complete(&design, "job-1").await;
    world.announced_become(1).await;
    let changed = asked().header("if-none-match", &tag).send().await.unwrap();
    assert_eq!(changed.status(), 200);
    assert_ne!(changed.headers()["etag"], tag);
}

#[tokio::test]
async fn a_batch_is_refused_unless_it_was_allowed_and_answered_in_order_if_it_was() {
    let one = json!({ "query": VIEWER });
    let closed = World::start().await;
    let refused = closed.post(&json!([one])).await;
    assert_eq!((refused.status, refused.errors()), (400, vec!["BAD_USER_INPUT".to_owned()]));

    let open = World::with(|_| {}, &[("HELIOGRAPH_LIMITS__BATCH", "3")]).await;
    let batch = json!([one, { "query": "subscription { designCompleted { id } }" }, { "query": "{ viewer { scopes } }" }]);
    let answers = open.post(&batch).await.body;
    assert_eq!(answers[0]["data"]["viewer"]["name"], "first");
    assert_eq!(answers[1]["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    assert!(answers[1].get("data").is_none());
    assert!(answers[2]["data"]["viewer"]["scopes"].is_array());
    let refused = open.post(&json!([one, one, one, one])).await;
    assert_eq!((refused.status, refused.errors()), (400, vec!["OPERATION_TOO_EXPENSIVE".to_owned()]));
}

#[tokio::test]
async fn introspection_is_for_whom_the_settings_say_on_both_transports() {
    let schema = "query { __schema { queryType { name } } }";
    for (setting, caller, operator) in [("read", true, true), ("admin", false, true), ("off", false, false)] {
        let world = World::with(|_| {}, &[("HELIOGRAPH_LIMITS__INTROSPECTION", setting)]).await;
        for (key, may) in [(KEY, caller), (ADMIN_KEY, operator)] {
            let answer = world.ask(key, schema, json!({})).await;
            let refused = answer.errors() == ["FORBIDDEN"];
            assert_eq!((answer.errors().is_empty(), refused), (may, !may), "{setting}: {}", answer.body);
            let fragment = "{ ...F } fragment F on Query { __type(name: \"Query\") { name } }";
            assert_eq!(world.ask(key, fragment, json!({})).await.errors().is_empty(), may, "{setting}");
            let mut socket = Subscriber::connect(&world.url("/graphql"), key).await;
            socket.begin_operation(json!({ "query": schema })).await;
            match may {
                true => assert_eq!(socket.next("__schema").await["queryType"]["name"], "Query"),
                false => assert_eq!(socket.refusal().await, ["FORBIDDEN"]),
            }
        }
        // What a client always may know is which type it was given.
        assert_eq!(world.ask(KEY, "{ __typename }", json!({})).await.sound()["__typename"], "Query");
    }
}

#[tokio::test]
async fn what_is_selected_twice_under_one_key_runs_once_and_gives_all_that_was_selected() {
    let world = World::start().await;
    let (project, design) = world.design().await;
    world.aurora.clear_calls();
    let query = format!(
        r#"query($yes: Boolean = true) {{
            project(projectId: "{project}") {{ projectId designs {{ designId }} }}
            ...More
            project(projectId: "{project}") @include(if: $yes) {{ designs {{ summary {{ arrays {{ pitch }} }} }} }}
            project(projectId: "{project}") @skip(if: $yes) {{ createdAt }}
        }}
        fragment More on Query {{
            project(projectId: "{project}") {{ name designs {{ name summary {{ arrays {{ azimuth }} moduleCount }} }} }}
        }}"#
    );
    let answer = world.query(&query).await.sound();
    let found = &answer["project"];
    assert!(found.get("createdAt").is_none() && found.get("name").is_some(), "{found}");
    assert_eq!(found["designs"][0]["designId"], design);
    let summary = &found["designs"][0]["summary"];
    assert!(summary["moduleCount"].is_number(), "{found}");
    let array = summary["arrays"][0].as_object().unwrap();
    assert!(array["pitch"].is_number() && array["azimuth"].is_number(), "{found}");
    let cost = &answer.body["extensions"]["upstream"];
    let figures = ["calls", "cacheHits", "coalesced"].map(|it| cost[it].as_u64().unwrap());
    assert_eq!(
        figures,
        [2, 1, 0],
        "designs and summary are read; the project is known; nothing is asked for twice"
    );
    assert_eq!(world.aurora.calls().len(), 2);
}

#[tokio::test]
async fn a_document_that_is_known_is_still_judged_by_the_variables_of_each_request() {
    let world = World::start().await;
    let query = "mutation($name: String!, $address: String!) {
        createProject(input: { name: $name, location: { propertyAddress: $address } }) {
            project { name } userErrors { message } } }";
    let good = json!({ "name": "One", "address": "434 Brannan St, San Francisco, CA 94107" });
    for _ in 0..2 {
        let made = world.ask(KEY, query, good.clone()).await.sound();
        assert_eq!(made["createProject"]["project"]["name"], "One");
        for wrong in [json!({ "name": 1, "address": "x" }), json!({ "name": "One" })] {
            let refused = world.ask(KEY, query, wrong).await;
            assert_eq!(refused.errors(), ["BAD_USER_INPUT"]);
            assert!(refused.body.get("data").is_none());
        }
    }
    let unknown = query.replace("name: $name,", "name: $name, bogus: 1,");
    assert_eq!(world.ask(KEY, &unknown, good).await.errors(), ["GRAPHQL_VALIDATION_FAILED"]);
    assert_eq!(world.aurora.projects(TENANT).len(), 2, "one for each good request");
}

#[tokio::test]
async fn errors_are_capped() {
    let world = World::start().await;
    let nonsense: String = (0..300).map(|it| format!("nonsense{it} ")).collect();
    let answer = world.query(&format!("{{ viewer {{ {nonsense} }} }}")).await;
    let errors = answer.body["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 20);
    assert!(errors[19]["message"].as_str().unwrap().contains("280 more"), "{}", errors[19]);
    assert!(answer.body.to_string().len() < 64 * 1024);
}
