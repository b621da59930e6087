//! How alike projects and inputs are found.

use super::*;
use crate::domain::{
    ProjectId, TenantId,
    project::{Customer, Location},
};

const SALT: Fingerprint = Fingerprint([7; 32]);

fn new(location: NewLocation) -> NewProject {
    NewProject {
        location,
        external_provider_id: None,
        name: None,
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

fn point(latitude: f64, longitude: f64) -> Coordinates {
    Coordinates::try_new(latitude, longitude).unwrap()
}

fn at(address: &str, latitude: f64, longitude: f64) -> Project {
    Project {
        tenant: TenantId::parse("t").unwrap(),
        id: ProjectId::parse("p").unwrap(),
        external_provider_id: None,
        name: None,
        customer: Customer::default(),
        mailing_address: None,
        project_type: Some(ProjectType::Residential),
        status: Some("In progress".into()),
        location: Some(Location {
            property_address: Some(address.into()),
            components: None,
            latitude: Some(latitude),
            longitude: Some(longitude),
        }),
        tags: Vec::new(),
        created_at: None,
    }
}

fn likeness(new: &NewProject, project: &Project) -> Likeness {
    let trace = Trace::of(new, &SALT);
    let kept = Trace::from_bytes(&trace.to_bytes()).unwrap();
    assert_eq!(kept, trace);
    kept.likeness(project, true, &SALT)
}

#[test]
fn the_callers_own_id_decides_alone() {
    let mine = NewProject {
        external_provider_id: Some("opp-1".into()),
        name: Some("Maple".into()),
        ..new(NewLocation::Address("1 Main St".into()))
    };
    let renamed = Project {
        external_provider_id: Some("opp-1".into()),
        name: Some("Oak".into()),
        ..at("2 Main St", 1.0, 1.0)
    };
    let other = Project { name: Some("Maple".into()), ..at("1 Main St", 1.0, 1.0) };
    assert_eq!(likeness(&mine, &renamed), Likeness::Same);
    assert_eq!(likeness(&mine, &other), Likeness::Other);
}

#[test]
fn what_aurora_sets_anew_is_not_held_against_it() {
    let name = Some(" MAPLE  street".to_owned());
    let phone = Some("+1 (555) 010-2030".to_owned());
    let asked = NewProject {
        name,
        customer: Customer { phone, ..Customer::default() },
        tags: vec!["b".into(), "a".into()],
        ..new(NewLocation::Address("434 Brannan St".into()))
    };
    let made = Project {
        name: Some("Maple Street".into()),
        customer: Customer { phone: Some("15550102030".into()), ..Customer::default() },
        tags: vec!["a".into(), "b".into()],
        ..at("426 Brannan Street, San Francisco", 37.78, -122.39)
    };
    assert_eq!(likeness(&asked, &made), Likeness::Same);
    let rewritten = Project { name: Some("Oak".into()), ..made.clone() };
    assert_eq!(likeness(&asked, &rewritten), Likeness::Close);
    let stranger = Project { customer: Customer::default(), ..rewritten };
    assert_eq!(likeness(&asked, &stranger), Likeness::Other);
}

#[test]
fn what_was_not_asked_for_and_aurora_does_not_make_up_is_held_against_it() {
    let asked = new(NewLocation::Address("1 Main St".into()));
    let made = Project { name: Some("1 Main St".into()), ..at("1 Main St", 1.0, 1.0) };
    assert_eq!(likeness(&asked, &made), Likeness::Same);
    let customer = Customer { email: Some("ada@example.com".into()), ..Customer::default() };
    let persons = Project { customer, ..made.clone() };
    assert_eq!(likeness(&asked, &persons), Likeness::Close);
    let anothers = Project { external_provider_id: Some("opp-1".into()), ..made };
    assert_eq!(likeness(&asked, &anothers), Likeness::Other);
}

#[test]
fn a_point_is_known_by_its_neighbourhood() {
    let asked = new(NewLocation::Coordinates(point(37.77999, -0.00001)));
    assert_eq!(likeness(&asked, &at("x", 37.7801, 0.0001)), Likeness::Same);
    assert_eq!(likeness(&asked, &at("x", 37.82, 0.0001)), Likeness::Other);
    let nowhere = Project { location: None, ..at("x", 0.0, 0.0) };
    assert_eq!(likeness(&asked, &nowhere), Likeness::Close, "it may not be known yet");
}

#[test]
fn an_address_alone_can_be_corrected_beyond_recognition() {
    let asked = new(NewLocation::Address("1 Main St".into()));
    assert_eq!(likeness(&asked, &at("1 MAIN ST.", 1.0, 1.0)), Likeness::Same);
    assert_eq!(likeness(&asked, &at("3 Main Street", 1.0, 1.0)), Likeness::Close);
}

#[test]
fn what_a_list_leaves_out_says_nothing() {
    let mine = NewProject {
        external_provider_id: Some("opp-1".into()),
        name: Some("Maple".into()),
        ..new(NewLocation::Address("1 Main St".into()))
    };
    let named = Project { name: Some("Maple".into()), ..at("1 Main St", 1.0, 1.0) };
    let trace = Trace::of(&mine, &SALT);
    assert_eq!(trace.likeness(&named, false, &SALT), Likeness::Close);
    assert_eq!(trace.likeness(&named, true, &SALT), Likeness::Other);
}

#[test]
fn traces_of_equal_inputs_cannot_be_told_as_equal() {
    let asked = new(NewLocation::Address("1 Main St".into()));
    assert_ne!(Trace::of(&asked, &SALT), Trace::of(&asked, &Fingerprint([8; 32])));
    assert_eq!(Trace::from_bytes(&[]), None);
    assert_eq!(Trace::from_bytes(&[1, 2, 3]), None);
}
