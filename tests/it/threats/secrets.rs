//! Secrets and what people wrote: in no answer, no log line, no metric and no file, whatever goes wrong.

mod aurora;
mod caller;

use std::{collections::BTreeMap, fmt::Write as _, fs::File, io::Write as _, path::Path, process::Stdio};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use heliograph::clock::Clock;
use serde_json::{Value, json};

use self::{
    aurora::{Aurora, Mood},
    caller::Caller,
};
use crate::load::process::{Running, command};
use crate::world::{
    Subscriber,
    issuer::{AUDIENCE, ISSUER, Issuer, Signer},
};

const APPLICATION_KEY: &str = "application+key/Zx81QmT4vLw2";
const OWN_KEY: &str = "own-key+of/a-tenant/Rr7yHn3KpD";
const TEMPORARY_KEY: &str = "temporary+key/Jt5cVb9MqS8eWa";
const API_KEY: &str = "api+key/of-the-crm/Ff6gYu2XoNl";
const WEBHOOK_SECRET: &str = "webhook+secret/Uu4iKj7BzGh1";
const BASIC_PASSWORD: &str = "basic+password/Pp9lMn3CxVd5";
/// In base64, as it is configured. Under it the temporary key lies on the disk.
const ENCRYPTION_KEY: &str = "c2l4dGVlbi1sZXR0ZXJzLWFuZC1zaXh0ZWVuLW1vcmU=";
const SESSION_TOKEN: &str = "session+token/Ss2wQa8EdRf6";
const WRONG_KEY: &str = "wrong+key/that-somebody/tried-Tt3";
/// Stands in the bodies, headers and locations of all that Aurora answers when it is not well.
const PLANTED: &str = "planted+in/what-aurora-says/Kk8jHg";
/// What a person wrote: no secret, and nobody's business but Aurora's.
const ADDRESS: &str = "1313 Webfoot Walk, Duckburg";

/// The tenant with a temporary key and the one with its own.
const TENANT: &str = "tenant-a";
const OWNER: &str = "tenant-b";

/// Everything but letters and digits as `%XX`.
fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |mut all, byte| {
        match byte.is_ascii_alphanumeric() {
            true => all.push(byte.into()),
            false => write!(all, "%{byte:02X}").unwrap(),
        }
        all
    })
}

/// Every form in which a secret could come out and still be of use to somebody.
fn forms(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let hex: String = bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    });
    let list = format!("{bytes:?}");
    vec![
        secret.to_owned(),
        secret.replace('/', "\\/"),
        percent(secret),
        secret.replace('+', "%2B").replace('/', "%2F"),
        STANDARD.encode(secret).trim_end_matches('=').to_owned(),
        URL_SAFE_NO_PAD.encode(secret),
        hex.to_uppercase(),
        hex,
        list.trim_matches(['[', ']']).to_owned(),
        // Most of it is as good as all of it.
        secret[secret.len() - 14..].to_owned(),
    ]
}

/// Which secrets show, and where.
fn shown(outputs: &[(String, Vec<u8>)], secrets: &[&str]) -> Vec<String> {
    let mut all = Vec::new();
    for (place, bytes) in outputs {
        let text = String::from_utf8_lossy(bytes);
        for secret in secrets {
            for form in forms(secret) {
                if let Some(at) = text.find(&form) {
                    let begin = text[..at].rfind('\n').map_or(0, |it| it + 1);
                    let line: String =
                        text[begin..].lines().next().unwrap_or_default().chars().take(400).collect();
                    all.push(format!("{form} in {place}: {line}"));
                }
            }
        }
    }
    all
}

fn settings(aurora: &Aurora, issuer: &Issuer, format: &str) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = [
        ("SERVER__LISTEN", "127.0.0.1:0"),
        ("SERVER__ADMIN_LISTEN", "127.0.0.1:0"),
        ("AURORA__BASE_URL", &aurora.url),
        ("AURORA__APPLICATION_ID", "app"),
        ("AURORA__APPLICATION_KEY", APPLICATION_KEY),
        ("AURORA__TENANTS__0__ID", OWNER),
        ("AURORA__TENANTS__0__KEY", OWN_KEY),
        ("AURORA__REQUEST_TIMEOUT", "2s"),
        ("STORE__ENCRYPTION_KEY", ENCRYPTION_KEY),
        // A 429 that names no time is not waited for.
        ("AURORA__CALL_TIMEOUT", "1s"),
        ("WEBHOOKS__SECRET", WEBHOOK_SECRET),
        ("WEBHOOKS__BASIC_USER", "aurora"),
        ("WEBHOOKS__BASIC_PASSWORD", BASIC_PASSWORD),
        ("AUTH__JWT__ISSUER", ISSUER),
        ("AUTH__JWT__AUDIENCE", AUDIENCE),
        ("AUTH__JWT__JWKS_URL", &issuer.url),
        ("LOG__LEVEL", "trace"),
        ("LOG__FORMAT", format),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    for (field, value) in
        [("NAME", "crm"), ("KEY", API_KEY), ("TENANTS", "*"), ("SCOPES", "read,write,admin")]
    {
        all.insert(format!("AUTH__API_KEYS__0__{field}"), value.to_owned());
    }
    all
}

fn files_below(folder: &Path, outputs: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            outputs.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
}

/// Runs a gateway through everything, and gives all that came out of it, the log first.
async fn all_that_comes_out(format: &str) -> (Vec<(String, Vec<u8>)>, String) {
    let aurora = Aurora::start().await;
    let signer = Signer::ed("key-1");
    let issuer = Issuer::start(&[&signer]).await;
    let in_an_hour = Clock::system().now().as_second() + 3600;
    let token = signer.token(&json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "donald@duckburg.example", "exp": in_an_hour,
        "aurora_tenants": "*", "scope": "read write",
    }));
    let (place, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let settings = settings(&aurora, &issuer, format);
    let log = logs.path().join("log");
    let mut serve = command(place.path(), &settings);
    // What other programs of this kind listen to: it must not open what our own filter keeps shut.
    serve.env("RUST_LOG", "trace");
    let log_file = Stdio::from(File::create(&log).unwrap());
    let (running, base, said) = Running::start_logging(serve.arg("serve"), "listens on ", log_file);
    let admin = said.split("(admin ").nth(1).unwrap().trim_end().trim_end_matches(')').to_owned();
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let mut caller =
        Caller { http, base: base.clone(), admin, said: vec![("stdout".to_owned(), said.into_bytes())] };

    let moods = [400, 401, 403, 404, 409, 422, 429, 500, 503].map(Mood::Says);
    let moods =
        [Mood::Well, Mood::Nonsense, Mood::WrongTypes, Mood::Cut, Mood::Redirects].into_iter().chain(moods);
    let mut socket = Subscriber::begin(
        &format!("{base}/graphql"),
        API_KEY,
        "subscription { events(tenantId: \"tenant-a\") { type parameters { value } } }",
        json!({}),
    )
    .await;
    for (round, mood) in moods.enumerate() {
        aurora.is(mood);
        let bearer = if round % 2 == 0 { API_KEY } else { &token };
        caller.everything(bearer, round).await;
    }
    caller.mistakes().await;
    caller.pages().await;
    caller.said.push(("socket".to_owned(), socket.message().await.to_string().into_bytes()));
    for arguments in [&["check-config", "--serve"][..], &["webhooks", "list"], &["webhooks", "ensure"]] {
        let output = command(place.path(), &settings).args(arguments).output().unwrap();
        caller.said.push((arguments.join(" "), [output.stdout, output.stderr].concat()));
    }
    running.stop();

    let mut outputs = vec![("the log".to_owned(), std::fs::read(&log).unwrap())];
    outputs.append(&mut caller.said);
    files_below(place.path(), &mut outputs);
    (outputs, token)
}

#[test]
fn the_search_finds_every_form() {
    for form in forms(OWN_KEY) {
        let outputs = [("here".to_owned(), format!("a line\nanother {form} line").into_bytes())];
        assert!(!shown(&outputs, &[APPLICATION_KEY, OWN_KEY]).is_empty(), "{form}");
        assert!(shown(&outputs, &[APPLICATION_KEY]).is_empty(), "{form}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_comes_out_whatever_aurora_says_and_however_much_is_logged() {
    for format in ["text", "json"] {
        let (outputs, token) = all_that_comes_out(format).await;
        let signature = token.rsplit('.').next().unwrap();
        let secrets = [
            APPLICATION_KEY,
            OWN_KEY,
            TEMPORARY_KEY,
            API_KEY,
            WEBHOOK_SECRET,
            BASIC_PASSWORD,
            ENCRYPTION_KEY,
            "sixteen-letters-and-sixteen-more",
            SESSION_TOKEN,
            WRONG_KEY,
            PLANTED,
            &token,
            signature,
            "donald@duckburg.example",
        ];
        let found = shown(&outputs, &secrets);
        assert!(found.is_empty(), "{} shown: {found:#?}", found.len());

        // The search saw what there was to see.
        let all = |what: &str| {
            outputs
                .iter()
                .filter(|(_, bytes)| bytes.windows(what.len()).any(|it| it == what.as_bytes()))
                .count()
        };
        let log = String::from_utf8_lossy(&outputs[0].1);
        assert!(log.lines().count() > 100, "{} lines are not much for this level", log.lines().count());
        assert!(
            log.contains("a-request-of-the-test")
                && log.contains("TRACE") | log.contains("trace") | log.contains("DEBUG")
        );
        for code in ["UPSTREAM_INVALID_RESPONSE", "UPSTREAM_UNAVAILABLE", "UPSTREAM_FORBIDDEN", "NOT_FOUND"] {
            assert!(all(code) > 0, "{code} did not come about");
        }
        assert!(all("Duck") > 0 && outputs.len() > 100, "{}", outputs.len());
        assert!(outputs.iter().any(|(place, _)| place.ends_with("heliograph.db")));

        let personal: Vec<_> = outputs
            .iter()
            .filter(|(place, _)| place == "the log" || place.contains("heliograph.db"))
            .cloned()
            .collect();
        assert_eq!(shown(&personal, &[ADDRESS]), Vec::<String>::new(), "what people wrote is kept nowhere");
    }
}

/// What an issuer could say instead of its keys, and what the log then has to say of it.
fn instead_of_keys() -> Vec<(u16, String, &'static str)> {
    let unread = "keys could not be read";
    vec![
        (500, format!("no: {PLANTED}"), unread),
        (302, PLANTED.to_owned(), unread),
        (200, format!("<html>{PLANTED}"), unread),
        (200, json!({ "keys": PLANTED }).to_string(), unread),
        (
            200,
            json!({ "keys": [{ "kty": "RSA", "kid": PLANTED, "n": PLANTED, "e": PLANTED }] }).to_string(),
            "no key that can be used",
        ),
        (200, json!({ "keys": [{ "kty": PLANTED, "kid": [PLANTED] }] }).to_string(), "key"),
        (200, format!("{{\"keys\":[],\"{PLANTED}\":\"{PLANTED}"), unread),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_says_too_much_is_not_quoted() {
    let aurora = Aurora::start().await;
    let signer = Signer::ed(PLANTED);
    for (status, body, complaint) in instead_of_keys() {
        let issuer = Issuer::start(&[]).await;
        issuer.says(status, &body);
        let (place, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let log = logs.path().join("log");
        let mut serve = command(place.path(), &settings(&aurora, &issuer, "text"));
        serve.env("RUST_LOG", "trace");
        let file = Stdio::from(File::create(&log).unwrap());
        let (running, base, said) = Running::start_logging(serve.arg("serve"), "listens on ", file);
        let admin = said.split("(admin ").nth(1).unwrap().trim_end().trim_end_matches(')').to_owned();
        let http = reqwest::Client::builder().build().unwrap();
        let mut caller = Caller { http, base, admin, said: Vec::new() };
        caller
            .ask(&signer.token(&json!({ "iss": ISSUER, "aud": AUDIENCE })), "{ viewer { name } }", json!({}))
            .await;
        caller.pages().await;
        running.stop();
        let log = std::fs::read(&log).unwrap();
        assert!(issuer.fetches() >= 1);
        assert!(String::from_utf8_lossy(&log).contains(complaint), "{}", String::from_utf8_lossy(&log));
        caller.said.push(("the log".to_owned(), log));
        assert_eq!(shown(&caller.said, &[PLANTED]), Vec::<String>::new(), "{status} {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_writes_lines_into_the_log() {
    let aurora = Aurora::start().await;
    let issuer = Issuer::start(&[]).await;
    for format in ["text", "json"] {
        let (place, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let log = logs.path().join("log");
        let mut serve = command(place.path(), &settings(&aurora, &issuer, format));
        let file = Stdio::from(File::create(&log).unwrap());
        let (running, base, _) = Running::start_logging(serve.arg("serve"), "listens on ", file);
        let http = reqwest::Client::builder().build().unwrap();
        let forged = "x\r\n2026-01-01T00:00:00Z  INFO forged-line \u{1b}[31m\u{85}\u{2028}{\"level\":\"INFO\",\"message\":\"forged-line\"}";
        let encoded = percent(forged);
        let long = "y".repeat(3000);
        for path in [
            format!("/webhooks/aurora/{encoded}?tenant_id={encoded}&design_id={encoded}"),
            format!("/webhooks/aurora/design_changed?tenant_id=t&{encoded}={encoded}&{long}={long}"),
            format!("/{encoded}"),
            format!("/graphql?query={encoded}&operationName={encoded}"),
        ] {
            let request = http.get(format!("{base}{path}")).bearer_auth(API_KEY);
            request.header("X-Heliograph-Webhook-Token", WEBHOOK_SECRET).send().await.unwrap();
        }
        for id in [forged, &long] {
            let body = json!({ "query": "query($t: ID, $d: ID!) { design(tenantId: $t, designId: $d) { name } }", "operationName": forged, "variables": { "t": id, "d": id } });
            http.post(format!("{base}/graphql")).bearer_auth(API_KEY).json(&body).send().await.unwrap();
        }
        let mut raw = std::net::TcpStream::connect(base.trim_start_matches("http://")).unwrap();
        raw.write_all(b"GET /x HTTP/1.1\r\nhost: h\r\nx-request-id: a\tb\xff forged-line\r\nuser-agent: \x7f\xff\r\n\r\n").unwrap();
        running.stop();

        let log = std::fs::read_to_string(&log).unwrap();
        assert!(log.lines().count() > 5);
        for line in log.lines() {
            assert!(!line.chars().any(|it| it.is_control() || it == '\u{2028}'), "{line:?}");
            assert!(line.len() < 4096, "{} bytes: {line}", line.len());
            if format == "json" {
                let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
                assert!(line["level"].is_string() && line["message"] != "forged-line", "{line}");
            } else {
                assert!(!line.starts_with("2026-01-01"), "{line}");
            }
        }
    }
}
