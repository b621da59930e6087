//! A project: what may be sent, and how it looks in return.
//!
//! [`Project::write`] takes a body apart as strictly as Aurora does: optional texts are absent or
//! strings, never null. [`Project::json`] is the object in either of the two shapes.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::answer::{Complaint, number};
use super::clock::Moment;
use super::config::ProjectShape;
use super::place::{Components, Gazetteer, Place};

mod input;
use input::Input;

/// Members that are plain text, and can be set by whoever creates the project.
const TEXTS: [&str; 12] = [
    "external_provider_id",
    "name",
    "status",
    "mailing_address",
    "customer_salutation",
    "customer_first_name",
    "customer_last_name",
    "customer_email",
    "customer_phone",
    "owner_id",
    "team_id",
    "partner_id",
];

/// How the names of all members begin that say where a project is.
const WHERE: [&str; 4] = ["location", "address", "latitude", "longitude"];

/// One of a tenant's projects.
#[derive(Debug, Clone)]
pub(super) struct Project {
    pub(super) id: String,
    pub(super) created_at: Moment,
    pub(super) place: Place,
    pub(super) ahj_id: Option<String>,
    texts: BTreeMap<&'static str, String>,
    project_type: String,
    tags: Vec<String>,
    preferred_solar_modules: Vec<String>,
}

impl Project {
    /// A project from a create's body.
    pub(super) fn new(
        id: String,
        body: &Map<String, Value>,
        shape: ProjectShape,
        gazetteer: &mut Gazetteer,
        now: Moment,
    ) -> Result<Self, Vec<Complaint>> {
        let (input, mut complaints) = Input::read(body, shape);
        let place = gazetteer.resolve(input.address.as_deref(), input.coordinates);
        match place {
            Ok(place) if complaints.is_empty() => {
                let mut project = Self {
                    id,
                    created_at: now,
                    place,
                    ahj_id: None,
                    texts: BTreeMap::new(),
                    project_type: "residential".to_owned(),
                    tags: Vec::new(),
                    preferred_solar_modules: Vec::new(),
                };
                project.take(input);
                Ok(project)
            }
            Ok(_) => Err(complaints),
            Err(complaint) => {
                // A location that is there but wrong has been complained about already.
                let about_place = |it: &Complaint| WHERE.iter().any(|part| it.field.starts_with(part));
                if !complaints.iter().any(about_place) {
                    complaints.push(complaint);
                }
                Err(complaints)
            }
        }
    }

    /// Changes what an update's body names; gives the names of the members it named.
    pub(super) fn write(
        &mut self,
        body: &Map<String, Value>,
        shape: ProjectShape,
        gazetteer: &mut Gazetteer,
    ) -> Result<Vec<String>, Vec<Complaint>> {
        let (input, complaints) = Input::read(body, shape);
        if !complaints.is_empty() {
            return Err(complaints);
        }
        if input.address.is_some() || input.coordinates.is_some() {
            let place = gazetteer.resolve(input.address.as_deref(), input.coordinates);
            self.place = place.map_err(|it| vec![it])?;
        }
        self.take(input);
        Ok(body.keys().cloned().collect())
    }

    fn take(&mut self, input: Input) {
        self.texts.extend(input.texts);
        if let Some(it) = input.project_type {
            self.project_type = it;
        }
        if let Some(it) = input.tags {
            self.tags = it;
        }
        if let Some(it) = input.preferred_solar_modules {
            self.preferred_solar_modules = it;
        }
    }

    pub(super) fn external_provider_id(&self) -> Option<&str> {
        self.texts.get("external_provider_id").map(String::as_str)
    }

    /// The project as Aurora shows it.
    pub(super) fn json(&self, shape: ProjectShape) -> Value {
        let mut object = json!({
            "id": self.id,
            "project_type": self.project_type,
            "tags": self.tags,
            "preferred_solar_modules": self.preferred_solar_modules,
            "ahj_id": self.ahj_id,
            "order_id": null,
            "created_from_lead_id": null,
            "created_at": self.created_at.spaced(),
        });
        for name in TEXTS {
            object[name] = json!(self.texts.get(name));
        }
        match shape {
            ProjectShape::Nested => object["location"] = self.location(),
            ProjectShape::Flat => {
                object["address"] = json!(self.place.address);
                object["latitude"] = number(self.place.latitude);
                object["longitude"] = number(self.place.longitude);
                let mailing = object.as_object_mut().and_then(|it| it.remove("mailing_address"));
                object["customer_address"] = json!(mailing);
            }
        }
        object
    }

    fn location(&self) -> Value {
        let parts = Components::of(&self.place.address);
        json!({
            "property_address": self.place.address,
            "property_address_components": {
                "street_address": parts.street_address,
                "city": parts.city,
                "region": parts.region,
                "postal_code": parts.postal_code,
                "country": parts.country,
            },
            "latitude": number(self.place.latitude),
            "longitude": number(self.place.longitude),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(body: &Value) -> Result<Project, Vec<Complaint>> {
        let body = body.as_object().unwrap();
        let now = Moment::at_second(0);
        Project::new("p1".to_owned(), body, ProjectShape::Nested, &mut Gazetteer::default(), now)
    }

    #[test]
    fn a_null_text_is_refused_by_name() {
        let body = json!({"name": null, "location": {"property_address": "1 Oak Ave, Austin, TX"}});
        assert_eq!(create(&body).unwrap_err(), [Complaint::new("name", "must be a string")]);
    }

    #[test]
    fn a_location_is_required_and_complained_about_once() {
        assert_eq!(create(&json!({})).unwrap_err(), [Complaint::new("location", "is required")]);
        let wrong = create(&json!({"location": {"latitude": "37", "longitude": 1}})).unwrap_err();
        assert_eq!(wrong.len(), 1);
    }

    #[test]
    fn the_flat_shape_has_an_address_and_no_location() {
        let project = create(&json!({"location": {"latitude": 48.1, "longitude": 11.5}})).unwrap();
        let flat = project.json(ProjectShape::Flat);
        assert_eq!(flat["address"], project.place.address);
        assert!(flat.get("location").is_none());
    }

    #[test]
    fn an_update_changes_what_it_names() {
        let mut project =
            create(&json!({"name": "A", "location": {"property_address": "1 Oak Ave"}})).unwrap();
        let body = json!({"owner_id": "u1"});
        let named = project
            .write(body.as_object().unwrap(), ProjectShape::Nested, &mut Gazetteer::default())
            .unwrap();
        assert_eq!(named, ["owner_id"]);
        let shown = project.json(ProjectShape::Nested);
        assert_eq!((&shown["name"], &shown["owner_id"]), (&json!("A"), &json!("u1")));
    }
}
