//! Projects, as a client of the API sees them.

use reqwest::Method;
use serde_json::{Value, json};

use super::super::{Config, ErrorShape, ProjectShape, SECOND_TENANT, TENANT};
use super::support::{ADDRESS, World, quiet};

const PATH: &str = "/tenants/tenant-demo/projects";

fn at(address: &str) -> Value {
    json!({ "project": { "location": { "property_address": address } } })
}

#[tokio::test]
async fn a_project_by_address_comes_back_whole() {
    let world = World::start().await;
    let body =
        json!({"location": {"property_address": ADDRESS}, "external_provider_id": "crm-7", "tags": ["a"]});
    let project = world.create(&body).await;

    let parts = &project["location"]["property_address_components"];
    assert_eq!(parts["street_address"], "434 Brannan St");
    assert_eq!((&parts["region"], &parts["country"]), (&json!("CA"), &json!("United States")));
    assert!(project["location"]["latitude"].is_number());
    assert_eq!(project["external_provider_id"], "crm-7");
    assert_eq!(project["project_type"], "residential");
    assert_eq!(project["tags"], json!(["a"]));
    assert_eq!(project["ahj_id"], Value::Null);
    assert!(project["created_at"].as_str().unwrap().ends_with(" UTC"));
    for name in ["customer_email", "mailing_address", "owner_id", "order_id", "created_from_lead_id"] {
        assert_eq!(project.get(name), Some(&Value::Null), "{name}");
    }
}

#[tokio::test]
async fn coordinates_alone_are_moved_to_an_address_and_both_are_kept() {
    let world = World::start().await;
    let moved = world.create(&json!({"location": {"latitude": 37.7796, "longitude": -122.3953}})).await;
    assert!(moved["location"]["property_address"].as_str().unwrap().contains("San Francisco"));
    assert_ne!(moved["location"]["latitude"], 37.7796);

    let both = json!({"property_address": "My barn", "latitude": 51.25, "longitude": 7.5});
    let kept = world.create(&json!({ "location": both })).await;
    assert_eq!(kept["location"]["property_address"], "My barn");
    assert_eq!(kept["location"]["latitude"], 51.25);
}

#[tokio::test]
async fn what_aurora_refuses_is_refused_with_its_reasons() {
    let world = World::start().await;
    let first = |body: &Value| body["errors"][0]["message"].as_str().unwrap_or_default().to_owned();

    let (status, body) = world.post(PATH, &json!({"project": {"name": "x"}})).await;
    assert_eq!((status, first(&body).as_str()), (422, "location is required"));
    let mut null = at(ADDRESS);
    null["project"]["customer_email"] = Value::Null;
    let (status, body) = world.post(PATH, &null).await;
    assert_eq!((status, first(&body).as_str()), (422, "customer_email must be a string"));
    let (status, _) = world.post(PATH, &at("12 Nowhere Lane")).await;
    assert_eq!(status, 422);
    let wrong = json!({"project": {"location": {"latitude": "a", "longitude": 1}, "tags": "x"}});
    let (status, body) = world.post(PATH, &wrong).await;
    assert_eq!((status, body["errors"].as_array().unwrap().len()), (422, 2));
    let (status, _) = world.post(PATH, &json!({"name": "no wrapper"})).await;
    assert_eq!(status, 400);
    assert!(world.handle().projects(TENANT).is_empty());
}

#[tokio::test]
async fn errors_can_have_the_older_shape() {
    let world = World::with(Config { error_shape: ErrorShape::ByField, ..quiet() }).await;
    let (_, body) = world.post(PATH, &json!({"project": {"location": 7}})).await;
    assert_eq!(body, json!({"error": {"location": ["must be an object"]}}));
}

#[tokio::test]
async fn projects_can_have_the_flat_shape_both_ways() {
    let world = World::with(Config { project_shape: ProjectShape::Flat, ..quiet() }).await;
    let project = world.create(&json!({ "address": ADDRESS, "customer_address": "PO box" })).await;
    assert_eq!(project["address"], ADDRESS);
    assert_eq!(project["customer_address"], "PO box");
    assert!(project["latitude"].is_number() && project.get("location").is_none());
}

#[tokio::test]
async fn the_list_is_newest_first_and_comes_in_pages() {
    let world = World::start().await;
    for n in 0..5 {
        let name = format!("p{n}");
        world.create(&json!({"name": name, "location": {"property_address": ADDRESS}})).await;
    }
    let names = |body: &Value| -> Vec<String> {
        body["projects"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let (_, first) = world.get(&format!("{PATH}?per_page=2")).await;
    let (_, last) = world.get(&format!("{PATH}?page=3&per_page=2")).await;
    let (_, beyond) = world.get(&format!("{PATH}?page=9&per_page=2")).await;
    assert_eq!((names(&first), names(&last)), (vec!["p4".into(), "p3".into()], vec!["p0".into()]));
    assert_eq!(beyond, json!({"projects": []}));
    let (_, all) = world.get(PATH).await;
    assert_eq!(all.as_object().unwrap().len(), 1);
    assert_eq!(names(&all).len(), 5);
}

#[tokio::test]
async fn a_page_never_holds_more_than_250() {
    let world = World::with(Config { auto_design: false, ..quiet() }).await;
    for _ in 0..260 {
        let body = json!({"location": {"property_address": ADDRESS}});
        world.handle().create_project(TENANT, &body).unwrap();
    }
    let (_, usual) = world.get(PATH).await;
    let (_, most) = world.get(&format!("{PATH}?per_page=1000")).await;
    assert_eq!(usual["projects"].as_array().unwrap().len(), 100);
    assert_eq!(most["projects"].as_array().unwrap().len(), 250);
}

#[tokio::test]
async fn a_project_can_be_changed_in_part_and_deleted_once() {
    let world = World::start().await;
    let (id, design) = world.house().await;
    let path = format!("{PATH}/{id}");
    let (status, body) = world.send(Method::PUT, &path, &json!({"project": {"owner_id": "u1"}})).await;
    assert_eq!((status, &body["project"]["owner_id"]), (200, &json!("u1")));
    assert_eq!(body["project"]["location"]["property_address"], ADDRESS);

    assert_eq!(world.send(Method::DELETE, &path, &json!(null)).await, (204, json!("")));
    assert_eq!(world.send(Method::DELETE, &path, &json!(null)).await.0, 404);
    assert_eq!(world.get(&path).await.0, 404);
    assert_eq!(world.get(&format!("/tenants/{TENANT}/designs/{design}/summary")).await.0, 404);
}

#[tokio::test]
async fn another_tenants_project_does_not_exist() {
    let world = World::start().await;
    let id = world
        .handle()
        .create_project(SECOND_TENANT, &json!({"location": {"property_address": ADDRESS}}))
        .unwrap();
    assert_eq!(world.get(&format!("{PATH}/{id}")).await.0, 404);
    assert_eq!(world.get(&format!("{PATH}/{id}/designs")).await.0, 404);
}

#[tokio::test]
async fn the_authority_is_found_a_little_later() {
    let world = World::start().await;
    let (id, _) = world.house().await;
    world
        .eventually("an ahj_id", |it| {
            it.projects(TENANT).iter().any(|it| it["id"] == id.as_str() && it["ahj_id"].is_string())
        })
        .await;
}

#[tokio::test]
async fn wrong_paths_and_verbs_are_answered_in_json() {
    let world = World::start().await;
    assert_eq!(world.get("/tenants/tenant-demo/unicorns").await.0, 404);
    let (status, body) = world.send(Method::PATCH, PATH, &json!({})).await;
    assert_eq!((status, body["errors"].is_array()), (405, true));
}
