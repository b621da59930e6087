//! Defaults, file, environment: who wins, and how lists are written.

use super::*;

#[test]
fn the_file_goes_over_the_defaults_and_the_environment_over_the_file() {
    let text = "[server]\nlisten = \"127.0.0.1:5000\"\nadmin_listen = \"127.0.0.1:5001\"\n";
    let config = load(text, &[("SERVER__LISTEN", "127.0.0.1:6000")]).unwrap();
    assert_eq!(config.server.listen.port(), 6000);
    assert_eq!(config.server.admin_listen.port(), 5001);
    assert_eq!(config.server.drain.as_secs(), 20);
}

#[test]
fn port_0_is_allowed_and_clashes_with_nothing() {
    let config = load("", &[("SERVER__LISTEN", "127.0.0.1:0"), ("SERVER__ADMIN_LISTEN", "127.0.0.1:0")]);
    assert_eq!(config.unwrap().server.listen.port(), 0);
}

#[test]
fn numbers_durations_and_sizes_come_from_the_environment() {
    let config = load(
        "",
        &[
            ("AURORA__REQUESTS_PER_MINUTE", "30"),
            ("AURORA__REQUEST_TIMEOUT", "250ms"),
            ("CACHE__MAX_BYTES", "1GiB"),
            ("LIMITS__BODY_BYTES", "65536"),
        ],
    )
    .unwrap();
    assert_eq!(config.aurora.requests_per_minute.get(), 30);
    assert_eq!(config.aurora.request_timeout.as_millis(), 250);
    assert_eq!(config.cache.max_bytes, 1 << 30);
    assert_eq!(config.limits.body_bytes, 65_536);
}

#[test]
fn a_list_in_the_environment_is_a_literal_or_separated_by_commas() {
    let origins = |text: &str| {
        let config = load("", &[("SERVER__ALLOWED_ORIGINS", text)]).unwrap();
        config.server.allowed_origins.iter().map(url::Origin::ascii_serialization).collect::<Vec<_>>()
    };
    let both = ["https://a.example", "http://b.example:8080"];
    assert_eq!(origins(r#"["https://a.example", "http://b.example:8080/"]"#), both);
    assert_eq!(origins("https://a.example, http://b.example:8080"), both);
    assert_eq!(origins(""), [""; 0]);
    assert_eq!(origins("[]"), [""; 0]);
}

#[test]
fn a_list_of_the_file_replaces_the_default_as_a_whole() {
    let config = load("[sandbox]\ntenants = [\"only-one\"]\n", &[]).unwrap();
    assert_eq!(config.sandbox.tenants.len(), 1);
    let config = load("[sandbox]\ntenants = [\"a\", \"b\"]\n", &[("SANDBOX__TENANTS", "c")]).unwrap();
    assert_eq!(config.sandbox.tenants[0].as_str(), "c");
    assert_eq!(config.sandbox.tenants.len(), 1);
}

#[test]
fn tables_in_a_list_are_set_by_index_beside_and_over_those_of_the_file() {
    let text = "[[aurora.tenants]]\nid = \"one\"\nkey = \"sk_1\"\n\
                [[aurora.tenants]]\nid = \"two\"\nkey = \"sk_2\"\n";
    let config = load(
        text,
        &[
            ("AURORA__TENANTS__1__ID", "zwei"),
            ("AURORA__TENANTS__2__ID", "three"),
            ("AURORA__TENANTS__2__KEY", "rk_3"),
        ],
    )
    .unwrap();
    let ids: Vec<_> = config.aurora.tenants.iter().map(|tenant| tenant.id.as_str()).collect();
    assert_eq!(ids, ["one", "zwei", "three"]);
}

#[test]
fn a_whole_list_of_tables_can_be_one_literal() {
    let config = load("", &[("AURORA__TENANTS", r#"[{ id = "a", key = "sk_a" }]"#)]).unwrap();
    assert_eq!(config.aurora.tenants[0].id.as_str(), "a");
    assert_variable_refused(
        "AURORA__TENANTS",
        r#"[{ id = "a", key = "sk_a", kez = 1 }]"#,
        "HELIOGRAPH_AURORA__TENANTS: aurora.tenants[0].kez: unknown key; did you mean `aurora.tenants[].",
    );
}

#[test]
fn an_api_key_can_come_from_the_environment_alone() {
    let config = load(
        "",
        &[
            ("AUTH__API_KEYS__0__NAME", "crm"),
            ("AUTH__API_KEYS__0__KEY", "sixteen-letters-or-more"),
            ("AUTH__API_KEYS__0__TENANTS", "*"),
            ("AUTH__API_KEYS__0__SCOPES", "write,read"),
        ],
    )
    .unwrap();
    let key = &config.auth.api_keys[0];
    assert_eq!(key.name, "crm");
    assert_eq!(key.digest, KeyDigest::of("sixteen-letters-or-more"));
    assert_eq!(key.tenants, crate::domain::viewer::Tenants::All);
    let scopes: Vec<_> = key.scopes.iter().map(|scope| scope.name()).collect();
    assert_eq!(scopes, ["read", "write"]);
}

#[test]
fn an_index_that_leaves_a_gap_is_refused() {
    assert_variable_refused(
        "AURORA__TENANTS__1__ID",
        "a",
        "HELIOGRAPH_AURORA__TENANTS__1__ID: aurora.tenants[1]: there is no tenants[0] before it",
    );
}

#[test]
fn other_peoples_variables_are_left_alone() {
    let env = [("HELIO_X".to_owned(), "1".to_owned()), ("PATH".to_owned(), "/bin".to_owned())];
    Config::load(None, env).unwrap();
}

#[test]
fn each_setting_in_force_says_where_it_comes_from() {
    let config = load("[server]\n\ndrain = \"5s\"\n", &[("LOG__LEVEL", "warn")]).unwrap();
    let lines: Vec<_> = config.settings().iter().map(ToString::to_string).collect();
    let has = |start: &str, end: &str| lines.iter().any(|it| it.starts_with(start) && it.ends_with(end));
    assert!(has("server.drain = \"5s\"  # ", "heliograph.toml:3"), "{lines:#?}");
    assert!(has("log.level = \"warn\"", "  # HELIOGRAPH_LOG__LEVEL"), "{lines:#?}");
    assert!(has("log.format = \"text\"", "  # default"), "{lines:#?}");
}
