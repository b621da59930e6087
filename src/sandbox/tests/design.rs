//! Designs and their summaries, as a client of the API sees them.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::{Config, Oddity, SECOND_TENANT, TENANT};
use super::support::{ADDRESS, World, answer, quiet};

#[tokio::test]
async fn a_design_is_there_at_once_and_has_figures_when_it_is_finished() {
    let world = World::start().await;
    let (project, design) = world.house().await;
    let before = world.summary(&design).await;
    assert!(before.get("energy_production").is_none());
    assert_eq!(before["project_id"], project.as_str());
    assert!(before["created_at"].as_str().unwrap().ends_with('Z'));

    world.handle().finish_design(TENANT, &design).unwrap();
    let after = world.summary(&design).await;
    assert_eq!(after["energy_production"]["up_to_date"], true);
    assert_eq!(after["energy_production"]["monthly"].as_array().unwrap().len(), 12);
    assert_eq!(after["system_size_stc"], before["system_size_stc"]);
}

#[tokio::test]
async fn a_summary_has_every_member_of_the_published_example() {
    const MEMBERS: [&str; 15] = [
        "design_id",
        "design_request_id",
        "external_provider_id",
        "project_id",
        "created_at",
        "bill_of_materials",
        "system_size_ac",
        "system_size_ptc",
        "system_size_stc",
        "arrays",
        "string_inverters",
        "storage_inverters",
        "batteries",
        "energy_production",
        "storage_selected_operating_mode",
    ];
    let world = World::start().await;
    world.handle().plant(TENANT, "p1", "d1").unwrap();
    let summary = world.summary("d1").await;
    let mut names: Vec<&str> = summary.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = MEMBERS.to_vec();
    names.sort_unstable();
    expected.sort_unstable();
    assert_eq!(names, expected);
}

#[tokio::test]
async fn a_design_finishes_by_itself_after_its_delay() {
    let config = Config { design_delay: Some(Duration::from_secs(3600)), ..quiet() };
    let world = World::with(config).await;
    let (_, design) = world.house().await;
    assert!(world.summary(&design).await.get("energy_production").is_none());
    world.handle().move_clock(Duration::from_secs(3600));
    world.eventually("the simulation", |it| it.designs(TENANT)[0].job_id.is_some()).await;
}

#[tokio::test]
async fn the_same_project_gives_the_same_design_in_every_run() {
    let project = json!({"external_provider_id": "crm-1", "location": {"property_address": ADDRESS}});
    let (one, two) = (World::start().await, World::start().await);
    // The second world has seen another project before.
    two.house().await;
    let mut figures = Vec::new();
    for world in [&one, &two] {
        world.create(&project).await;
        let design = world.handle().designs(TENANT).pop().unwrap();
        world.handle().finish_design(TENANT, &design.id).unwrap();
        let summary = world.summary(&design.id).await;
        figures.push((summary["arrays"].clone(), summary["energy_production"].clone()));
    }
    assert_eq!(figures[0], figures[1]);
}

#[tokio::test]
async fn a_change_brings_other_figures_and_an_edit_makes_them_stale() {
    let world = World::start().await;
    let (_, design) = world.house().await;
    let first_job = world.handle().finish_design(TENANT, &design).unwrap();
    let first = world.summary(&design).await;
    let second_job = world.handle().change_design(TENANT, &design).unwrap();
    let second = world.summary(&design).await;
    assert_ne!(first_job, second_job);
    assert_ne!(first["energy_production"]["annual"], second["energy_production"]["annual"]);

    world.handle().edit_design(TENANT, &design).unwrap();
    let stale = world.summary(&design).await;
    assert_eq!(stale["energy_production"]["up_to_date"], false);
    assert_eq!(stale["energy_production"]["annual"], second["energy_production"]["annual"]);
    assert_ne!(stale["system_size_stc"], second["system_size_stc"]);
}

#[tokio::test]
async fn a_failed_simulation_gives_no_figures() {
    let world = World::start().await;
    let (_, design) = world.house().await;
    world.handle().finish_design_as(TENANT, &design, "failed").unwrap();
    assert!(world.summary(&design).await.get("energy_production").is_none());
}

#[tokio::test]
async fn designs_are_listed_read_and_created() {
    let world = World::start().await;
    let (project, design) = world.house().await;
    let body = json!({"design": {"project_id": project, "name": "Second"}});
    let (status, made) = world.post(&format!("/tenants/{TENANT}/designs"), &body).await;
    assert_eq!((status, &made["design"]["name"]), (200, &json!("Second")));

    let (_, list) = world.get(&format!("/tenants/{TENANT}/projects/{project}/designs")).await;
    let ids: Vec<&Value> = list["designs"].as_array().unwrap().iter().map(|it| &it["id"]).collect();
    assert_eq!(ids, [&json!(design), &made["design"]["id"]]);
    assert!(list["designs"][0]["system_size_stc"].is_number());

    world.handle().set_milestone(TENANT, &design, Some("sold")).unwrap();
    let (_, one) = world.get(&format!("/tenants/{TENANT}/designs/{design}")).await;
    assert_eq!(one["design"]["milestone"]["milestone"], "sold");
    let nobody = json!({"design": {"project_id": "nobody"}});
    assert_eq!(world.post(&format!("/tenants/{TENANT}/designs"), &nobody).await.0, 404);
}

#[tokio::test]
async fn oddities_apply_to_one_design_or_to_all() {
    let world = World::start().await;
    world.handle().plant(TENANT, "p1", "d1").unwrap();
    world.handle().plant(TENANT, "p2", "d2").unwrap();
    world.handle().set_oddities(TENANT, "d1", &[Oddity::OffsetNull, Oddity::ArraysAsText]).unwrap();
    assert_eq!(world.summary("d1").await["energy_production"]["annual_offset"], Value::Null);
    assert!(world.summary("d1").await["arrays"].is_string());
    assert!(world.summary("d2").await["arrays"].is_array());

    let all = super::super::Patch { oddities: Some(vec![Oddity::NumbersAsText]), ..Default::default() };
    world.handle().configure(all);
    assert!(world.summary("d2").await["system_size_stc"].is_string());
}

#[tokio::test]
async fn ids_need_not_be_uuids() {
    let world = World::with(Config { opaque_ids: true, ..quiet() }).await;
    let (project, design) = world.house().await;
    assert!(uuid::Uuid::parse_str(&project).is_err() && uuid::Uuid::parse_str(&design).is_err());
    assert_eq!(world.summary(&design).await["design_id"], design.as_str());
}

#[tokio::test]
async fn roofs_are_measured_in_the_tenants_units() {
    let world = World::start().await;
    world.handle().plant(TENANT, "p1", "d1").unwrap();
    world.handle().plant(SECOND_TENANT, "p2", "d2").unwrap();
    let (_, metric) = world.get(&format!("/tenants/{TENANT}/designs/d1/roof_summary")).await;
    assert_eq!(metric["roofs"][0]["units_of_measurement"], "Metric");
    let key = world.temporary_key(SECOND_TENANT).await;
    let path = format!("/tenants/{SECOND_TENANT}/designs/d2/roof_summary");
    let (_, imperial) = answer(world.request(reqwest::Method::GET, &path, &key).send().await.unwrap()).await;
    assert_eq!(imperial["roofs"][0]["faces"][0]["units_of_measurement"], "Imperial");
}
