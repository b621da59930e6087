//! Documents that were made to cost more than they are worth, as bodies of requests. None of them may run.
//!
//! But for those that are named after their size, each passes the counts of bytes, tokens and brackets, so that what comes
//! behind those is what is tried.

use serde_json::json;

/// What it is, and the body.
type Hostile = (&'static str, Vec<u8>);

pub(crate) fn requests() -> Vec<Hostile> {
    [fragments(), wide(), deep(), values(), variables(), text()].concat()
}

fn document(document: String) -> Vec<u8> {
    json!({ "query": document }).to_string().into_bytes()
}

fn many(one: &str, number: usize) -> String {
    one.repeat(number)
}

fn fragments() -> Vec<Hostile> {
    let chain = |number: usize, spread: &str, last: &str| -> String {
        let one = |at: usize| {
            format!("fragment F{at} on Query {{ {} }} ", spread.replace('#', &(at + 1).to_string()))
        };
        let all: String = (0..number).map(one).collect();
        format!("{{ ...F0 }} {all} fragment F{number} on Query {{ {last} }}")
    };
    vec![
        ("fragments that double, 2^24", document(chain(24, "...F# ...F#", "__typename"))),
        ("fragments that double, 2^80", document(chain(80, "...F# ...F#", "__typename"))),
        ("fragments times five, unknown end", document(chain(28, &many("...F# ", 5), "...Missing"))),
        ("fragments in a circle", document(chain(60, "...F# ...F0", "...F0"))),
        ("a bomb of type names", document(chain(60, "__typename ...F# ...F#", "__typename"))),
    ]
}

fn wide() -> Vec<Hostile> {
    let fields = |number: usize| (0..number).map(|at| format!("f{at} ")).collect::<String>();
    let aliases = |number: usize| (0..number).map(|at| format!("a{at}:__typename ")).collect::<String>();
    let operations = |number: usize| {
        let all = (0..number).map(|at| format!("query Q{at} {{ viewer {{ name }} }} "));
        document(all.collect())
    };
    let overlapping =
        (0..80).map(|at| format!("x{at}: viewer {{ name }} x{at}: viewer {{ name }} ")).collect::<String>();
    vec![
        ("2,000 aliases", document(format!("{{ {} }}", aliases(2_000)))),
        ("300 aliases", document(format!("{{ {} }}", aliases(300)))),
        ("20,000 unknown fields", document(format!("{{ {} }}", fields(20_000)))),
        ("900 unknown fields", document(format!("{{ {} }}", fields(900)))),
        ("240 fields, each with nonsense in it", document(format!("{{ {} }}", many("viewer { nam } ", 240)))),
        ("fields that overlap", document(format!("{{ {overlapping} }}"))),
        (
            "one key for everything",
            document(format!("{{ {} }}", many("x: viewer { name } x: tenants { name } ", 70))),
        ),
        ("5,000 directives", document(format!("{{ viewer {} {{ name }} }}", many("@aa ", 5_000)))),
        ("400 directives", document(format!("{{ viewer {} {{ name }} }}", many("@aa ", 400)))),
        ("4,000 operations", operations(4_000)),
        ("120 operations", operations(120)),
    ]
}

fn deep() -> Vec<Hostile> {
    let levels = |deep: usize| document(format!("{}{}", many("{ viewer ", deep), many("}", deep)));
    let lists =
        |deep: usize| document(format!("{{ nodes(ids: {}{}) {{ id }} }}", many("[", deep), many("]", deep)));
    let (begin, end) = (many("... on Query { ", 120), many("}", 120));
    let objects = format!("{}1{}", many("{ a: ", 120), many("}", 120));
    let kind = format!("{}ID{}", many("[", 120), many("]", 120));
    vec![
        ("300 levels", levels(300)),
        ("120 levels", levels(120)),
        ("inline fragments, 120 levels", document(format!("{{ {begin} viewer {{ name }} {end} }}"))),
        ("lists 5,000 deep", lists(5_000)),
        ("lists 480 deep", lists(480)),
        ("lists 120 deep", lists(120)),
        (
            "objects 120 deep",
            document(format!("mutation {{ createProject(input: {objects}) {{ replayed }} }}")),
        ),
        ("a type of 120 lists", document(format!("query($a: {kind}) {{ viewer {{ name }} }}"))),
    ]
}

fn values() -> Vec<Hostile> {
    let first = |number: String| document(format!("{{ projects(first: {number}) {{ nodes {{ id }} }} }}"));
    let definitions = (0..240).map(|at| format!("$v{at}: ID ")).collect::<String>();
    vec![
        ("a number of 15,000 digits", first(many("9", 15_000))),
        ("an exponent of 15,000 digits", first(format!("1e{}", many("9", 15_000)))),
        ("240 variables", document(format!("query({definitions}) {{ viewer {{ name }} }}"))),
    ]
}

fn variables() -> Vec<Hostile> {
    let with = |query: &str, value: String| {
        format!(r#"{{"query":"{query}","variables":{{"a":{value}}}}}"#).into_bytes()
    };
    let deep = format!("{}{}", many("[", 60_000), many("]", 60_000));
    let long = format!("[{}1]", many("1,", 60_000));
    vec![
        ("variables 60,000 deep", with("query($a: ID){tenant(tenantId: $a){id}}", deep)),
        ("a variable of 60,000 items", with("query($a: [ID!]!){nodes(ids: $a){id}}", long)),
        ("variables of 120 KiB that nobody asked for", with("{nope}", format!("\"{}\"", many("x", 120_000)))),
    ]
}

fn text() -> Vec<Hostile> {
    vec![
        ("120 KiB of nothing", format!(r#"{{"query":"{}"}}"#, many(" ", 120_000)).into_bytes()),
        ("16 KiB of commas", document(many(",", 16_000))),
        ("a string that does not end", document(format!("{{ tenant(tenantId: \"{}", many("a", 16_000)))),
        (
            "a block string of backslashes",
            document(format!("{{ tenant(tenantId: \"\"\"{}", many("\\\"\"\"", 3_000))),
        ),
    ]
}
