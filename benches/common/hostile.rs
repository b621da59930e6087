//! Documents that were made to cost more than they are worth, as bodies of requests. None of them may run.

use serde_json::json;

pub(crate) fn requests() -> Vec<(&'static str, Vec<u8>)> {
    let document = |document: String| json!({ "query": document }).to_string().into_bytes();
    let fragments = |number: usize, spread: &str, last: &str| -> String {
        let one = |at: usize| {
            format!("fragment F{at} on Query {{ {} }} ", spread.replace('#', &(at + 1).to_string()))
        };
        let all: String = (0..number).map(one).collect();
        format!("{{ ...F0 }} {all} fragment F{number} on Query {{ {last} }}")
    };
    // As much as passes the count of tokens, so that what comes behind it is what is measured.
    let many = |one: &str, number: usize| one.repeat(number);
    let fields = |number: usize| (0..number).map(|at| format!("f{at} ")).collect::<String>();
    let aliases = |number: usize| (0..number).map(|at| format!("a{at}:__typename ")).collect::<String>();
    let overlapping =
        (0..80).map(|at| format!("x{at}: viewer {{ name }} x{at}: viewer {{ name }} ")).collect::<String>();
    vec![
        ("fragments that double, 2^24", document(fragments(24, "...F# ...F#", "__typename"))),
        ("fragments that double, 2^80", document(fragments(80, "...F# ...F#", "__typename"))),
        ("fragments times five, unknown end", document(fragments(28, &many("...F# ", 5), "...Missing"))),
        ("fragments in a circle", document(fragments(60, "...F# ...F0", "...F0"))),
        ("a bomb of type names", document(fragments(60, "__typename ...F# ...F#", "__typename"))),
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
        ("300 levels", document(format!("{}{}", many("{ viewer ", 300), many("}", 300)))),
        ("120 levels", document(format!("{}{}", many("{ viewer ", 120), many("}", 120)))),
        (
            "inline fragments, 120 levels",
            document(format!("{{ {} viewer {{ name }} {} }}", many("... on Query { ", 120), many("}", 120))),
        ),
        (
            "lists 5,000 deep",
            document(format!("{{ nodes(ids: {}{}) {{ id }} }}", many("[", 5_000), many("]", 5_000))),
        ),
        (
            "lists 480 deep",
            document(format!("{{ nodes(ids: {}{}) {{ id }} }}", many("[", 480), many("]", 480))),
        ),
        (
            "lists 120 deep",
            document(format!("{{ nodes(ids: {}{}) {{ id }} }}", many("[", 120), many("]", 120))),
        ),
        (
            "objects 120 deep",
            document(format!(
                "mutation {{ createProject(input: {}1{}) {{ replayed }} }}",
                many("{ a: ", 120),
                many("}", 120)
            )),
        ),
        (
            "a type of 120 lists",
            document(format!("query($a: {}ID{}) {{ viewer {{ name }} }}", many("[", 120), many("]", 120))),
        ),
        (
            "a number of 15,000 digits",
            document(format!("{{ projects(first: {}) {{ nodes {{ id }} }} }}", many("9", 15_000))),
        ),
        (
            "an exponent of 15,000 digits",
            document(format!("{{ projects(first: 1e{}) {{ nodes {{ id }} }} }}", many("9", 15_000))),
        ),
        (
            "4,000 operations",
            document((0..4_000).map(|at| format!("query Q{at} {{ viewer {{ name }} }} ")).collect()),
        ),
        (
            "120 operations",
            document((0..120).map(|at| format!("query Q{at} {{ viewer {{ name }} }} ")).collect()),
        ),
        (
            "240 variables",
            document(format!(
                "query({}) {{ viewer {{ name }} }}",
                (0..240).map(|at| format!("$v{at}: ID ")).collect::<String>()
            )),
        ),
        (
            "variables 60,000 deep",
            format!(
                r#"{{"query":"query($a: ID){{tenant(tenantId: $a){{id}}}}","variables":{{"a":{}{}}}}}"#,
                many("[", 60_000),
                many("]", 60_000)
            )
            .into_bytes(),
        ),
        (
            "a variable of 60,000 items",
            format!(
                r#"{{"query":"query($a: [ID!]!){{nodes(ids: $a){{id}}}}","variables":{{"a":[{}1]}}}}"#,
                many("1,", 60_000)
            )
            .into_bytes(),
        ),
        (
            "variables of 120 KiB that nobody asked for",
            format!(r#"{{"query":"{{nope}}","variables":{{"a":"{}"}}}}"#, many("x", 120_000)).into_bytes(),
        ),
        ("120 KiB of nothing", format!(r#"{{"query":"{}"}}"#, many(" ", 120_000)).into_bytes()),
        ("16 KiB of commas", document(many(",", 16_000))),
        ("a string that does not end", document(format!("{{ tenant(tenantId: \"{}", many("a", 16_000)))),
        (
            "a block string of backslashes",
            document(format!("{{ tenant(tenantId: \"\"\"{}", many("\\\"\"\"", 3_000))),
        ),
    ]
}
