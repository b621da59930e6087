//! What each fault of Aurora's comes to, for each kind of call: the table in docs/resilience.md.

use std::{fs, path::PathBuf, time::Duration};

use futures_util::{StreamExt, stream};
use heliograph::{
    clock::Clock,
    sandbox::{Fault, FaultRule},
};
use serde_json::json;

use crate::world::{KEY, TENANT, World};

const SUMMARY: &str = "/tenants/*/designs/*/summary";
const DESIGN: &str = "/tenants/*/designs/*";
const PROJECTS: &str = "/tenants/*/projects";

/// Short, so that silence is noticed soon.
const HASTE: [(&str, &str); 2] =
    [("HELIOGRAPH_AURORA__REQUEST_TIMEOUT", "400ms"), ("HELIOGRAPH_AURORA__CALL_TIMEOUT", "1s")];

/// Longer than a summary is fresh, shorter than it may stand in.
const TWO_HOURS: Duration = Duration::from_secs(2 * 60 * 60);

/// Longer than an event waits for its summary.
const OUT_OF_PATIENCE: Duration = Duration::from_secs(121);

/// Longer than it takes to be sure that a create did not happen, or where to look for it.
const SETTLED: Duration = Duration::from_secs(600);

/// An event that waits for nothing is announced within this.
const AT_ONCE: Duration = Duration::from_secs(2);

/// Worlds at a time: each is a gateway and a sandbox.
const AT_A_TIME: usize = 6;

/// A fault, and what is promised of it: of a read with nothing in memory and with something older, of a list, of a create,
/// and of an event.
struct Row {
    name: &'static str,
    fault: Fault,
    promised: [&'static str; 5],
}

fn row(name: &'static str, fault: Fault, promised: [&'static str; 5]) -> Row {
    Row { name, fault, promised }
}

fn wait(retry_after: Option<&str>, body: Option<serde_json::Value>) -> Fault {
    Fault::Status { status: 429, retry_after: retry_after.map(str::to_owned), body }
}

const LATER: &str = "without summary, after 2 min";
const NOW: &str = "without summary, at once";

fn rows() -> Vec<Row> {
    let in_half_a_minute =
        (Clock::system().now() + Duration::from_secs(30)).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let busy = ["UPSTREAM_RATE_LIMITED", "stale", "UPSTREAM_RATE_LIMITED", "UPSTREAM_RATE_LIMITED", LATER];
    let down = ["UPSTREAM_UNAVAILABLE", "stale", "UPSTREAM_UNAVAILABLE", "OUTCOME_UNKNOWN", LATER];
    let silent = ["UPSTREAM_TIMEOUT", "stale", "UPSTREAM_TIMEOUT", "OUTCOME_UNKNOWN", LATER];
    let slow = ["UPSTREAM_TIMEOUT", "stale", "UPSTREAM_TIMEOUT", "created", LATER];
    let odd = ["UPSTREAM_INVALID_RESPONSE", "stale", "UPSTREAM_INVALID_RESPONSE", "created", LATER];
    let refused =
        ["UPSTREAM_FORBIDDEN", "UPSTREAM_FORBIDDEN", "UPSTREAM_FORBIDDEN", "UPSTREAM_FORBIDDEN", NOW];
    vec![
        row("429, seconds in `Retry-After`", wait(Some("30"), None), busy),
        row("429, a date in `Retry-After`", wait(Some(&in_half_a_minute), None), busy),
        row("429, the wait in the body", wait(None, Some(json!({ "retry_after": 30 }))), busy),
        row("500", Fault::status(500), down),
        row("502, a page of HTML", Fault::HtmlBadGateway, down),
        row("503", Fault::status(503), down),
        row("no answer", Fault::Hang, silent),
        row("a body that dawdles", Fault::SlowBody { ms: 5_000 }, slow),
        row("a reset connection", Fault::Reset, down),
        row("JSON cut off", Fault::Truncated { chunked: false }, odd),
        row("values of other types", Fault::WrongTypes, odd),
        row("401, also for a new key", Fault::status(401), refused),
        row("403", Fault::status(403), refused),
    ]
}

async fn faulty(fault: &Fault, calls: &[(&str, &str)]) -> World {
    let world = World::with(|_| {}, &HASTE).await;
    let (_, design) = world.design().await;
    world.query(&summary(&design)).await.sound();
    for (method, path) in calls {
        world.aurora.fail(FaultRule::new(method, path, fault.clone())).unwrap();
    }
    world
}

fn summary(design: &str) -> String {
    format!(r#"{{ designSummary(designId: "{design}") {{ stale moduleCount }} }}"#)
}

/// The code of an answer's only error.
fn code(answer: &crate::world::Answer) -> String {
    let [error] = answer.errors().try_into().unwrap_or_else(|all| panic!("{all:?}"));
    error.split(' ').next().unwrap().to_owned()
}

/// A read with nothing in memory.
async fn cold(fault: &Fault) -> String {
    let world = faulty(fault, &[("GET", SUMMARY)]).await;
    world.aurora.plant(TENANT, "another-project", "another-design").unwrap();
    code(&world.query(&summary("another-design")).await)
}

/// A read with something older in memory.
async fn warm(fault: &Fault) -> String {
    let world = faulty(fault, &[("GET", SUMMARY)]).await;
    let design = world.aurora.designs(TENANT).remove(0).id;
    world.advance(TWO_HOURS);
    let answer = world.query(&summary(&design)).await;
    if answer.body["data"]["designSummary"]["stale"] == true { "stale".to_owned() } else { code(&answer) }
}

async fn list(fault: &Fault) -> String {
    let world = faulty(fault, &[("GET", PROJECTS)]).await;
    code(&world.query("{ projects(first: 5) { nodes { projectId } } }").await)
}

/// A create, which leaves one project in the end whatever happens.
async fn create(fault: &Fault) -> String {
    let world = faulty(fault, &[("POST", PROJECTS)]).await;
    world.aurora.clear_calls();
    let before = world.aurora.projects(TENANT).len();
    let query = r#"mutation { createProject(input: { idempotencyKey: "k", name: "Maple",
        location: { propertyAddress: "1 Main St" } }) { project { projectId } } }"#;
    let first = world.query(query).await;
    let sent = world.aurora.calls_to("POST", PROJECTS);
    let refused_the_key = matches!(fault, Fault::Status { status: 401, .. });
    assert_eq!(
        sent,
        if refused_the_key { 2 } else { 1 },
        "{fault:?}: a create is sent once, or once for each key"
    );
    world.aurora.clear_faults();
    world
        .eventually("one project", || async {
            world.advance(SETTLED);
            let answer = world.query(query).await;
            // Under an id of another type there is nothing to be read again.
            answer.body["data"]["createProject"]["project"].is_object() || matches!(fault, Fault::WrongTypes)
        })
        .await;
    assert_eq!(world.aurora.projects(TENANT).len(), before + 1, "{fault:?}");
    if first.body["data"]["createProject"]["project"].is_object() {
        "created".to_owned()
    } else {
        code(&first)
    }
}

/// An event whose design cannot be read.
async fn event(fault: &Fault) -> String {
    let world = faulty(fault, &[("GET", SUMMARY), ("GET", DESIGN)]).await;
    let design = world.aurora.designs(TENANT).remove(0).id;
    assert_eq!(world.complete(&design, "j").await, 200);
    let announced = || async {
        let query = "{ events { nodes { ... on DesignCompletedEvent { announcedWithSummary } } } }";
        let answer = world.ask(KEY, query, json!({})).await.sound();
        answer["events"]["nodes"][0]["announcedWithSummary"].as_bool()
    };
    let at_once = async {
        loop {
            if let Some(with) = announced().await {
                return with;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    match tokio::time::timeout(AT_ONCE, at_once).await {
        Ok(with) => {
            assert!(!with, "{fault:?}");
            NOW.to_owned()
        }
        Err(_waits) => {
            world.advance(OUT_OF_PATIENCE);
            world.eventually("the event", || async { announced().await == Some(false) }).await;
            LATER.to_owned()
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_of_auroras_comes_to_what_is_promised_for_each_kind_of_call() {
    let rows = rows();
    let found: Vec<[String; 5]> = stream::iter(&rows)
        .map(|Row { fault, .. }| async move {
            let (cold, warm) = tokio::join!(cold(fault), warm(fault));
            let (list, create, event) = tokio::join!(list(fault), create(fault), event(fault));
            [cold, warm, list, create, event]
        })
        .buffered(AT_A_TIME / 2)
        .collect()
        .await;
    let wrong: Vec<_> = rows.iter().zip(&found).filter(|(row, found)| row.promised != **found).collect();
    let told: Vec<_> = wrong.iter().map(|(row, found)| format!("{}: {found:?}", row.name)).collect();
    assert!(wrong.is_empty(), "{told:#?}");
    on_the_page(&table(&rows));
}

fn table(rows: &[Row]) -> String {
    let mut text = "| fault | read, nothing in memory | read, older in memory | list | create | event |\n\
                    | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for Row { name, promised, .. } in rows {
        let cells = promised.map(|cell| match cell.chars().next() {
            Some('A'..='Z') => format!("[`{cell}`](errors/{cell}.md)"),
            _ => cell.to_owned(),
        });
        text.push_str(&format!("| {name} | {} |\n", cells.join(" | ")));
    }
    text
}

/// Holds the table on the page to this one; writes it where it differs, and says so.
fn on_the_page(table: &str) {
    const BEGIN: &str = "<!-- The test `matrix` writes this table. -->\n\n";
    let page = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/resilience.md");
    let text = fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the page has a place for the table");
    let (was, after) = rest.split_once("\n\n").unwrap_or((rest, ""));
    let was = format!("{was}\n");
    if was.trim_end() != table.trim_end() {
        fs::write(&page, format!("{before}{BEGIN}{table}\n{after}")).unwrap();
        panic!("the table in docs/resilience.md was not this one; it is now: look at the difference");
    }
}
