//! What is read, what is refused and with which words, through [`Config::load`].

mod credentials;
mod deliver;
mod documents;
mod layers;
mod names;
mod secrets;
mod values;

use std::path::Path;

use super::*;

/// A variable, as the environment holds it.
fn var(name: &str, text: &str) -> (String, String) {
    (format!("HELIOGRAPH_{name}"), text.to_owned())
}

/// Loads a file of this text with these variables.
fn load(text: &str, env: &[(&str, &str)]) -> Result<Config, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heliograph.toml");
    std::fs::write(&path, text).unwrap();
    Config::load(Some(&path), env.iter().map(|(name, text)| var(name, text)))
}

/// What is wrong with a file of this text, each problem in one line.
fn problems(text: &str) -> Vec<String> {
    problems_under(text, &[])
}

/// What is wrong with a file of this text under these variables.
fn problems_under(text: &str, env: &[(&str, &str)]) -> Vec<String> {
    match load(text, env) {
        Ok(_) => Vec::new(),
        Err(error) => error.problems().iter().map(|problem| without_folder(&problem.to_string())).collect(),
    }
}

/// The problem without the folder that this run happened to use.
fn without_folder(problem: &str) -> String {
    problem.find("heliograph.toml").map_or(problem, |start| &problem[start..]).to_owned()
}

/// Asserts that the file has one problem, told in a line that begins like this.
#[track_caller]
fn assert_refused(text: &str, expected: &str) {
    let found = problems(text);
    assert!(
        found.len() == 1 && found[0].starts_with(expected),
        "expected only\n  {expected}\nfound\n  {found:#?}"
    );
}

/// Asserts that the variable has one problem, told in a line that begins like this.
#[track_caller]
fn assert_variable_refused(name: &str, text: &str, expected: &str) {
    let found = problems_under("", &[(name, text)]);
    assert!(
        found.len() == 1 && found[0].starts_with(expected),
        "expected only\n  {expected}\nfound\n  {found:#?}"
    );
}

#[test]
fn without_file_and_environment_the_defaults_are_sound() {
    Config::load(None, []).unwrap();
}

#[test]
fn a_named_file_that_is_missing_is_refused() {
    let error = Config::load(Some(Path::new("no/such/heliograph.toml")), []).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("no/such/heliograph.toml: cannot be read: No such file"), "{text}");
}

#[test]
fn mistakes_in_toml_are_refused_with_their_lines_all_of_them() {
    let found = problems("[server]\nlisten = \ndrain = \"20s\"\n[aurora\n");
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].starts_with("heliograph.toml:2: not TOML: "), "{found:#?}");
    assert!(found[1].starts_with("heliograph.toml:4: not TOML: "), "{found:#?}");
}

#[test]
fn a_key_given_twice_is_refused_at_the_second() {
    assert_refused(
        "[server]\ndrain = \"1s\"\ndrain = \"2s\"\n",
        "heliograph.toml:3: not TOML: duplicate key",
    );
}

#[test]
fn several_problems_are_told_together_in_the_order_of_the_file() {
    let text = "[server]\nlisten = 4000\nlissten = \"x\"\n[aurora]\nrequests_per_minute = 0\n";
    let found = problems_under(text, &[("LOG__LEVEL", "loud"), ("CACHE__SUMMARY_FRESHH", "1h")]);
    let places: Vec<_> = found.iter().map(|problem| problem.split(": ").next().unwrap()).collect();
    assert_eq!(
        places,
        [
            "heliograph.toml:2",
            "heliograph.toml:3",
            "heliograph.toml:5",
            "HELIOGRAPH_CACHE__SUMMARY_FRESHH",
            "HELIOGRAPH_LOG__LEVEL"
        ]
    );
    let text = load(text, &[]).unwrap_err().to_string();
    assert!(text.starts_with("the configuration is refused, with 3 problems:\n  "), "{text}");
}
