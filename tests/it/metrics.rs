//! What can be watched: each metric is on the page and in the documentation, and the dashboard asks for no other.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use crate::world::World;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The names of all metrics that are announced on the page.
async fn announced() -> BTreeSet<String> {
    let world = World::start().await;
    world.query("{ projects { nodes { name } } }").await.sound();
    drop(world.subscribe("subscription { events { id } }").await);
    let page =
        || async { world.http.get(world.admin_url("/metrics")).send().await.unwrap().text().await.unwrap() };
    world.eventually("a socket is closed", || async { page().await.contains("sockets_closed_total{") }).await;
    let page = page().await;
    let announced = page.lines().filter_map(|line| line.strip_prefix("# TYPE heliograph_"));
    announced.map(|it| format!("heliograph_{}", it.split(' ').next().unwrap())).collect()
}

/// Every word of a text that looks like a metric's name.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|it: char| !(it.is_ascii_alphanumeric() || it == '_'));
    words.filter(|it| it.starts_with("heliograph_")).map(ToOwned::to_owned).collect()
}

#[tokio::test]
async fn the_documented_metrics_are_those_on_the_page() {
    assert_eq!(named(&read("docs/metrics.md")), announced().await);
}

#[tokio::test]
async fn the_dashboard_asks_only_for_metrics_that_there_are() {
    let dashboard: Value = serde_json::from_str(&read("docker/grafana-dashboard.json")).unwrap();
    let announced = announced().await;
    let mut asked = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            asked.extend(named(target["expr"].as_str().unwrap()));
        }
    }
    let base = |name: &String| {
        let parts = ["_bucket", "_sum", "_count"].iter().find_map(|it| name.strip_suffix(it));
        parts.unwrap_or(name).to_owned()
    };
    let unknown: Vec<_> = asked.iter().filter(|it| !announced.contains(&base(it))).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let upstream = announced.iter().filter(|it| it.starts_with("heliograph_upstream_"));
    let unseen: Vec<_> = upstream.filter(|it| !asked.iter().any(|asked| base(asked) == **it)).collect();
    assert!(unseen.is_empty(), "nobody would see {unseen:?}");
}

#[tokio::test]
async fn each_panel_of_the_dashboard_has_its_own_place_and_something_to_show() {
    let dashboard: Value = serde_json::from_str(&read("docker/grafana-dashboard.json")).unwrap();
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title} has another's id");
        let place = &panel["gridPos"];
        assert!(
            place["x"].as_u64().unwrap() + place["w"].as_u64().unwrap() <= 24,
            "{title} is wider than the page"
        );
        if panel["type"] != "row" {
            assert!(!panel["targets"].as_array().unwrap().is_empty(), "{title} shows nothing");
            assert!(panel["description"].as_str().unwrap().len() > 20, "{title} does not say what it means");
        }
    }
    assert!(ids.len() >= 12, "{}", ids.len());
}
