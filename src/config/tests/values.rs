//! Values of the wrong type, and values that cannot be meant.

use super::*;

/// Asserts that `[section] key = value` is refused, in the second line, for this reason.
#[track_caller]
fn refused(key: &str, value: &str, reason: &str) {
    let (section, name) = key.split_once('.').unwrap();
    let expected = format!("heliograph.toml:2: {key}: {reason}");
    assert_refused(&format!("[{section}]\n{name} = {value}\n"), &expected);
}

/// Asserts that `[section] key = value` is accepted.
#[track_caller]
fn accepted(key: &str, value: &str) {
    let (section, name) = key.split_once('.').unwrap();
    let found = problems(&format!("[{section}]\n{name} = {value}\n"));
    assert_eq!(found, [""; 0], "{key} = {value}");
}

#[test]
fn wrong_types_are_refused_with_both_types() {
    refused("server.listen", "4000", "must be text in quotes, and is a whole number");
    refused("aurora.requests_per_minute", "\"90\"", "must be a whole number, and is text");
    refused("aurora.requests_per_minute", "1.5", "must be a whole number, and is a fractional number");
    refused("server.graphiql", "\"yes\"", "must be true or false, and is text");
    refused("server.graphiql", "1", "must be true or false, and is a whole number");
    accepted("server.graphiql", "false");
    refused("server.drain", "true", "must be text in quotes, and is true or false");
    refused("server.allowed_origins", "\"https://a.example\"", "must be a list, and is text");
    refused("cache.max_bytes", "1979-05-27", "must be a size, such as \"256MiB\", and is a date or time");
    let variable = "HELIOGRAPH_SERVER__GRAPHIQL: server.graphiql: must be true or false, and is text";
    assert_variable_refused("SERVER__GRAPHIQL", "off", variable);
    let variable =
        "HELIOGRAPH_AURORA__REQUESTS_PER_MINUTE: aurora.requests_per_minute: must be a whole number";
    assert_variable_refused("AURORA__REQUESTS_PER_MINUTE", "many", variable);
}

#[test]
fn no_requests_per_minute_are_refused_and_so_are_negative_ones() {
    for value in ["0", "-1", "10001", "99999999999999999"] {
        refused("aurora.requests_per_minute", value, "must be a whole number from 1 to 10000: with none");
    }
    refused("sandbox.requests_per_minute", "0", "must be a whole number from 1 to 10000");
}

#[test]
fn durations_without_unit_negative_or_absurd_are_refused() {
    for value in ["\"20\"", "\"-20s\"", "\"20 s\"", "\"1.5h\"", "\"\"", "\"99999999999999999999d\""] {
        refused("server.drain", value, "must be a whole number and a unit, such as \"250ms\"");
    }
    refused("server.drain", "20", "must be text in quotes, and is a whole number");
    refused("server.drain", "\"1h\"", "must be from 0s to 10m: supervisors do not wait longer");
    refused("aurora.request_timeout", "\"0s\"", "must be from 100ms to 1m");
    refused("aurora.request_timeout", "\"1d\"", "must be from 100ms to 1m");
    refused("cache.summary_fresh", "\"0s\"", "must be from 1s to 30d");
    refused("limits.init_timeout", "\"1ms\"", "must be from 100ms to 10m");
    refused("sandbox.design_delay", "\"2h\"", "must be from 0s to 1h");
}

#[test]
fn a_retention_below_an_hour_or_beyond_a_year_is_refused() {
    refused("store.retention", "\"59m\"", "must be from 1h to 365d: a subscriber must be able to come back");
    refused("store.retention", "\"366d\"", "must be from 1h to 365d");
    accepted("store.retention", "\"1h\"");
}

#[test]
fn a_stale_time_below_the_fresh_one_is_refused() {
    refused("cache.summary_stale", "\"59m\"", "must not be shorter than `cache.summary_fresh`");
}

#[test]
fn sizes_that_are_none_or_out_of_range_are_refused() {
    for value in ["\"256MB\"", "\"much\"", "\"-1KiB\"", "-1"] {
        refused("cache.max_bytes", value, "must be a number of bytes, or text such as");
    }
    refused("cache.max_bytes", "0", "must be from 1MiB to 64GiB");
    refused("limits.body_bytes", "\"1GiB\"", "must be from 1KiB to 16MiB");
    refused("limits.document_bytes", "\"256KiB\"", "must not be above `limits.body_bytes`");
}

#[test]
fn limits_that_let_nothing_through_are_refused() {
    for (key, least) in
        [("document_tokens", 50), ("depth", 3), ("aliases", 1), ("root_fields", 1), ("cost", 1)]
    {
        let reason = format!("must be a whole number from {least} to ");
        refused(&format!("limits.{key}"), "0", &reason);
    }
}

#[test]
fn base_urls_that_are_none_or_lead_elsewhere_are_refused() {
    let key = "aurora.base_url";
    refused(key, "\"api.aurorasolar.com\"", "must be a URL, such as");
    refused(key, "\"\"", "must be a URL, such as");
    refused(key, "\"ftp://api.aurorasolar.com\"", "must begin with https://");
    refused(key, "\"https://api.aurorasolar.com/v2\"", "must end after the host");
    refused(key, "\"https://api.aurorasolar.com?a=b\"", "must not contain a query or a fragment");
    refused(key, "\"https://api.aurorasolar.com/#a\"", "must not contain a query or a fragment");
    refused(key, "\"https://user:pass@api.aurorasolar.com\"", "must not contain credentials");
}

#[test]
fn plain_http_is_for_loopback_hosts_only() {
    let reason = "must begin with https:// (http:// would show keys to the network";
    for host in ["api.aurorasolar.com", "10.0.0.1", "[::2]", "localhost.example"] {
        refused("aurora.base_url", &format!("\"http://{host}\""), reason);
        refused("server.public_url", &format!("\"http://{host}\""), reason);
    }
    for host in ["127.0.0.1:4010", "localhost:4010", "[::1]:4010", "127.8.8.8", "aurora.localhost"] {
        accepted("aurora.base_url", &format!("\"http://{host}\""));
    }
}

#[test]
fn a_public_url_may_have_a_path_and_is_joined_to() {
    let config = load("[server]\npublic_url = \"https://crm.example/solar\"\n", &[]).unwrap();
    let joined = config.server.public_url.unwrap().join("webhooks/aurora").unwrap();
    assert_eq!(joined.as_str(), "https://crm.example/solar/webhooks/aurora");
}

#[test]
fn origins_that_are_none_are_refused_by_their_index() {
    let text =
        |origin: &str| format!("[server]\nallowed_origins = [\n  \"https://a.example\",\n  {origin},\n]\n");
    let place = "heliograph.toml:4: server.allowed_origins[1]: ";
    assert_refused(&text("\"*\""), &format!("{place}must be one origin: to allow every page"));
    assert_refused(&text("\"https://b.example/app\""), &format!("{place}must end after the host"));
    assert_refused(&text("\"b.example\""), &format!("{place}must be a URL"));
    assert_refused(&text("\"null\""), &format!("{place}must be a URL"));
    assert_refused(&text("7"), &format!("{place}must be text in quotes"));
}

#[test]
fn addresses_that_are_none_are_refused() {
    for value in ["\"4000\"", "\"localhost\"", "\"127.0.0.1\"", "\"127.0.0.1:70000\"", "\"\""] {
        refused("server.listen", value, "must be an IP address and a port, such as");
    }
}

#[test]
fn listeners_that_clash_are_refused() {
    let both =
        |listen: &str, admin: &str| format!("[server]\nlisten = \"{listen}\"\nadmin_listen = \"{admin}\"\n");
    let expected = "heliograph.toml:3: server.admin_listen: is the address of `server.listen`; one must move";
    assert_refused(&both("127.0.0.1:4000", "127.0.0.1:4000"), expected);
    assert_refused(&both("0.0.0.0:4000", "127.0.0.1:4000"), expected);
    assert_refused(&both("127.0.0.1:4000", "[::]:4000"), expected);
    assert_eq!(problems(&both("127.0.0.1:4000", "127.0.0.2:4000")), [""; 0]);
}

#[test]
fn words_outside_a_closed_list_are_refused_with_the_list() {
    refused("aurora.session_token", "\"maybe\"", "must be \"optional\" or \"required\"");
    refused("log.format", "\"xml\"", "must be \"text\" or \"json\"");
    refused("log.level", "\"loud\"", "must be \"error\" or \"warn\" or \"info\"");
    refused("store.backend", "\"postgres\"", "must be \"sqlite\"");
}

#[test]
fn header_names_that_are_none_are_refused() {
    for value in ["\"\"", "\"two words\"", "\"colon:\"", "\"Ümlaut\""] {
        refused("webhooks.header", value, "must be the name of an HTTP header");
    }
}

#[test]
fn text_that_cannot_be_sent_in_a_header_is_refused() {
    refused("aurora.api_version", "\"2024.05\\n\"", "must not contain control characters");
    refused("aurora.api_version", "\" 2024.05\"", "must be printable ASCII without spaces around it");
    refused("webhooks.secret", "\"schlüssel\"", "must be printable ASCII without spaces around it");
}

#[test]
fn tenant_ids_that_could_leave_their_place_in_a_path_are_refused() {
    refused("webhooks.default_tenant", "\"a/b\"", "contains a control character or a slash");
    refused("webhooks.default_tenant", "\"a\\u0007b\"", "contains a control character or a slash");
    refused("webhooks.default_tenant", "\"..\"", "consists of dots only");
    refused("webhooks.default_tenant", "\"\"", "is empty");
}

#[test]
fn sandbox_tenants_are_at_least_one_and_differ() {
    refused("sandbox.tenants", "[]", "must name at least one tenant");
    refused("sandbox.tenants", "[\"a\", \"a\"]", "names a tenant twice");
    refused("sandbox.seed", "-1", "must be a whole number, not negative");
}
