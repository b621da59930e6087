//! What callers name in the gateway's own calls: an id is one segment of a path and nothing more, and an answer of Aurora
//! sends the gateway nowhere.

use std::collections::HashSet;

use futures_util::{StreamExt, stream};
use heliograph::sandbox::{Fault, FaultRule};
use serde_json::json;
use tokio::net::TcpListener;

use crate::world::{ADMIN_KEY, TENANT, World};

const MANY: usize = 200;

/// What means something in a URL, or did in some reader's opinion, in every place of an id.
fn ids() -> Vec<String> {
    let pieces = [
        "..", "../", "/", "//h", "\\", "..\\", "%2f", "%2F..", "%2e%2e", "%5c", "%00", "?", "#", "@h", ":",
        ";", "\0", "\r\n", "\u{7f}", "é",
    ];
    let mut all = Vec::new();
    for piece in pieces {
        for place in ["#", "a#", "#a", "a#b", "##", "#projects", "#?y=1", "http:#", "#@127.0.0.1", "a#.."] {
            all.push(place.replace('#', piece));
        }
    }
    all
}

/// The text behind `%XX`; an id may hold such itself, so this is done once.
fn decoded(segment: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = segment.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                let hex = String::from_utf8(vec![*high, *low]).unwrap();
                bytes.push(u8::from_str_radix(&hex, 16).unwrap());
                rest = tail;
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_hostile_ids_never_leave_their_place_in_auroras_path() {
    let many = [
        ("HELIOGRAPH_AURORA__REQUESTS_PER_MINUTE", "10000"),
        ("HELIOGRAPH_LIMITS__REQUESTS_PER_MINUTE", "1000000"),
    ];
    let world = World::with(|config| config.requests_per_minute = 0, &many).await;
    let (project, _) = world.design().await;
    let known = format!(r#"{{ project(tenantId: "{TENANT}", projectId: "{project}") {{ name }} }}"#);
    world.ask(ADMIN_KEY, &known, json!({})).await.sound();

    let ids: HashSet<_> = ids().into_iter().collect();
    assert_eq!(ids.len(), MANY);
    let queries = [
        "query($t: ID!, $id: ID!, $text: String!, $s: ID!) {
            project(tenantId: $t, projectId: $id) { name designs { name } }
            design(tenantId: $t, designId: $id) { name }
            designSummary(tenantId: $t, designId: $id) { moduleCount }
            projectByExternalProviderId(tenantId: $t, externalProviderId: $text) { name }
            foreign: design(tenantId: $s, designId: \"d\") { name } }",
        // These can be no null, so one that fails takes its neighbours along.
        "query($s: ID!) { projects(tenantId: $s) { nodes { name } } }",
        "query($t: ID!, $s: ID!, $text: String!) { a: events(tenantId: $t, after: $text) { nodes { id } } b: events(tenantId: $s) { nodes { id } } }",
    ];
    world.aurora.clear_calls();
    stream::iter(&ids)
        .for_each_concurrent(8, |id| {
            let world = &world;
            async move {
                let variables = json!({ "t": TENANT, "id": id, "text": id, "s": id });
                let mut errors = Vec::new();
                for query in queries {
                    let answer = world.ask(ADMIN_KEY, query, variables.clone()).await;
                    assert!(answer.status == 200 && !answer.errors().is_empty(), "{id:?}: {}", answer.body);
                    errors.extend(answer.errors());
                }
                let well = ["NOT_FOUND", "BAD_USER_INPUT", "TENANT_NOT_CONNECTED", "UPSTREAM_FORBIDDEN"];
                for error in errors {
                    assert!(well.iter().any(|it| error.starts_with(it)), "{id:?}: {error}");
                }
            }
        })
        .await;

    let calls = world.aurora.calls();
    for call in &calls {
        assert!(call.query.is_none(), "{call:?}");
        let segments: Vec<_> = call.path.split('/').skip(1).map(decoded).collect();
        let segments: Vec<_> = segments.iter().map(String::as_str).collect();
        let is_one = |id: &str| ids.contains(id);
        let stays = match segments[..] {
            ["tenants", tenant, "projects" | "designs", id]
            | ["tenants", tenant, "designs", id, "summary"]
            | ["tenants", tenant, "projects", id, "designs"] => tenant == TENANT && is_one(id),
            ["partner_applications", _, "tenants", tenant, "create_token"] => {
                tenant == TENANT || is_one(tenant)
            }
            _ => false,
        };
        assert!(stays, "{call:?}");
    }
    let reached = calls.iter().filter(|it| it.path.starts_with("/tenants/")).count();
    assert!(reached >= MANY, "only {reached} ids were sent at all: too few to tell");
}

#[tokio::test]
async fn a_redirect_of_auroras_is_followed_nowhere() {
    let world = World::start().await;
    let (project, design) = world.design().await;
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = format!("http://{}/latest/meta-data", elsewhere.local_addr().unwrap());
    let query = format!(
        r#"{{ design(designId: "{design}") {{ name summary {{ moduleCount }} }} project(projectId: "{project}") {{ designs {{ name }} }} }}"#
    );
    // A place elsewhere, and one of Aurora's own that would have had an answer.
    for location in [there, format!("/tenants/{TENANT}/projects/{project}")] {
        world.aurora.clear_calls();
        world
            .aurora
            .fail(FaultRule::new("GET", "/tenants/*/designs/**", Fault::Redirect { location }))
            .unwrap();
        let answer = world.query(&query).await;
        assert!(
            answer.errors().contains(&"UPSTREAM_INVALID_RESPONSE at design".to_owned()),
            "{}",
            answer.body
        );
        let followed = world.aurora.calls_to("GET", &format!("/tenants/{TENANT}/projects/{project}"));
        assert_eq!(followed, 0);
        assert_eq!(
            world.aurora.calls_to("GET", &format!("/tenants/{TENANT}/designs/{design}")),
            1,
            "nor tried again"
        );
        world.aurora.clear_faults();
    }
    let knocked = tokio::time::timeout(std::time::Duration::from_millis(50), elsewhere.accept()).await;
    assert!(knocked.is_err(), "somebody came to the place that Aurora named");
    world.query(&query).await.sound();
}
