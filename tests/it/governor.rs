//! Aurora's limit and Aurora's faults, as callers of the gateway notice them: as little as can be.

mod black_hole;
mod breaker;
mod budget;
mod hostile;
mod load;
mod repeats;
mod restart;
mod tls;

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;

use crate::world::{Answer, World};

const SUMMARY: &str = "/tenants/*/designs/*/summary";

const CREATE: &str = r#"mutation { createProject(input: { location: { propertyAddress: "434 Brannan St, San Francisco, CA 94107" } })
    { project { projectId } userErrors { message } } }"#;

/// What a question for one design's summary is, and for one that nobody has asked for before.
fn summary(design: &str) -> String {
    format!(r#"{{ design(designId: "{design}") {{ summary {{ stale moduleCount }} }} }}"#)
}

/// Many questions at once, each for another design; none of them exists, which costs Aurora as much.
async fn ask_for(world: &World, designs: std::ops::Range<u32>) -> Vec<Answer> {
    let ask = |number: u32| async move {
        world.query(&format!(r#"{{ design(designId: "no-{number}") {{ name }} }}"#)).await
    };
    join_all(designs.map(ask)).await
}

/// The member of the first error's extensions.
fn extension<'a>(answer: &'a Answer, name: &str) -> &'a Value {
    &answer.body["errors"][0]["extensions"][name]
}

/// The figure of a series on the metrics page.
async fn metric(world: &World, series: &str) -> f64 {
    let page = world.http.get(world.admin_url("/metrics")).send().await.unwrap().text().await.unwrap();
    let line = page.lines().find_map(|line| line.strip_prefix(&format!("heliograph_{series} ")));
    line.unwrap_or_else(|| panic!("{series} is missing from {page}")).parse().unwrap()
}

/// How many calls Aurora refused because there were too many.
fn too_many(world: &World) -> usize {
    world.aurora.calls().iter().filter(|call| call.status == Some(429)).count()
}

/// The most calls with a tenant's key that came to Aurora within any 60 seconds, by its own clock.
fn most_in_a_minute(world: &World) -> usize {
    let calls = world.aurora.calls().into_iter().filter(|call| call.path.starts_with("/tenants/"));
    let times: Vec<jiff::Timestamp> = calls.map(|call| call.at.parse().unwrap()).collect();
    let minute = jiff::SignedDuration::from_secs(60);
    let from = |first: &jiff::Timestamp| {
        times.iter().filter(|at| *at >= first && at.duration_since(*first) < minute).count()
    };
    times.iter().map(from).max().unwrap()
}

/// Longer than Aurora is ever left alone after it failed.
const LONGEST_PAUSE: Duration = Duration::from_secs(31);
