//! The house rules that a test can hold: who may use whom, who may use which crate, and that what is documented exists.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Who may use whom. A module without a row fails, and so does a use that is not in its row.
const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("clock", &[]),
    ("telemetry", &[]),
    ("sandbox", &[]),
    ("sqlite", &[]),
    ("cache", &["clock"]),
    ("store", &["domain", "clock", "sqlite"]),
    ("journal", &["domain", "clock", "sqlite"]),
    ("aurora", &["domain", "clock", "store"]),
    ("catalog", &["domain", "clock", "cache", "store", "aurora"]),
    ("intake", &["domain", "clock", "journal"]),
    ("registration", &["clock", "aurora", "catalog"]),
    ("relay", &["domain", "clock", "journal", "catalog", "intake"]),
    ("reconcile", &["domain", "clock", "journal", "catalog"]),
    ("deliver", &["domain", "clock", "journal", "catalog", "sqlite"]),
    ("graphql", &["domain", "catalog", "journal", "registration", "relay", "deliver"]),
    ("http", &["domain", "clock", "graphql", "intake", "telemetry"]),
    ("config", &["domain"]),
    ("lifecycle", &[]),
    (
        "app",
        &[
            "domain",
            "clock",
            "telemetry",
            "sqlite",
            "cache",
            "store",
            "journal",
            "aurora",
            "catalog",
            "intake",
            "registration",
            "relay",
            "reconcile",
            "deliver",
            "graphql",
            "http",
            "config",
        ],
    ),
    (
        "cli",
        &[
            "app",
            "config",
            "sandbox",
            "graphql",
            "lifecycle",
            "clock",
            "domain",
            "http",
            "telemetry",
            "aurora",
            "registration",
            "journal",
            "sqlite",
        ],
    ),
];

/// Where an outside crate may be named: its home, so that leaving it is a change to one place.
const HOMES: &[(&str, &[&str])] = &[
    ("axum", &["http", "sandbox", "app"]),
    ("hyper", &["http", "sandbox"]),
    ("hyper_util", &["http", "sandbox"]),
    ("async_graphql", &["graphql", "http/graphql", "http/websocket"]),
    ("apollo_compiler", &["graphql/judge"]),
    ("dataloader", &["graphql/loader"]),
    ("aws_lc_rs", &["aurora/credentials"]),
    (
        "reqwest",
        &["aurora/transport", "deliver/guard", "deliver/sender", "http/auth", "sandbox", "cli/healthcheck"],
    ),
    ("rusqlite", &["sqlite", "journal/sqlite", "journal/archive", "store", "deliver/progress"]),
    ("jsonwebtoken", &["http/auth"]),
    ("governor", &["http/rate"]),
    ("moka", &["cache", "aurora/credentials", "http/auth", "graphql/prepared", "graphql/persisted"]),
    (
        "serde",
        &[
            "aurora/wire",
            "config",
            "deliver/payload",
            "graphql/persisted",
            "journal",
            "store",
            "sandbox",
            "http",
        ],
    ),
    ("clap", &["cli", "main"]),
    ("prometheus_client", &["telemetry"]),
    ("icu_normalizer", &["domain/project"]),
    ("rust_embed", &["http/page"]),
    ("rustix", &["http/server/files"]),
    ("tokio_tungstenite", &["http/websocket"]),
];

fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    let read = |path: PathBuf| {
        let name = path.strip_prefix(&root).unwrap().with_extension("").display().to_string();
        (name, fs::read_to_string(path).unwrap())
    };
    files.into_iter().map(read).collect()
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
}

/// The code without comments and without what is for tests: those may look around.
fn code(text: &str) -> String {
    let before_tests = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = before_tests.lines().map(|line| line.split("//").next().unwrap());
    lines.collect::<Vec<_>>().join("\n")
}

fn is_for_tests(name: &str) -> bool {
    name.split('/').any(|part| part == "tests" || part == "contract")
}

/// The first steps of every path of ours that a file names: `crate::a`, and each of `crate::{a, b::c}`.
fn uses(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for after in code.split("crate::").skip(1) {
        let word =
            |text: &str| text.chars().take_while(|it| it.is_alphanumeric() || *it == '_').collect::<String>();
        let Some(group) = after.strip_prefix('{') else {
            found.push(word(after));
            continue;
        };
        let (mut depth, mut fresh) = (0, true);
        for (at, letter) in group.char_indices() {
            match letter {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => fresh = true,
                it if fresh && (it.is_alphanumeric() || it == '_') => {
                    found.push(word(&group[at..]));
                    fresh = false;
                }
                _ => {}
            }
        }
    }
    found
}

#[test]
fn modules_use_only_whom_they_may() {
    let arrows: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    let mut wrong = Vec::new();
    for (name, text) in sources().into_iter().filter(|(name, _)| !is_for_tests(name)) {
        let module = name.split('/').next().unwrap().to_owned();
        if module == "lib" || module == "main" {
            continue;
        }
        let Some(may) = arrows.get(module.as_str()) else {
            wrong.push(format!("{module} has no row"));
            continue;
        };
        let used =
            uses(&code(&text)).into_iter().filter(|it| *it != module && arrows.contains_key(it.as_str()));
        wrong.extend(used.filter(|it| !may.contains(&it.as_str())).map(|it| format!("{name} uses {it}")));
    }
    assert!(wrong.is_empty(), "against the arrows: {wrong:#?}");
}

#[test]
fn crates_are_named_only_at_home() {
    let mut wrong = Vec::new();
    for (name, text) in sources().into_iter().filter(|(name, _)| !is_for_tests(name)) {
        let code = code(&text);
        for (outside, homes) in HOMES {
            let named = [format!("{outside}::"), format!("use {outside} ")].iter().any(|it| names(&code, it));
            let at_home = homes.iter().any(|home| name == *home || name.starts_with(&format!("{home}/")));
            if named && !at_home {
                wrong.push(format!("{name} names {outside}"));
            }
        }
    }
    assert!(wrong.is_empty(), "away from home: {wrong:#?}");
}

fn names(code: &str, path: &str) -> bool {
    let own = |before: &str| {
        before.ends_with("::") || before.ends_with(|it: char| it.is_alphanumeric() || it == '_')
    };
    let mut rest = code;
    while let Some(at) = rest.find(path) {
        if !own(&rest[..at]) {
            return true;
        }
        rest = &rest[at + path.len()..];
    }
    false
}

#[test]
fn every_error_code_has_its_page_and_every_page_its_code() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors");
    let mut codes: Vec<_> =
        heliograph::graphql::Code::ALL.iter().map(|code| code.text().to_owned()).collect();
    let mut pages: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|it| it.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .filter(|name| name != "README")
        .collect();
    codes.sort();
    pages.sort();
    assert_eq!(codes, pages);
    for code in codes {
        let page = fs::read_to_string(folder.join(format!("{code}.md"))).unwrap();
        assert!(page.contains(&code) && page.len() > 300, "docs/errors/{code}.md says too little");
    }
}

/// Everything that people read, by its place.
fn documents() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<PathBuf> = Vec::new();
    let mut folders = vec![
        root.to_owned(),
        root.join("docs"),
        root.join("docs/errors"),
        root.join("docs/decisions"),
        root.join("web"),
    ];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
        files.extend(entries.filter(|it| it.extension().is_some_and(|it| it == "md")));
    }
    assert!(files.len() > 30, "the walk found {}", files.len());
    files.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let mut dead = Vec::new();
    for (path, text) in documents() {
        for target in text.split("](").skip(1).filter_map(|it| it.split(')').next()) {
            let target = target.split('#').next().unwrap();
            let outside = target.is_empty() || target.contains("://") || target.starts_with("mailto:");
            if !outside && !path.parent().unwrap().join(target).exists() {
                dead.push(format!("{}: {target}", path.display()));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
}

#[test]
fn every_test_that_the_quirks_name_is_there() {
    let quirks =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/aurora-quirks.md")).unwrap();
    let mut code: String = sources().into_iter().map(|(_, text)| text).collect();
    let mut tests = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it"), &mut tests);
    tests.into_iter().for_each(|path| code.push_str(&fs::read_to_string(path).unwrap()));
    let named = quirks.split('`').skip(1).step_by(2).filter(|it| it.matches('_').count() >= 4);
    let named: Vec<_> = named
        .filter(|it| it.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit()))
        .collect();
    assert!(named.len() > 10, "the page names {named:?}");
    let gone: Vec<_> = named.into_iter().filter(|it| !code.contains(it)).collect();
    assert!(gone.is_empty(), "{gone:#?}");
}

#[test]
fn what_a_page_says_of_trying_again_is_what_its_code_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors");
    let index = fs::read_to_string(folder.join("README.md")).unwrap();
    for code in heliograph::graphql::Code::ALL {
        let word = if code.is_retryable() { "yes" } else { "no" };
        let page = fs::read_to_string(folder.join(format!("{}.md", code.text()))).unwrap();
        assert!(page.contains(&format!("Retryable: **{word}**")), "{}", code.text());
        let row = index.lines().find(|line| line.starts_with(&format!("| [`{}`]", code.text()))).unwrap();
        assert!(row.ends_with(&format!("| {word} |")), "{row}");
    }
}

#[test]
fn every_make_target_that_is_named_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let makefile = fs::read_to_string(root.join("Makefile")).unwrap();
    for (path, text) in documents() {
        for target in text.split("`make ").skip(1).map(|it| it.split([' ', '`', '\n']).next().unwrap()) {
            assert!(makefile.contains(&format!("\n{target}:")), "{}: make {target}", path.display());
        }
    }
}

#[test]
fn each_file_of_code_opens_with_its_promise() {
    let mute: Vec<_> = sources()
        .into_iter()
        .filter(|(name, text)| !is_for_tests(name) && !text.starts_with("//! "))
        .map(|(name, _)| name)
        .collect();
    assert!(mute.is_empty(), "without a word on what they are: {mute:#?}");
}

#[test]
fn the_walk_finds_uses_in_every_form() {
    let text = "use crate::{\n    a,\n    b::{self, c},\n    d::E,\n};\nfn f() { crate::g::h() }";
    assert_eq!(uses(text), ["a", "b", "d", "g"]);
    assert!(names("use axum::Router;", "axum::") && !names("my_axum::x", "axum::"));
}
