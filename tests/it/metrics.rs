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

/// The metric that a series is part of.
fn base(name: &str) -> String {
    let parts = ["_bucket", "_sum", "_count"].iter().find_map(|it| name.strip_suffix(it));
    parts.unwrap_or(name).to_owned()
}

#[tokio::test]
async fn the_documented_metrics_are_those_on_the_page() {
    let documented: BTreeSet<_> = named(&read("docs/metrics.md")).iter().map(|it| base(it)).collect();
    assert_eq!(documented, announced().await);
    // What the other pages tell to watch is there too.
    for page in ["docs/outbound-webhooks.md", "docs/disk-trouble.md", "docs/resilience.md", "README.md"] {
        let unknown: Vec<_> =
            named(&read(page)).into_iter().filter(|it| !documented.contains(&base(it))).collect();
        assert!(unknown.is_empty(), "{page}: {unknown:?}");
    }
}

#[tokio::test]
async fn the_dashboard_shows_every_metric_and_asks_for_no_other() {
    let dashboard: Value = serde_json::from_str(&read("docker/grafana-dashboard.json")).unwrap();
    let announced = announced().await;
    let mut asked = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            asked.extend(named(target["expr"].as_str().unwrap()));
        }
    }
    let unknown: Vec<_> = asked.iter().filter(|it| !announced.contains(&base(it))).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let unseen: Vec<_> =
        announced.iter().filter(|it| !asked.iter().any(|asked| base(asked) == **it)).collect();
    assert!(unseen.is_empty(), "nobody would see {unseen:?}");
}

/// The units that its panels may have, by Grafana's names: a panel without one shows bare numbers.
const UNITS: [&str; 6] = ["short", "s", "percentunit", "ops", "reqps", "cpm"];

#[test]
fn each_panel_of_the_dashboard_has_its_own_place_a_unit_and_something_to_show() {
    let dashboard: Value = serde_json::from_str(&read("docker/grafana-dashboard.json")).unwrap();
    let (mut ids, mut taken, mut shown) = (BTreeSet::new(), BTreeSet::new(), 1);
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title} has another's id");
        let place = &panel["gridPos"];
        assert!(
            place["x"].as_u64().unwrap() + place["w"].as_u64().unwrap() <= 24,
            "{title} is wider than the page"
        );
        for y in 0..place["h"].as_u64().unwrap() {
            for x in 0..place["w"].as_u64().unwrap() {
                let square = (place["x"].as_u64().unwrap() + x, place["y"].as_u64().unwrap() + y);
                assert!(taken.insert(square), "{title} lies on another panel");
            }
        }
        if panel["type"] == "row" {
            assert!(shown > 0, "there is nothing in the row before {title}");
            shown = 0;
        } else {
            shown += 1;
            let unit = panel["fieldConfig"]["defaults"]["unit"].as_str().unwrap();
            assert!(UNITS.contains(&unit), "{title} is in {unit}");
            assert!(!panel["targets"].as_array().unwrap().is_empty(), "{title} shows nothing");
            assert!(panel["description"].as_str().unwrap().len() > 20, "{title} does not say what it means");
        }
    }
    assert!(ids.len() >= 12, "{}", ids.len());
}
