//! Documents that ask for more than they are worth, over HTTP and over WebSocket: refused soon, in few words, and at nobody
//! else's cost.

#[path = "../../../benches/common/hostile.rs"]
mod hostile;

use std::time::{Duration, Instant};

use futures_util::{StreamExt, future::join_all, stream};
use heliograph::graphql::Code;
use serde_json::{Value, json};

use crate::{
    load::process::Running,
    world::{KEY, Neighbour, Subscriber, World},
};

/// What a refusal may cost, in a debug build beside other tests.
const LONGEST: Duration = Duration::from_secs(2);
const LARGEST: usize = 64 * 1024;

/// What a neighbour may wait, and by how much the process may grow.
const P99: Duration = Duration::from_secs(1);
const MOST_KIB: u64 = 64 * 1024;

/// The first code of some errors, which must be one of the closed list.
#[track_caller]
fn code(errors: &Value, what: &str) -> String {
    let errors = errors.as_array().unwrap_or_else(|| panic!("{what} was not refused"));
    assert!((1..=100).contains(&errors.len()), "{what}: {} errors", errors.len());
    for error in errors {
        let code = error["extensions"]["code"].as_str().unwrap_or_default();
        assert!(Code::ALL.iter().any(|it| it.text() == code), "{what}: {error}");
    }
    errors[0]["extensions"]["code"].as_str().unwrap().to_owned()
}

/// A process with something in its cache, and somebody who asks for that.
struct Busy {
    world: World,
    running: Running,
    url: String,
    neighbour: Neighbour,
    calls: usize,
    before_kib: u64,
    _place: tempfile::TempDir,
}

impl Busy {
    async fn start() -> Self {
        let world = World::start().await;
        let (_, design) = world.design().await;
        let place = tempfile::tempdir().unwrap();
        let rate = [("HELIOGRAPH_LIMITS__REQUESTS_PER_MINUTE", "1000000")];
        let (running, base) = world.process(place.path(), &rate);
        let url = format!("{base}/graphql");
        let query = format!(r#"{{ design(designId: "{design}") {{ name summary {{ moduleCount }} }} }}"#);
        // What is allowed works on both, and is in the cache from now on.
        let body = json!({ "query": query });
        let answer = world.http.post(&url).bearer_auth(KEY).json(&body).send().await.unwrap();
        assert_eq!(answer.json::<Value>().await.unwrap()["errors"], Value::Null);
        let mut socket = Subscriber::begin(&url, KEY, &query, json!({})).await;
        assert_eq!(socket.message().await["payload"]["errors"], Value::Null);

        // What honest callers make of it counts as what it weighs: their connections, and documents that are new.
        let honest = (0..64).map(|at| {
            let body = json!({ "query": format!("{{ viewer {{ a{at}: name tenants {{ tenantId }} }} }}") });
            world.http.post(&url).bearer_auth(KEY).json(&body).send()
        });
        for answer in join_all(honest).await {
            assert_eq!(answer.unwrap().json::<Value>().await.unwrap()["errors"], Value::Null);
        }

        let neighbour = Neighbour::beside(url.clone(), KEY, &query);
        let (calls, before_kib) = (world.aurora.calls().len(), running.memory_kib("VmRSS"));
        Self { world, running, url, neighbour, calls, before_kib, _place: place }
    }

    /// Sends a body, and gives the code with which it is refused.
    async fn over_http(&self, what: &str, body: &[u8]) -> String {
        let began = Instant::now();
        let request = self.world.http.post(&self.url).bearer_auth(KEY).body(body.to_vec());
        let request = request
            .header("content-type", "application/json")
            .header("accept", "application/graphql-response+json");
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        let took = began.elapsed();
        assert!(took <= LONGEST, "{what} took {took:?}");
        assert!(text.len() <= LARGEST, "{what} was answered in {} bytes", text.len());
        assert!(status.is_client_error(), "{what}: {status} {text}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert!(answer.get("data").is_none(), "{what} ran: {answer}");
        code(&answer["errors"], what)
    }

    /// The same on a socket; nothing where it was closed because the message is none.
    async fn over_websocket(&self, what: &str, body: &[u8]) -> Option<String> {
        let mut socket = Subscriber::connect(&self.url, KEY).await;
        let began = Instant::now();
        let payload = std::str::from_utf8(body).unwrap();
        socket.say(format!(r#"{{"id":"1","type":"subscribe","payload":{payload}}}"#)).await;
        let said = socket.message_or_close().await;
        let took = began.elapsed();
        assert!(took <= LONGEST, "{what} took {took:?}");
        match said {
            Ok(message) => {
                assert_eq!(message["type"], "error", "{what}");
                assert!(message.to_string().len() <= LARGEST, "{what}");
                Some(code(&message["payload"], what))
            }
            Err((close, reason)) => {
                assert!(close == 4400 && !reason.is_empty(), "{what}: {close} {reason}");
                None
            }
        }
    }

    /// What it did to others.
    #[track_caller]
    fn check(self) {
        let p99 = self.neighbour.p99();
        assert!(p99 <= P99, "a neighbour waited {p99:?}");
        assert_eq!(self.world.aurora.calls().len(), self.calls, "Aurora was asked");
        let grown = self.running.memory_kib("VmHWM").saturating_sub(self.before_kib);
        assert!(grown <= MOST_KIB, "neighbour's p99 {p99:?}; the process grew by {grown} KiB");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_asks_for_too_much_is_refused_on_every_transport_and_costs_nobody_anything() {
    let busy = Busy::start().await;
    let requests = hostile::requests();
    for (what, body) in &requests {
        let refused = busy.over_http(what, body).await;
        match busy.over_websocket(what, body).await {
            Some(code) => assert_eq!(code, refused, "{what}"),
            None => assert_eq!(refused, "BAD_USER_INPUT", "{what}"),
        }
    }
    // Several at once as well.
    let sent = requests.iter().map(|(_, body)| {
        let request = busy.world.http.post(&busy.url).bearer_auth(KEY).body(body.clone());
        request.header("content-type", "application/json").send()
    });
    let answers: Vec<_> = stream::iter(sent).buffer_unordered(4).collect().await;
    assert_eq!(answers.len(), requests.len());
    for answer in answers {
        let answer: Value = answer.unwrap().json().await.unwrap();
        code(&answer["errors"], "one of many");
    }
    busy.check();
}

/// What is named after something else than its size has to come that far.
#[tokio::test]
async fn hostile_documents_reach_what_they_are_named_after() {
    let world = World::start().await;
    let by_size = [
        "2,000 aliases",
        "20,000 unknown fields",
        "5,000 directives",
        "300 levels",
        "lists 5,000 deep",
        "lists 480 deep",
        "4,000 operations",
        "120 KiB of nothing",
    ];
    let (mut sized, mut others) = (0, 0);
    for (what, body) in hostile::requests() {
        let request = world.http.post(world.url("/graphql")).bearer_auth(KEY).body(body);
        let answer = request.header("content-type", "application/json").send().await.unwrap();
        let answer = answer.text().await.unwrap();
        let too_long =
            answer.contains("the document is longer than") || answer.contains("the document nests deeper");
        sized += usize::from(too_long);
        others += usize::from(!too_long);
        assert_eq!(too_long, by_size.contains(&what), "{what}: {answer}");
    }
    assert!(sized >= 5 && others >= 20, "{sized} and {others}");
}

/// A document that is just too much for one limit, and just not once that is raised by one.
const EDGES: [(&str, u32, &str, &str); 6] = [
    ("DEPTH", 4, "5 levels", "{ projects(first: 1) { nodes { designs { project { name } } } } }"),
    ("ALIASES", 2, "3 aliases", "{ viewer { a: name b: name c: name } }"),
    ("DIRECTIVES", 1, "2 directives", "{ viewer { name @include(if: true) @skip(if: false) } }"),
    (
        "ROOT_FIELDS",
        2,
        "3 root fields",
        "{ viewer { name } tenant { tenantId } projects { nodes { name } } }",
    ),
    (
        "COST",
        10,
        "11 calls to Aurora",
        "{ viewer { name } projects(first: 10) { nodes { designs { name } } } }",
    ),
    (
        "DOCUMENT_TOKENS",
        50,
        "50 tokens",
        "{ viewer { name name name name name name name name name name name name name name name name name name name name name name name name name name name name name name name name name name name name name name name name name name name name name name } }",
    ),
];

async fn with_limits(more: u32) -> World {
    let settings =
        EDGES.map(|(name, limit, ..)| (format!("HELIOGRAPH_LIMITS__{name}"), (limit + more).to_string()));
    let settings = settings.each_ref().map(|(name, limit)| (name.as_str(), limit.as_str()));
    World::with(|_| {}, &settings).await
}

#[tokio::test]
async fn each_limit_holds_over_http_and_over_websocket_and_not_before_it_is_reached() {
    let (strict, lenient) = (with_limits(0).await, with_limits(1).await);
    strict.design().await;
    lenient.design().await;
    let calls = strict.aurora.calls().len();
    for (name, _, figure, document) in EDGES {
        lenient.query(document).await.sound();
        let mut socket = lenient.subscribe_eager(KEY, document, json!({})).await;
        let message = socket.message().await;
        assert!(message["type"] == "next" && message["payload"]["errors"].is_null(), "{name}: {message}");

        let answer = strict.query(document).await;
        assert_eq!(answer.errors(), ["OPERATION_TOO_EXPENSIVE"], "{name}");
        assert!(answer.body["errors"][0]["message"].as_str().unwrap().contains(figure), "{}", answer.body);
        let mut socket = strict.subscribe_eager(KEY, document, json!({})).await;
        let message = socket.message().await;
        assert_eq!(message["type"], "error", "{name}: {message}");
        assert_eq!(message["payload"], answer.body["errors"], "{name}: the same on both");
    }
    assert_eq!(strict.aurora.calls().len(), calls, "what is refused asks Aurora nothing");
}

#[tokio::test]
async fn introspection_is_switched_off_on_every_transport() {
    let schema = "{ __schema { queryType { name } } }";
    let open = World::start().await;
    open.query(schema).await.sound();
    let mut socket = open.subscribe_eager(KEY, schema, json!({})).await;
    assert_eq!(socket.message().await["payload"]["data"]["__schema"]["queryType"]["name"], "Query");

    let closed = World::with(|_| {}, &[("HELIOGRAPH_LIMITS__INTROSPECTION", "off")]).await;
    for document in [
        schema,
        "{ __type(name: \"Query\") { name } }",
        "{ ...F } fragment F on Query { x: __schema { types { name } } }",
    ] {
        assert_eq!(closed.query(document).await.errors(), ["FORBIDDEN"], "{document}");
        let mut socket = closed.subscribe_refused(KEY, document).await;
        assert_eq!(socket.refusal().await, ["FORBIDDEN"], "{document}");
    }
}
