//! `default.toml` and `docs/configuration.md` say what the code does, key for key.

use super::keys::Kind;
use super::*;

const DOCS: &str = include_str!("../../../docs/configuration.md");

/// Keys that stand in another's place. The starting file shows that other one, and names these in the comment above it.
const INSTEAD: &[&str] = &["auth.jwt.jwks_file"];

/// Each key that holds a value, by pattern; the `…_file` forms of secrets are explained once for all.
fn keys() -> Vec<String> {
    let keys = learn_keys(&defaults().unwrap());
    keys.iter()
        .filter(|(_, kind)| matches!(kind, Kind::Setting | Kind::Secret | Kind::List))
        .map(|(key, _)| key.to_owned())
        .filter(|key| key.strip_suffix("_file").and_then(|it| keys.kind(it)) != Some(Kind::Secret))
        .collect()
}

/// The starting file with every example turned on: lines that begin with `#` and no space.
fn with_examples() -> String {
    let lines = DEFAULTS.lines().map(|line| match line.strip_prefix('#') {
        Some(example) if !example.starts_with(' ') => example,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_defaults_name_no_unknown_key() {
    let mut tree = defaults().unwrap();
    let keys = learn_keys(&tree);
    let mut problems = Vec::new();
    keys.prune(&mut tree, "", &mut problems);
    assert_eq!(problems, []);
}

#[test]
fn every_key_stands_in_the_starting_file_and_its_examples_are_sound() {
    let config = load(&with_examples(), &[]).unwrap();
    config.require_for_serve().unwrap();
    let shown: Vec<_> = config.settings().iter().map(ToString::to_string).collect();
    for key in keys() {
        let (section, name) = key.rsplit_once('.').unwrap();
        let section = section.replace("[]", "[");
        let found = shown.iter().any(|it| it.starts_with(&section) && it.contains(&format!(".{name} = ")));
        let named = INSTEAD.contains(&key.as_str()) && DEFAULTS.contains(&format!("`{name}`"));
        assert!(found || named, "{key} is not in default.toml");
    }
}

#[test]
fn every_key_of_the_starting_file_has_a_comment_above_it() {
    let mut explained = false;
    for line in DEFAULTS.lines() {
        let is_prose = line.starts_with("# ");
        let is_setting = line.contains(" = ") && !is_prose;
        assert!(!is_setting || explained, "no comment above: {line}");
        // One comment may speak for a block of examples.
        explained = is_prose || (explained && line.starts_with('#')) || line.starts_with("#[[");
    }
}

#[test]
fn every_key_and_its_variable_stand_in_the_documentation() {
    for key in keys() {
        assert!(DOCS.contains(&format!("`{key}`")), "docs/configuration.md does not explain `{key}`");
        let variable = keys::variable(&key);
        assert!(DOCS.contains(&format!("`{variable}`")), "docs/configuration.md does not name `{variable}`");
    }
}

#[test]
fn every_default_stands_in_the_documentation() {
    for setting in Config::load(None, []).unwrap().settings() {
        let setting = setting.to_string();
        let (key, rest) = setting.split_once(" = ").unwrap();
        let value = rest.strip_suffix("  # default").unwrap();
        if value == "[redacted]" {
            continue;
        }
        let row = DOCS.lines().find(|line| line.starts_with(&format!("| `{key}` "))).unwrap();
        assert!(row.contains(&format!("`{value}`")), "{row} does not say {value}");
    }
}

#[test]
fn the_defaults_are_those_that_are_promised() {
    let config = Config::load(None, []).unwrap();
    let Config { server, aurora, webhooks, auth, store, cache, reconcile, sandbox, log, limits, .. } = config;
    assert_eq!(server.listen.to_string(), "127.0.0.1:4000");
    assert_eq!(server.admin_listen.to_string(), "127.0.0.1:4001");
    assert!(server.public_url.is_none() && server.allowed_origins.is_empty());
    assert_eq!((server.drain.as_secs(), server.graphiql), (20, true));
    assert_eq!(aurora.base_url.as_str(), "https://api-sandbox.aurorasolar.com/");
    assert!(aurora.application.is_none() && aurora.tenants.is_empty() && aurora.api_version.is_none());
    assert_eq!(aurora.session_token, SessionToken::Optional);
    assert_eq!(aurora.requests_per_minute.get(), 90);
    assert_eq!(aurora.request_timeout.as_secs(), 10);
    assert_eq!(webhooks.header, "x-heliograph-webhook-token");
    assert!(webhooks.previous_secret.is_none());
    assert!(webhooks.secret.is_none() && webhooks.basic.is_none() && webhooks.default_tenant.is_none());
    assert!(auth.api_keys.is_empty() && auth.jwt.is_none());
    assert_eq!(store.backend, Backend::Sqlite);
    assert_eq!(store.path, Path::new("heliograph.db"));
    assert_eq!(store.retention.as_secs(), 7 * 86_400);
    assert!(store.encryption_key.is_none() && store.previous_encryption_key.is_none());
    assert_eq!((cache.summary_fresh.as_secs(), cache.summary_stale.as_secs()), (3_600, 86_400));
    assert_eq!(cache.max_bytes, 256 << 20);
    assert_eq!(reconcile.share_percent, 10);
    assert_eq!((reconcile.every.as_secs(), reconcile.window.as_secs()), (3_600, 7 * 86_400));
    assert_eq!(sandbox.listen.to_string(), "127.0.0.1:4010");
    assert_eq!(log, Log { format: Format::Text, level: tracing::Level::INFO });
    assert_eq!((limits.body_bytes, limits.document_bytes), (128 << 10, 16 << 10));
    assert_eq!((limits.document_tokens, limits.depth, limits.aliases), (1000, 15, 30));
    assert_eq!(limits.requests_per_minute.get(), 600_000);
    assert_eq!((limits.root_fields, limits.directives, limits.page_size), (20, 10, 100));
    assert_eq!((limits.socket_operations, limits.subscribers_per_tenant), (100, 1000));
    assert_eq!((limits.init_timeout.as_secs(), limits.ping_interval.as_secs()), (10, 20));
    assert_eq!(limits.write_timeout.as_secs(), 8);
}
