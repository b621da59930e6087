//! What a body says about a project, and what is wrong with it.

use serde_json::{Map, Value};

use super::super::answer::Complaint;
use super::super::config::ProjectShape;
use super::TEXTS;

/// The longest text Aurora takes.
const LONGEST_TEXT: usize = 255;

/// The members that were there and well formed.
#[derive(Debug, Default)]
pub(super) struct Input {
    pub(super) texts: Vec<(&'static str, String)>,
    pub(super) project_type: Option<String>,
    pub(super) tags: Option<Vec<String>>,
    pub(super) preferred_solar_modules: Option<Vec<String>>,
    pub(super) address: Option<String>,
    pub(super) coordinates: Option<(f64, f64)>,
}

impl Input {
    /// Reads what can be read; unknown members are ignored, as Aurora ignores them.
    pub(super) fn read(body: &Map<String, Value>, shape: ProjectShape) -> (Self, Vec<Complaint>) {
        let mut reader = Reader { complaints: Vec::new() };
        let mut input = Self::default();
        for name in TEXTS {
            if let Some(text) = reader.text(body, name, name) {
                input.texts.push((name, text));
            }
        }
        input.project_type = reader.text(body, "project_type", "project_type");
        if input.project_type.as_deref().is_some_and(|it| !["residential", "commercial"].contains(&it)) {
            reader.complain("project_type", "is not included in the list");
        }
        input.tags = reader.texts(body, "tags");
        input.preferred_solar_modules = reader.texts(body, "preferred_solar_modules");
        input.read_location(body, shape, &mut reader);
        (input, reader.complaints)
    }

    fn read_location(&mut self, body: &Map<String, Value>, shape: ProjectShape, reader: &mut Reader) {
        match body.get("location") {
            Some(Value::Object(location)) => {
                self.address = reader.text(location, "property_address", "location.property_address");
                self.coordinates = reader.coordinates(location, "location.");
            }
            Some(_) => reader.complain("location", "must be an object"),
            None if shape == ProjectShape::Flat => {
                self.address = reader.text(body, "address", "address");
                self.coordinates = reader.coordinates(body, "");
                if let Some(text) = reader.text(body, "customer_address", "customer_address") {
                    self.texts.push(("mailing_address", text));
                }
            }
            None => {}
        }
        if self.address.as_deref().is_some_and(|it| it.trim().is_empty()) {
            reader.complain("location.property_address", "can't be blank");
        }
    }
}

struct Reader {
    complaints: Vec<Complaint>,
}

impl Reader {
    fn complain(&mut self, field: &str, message: &str) {
        self.complaints.push(Complaint::new(field, message));
    }

    fn text(&mut self, body: &Map<String, Value>, name: &str, field: &str) -> Option<String> {
        match body.get(name)? {
            Value::String(text) if text.chars().count() > LONGEST_TEXT => {
                self.complain(field, "is too long (maximum is 255 characters)");
                None
            }
            Value::String(text) => Some(text.clone()),
            _ => {
                self.complain(field, "must be a string");
                None
            }
        }
    }

    fn texts(&mut self, body: &Map<String, Value>, name: &str) -> Option<Vec<String>> {
        let items = body.get(name)?.as_array();
        let texts: Option<Vec<String>> =
            items.and_then(|it| it.iter().map(|text| text.as_str().map(str::to_owned)).collect());
        if texts.is_none() {
            self.complain(name, "must be an array of strings");
        }
        texts
    }

    fn coordinates(&mut self, body: &Map<String, Value>, prefix: &str) -> Option<(f64, f64)> {
        let latitude = self.degrees(body, "latitude", prefix, 90.0);
        let longitude = self.degrees(body, "longitude", prefix, 180.0);
        let only_one = body.contains_key("latitude") != body.contains_key("longitude");
        if only_one {
            self.complain(&format!("{prefix}latitude"), "and longitude must be given together");
        }
        latitude.zip(longitude)
    }

    fn degrees(&mut self, body: &Map<String, Value>, name: &str, prefix: &str, most: f64) -> Option<f64> {
        let value = body.get(name)?.as_f64();
        if value.is_none() {
            self.complain(&format!("{prefix}{name}"), "must be a number");
        }
        let value = value?;
        if value.abs() > most {
            self.complain(&format!("{prefix}{name}"), "is out of range");
            return None;
        }
        Some(value)
    }
}
