//! Credentials that contradict themselves, and what `serve` cannot do without.

use super::*;

/// An API key with these lines beside its name, which stands in the second line.
fn api_key(lines: &str) -> String {
    format!("[[auth.api_keys]]\nname = \"crm\"\n{lines}\n")
}

const KEY: &str = "key = \"sixteen-letters-or-more\"";
const REACH: &str = "tenants = [\"*\"]\nscopes = [\"read\"]";

#[test]
fn an_api_key_without_key_or_with_two_is_refused() {
    assert_refused(&api_key(REACH), "heliograph.toml:1: auth.api_keys[0].key: is required: one of `key`");
    let hash = "0".repeat(64);
    assert_refused(
        &api_key(&format!("{KEY}\nkey_sha256 = \"{hash}\"\n{REACH}")),
        "heliograph.toml:4: auth.api_keys[0].key_sha256: `key` is given as well; keep one of them",
    );
}

#[test]
fn an_api_key_that_can_be_guessed_or_not_be_sent_is_refused() {
    let refused = |key: &str, reason: &str| {
        let text = api_key(&format!("key = {key}\n{REACH}"));
        assert_refused(&text, &format!("heliograph.toml:3: auth.api_keys[0].key: {reason}"));
    };
    refused("\"fifteen-letters\"", "must have at least 16 letters");
    refused("\"\"", "is empty");
    refused("\"with a space in the middle\"", "must not contain spaces");
    refused("\"not-ascii-äöü-äöü-äöü\"", "must be printable ASCII");
    refused("1234567890123456", "must be text in quotes, and is a whole number");
}

#[test]
fn a_hash_that_is_none_is_refused() {
    for hash in ["0".repeat(63), "0".repeat(65), "g".repeat(64), "+1".repeat(32), "ä".repeat(32)] {
        assert_refused(
            &api_key(&format!("key_sha256 = \"{hash}\"\n{REACH}")),
            "heliograph.toml:3: auth.api_keys[0].key_sha256: must be the SHA-256 of a key as 64 hexadecimal",
        );
    }
}

#[test]
fn a_key_and_its_hash_are_the_same_credential() {
    // printf %s sixteen-letters-or-more | sha256sum
    let hash = "144f8cce15160a64fdf09c4c95171d52fc6ccd56525d734f212016d15c05b818";
    let config = load(&api_key(&format!("key_sha256 = \"{hash}\"\n{REACH}")), &[]).unwrap();
    assert_eq!(config.auth.api_keys[0].digest, KeyDigest::of("sixteen-letters-or-more"));
}

#[test]
fn two_api_keys_of_one_name_or_of_one_key_are_refused() {
    let twice = format!("{0}{0}", api_key(&format!("{KEY}\n{REACH}")));
    assert_refused(&twice, "heliograph.toml:7: auth.api_keys[1].name: is taken by another key");
    let renamed = twice.replacen("crm", "other", 1);
    assert_refused(&renamed, "heliograph.toml:6: auth.api_keys[1]: has the key of another name");
}

#[test]
fn unknown_scopes_and_none_are_refused() {
    let text = |scopes: &str| api_key(&format!("{KEY}\ntenants = [\"*\"]\n{scopes}"));
    assert_refused(
        &text("scopes = [\"read\", \"root\"]"),
        "heliograph.toml:5: auth.api_keys[0].scopes[1]: must be \"read\" or \"write\" or \"admin\"",
    );
    let reason = "auth.api_keys[0].scopes: must hold at least one of \"read\"";
    assert_refused(&text("scopes = []"), &format!("heliograph.toml:5: {reason}"));
    assert_refused(&text(""), &format!("heliograph.toml:1: {reason}"));
}

#[test]
fn tenants_of_a_key_that_are_none_double_or_all_and_some_are_refused() {
    let refused = |tenants: &str, reason: &str| {
        let text = api_key(&format!("{KEY}\nscopes = [\"read\"]\ntenants = {tenants}"));
        assert_refused(&text, &format!("heliograph.toml:5: auth.api_keys[0].tenants{reason}"));
    };
    refused("[]", ": must name at least one tenant, or be [\"*\"] for all");
    refused("[\"a\", \"a\"]", ": names a tenant twice");
    refused("[\"*\", \"a\"]", ": \"*\" stands for all tenants and must stand alone");
    refused("[\"*\", \"*\"]", ": \"*\" stands for all tenants and must stand alone");
    refused("[\"a/b\"]", "[0]: contains a control character or a slash");
}

/// `[auth.jwt]` with these lines.
fn jwt(lines: &[&str]) -> String {
    format!("[auth.jwt]\n{}\n", lines.join("\n"))
}

const ISSUER: &str = "issuer = \"https://issuer.example\"";
const AUDIENCE: &str = "audience = \"heliograph\"";
const URL: &str = "jwks_url = \"https://issuer.example/keys?p=one\"";
const FILE: &str = "jwks_file = \"keys.json\"";

#[test]
fn an_issuer_needs_its_audience_and_its_keys_in_one_place() {
    let refused = |lines: &[&str], place: &str, reason: &str| {
        assert_refused(&jwt(lines), &format!("heliograph.toml:{place}: {reason}"));
    };
    refused(&[AUDIENCE, URL], "2: auth.jwt.audience", "needs `auth.jwt.issuer` beside it");
    refused(&[ISSUER, URL], "2: auth.jwt.issuer", "needs `auth.jwt.audience` beside it");
    refused(&[ISSUER, AUDIENCE], "2: auth.jwt.issuer", "needs `auth.jwt.jwks_url` or `auth.jwt.jwks_file`");
    let both = [ISSUER, AUDIENCE, URL, FILE];
    refused(&both, "5: auth.jwt.jwks_file", "`jwks_url` is given as well; keep one of them");
    for keys in [URL, FILE] {
        let config = load(&jwt(&[ISSUER, AUDIENCE, keys]), &[]).unwrap();
        let jwt = config.auth.jwt.unwrap();
        assert_eq!((jwt.issuer.as_str(), jwt.audience.as_str()), ("https://issuer.example", "heliograph"));
        assert_eq!((jwt.tenants_claim.as_str(), jwt.leeway.as_secs()), ("aurora_tenants", 30));
    }
}

#[test]
fn keys_that_the_network_could_change_and_too_much_leeway_are_refused() {
    let refused = |line: &str, reason: &str| {
        let text = jwt(&[ISSUER, AUDIENCE, line]);
        assert_refused(&text, &format!("heliograph.toml:4: auth.jwt.{reason}"));
    };
    refused(
        "jwks_url = \"http://issuer.example/keys\"",
        "jwks_url: must begin with https:// (http:// would let",
    );
    refused("jwks_url = \"https://me:secret@issuer.example/\"", "jwks_url: must not contain credentials");
    refused("jwks_url = \"https://issuer.example/#keys\"", "jwks_url: must not contain a fragment");
    refused("jwks_url = \"keys.json\"", "jwks_url: must be a URL");
    let text = jwt(&[ISSUER, AUDIENCE, FILE, "leeway = \"1h\""]);
    assert_refused(&text, "heliograph.toml:5: auth.jwt.leeway: must be from 0s to 5m: clocks");
    assert_refused(
        &jwt(&[ISSUER, AUDIENCE, FILE, "key = 1"]),
        "heliograph.toml:5: auth.jwt.key: unknown key",
    );
    load(&jwt(&[ISSUER, AUDIENCE, "jwks_url = \"http://127.0.0.1:9/keys\""]), &[]).unwrap();
}

#[test]
fn tokens_alone_are_credentials_enough_to_serve() {
    let others = "[aurora]\napplication_id = \"app\"\napplication_key = \"a-key\"\n\
                  [webhooks]\nsecret = \"sixteen-letters-or-more\"\n";
    let config = load(&format!("{others}{}", jwt(&[ISSUER, AUDIENCE, URL])), &[]).unwrap();
    config.require_for_serve().unwrap();
    assert_eq!(config.warnings(), Vec::<String>::new());
}

#[test]
fn a_rate_of_none_is_refused() {
    assert_refused(
        "[limits]\nrequests_per_minute = 0\n",
        "heliograph.toml:2: limits.requests_per_minute: must be a whole number from 1 to 10000000: below it nobody",
    );
}

#[test]
fn an_application_needs_both_halves() {
    assert_refused(
        "[aurora]\napplication_id = \"app\"\n",
        "heliograph.toml:2: aurora.application_id: needs `aurora.application_key` beside it",
    );
    assert_refused(
        "[aurora]\napplication_key = \"a-key\"\n",
        "heliograph.toml:2: aurora.application_key: needs `aurora.application_id` beside it",
    );
    assert_refused(
        "[aurora]\napplication_id = \"a/b\"\napplication_key = \"a-key\"\n",
        "heliograph.toml:2: aurora.application_id: must be one segment of a path",
    );
}

#[test]
fn basic_authentication_needs_both_halves() {
    assert_refused(
        "[webhooks]\nbasic_user = \"aurora\"\n",
        "heliograph.toml:2: webhooks.basic_user: needs `webhooks.basic_password` beside it",
    );
    assert_refused(
        "[webhooks]\nbasic_password = \"p\"\n",
        "heliograph.toml:2: webhooks.basic_password: needs `webhooks.basic_user` beside it",
    );
    assert_refused(
        "[webhooks]\nbasic_user = \"a:b\"\nbasic_password = \"p\"\n",
        "heliograph.toml:2: webhooks.basic_user: must not contain a colon",
    );
}

#[test]
fn a_tenant_has_one_key() {
    let tenant = "[[aurora.tenants]]\nid = \"a\"\nkey = \"sk_a\"\n";
    assert_refused(
        &format!("{tenant}{tenant}"),
        "heliograph.toml:5: aurora.tenants[1].id: is given a key twice; a tenant has one",
    );
    assert_refused(
        "[[aurora.tenants]]\nid = \"a\"\n",
        "heliograph.toml:1: aurora.tenants[0].key: is required: `key` or `key_file`",
    );
    assert_refused(
        "[[aurora.tenants]]\nkey = \"sk_a\"\n",
        "heliograph.toml:1: aurora.tenants[0].id: is required, and is not set",
    );
}

#[test]
fn serve_needs_a_webhook_secret_an_api_key_and_a_way_to_aurora() {
    let error = load("", &[]).unwrap().require_for_serve().unwrap_err();
    let text = error.to_string();
    for key in [
        "HELIOGRAPH_WEBHOOKS__SECRET",
        "HELIOGRAPH_AUTH__API_KEYS__0__NAME",
        "HELIOGRAPH_AURORA__APPLICATION_ID",
    ] {
        assert!(text.contains(key), "{key} is not named in {text}");
    }

    let caller = api_key(&format!("{KEY}\n{REACH}"));
    let tenant = "[[aurora.tenants]]\nid = \"a\"\nkey = \"sk_a\"\n";
    let application = "[aurora]\napplication_id = \"app\"\napplication_key = \"a-key\"\n";
    let secret = "[webhooks]\nsecret = \"sixteen-letters-or-more\"\n";
    let basic = "[webhooks]\nbasic_user = \"aurora\"\nbasic_password = \"p\"\n";
    for sound in [
        format!("{caller}{tenant}{secret}"),
        format!("{caller}{application}{secret}"),
        format!("{caller}{application}{basic}"),
    ] {
        load(&sound, &[]).unwrap().require_for_serve().unwrap();
    }
    let lacking = load(&format!("{caller}{secret}"), &[]).unwrap().require_for_serve().unwrap_err();
    assert_eq!(lacking.problems().len(), 1);
}

#[test]
fn demo_needs_a_port_of_its_own_for_the_sandbox() {
    load("", &[]).unwrap().require_for_demo().unwrap();
    let clash = load("", &[("SANDBOX__LISTEN", "0.0.0.0:4000")]).unwrap();
    let text = clash.require_for_demo().unwrap_err().to_string();
    assert!(text.contains("sandbox.listen: is an address of the gateway"), "{text}");
}

#[test]
fn odd_but_legal_settings_are_warned_of() {
    let config = load(
        "[aurora]\napplication_id = \"app\"\napplication_key = \"a-key\"\nrequests_per_minute = 91\nsession_token = \"required\"\n\
         [[aurora.tenants]]\nid = \"a\"\nkey = \"no-aurora-key\"\n\
         [webhooks]\nsecret = \"short\"\n\
         [server]\nadmin_listen = \"0.0.0.0:4001\"\npublic_url = \"http://localhost:4000\"\n",
        &[],
    )
    .unwrap();
    let warnings = config.warnings().join("\n");
    for key in [
        "store.encryption_key",
        "aurora.requests_per_minute",
        "server.admin_listen",
        "webhooks.secret",
        "server.public_url",
        "[[auth.api_keys]]",
        "[[aurora.tenants]]",
    ] {
        assert!(warnings.contains(key), "{key} is not warned of in {warnings}");
    }
}
