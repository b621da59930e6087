//! Designs and nodes, as a client sees them, and what they cost.

use serde_json::json;

use crate::world::{TENANT, World};

#[tokio::test]
async fn asking_twice_for_one_design_costs_one_call() {
    let world = World::start().await;
    let (_, design) = world.design().await;
    let query = format!(
        r#"{{ a: design(designId: "{design}") {{ designId }} b: design(designId: "{design}") {{ name }} }}"#
    );
    let answer = world.query(&query).await.sound();
    assert_eq!(answer["a"]["designId"], *design);
    assert_eq!(world.aurora.calls_to("GET", &format!("/tenants/{TENANT}/designs/{design}")), 1);
    assert_eq!(answer.calls(), 1);
    assert_eq!(world.query(&query).await.sound().calls(), 0);
}

#[tokio::test]
async fn nodes_of_one_kind_are_read_together_and_each_fails_alone() {
    let world = World::start().await;
    let (project, design) = world.design().await;
    let query = format!(
        r#"{{ project(projectId: "{project}") {{ id designs {{ id designId name project {{ projectId }} summary {{ designId }} }} }}
             tenant {{ id }} }}"#
    );
    let known = world.query(&query).await.sound();
    assert_eq!(known["project"]["designs"][0]["designId"], *design);
    assert_eq!(known["project"]["designs"][0]["project"]["projectId"], *project);
    assert_eq!(known["project"]["designs"][0]["summary"]["designId"], *design);

    let ids = [
        &known["project"]["id"],
        &json!("wild"),
        &known["project"]["designs"][0]["id"],
        &known["tenant"]["id"],
    ];
    let query = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }";
    let answer = world.ask(crate::world::KEY, query, json!({ "ids": ids })).await;
    assert_eq!(answer.errors(), ["BAD_USER_INPUT at nodes.1"]);
    let kinds: Vec<_> =
        answer["nodes"].as_array().unwrap().iter().map(|it| it["__typename"].clone()).collect();
    assert_eq!(kinds, [json!("Project"), json!(null), json!("Design"), json!("Tenant")]);
}

#[tokio::test]
async fn a_design_leads_to_its_page_in_auroras_application() {
    let world = World::start().await;
    let (project, design) = world.design().await;
    let answer = world
        .query(&format!(r#"{{ design(designId: "{design}") {{ auroraUrl createdAt tenantId }} }}"#))
        .await
        .sound();
    let url = format!("https://v2-sandbox.aurorasolar.com/projects/{project}/designs/{design}/cad");
    assert_eq!(answer["design"]["auroraUrl"], url);
}
