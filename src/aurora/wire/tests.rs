//! Aurora's words, as published, as older versions have them, and as nobody should write them.

mod damage;

use serde_json::{Value, json};

use super::*;
use crate::domain::{
    Design, DesignId, DesignKey, NewProject, ProjectId, ProjectKey, Summary, TenantId,
    project::{Coordinates, Customer, NewLocation, NewProjectType, ProjectType},
    summary::{ArrayConfiguration, ComponentType, ModuleOrientation},
    units::Watts,
};

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/aurora/", $name))
    };
}

const PUBLISHED: &str = fixture!("summary.published.json");

fn tenant() -> TenantId {
    TenantId::parse("t").unwrap()
}

fn asked() -> DesignId {
    DesignId::parse("3fa85f64-5717-4562-b3fc-2c963f66afa6").unwrap()
}

fn read(body: &Value) -> Summary {
    summary(body.to_string().as_bytes(), &asked()).unwrap()
}

fn watts(number: f64) -> Option<Watts> {
    Some(Watts::try_new(number).unwrap())
}

#[test]
fn the_published_summary_is_read_whole() {
    let it = summary(PUBLISHED.as_bytes(), &asked()).unwrap();
    assert_eq!(it.design, asked());
    assert_eq!(it.created_at.unwrap().to_string(), "2024-06-21T21:12:44.591Z");
    assert_eq!((it.size_stc, it.size_ptc, it.size_ac), (watts(6500.0), watts(6000.0), watts(5000.0)));
    assert_eq!(it.external_provider_id.as_deref(), Some("YourId123"));
    assert_eq!(it.module_count(), Some(11));
    assert_eq!(it.bill_of_materials[0].component_type, ComponentType::Module);
    assert_eq!(it.bill_of_materials[0].sku, None);
    let array = &it.arrays[0];
    assert_eq!(array.configuration, Some(ArrayConfiguration::StringInverter));
    assert_eq!(array.string_inverter_index, Some(1));
    assert_eq!(array.module.as_ref().unwrap().orientation, Some(ModuleOrientation::Landscape));
    assert_eq!(array.microinverter.as_ref().unwrap().rated_power, watts(400.0));
    let shading = array.shading.as_ref().unwrap();
    assert_eq!(shading.solar_access_monthly.as_ref().unwrap()[11], 92.0);
    assert_eq!(shading.total_solar_resource_fraction.unwrap().get(), 87.3);
    let production = it.energy_production.as_ref().unwrap();
    assert_eq!(production.annual.unwrap().get(), 2550.3);
    assert_eq!(production.annual_offset.unwrap().get(), 87.0);
    assert_eq!(production.annual_offset_text.as_deref(), Some("87%"));
    assert_eq!(production.monthly.as_ref().unwrap().len(), 12);
    assert_eq!(production.hourly, None);
    assert_eq!(it.storage_operating_mode.as_deref(), Some("backup"));
}

#[test]
fn a_legacy_summary_loses_only_what_cannot_be_read() {
    let asked = DesignId::parse("42").unwrap();
    let it = summary(fixture!("summary.legacy.json").as_bytes(), &asked).unwrap();
    assert_eq!(it.project, ProjectId::parse("7").ok());
    assert_eq!((it.size_stc, it.size_ptc, it.size_ac), (watts(6500.5), None, None));
    assert_eq!(it.bill_of_materials.len(), 3);
    assert_eq!(it.bill_of_materials[0].component_type, ComponentType::Module);
    assert_eq!(it.bill_of_materials[0].quantity, Some(22.0));
    assert_eq!(it.bill_of_materials[1].component_type, ComponentType::Other);
    assert_eq!(it.bill_of_materials[1].component_type_text, "flux_capacitors");
    assert_eq!(it.arrays[0].configuration, Some(ArrayConfiguration::DcOptimizer));
    assert_eq!(it.arrays[0].configuration_text.as_deref(), Some("DC_Optimizers"));
    assert_eq!((it.arrays[0].face, &it.arrays[0].shading), (None, &None));
    assert_eq!(it.module_count(), Some(22));
    let production = it.energy_production.unwrap();
    assert_eq!(production.up_to_date, Some(false));
    assert_eq!(production.annual_offset.unwrap().get(), 131.0);
    assert_eq!(production.annual_offset_text.as_deref(), Some("131"));
    assert_eq!((production.monthly, production.hourly), (None, None));
}

#[test]
fn the_offset_is_understood_in_every_form() {
    let cases = [
        (json!("87%"), Some(87.0), Some("87%")),
        (json!("87"), Some(87.0), Some("87")),
        (json!(" 87.5 % "), Some(87.5), Some(" 87.5 % ")),
        (json!(87), Some(87.0), Some("87")),
        (json!(87.5), Some(87.5), Some("87.5")),
        (json!("most of it"), None, Some("most of it")),
        (json!("NaN%"), None, Some("NaN%")),
        (json!(-3), None, Some("-3")),
        (json!(null), None, None),
        (json!([87]), None, None),
    ];
    for (written, number, text) in cases {
        let it = read(&json!({"design": {"energy_production": {"annual_offset": written}}}));
        let production = it.energy_production.unwrap();
        assert_eq!(production.annual_offset.map(|it| it.get()), number, "{written}");
        assert_eq!(production.annual_offset_text.as_deref(), text, "{written}");
    }
    assert_eq!(read(&json!({"design": {"energy_production": null}})).energy_production, None);
}

#[test]
fn one_spoilt_leaf_spoils_no_other() {
    let body = r#"{"design":{"system_size_stc":1e999,"system_size_ptc":"inf","system_size_ac":5,
        "external_provider_id":"\ud83d","project_id":"../x","string_inverters":[{"name":["x"],"rated_power":7}]}}"#;
    let it = summary(body.as_bytes(), &asked()).unwrap();
    assert_eq!((it.size_stc, it.size_ptc, it.size_ac), (None, None, watts(5.0)));
    assert_eq!((it.external_provider_id, it.project), (None, None));
    assert_eq!(it.string_inverters[0].rated_power, watts(7.0));
}

#[test]
fn hourly_figures_are_those_of_a_year_or_a_leap_year() {
    for (hours, known) in [(8760, true), (8784, true), (8761, false), (0, false)] {
        let hourly = vec![0.5; hours];
        let it = read(&json!({"design": {"energy_production": {"hourly": hourly}}}));
        assert_eq!(it.energy_production.unwrap().hourly.is_some(), known, "{hours}");
    }
}

#[test]
fn what_is_no_answer_is_refused() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let nested = format!(r#"{{"design":{{"arrays":{deep}}}}}"#);
    assert!(summary(nested.as_bytes(), &asked()).unwrap().arrays.len() <= 1, "deep, but not a danger");
    for body in
        ["", "<html>502</html>", "{", "[]", "null", "{}", r#"{"design":null}"#, r#"{"design":[]}"#, &deep]
    {
        assert!(summary(body.as_bytes(), &asked()).is_err(), "{}", body.get(..20).unwrap_or(body));
    }
    assert!(summary(b"\xff\xfe{}", &asked()).is_err());
    assert!(projects(br#"{"projects":{}}"#, &tenant()).is_err());
    assert!(project(br#"{"project":{"name":"x"}}"#, &tenant(), None).is_err());
}

#[test]
fn a_nested_and_a_flat_project_are_both_read() {
    let it = project(fixture!("project.2024-05.json").as_bytes(), &tenant(), None).unwrap();
    let location = it.location.unwrap();
    assert_eq!(location.components.unwrap().postal_code.as_deref(), Some("94107"));
    assert_eq!((location.latitude, location.longitude), (Some(37.7796), Some(-122.3953)));
    assert_eq!(it.customer.phone.as_deref(), Some("4155550100"));
    assert_eq!((it.project_type, it.tags.len()), (Some(ProjectType::Residential), 2));
    assert_eq!(it.created_at.unwrap().to_string(), "2024-06-21T21:12:44Z");

    let it = project(fixture!("project.2018-01.json").as_bytes(), &tenant(), None).unwrap();
    let location = it.location.unwrap();
    assert_eq!(it.id.as_str(), "17");
    assert!(location.property_address.unwrap().starts_with("426 Brannan"));
    assert_eq!((location.latitude, location.longitude), (Some(37.7796), None));
    assert_eq!(it.mailing_address.as_deref(), Some("PO Box 1"));
    assert_eq!(it.project_type, Some(ProjectType::Other));
}

#[test]
fn an_entry_without_an_id_is_left_out_and_a_read_by_id_keeps_its_id() {
    let key = ProjectKey { tenant: tenant(), project: ProjectId::parse("p").unwrap() };
    let body = br#"{"designs":[{"id":"a"},{"name":"x"},7,{"id":8,"project_id":"q","milestone":"sold"}]}"#;
    let read = designs(body, &key).unwrap();
    let ids: Vec<_> = read.iter().map(|it| (it.id.as_str(), it.project.as_ref().unwrap().as_str())).collect();
    assert_eq!(ids, [("a", "p"), ("8", "q")]);

    let key = DesignKey { tenant: tenant(), design: asked() };
    let Design { id, name, .. } = design(br#"{"design":{"name":"x"}}"#, &key).unwrap();
    assert_eq!((id, name.as_deref()), (asked(), Some("x")));
}

fn new_at(location: NewLocation) -> NewProject {
    NewProject {
        location,
        external_provider_id: None,
        name: Some(" ".into()),
        customer: Customer::default(),
        mailing_address: None,
        project_type: None,
        status: None,
        tags: Vec::new(),
        owner_id: None,
        team_id: None,
        partner_id: None,
        preferred_solar_module_ids: Vec::new(),
    }
}

fn written(new: &NewProject) -> Value {
    serde_json::from_slice(&new_project(new).unwrap()).unwrap()
}

#[test]
fn a_new_project_is_written_as_published_with_nothing_empty_or_null() {
    let address = NewLocation::Address("434 Brannan St, San Francisco, CA, 94107".into());
    let by_address: Value = serde_json::from_str(fixture!("new_project.by_address.json")).unwrap();
    assert_eq!(written(&new_at(address)), by_address);
    let point = NewLocation::Coordinates(Coordinates::try_new(37.7796, -122.3953).unwrap());
    let by_point: Value = serde_json::from_str(fixture!("new_project.by_coordinates.json")).unwrap();
    assert_eq!(written(&new_at(point.clone())), by_point);

    let full = NewProject {
        project_type: Some(NewProjectType::Commercial),
        tags: vec!["a".into()],
        customer: Customer { last_name: Some("Byron".into()), ..Customer::default() },
        ..new_at(point)
    };
    let body = written(&full);
    assert_eq!(body["project"]["project_type"], "commercial");
    assert_eq!(body["project"]["customer_last_name"], "Byron");
    assert_eq!(body["project"]["tags"], json!(["a"]));
}

#[test]
fn a_refusal_is_understood_in_every_shape_and_cleaned() {
    let read = |body: &str| -> Vec<(Option<String>, String)> {
        rejections(body.as_bytes(), &["sk_secret"]).into_iter().map(|it| (it.field, it.message)).collect()
    };
    let of = |field: Option<&str>, message: &str| (field.map(ToOwned::to_owned), message.to_owned());
    assert_eq!(read(r#"{"errors":[{"message":"no such\u0007 street"},[]]}"#), [of(None, "no such  street")]);
    assert_eq!(
        read(r#"{"error":{"name":["is bad","is long"],"base":"no"}}"#),
        [of(None, "no"), of(Some("name"), "is bad"), of(Some("name"), "is long")]
    );
    assert_eq!(read(r#"{"error":"Bearer sk_secret is bad"}"#), [of(None, "Bearer … is bad")]);
    for body in ["", "<html>no</html>", "{}", r#"{"error":{}}"#, r#"{"errors":[{"message":""}]}"#] {
        assert_eq!(read(body), [of(None, "Aurora refused this without saying why.")], "{body}");
    }
    let long = json!({"errors": vec![json!({"message": "é".repeat(999)}); 99]});
    let found = read(&long.to_string());
    assert_eq!((found.len(), found[0].1.chars().count()), (20, 300));
}

#[test]
fn a_webhook_is_read_however_it_is_wrapped() {
    for body in [
        r#"{"partner_application_webhook":{"id":3,"enabled":true,"header_auth_key":"X"}}"#,
        r#"{"webhook":{"id":"3","enabled":"true","header_auth_key":"X"}}"#,
        r#"{"id":"3","enabled":true,"header_auth_key":"X"}"#,
    ] {
        let it = webhook(body.as_bytes()).unwrap();
        assert_eq!((it.id.as_str(), it.enabled, it.header.as_deref()), ("3", Some(true), Some("X")));
    }
    let list = webhooks(br#"{"partner_application_webhooks":[{"id":"1"},{"event":"x"}]}"#).unwrap();
    assert_eq!(list.len(), 1);
    assert!(webhooks(b"{}").is_err());
}
