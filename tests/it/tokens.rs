//! Tokens of an issuer: whom they let in, whom they do not, and when they end.

use std::{
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::world::{
    Answer, Listener, OTHER, Subscriber, TENANT, World,
    issuer::{AUDIENCE, ISSUER, Issuer, Signer, set, unsigned},
};

const VIEWER: &str = "{ viewer { name scopes tenants { tenantId } } }";
const EVENTS: &str = "subscription { events { type } }";
const SUBJECT: &str = "ann.example@crm.example";

/// A gateway that takes tokens, with keys of the three kinds.
struct Login {
    world: World,
    issuer: Issuer,
    keys: [Signer; 3],
}

impl Login {
    async fn start() -> Self {
        let keys = [Signer::rsa("rsa-1"), Signer::ec("ec-1"), Signer::ed("ed-1")];
        let issuer = Issuer::start(&keys.each_ref()).await;
        let world = World::with(|_| {}, &settings("JWKS_URL", &issuer.url).each_ref().map(borrow)).await;
        world.eventually("the keys were read", || async { issuer.fetches() == 1 }).await;
        Self { world, issuer, keys }
    }

    /// A sound token's claims.
    fn claims(&self) -> Value {
        let now = self.world.clock.now().as_second();
        json!({
            "iss": ISSUER, "aud": ["other", AUDIENCE], "sub": SUBJECT, "iat": now, "exp": now + 600,
            "aurora_tenants": [TENANT], "scope": "openid read write",
        })
    }

    /// The same with one of them changed, or left out where it is null.
    fn claims_but(&self, name: &str, value: Value) -> Value {
        let mut claims = self.claims();
        let members = claims.as_object_mut().unwrap();
        match value {
            Value::Null => members.remove(name),
            value => members.insert(name.to_owned(), value),
        };
        claims
    }

    /// A token of the first key.
    fn token(&self, claims: &Value) -> String {
        self.keys[0].token(claims)
    }

    async fn status(&self, token: &str) -> u16 {
        self.world.ask(token, VIEWER, json!({})).await.status
    }
}

fn settings(place: &str, keys: &str) -> [(String, String); 3] {
    [("ISSUER", ISSUER), ("AUDIENCE", AUDIENCE), (place, keys)]
        .map(|(key, value)| (format!("HELIOGRAPH_AUTH__JWT__{key}"), value.to_owned()))
}

fn borrow((key, value): &(String, String)) -> (&str, &str) {
    (key, value)
}

#[tokio::test]
async fn a_token_of_each_algorithm_stands_for_its_tenants_and_scopes_and_hides_who_it_is() {
    let login = Login::start().await;
    let mut names = Vec::new();
    for key in &login.keys {
        let answer = login.world.ask(&key.token(&login.claims()), VIEWER, json!({})).await.sound();
        assert_eq!(answer["viewer"]["scopes"], json!(["read", "write"]));
        assert_eq!(answer["viewer"]["tenants"], json!([{ "tenantId": TENANT }]));
        names.push(answer["viewer"]["name"].as_str().unwrap().to_owned());
    }
    assert!(names.iter().all(|it| it.starts_with("jwt:") && *it == names[0]), "{names:?}");
    assert!(!names[0].contains("ann"), "{names:?}");
    assert_eq!(
        login.world.query(VIEWER).await.sound()["viewer"]["name"],
        "first",
        "keys go on beside tokens"
    );
}

#[tokio::test]
async fn a_token_reaches_no_other_tenant_and_does_no_more_than_its_scopes_say() {
    let login = Login::start().await;
    let (project, _) = login.world.design().await;
    let calls = login.world.aurora.calls().len();
    let read = format!(r#"{{ it: project(tenantId: "{TENANT}", projectId: "{project}") {{ name }} }}"#);
    let write = format!(
        r#"mutation {{ it: createProject(input: {{ tenantId: "{TENANT}", location: {{ propertyAddress: "1 Main St" }} }}) {{ replayed }} }}"#
    );
    let foreign = login.token(&login.claims_but("aurora_tenants", json!([OTHER])));
    assert_eq!(login.world.ask(&foreign, &read, json!({})).await.errors(), ["NOT_FOUND at it"]);
    assert_eq!(login.world.ask(&foreign, &write, json!({})).await.errors(), ["NOT_FOUND at it"]);
    let reader = login.token(&login.claims_but("scope", json!("read")));
    assert_eq!(login.world.ask(&reader, &write, json!({})).await.errors(), ["FORBIDDEN"]);
    assert_eq!(login.world.aurora.calls().len(), calls, "Aurora was not asked");
    login.world.ask(&reader, &read, json!({})).await.sound();
}

#[tokio::test]
async fn what_is_not_signed_by_the_issuer_for_this_gateway_and_this_hour_lets_nobody_in() {
    let login = Login::start().await;
    let (good, now) = (login.claims(), login.world.clock.now().as_second());
    let key = &login.keys[0];
    assert_eq!(login.status(&key.token(&good)).await, 200);

    let mut bad: Vec<(String, String)> = Vec::new();
    for alg in ["none", "None", "NONE", "", "HS256", "PS256", "RS384"] {
        let header = json!({ "alg": alg, "kid": "rsa-1" });
        bad.push((format!("alg {alg:?}, unsigned"), format!("{}.", unsigned(&header, &good))));
        bad.push((format!("alg {alg:?}, signed"), key.token_with(&header, &good)));
    }
    bad.extend(key.confused(&good).into_iter().map(|token| ("an HMAC of the public key".to_owned(), token)));
    for (name, value) in [
        ("aud", json!("https://other.example")),
        ("aud", json!([])),
        ("aud", Value::Null),
        ("iss", json!("https://login.crm.example")),
        ("iss", Value::Null),
        ("exp", json!(now - 31)),
        ("exp", Value::Null),
        ("exp", json!("never")),
        ("nbf", json!(now + 60)),
        ("sub", Value::Null),
        ("sub", json!("")),
        ("aurora_tenants", Value::Null),
        ("aurora_tenants", json!([])),
        ("aurora_tenants", json!(["*", TENANT])),
        ("scope", Value::Null),
        ("scope", json!("openid")),
    ] {
        bad.push((format!("{name} {value}"), key.token(&login.claims_but(name, value))));
    }
    let stranger = Signer::rsa("rsa-1");
    bad.push(("another's key under a known id".to_owned(), stranger.token(&good)));
    bad.push(("a key of another kind under its id".to_owned(), Signer::ed("rsa-1").token(&good)));
    let mut embedded = stranger.header();
    embedded["jwk"] = stranger.jwk();
    embedded["jku"] = json!("http://127.0.0.1:1/jwks.json");
    bad.push(("a key that came with the token".to_owned(), stranger.token_with(&embedded, &good)));
    let mut critical = key.header();
    critical["crit"] = json!(["b64"]);
    bad.push(("an extension that is not known".to_owned(), key.token_with(&critical, &good)));
    let (head, signature) =
        (unsigned(&key.header(), &login.claims_but("scope", json!("admin"))), key.token(&good));
    let signature = signature.rsplit('.').next().unwrap();
    bad.push(("other claims under a good signature".to_owned(), format!("{head}.{signature}")));
    bad.push(("too long".to_owned(), key.token(&login.claims_but("x", json!("x".repeat(8 * 1024))))));

    for (what, token) in bad {
        let answer = login.world.ask(&token, VIEWER, json!({})).await;
        assert_eq!((answer.status, answer.errors()), (401, vec!["UNAUTHENTICATED".to_owned()]), "{what}");
        let why = answer.body.to_string();
        assert!(
            !["expired", "signature", "audience", "issuer"].iter().any(|it| why.contains(it)),
            "{what}: {why}"
        );
    }
    assert!(login.issuer.fetches() <= 1, "none of them made the gateway ask: {}", login.issuer.fetches());
}

#[tokio::test]
async fn a_token_counts_until_it_expires_however_well_it_is_known() {
    let login = Login::start().await;
    let token = login.token(&login.claims());
    assert_eq!(login.status(&token).await, 200);
    // The clocks may differ by the leeway.
    login.world.advance(Duration::from_secs(629));
    assert_eq!(login.status(&token).await, 200);
    login.world.advance(Duration::from_secs(1));
    assert_eq!(login.status(&token).await, 401);
}

#[tokio::test]
async fn a_new_key_is_found_and_an_old_one_ends() {
    let login = Login::start().await;
    let before = login.token(&login.claims());
    assert_eq!(login.status(&before).await, 200);
    let next = Signer::ec("ec-2");
    login.issuer.has(&[&next]);
    let after = next.token(&login.claims());
    assert_eq!(login.status(&after).await, 401, "the issuer was asked less than a minute ago");
    login.world.advance(Duration::from_secs(60));
    assert_eq!(login.status(&after).await, 200);
    assert_eq!(login.issuer.fetches(), 2);
    assert_eq!(login.status(&before).await, 401, "its key has left the issuer's set");
}

#[tokio::test]
async fn a_new_key_may_have_the_old_ones_name_or_none() {
    let login = Login::start().await;
    let (first, second, third) = (Signer::rsa("rsa-1"), Signer::ed(""), Signer::ed(""));
    login.issuer.has(&[&first]);
    let token = first.token(&login.claims());
    assert_eq!(login.status(&token).await, 401, "the issuer was asked less than a minute ago");
    login.world.advance(Duration::from_secs(60));
    assert_eq!(login.status(&token).await, 200, "another key under the same id");

    let header = json!({ "alg": "EdDSA" });
    for nameless in [&second, &third] {
        login.issuer.has(&[nameless]);
        login.world.advance(Duration::from_secs(60));
        assert_eq!(
            login.status(&nameless.token_with(&header, &login.claims())).await,
            200,
            "a key without an id"
        );
    }
    assert_eq!(login.status(&second.token_with(&header, &login.claims())).await, 401, "it has left the set");
}

#[tokio::test]
async fn fifty_unknown_keys_cost_the_issuer_one_question_a_minute() {
    let login = Login::start().await;
    for minute in 0..2 {
        login.world.advance(Duration::from_secs(60));
        let strangers: Vec<_> = (0..50)
            .map(|number| Signer::ed(&format!("unknown-{minute}-{number}")).token(&login.claims()))
            .collect();
        let asked = strangers.iter().map(|token| login.status(token));
        let answers = futures_util::future::join_all(asked).await;
        assert_eq!(answers, [401; 50]);
        assert_eq!(login.issuer.fetches(), 2 + minute);
    }
    assert_eq!(login.status(&login.token(&login.claims())).await, 200);
}

#[tokio::test]
async fn while_the_issuer_is_down_its_keys_go_on_counting() {
    let login = Login::start().await;
    let known = login.token(&login.claims());
    assert_eq!(login.status(&known).await, 200);
    login.issuer.goes_down();
    login.world.advance(Duration::from_secs(120));
    assert_eq!(login.status(&Signer::ed("unknown").token(&login.claims())).await, 401);
    assert_eq!(login.issuer.fetches(), 2, "it was asked");
    assert_eq!(login.status(&known).await, 200);
    assert_eq!(
        login.status(&login.keys[1].token(&login.claims())).await,
        200,
        "new tokens of known keys too"
    );
}

#[tokio::test]
async fn keys_may_be_in_a_file_that_somebody_replaces() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    let [first, second] = [Signer::ed("one"), Signer::rsa("two")];
    std::fs::write(&path, set(&[&first]).to_string()).unwrap();
    let settings = settings("JWKS_FILE", path.to_str().unwrap());
    let world = World::with(|_| {}, &settings.each_ref().map(borrow)).await;
    let claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "7", "exp": world.clock.now().as_second() + 600,
        "aurora_tenants": TENANT, "scope": ["read"],
    });
    world.ask(&first.token(&claims), VIEWER, json!({})).await.sound();
    std::fs::write(folder.path().join("next"), set(&[&second]).to_string()).unwrap();
    std::fs::rename(folder.path().join("next"), &path).unwrap();
    world.advance(Duration::from_secs(1));
    world.ask(&second.token(&claims), VIEWER, json!({})).await.sound();
    assert_eq!(world.ask(&first.token(&claims), VIEWER, json!({})).await.status, 401);
}

/// Delivers a project every 20 ms until it is told to stop, and says when it began with each.
async fn pour(world: &World, stop: &AtomicBool) -> Vec<Instant> {
    let mut begun = Vec::new();
    while !stop.load(SeqCst) {
        begun.push(Instant::now());
        let query = format!("tenant_id={TENANT}&project_id={}&source=app", begun.len() - 1);
        assert_eq!(world.deliver("project_created", &query).await, 200);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    begun
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_and_streams_end_with_their_token_and_say_nothing_after() {
    let login = Login::start().await;
    let now = login.world.clock.now();
    let expires = now.as_second() + 3;
    // The clock stands still, so that the token lasts for so long from the moment that it is shown.
    let lasts =
        Duration::try_from(jiff::Timestamp::from_second(expires).unwrap().duration_since(now)).unwrap();
    let token = login.token(&login.claims_but("exp", json!(expires)));
    let events = "subscription { events { ... on ProjectCreatedEvent { projectId } } }";
    let (world, stop) = (&login.world, AtomicBool::new(false));
    let shown = Instant::now();
    let mut socket = world.subscribe_as(&token, events, json!({})).await;
    let request = world.http.post(world.url("/graphql")).bearer_auth(&token);
    let mut listener = Listener::open(request.json(&json!({ "query": events }))).await;
    let accepted = Instant::now();

    let number = |data: &Value| -> usize { data["events"]["projectId"].as_str().unwrap().parse().unwrap() };
    let by_socket = async {
        let mut heard = Vec::new();
        loop {
            match socket.message_or_close().await {
                Ok(message) => heard.push(number(&message["payload"]["data"])),
                Err((code, _)) => return (heard, code, Instant::now()),
            }
        }
    };
    let by_events = async {
        let mut heard = Vec::new();
        while let Some(event) = listener.heard().await {
            assert_eq!(event.name, "next", "{event:?}");
            heard.push(number(&event.data["data"]));
        }
        (heard, Instant::now())
    };
    let both = async {
        let both = tokio::join!(by_socket, by_events);
        stop.store(true, SeqCst);
        both
    };
    let (begun, ((by_socket, code, closed), (by_events, ended))) = tokio::join!(pour(world, &stop), both);

    assert_eq!(code, 4403);
    for (heard, end) in [(by_socket, closed), (by_events, ended)] {
        let last = begun[*heard.last().expect("something was heard")];
        assert!(heard.len() > 20 && last >= shown + lasts / 2, "{} were heard", heard.len());
        assert!(
            last <= accepted + lasts,
            "one was heard that came {:?} after the end",
            last - accepted - lasts
        );
        assert!(end >= shown + lasts, "it ended too soon");
        assert!(end <= accepted + lasts + Duration::from_secs(1), "it lasted too long");
    }
    assert_eq!(login.status(&token).await, 200, "requests have the leeway");
}

#[tokio::test]
async fn a_token_that_has_just_expired_opens_no_socket() {
    let login = Login::start().await;
    let now = login.world.clock.now().as_second();
    let token = login.token(&login.claims_but("exp", json!(now - 1)));
    let mut socket = Subscriber::knock(&login.world.url("/graphql"), &token).await;
    assert_eq!(socket.closed().await, 4403);
}

#[tokio::test]
async fn whoever_asks_too_often_waits_and_nobody_else_does() {
    let world = World::with(|_| {}, &[("HELIOGRAPH_LIMITS__REQUESTS_PER_MINUTE", "10")]).await;
    for _ in 0..10 {
        world.query(VIEWER).await.sound();
    }
    let request = world.http.post(world.url("/graphql")).bearer_auth(crate::world::KEY);
    let refused = request.json(&json!({ "query": VIEWER })).send().await.unwrap();
    let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    let refused = Answer::of(refused).await;
    assert_eq!((refused.status, refused.errors()), (429, vec!["RATE_LIMITED".to_owned()]));
    let millis = refused.body["errors"][0]["extensions"]["retryAfterMs"].as_u64().unwrap();
    assert!((1..=6001).contains(&millis) && wait == millis.div_ceil(1000), "{millis} ms, {wait} s");

    let mut socket = world.subscribe_refused(crate::world::KEY, EVENTS).await;
    assert_eq!(socket.refusal().await, ["RATE_LIMITED"]);
    world.ask(crate::world::OTHER_KEY, VIEWER, json!({})).await.sound();
}

#[tokio::test]
async fn each_operation_of_a_batch_counts() {
    let limits = [("HELIOGRAPH_LIMITS__REQUESTS_PER_MINUTE", "10"), ("HELIOGRAPH_LIMITS__BATCH", "20")];
    let world = World::with(|_| {}, &limits).await;
    let request = world.http.post(world.url("/graphql")).bearer_auth(crate::world::KEY);
    let batch = vec![json!({ "query": VIEWER }); 12];
    let answer: Value = request.json(&batch).send().await.unwrap().json().await.unwrap();
    let refused = answer.as_array().unwrap().iter().filter(|it| !it["errors"].is_null()).count();
    assert_eq!(refused, 2, "{answer:#}");
}
