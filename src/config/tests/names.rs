//! Keys and variables that nobody knows, and the ones this version knows by name only.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    assert_refused(
        "[server]\n\nlissten = \"127.0.0.1:1\"\n",
        "heliograph.toml:3: server.lissten: unknown key; did you mean `server.listen`?",
    );
    assert_refused("listen = \"127.0.0.1:1\"\n", "heliograph.toml:1: listen: unknown key; did you mean `");
    assert_refused(
        "[sever]\ndrain = \"1s\"\n",
        "heliograph.toml:1: sever: unknown key; did you mean `server`?",
    );
    let found = problems("[server]\nthis_is_quite_another_thing = 1\n");
    assert_eq!(found, ["heliograph.toml:2: server.this_is_quite_another_thing: unknown key"]);
}

#[test]
fn an_unknown_key_in_a_list_of_tables_is_refused_at_its_line() {
    assert_refused(
        "[[aurora.tenants]]\nid = \"a\"\nkey = \"sk_a\"\n\n\
         [[aurora.tenants]]\nid = \"b\"\nkey = \"sk_b\"\nky = \"x\"\n",
        "heliograph.toml:8: aurora.tenants[1].ky: unknown key; did you mean `aurora.tenants[].key`?",
    );
}

#[test]
fn an_unknown_variable_is_refused_with_the_nearest_known_one() {
    assert_variable_refused(
        "SERVER_LISTEN",
        "127.0.0.1:1",
        "HELIOGRAPH_SERVER_LISTEN: unknown variable; did you mean `HELIOGRAPH_SERVER__LISTEN`?",
    );
    assert_variable_refused(
        "AUTH__API_KEYS__0__NAMES",
        "crm",
        "HELIOGRAPH_AUTH__API_KEYS__0__NAMES: unknown variable; did you mean \
         `HELIOGRAPH_AUTH__API_KEYS__0__NAME`?",
    );
    assert_variable_refused(
        "server__listen",
        "x",
        "HELIOGRAPH_server__listen: unknown variable; did you mean",
    );
    assert_variable_refused("SERVER__LISTEN__MORE", "x", "HELIOGRAPH_SERVER__LISTEN__MORE: unknown variable");
    assert_variable_refused("", "x", "HELIOGRAPH_: unknown variable");
    assert_variable_refused("AUTH__API_KEYS__00__NAME", "x", "HELIOGRAPH_AUTH__API_KEYS__00__NAME: unknown");
}

#[test]
fn a_variable_that_names_a_section_is_refused() {
    assert_variable_refused("SERVER", "x", "HELIOGRAPH_SERVER: names the section `server`, not a key in it");
}

#[test]
fn a_value_where_a_table_belongs_is_refused_and_the_other_way_round() {
    assert_refused(
        "server = 1\n",
        "heliograph.toml:1: server: must be a table, written [server], and is a whole",
    );
    assert_refused(
        "[auth]\napi_keys = \"k\"\n",
        "heliograph.toml:2: auth.api_keys: must be a list of tables, each written [[auth.api_keys]], and",
    );
    assert_refused("[server.listen]\nport = 1\n", "heliograph.toml:1: server.listen: must be text in quotes");
}

#[test]
fn nats_is_refused_in_a_clear_sentence() {
    let reason = "store.backend: \"nats\" is not available in this version; use \"sqlite\"";
    assert_refused("[store]\nbackend = \"nats\"\n", &format!("heliograph.toml:2: {reason}"));
    assert_variable_refused("STORE__BACKEND", "nats", &format!("HELIOGRAPH_STORE__BACKEND: {reason}"));
    assert_refused(
        "[store]\nnats_url = \"nats://n\"\n",
        "heliograph.toml:2: store.nats_url: belongs to \"nats\"",
    );
    assert_variable_refused("STORE__REPLICAS", "3", "HELIOGRAPH_STORE__REPLICAS: store.replicas: belongs to");
}

fn known_names() -> BTreeSet<String> {
    let keys = learn_keys(&defaults().unwrap());
    keys.iter().flat_map(|(key, _)| key.split(['.', '[']).map(str::to_owned).collect::<Vec<_>>()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_single_unknown_key_is_refused(
        section in prop::sample::select(vec!["server", "aurora", "webhooks", "auth", "store", "cache",
            "reconcile", "sandbox", "log", "limits"]),
        name in "[a-z][a-z0-9_]{0,20}",
    ) {
        prop_assume!(!known_names().contains(&name));
        let found = problems(&format!("[{section}]\n{name} = 1\n"));
        prop_assert_eq!(found.len(), 1);
        let expected = format!("heliograph.toml:2: {section}.{name}: unknown key");
        prop_assert!(found[0].starts_with(&expected), "{:?}", found);
    }

    #[test]
    fn any_single_unknown_variable_is_refused(name in "[A-Z][A-Z0-9_]{0,30}") {
        let path = name.to_lowercase().replace("__", ".");
        prop_assume!(learn_keys(&defaults().unwrap()).kind(&path).is_none());
        let found = problems_under("", &[(&name, "1")]);
        prop_assert_eq!(found.len(), 1);
        prop_assert!(found[0].starts_with(&format!("HELIOGRAPH_{name}: unknown variable")), "{:?}", found);
    }
}
