//! Targets of deliveries: what is read and what is refused.

use secrecy::ExposeSecret;

use super::*;
use crate::domain::{MessageType, viewer::Tenants};

const SECRET: &str = "secret = \"whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"";

/// A target with these lines beside what it cannot do without, in the lines 2 to 5.
fn target(lines: &str) -> String {
    format!(
        "[[deliver]]\nname = \"crm\"\nurl = \"https://crm.example/hook\"\n{SECRET}\ntenants = [\"a\"]\n{lines}\n"
    )
}

#[test]
fn a_target_has_what_was_written_and_sensible_defaults() {
    let lines = "previous_secret = \"whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ==\"\nallow_private = [\"CRM.internal.\", \"[::1]\", \"10.0.0.7\"]";
    let config = load(&target(lines), &[]).unwrap();
    let crm = &config.deliver[0];
    assert_eq!((crm.name.as_str(), crm.url.expose_secret()), ("crm", "https://crm.example/hook"));
    assert_eq!(crm.keys.iter().map(|it| it.expose_secret().len()).collect::<Vec<_>>(), [24, 25]);
    assert!(matches!(&crm.tenants, Tenants::Only(these) if these.len() == 1));
    assert_eq!((crm.types.as_slice(), crm.from), (&[MessageType::DesignCompleted][..], DeliverFrom::Now));
    assert_eq!(crm.allow_private, ["crm.internal", "::1", "10.0.0.7"]);
    let debug = format!("{config:?}");
    assert!(!debug.contains("crm.example") && !debug.contains("[1, 1, 1"), "{debug}");
}

#[test]
fn from_the_environment_a_target_is_read_alike() {
    let config = load(
        "",
        &[
            ("DELIVER__0__NAME", "crm"),
            ("DELIVER__0__URL", "https://crm.example/"),
            ("DELIVER__0__SECRET", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
            ("DELIVER__0__TENANTS", "*"),
            ("DELIVER__0__TYPES", "project.created,design.completed,project.created"),
            ("DELIVER__0__FROM", "oldest"),
            ("OUTBOUND__AT_ONCE", "2"),
        ],
    )
    .unwrap();
    let crm = &config.deliver[0];
    assert_eq!(crm.types, [MessageType::DesignCompleted, MessageType::ProjectCreated]);
    assert_eq!((&crm.tenants, crm.from, config.outbound.at_once), (&Tenants::All, DeliverFrom::Oldest, 2));
}

#[test]
fn what_a_target_cannot_do_without_is_asked_for() {
    let without = |line: &str| target("").replace(line, "");
    assert_refused(&without("tenants = [\"a\"]"), "heliograph.toml:1: deliver[0].tenants: must name");
    assert_refused(&without(SECRET), "heliograph.toml:1: deliver[0].secret: is required: `secret` or");
    assert_refused(
        &without("url = \"https://crm.example/hook\""),
        "heliograph.toml:1: deliver[0].url: is required: `url` or `url_file`",
    );
    assert_refused(&without("name = \"crm\""), "heliograph.toml:1: deliver[0].name: is required");
}

#[test]
fn a_secret_must_be_one_of_the_specification() {
    for secret in [
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "whsec_",
        "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
        "whsec_not base64",
        "whpk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ] {
        let text = target("").replace(SECRET, &format!("secret = \"{secret}\""));
        assert_refused(&text, "heliograph.toml:4: deliver[0].secret: must be whsec_ and 24 to 64 bytes");
    }
    let long = format!("whsec_{}", "AAAA".repeat(22));
    let text = target("").replace(SECRET, &format!("secret = \"{long}\""));
    assert_refused(&text, "heliograph.toml:4: deliver[0].secret: must be whsec_ and 24 to 64 bytes");
}

#[test]
fn names_types_and_hosts_that_cannot_be_are_refused() {
    let twice = format!("{0}{0}", target(""));
    assert_refused(&twice, "heliograph.toml:8: deliver[1].name: is taken by another target");
    for name in ["a b", "ä", "a\\\"b", &"x".repeat(65)] {
        let text = target("").replace("\"crm\"", &format!("\"{name}\""));
        assert_refused(&text, "heliograph.toml:2: deliver[0].name: must be at most 64 letters, digits");
    }
    assert_refused(&target("types = []"), "heliograph.toml:6: deliver[0].types: must hold at least one type");
    assert_refused(
        &target("types = [\"design_completed\"]"),
        "heliograph.toml:6: deliver[0].types[0]: must be \"design.completed\" or",
    );
    for host in ["*.internal", "https://crm.internal", "crm.internal:80", "a/b", ""] {
        let text = target(&format!("allow_private = [\"{host}\"]"));
        assert_refused(&text, "heliograph.toml:6: deliver[0].allow_private[0]: must be");
    }
    assert_refused(&target("from = \"yesterday\""), "heliograph.toml:6: deliver[0].from: must be \"now\" or");
}

#[test]
fn targets_are_limited() {
    let many: String = (0..101).map(|at| target("").replace("\"crm\"", &format!("\"crm-{at}\""))).collect();
    assert_refused(&many, "heliograph.toml:601: deliver[100]: is one too many: at most 100 targets");
}

#[test]
fn patience_beyond_the_retention_is_worth_a_warning() {
    let told = |text: &str| {
        let warnings = load(text, &[]).unwrap().warnings();
        warnings.iter().any(|it| it.starts_with("outbound.disable_after is not below store.retention"))
    };
    let impatient = format!("{}[store]\nretention = \"5d\"\n", target(""));
    assert!(told(&impatient) && !told(&target("")) && !told("[store]\nretention = \"5d\"\n"));
}
