//! A project, and what it takes to make one.

use icu_normalizer::ComposingNormalizerBorrowed;
use jiff::Timestamp;

use super::{Fingerprint, ProjectId, TenantId, fingerprint::Fingerprinter};

/// A project as Aurora describes it. Its address may differ from what was asked for: Aurora snaps it.
#[derive(Debug, Clone, PartialEq)]
pub struct Project {
    /// Whose project.
    pub tenant: TenantId,
    /// Which one.
    pub id: ProjectId,
    /// The CRM's own key, echoed by Aurora.
    pub external_provider_id: Option<String>,
    /// Its name in Aurora.
    pub name: Option<String>,
    /// The homeowner.
    pub customer: Customer,
    /// Where the homeowner gets mail.
    pub mailing_address: Option<String>,
    /// Residential, commercial, or what Aurora adds one day.
    pub project_type: Option<ProjectType>,
    /// A status from the tenant's own list: any text.
    pub status: Option<String>,
    /// Where the property is.
    pub location: Option<Location>,
    /// Labels; they also scope restricted Aurora keys.
    pub tags: Vec<String>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
}

/// The homeowner's name and ways to reach them. Personal: never logged, never journalled.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Customer {
    /// "Ms.", "Dr." …
    pub salutation: Option<String>,
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Telephone number, as written.
    pub phone: Option<String>,
}

impl std::fmt::Debug for Customer {
    /// Says nothing about the person, so that no log line can.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Customer(…)")
    }
}

/// The kind of property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProjectType {
    /// A home.
    Residential,
    /// A business.
    Commercial,
    /// A kind that this version does not know.
    Other,
}

/// Where a property is, as far as Aurora says.
#[derive(Clone, PartialEq, Default)]
pub struct Location {
    /// One line of address.
    pub property_address: Option<String>,
    /// The same address in its parts.
    pub components: Option<AddressComponents>,
    /// Degrees north, WGS 84.
    pub latitude: Option<f64>,
    /// Degrees east, WGS 84.
    pub longitude: Option<f64>,
}

impl std::fmt::Debug for Location {
    /// An address is personal: see [`Customer`].
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Location(…)")
    }
}

/// An address in its parts.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct AddressComponents {
    /// House number and street.
    pub street_address: Option<String>,
    /// Town.
    pub city: Option<String>,
    /// State or province, as its code.
    pub region: Option<String>,
    /// ZIP or postal code.
    pub postal_code: Option<String>,
    /// Country, by its full name.
    pub country: Option<String>,
}

/// A point on the globe that can be one.
#[derive(Clone, Copy, PartialEq)]
pub struct Coordinates {
    latitude: f64,
    longitude: f64,
}

/// Why two numbers are no point on the globe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoSuchPoint {
    /// Beyond a pole, or not a number.
    #[error("must be between -90 and 90 degrees")]
    Latitude,
    /// Beyond the antimeridian, or not a number.
    #[error("must be between -180 and 180 degrees")]
    Longitude,
}

impl Coordinates {
    /// # Errors
    /// When either number is outside its range, in degrees.
    pub fn try_new(latitude: f64, longitude: f64) -> Result<Self, NoSuchPoint> {
        if !(-90.0..=90.0).contains(&latitude) {
            return Err(NoSuchPoint::Latitude);
        }
        if !(-180.0..=180.0).contains(&longitude) {
            return Err(NoSuchPoint::Longitude);
        }
        Ok(Self { latitude, longitude })
    }

    /// Degrees north.
    #[must_use]
    pub fn latitude(self) -> f64 {
        self.latitude
    }

    /// Degrees east.
    #[must_use]
    pub fn longitude(self) -> f64 {
        self.longitude
    }
}

/// Where a new project shall be. Aurora snaps an address alone to coordinates, resets coordinates that come
/// alone to those of the address they fall on, and keeps both as sent when both are given.
#[derive(Clone, PartialEq)]
pub enum NewLocation {
    /// One geocodable line.
    Address(String),
    /// A point inside the property line.
    Coordinates(Coordinates),
    /// Both, kept as they are.
    Both(String, Coordinates),
}

impl NewLocation {
    /// The address, where there is one.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        match self {
            Self::Address(address) | Self::Both(address, _) => Some(address),
            Self::Coordinates(_) => None,
        }
    }

    /// The point, where there is one.
    #[must_use]
    pub fn coordinates(&self) -> Option<Coordinates> {
        match self {
            Self::Coordinates(point) | Self::Both(_, point) => Some(*point),
            Self::Address(_) => None,
        }
    }
}

/// What a project is made from: everything absent or non-empty, never blank.
#[derive(Clone, PartialEq)]
pub struct NewProject {
    /// Where.
    pub location: NewLocation,
    /// The CRM's own key for it.
    pub external_provider_id: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// The homeowner.
    pub customer: Customer,
    /// Where the homeowner gets mail.
    pub mailing_address: Option<String>,
    /// The kind of property, in Aurora's word.
    pub project_type: Option<NewProjectType>,
    /// A status from the tenant's own list.
    pub status: Option<String>,
    /// Labels.
    pub tags: Vec<String>,
    /// The Aurora user who shall own it.
    pub owner_id: Option<String>,
    /// The team.
    pub team_id: Option<String>,
    /// The external sales organisation.
    pub partner_id: Option<String>,
    /// Modules to prefer when designing.
    pub preferred_solar_module_ids: Vec<String>,
}

/// The kinds that a new project can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewProjectType {
    /// A home.
    Residential,
    /// A business.
    Commercial,
}

/// What an input is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputMark {
    /// Of the input in its canonical form: what tells it from others.
    pub canonical: Fingerprint,
    /// Of the input as it was written, which is how version 0.1 told it from others.
    pub written: Fingerprint,
}

impl NewProject {
    /// Stands for the whole input. In its canonical form texts are composed (NFC), numbers are numbers however they
    /// were written, labels and modules are sets, and what is absent, null or blank is the same; capitals, marks and
    /// blanks within a text tell two apart.
    #[must_use]
    pub fn mark(&self) -> InputMark {
        let set = |list: &[String]| {
            let mut items: Vec<_> = list.iter().map(|it| composed(it)).collect();
            items.sort();
            items.dedup();
            items
        };
        let (tags, modules) = (set(&self.tags), set(&self.preferred_solar_module_ids));
        InputMark {
            canonical: self.fingerprint(&composed, &tags, &modules),
            written: self.fingerprint(&str::to_owned, &self.tags, &self.preferred_solar_module_ids),
        }
    }

    fn fingerprint(&self, form: &dyn Fn(&str) -> String, tags: &[String], modules: &[String]) -> Fingerprint {
        let point = self.location.coordinates();
        // The adding of nought takes the sign from a negative nought.
        let degrees = |number: Option<f64>| number.map(|it| (it + 0.0).to_string());
        let customer = &self.customer;
        let project_type = self.project_type.map(|it| format!("{it:?}"));
        let mut parts = Fingerprinter::new("new project")
            .maybe(self.location.address().map(form).as_deref())
            .maybe(degrees(point.map(Coordinates::latitude)).as_deref())
            .maybe(degrees(point.map(Coordinates::longitude)).as_deref());
        for part in [
            &self.external_provider_id,
            &self.name,
            &customer.salutation,
            &customer.first_name,
            &customer.last_name,
            &customer.email,
            &customer.phone,
            &self.mailing_address,
            &project_type,
            &self.status,
            &self.owner_id,
            &self.team_id,
            &self.partner_id,
        ] {
            parts = parts.maybe(part.as_deref().map(form).as_deref());
        }
        for list in [tags, modules] {
            parts = parts.text(&list.len().to_string());
            for item in list {
                parts = parts.text(item);
            }
        }
        parts.finish()
    }
}

/// The text with its letters and accents put together (Unicode's NFC), as most keyboards write it and some do not.
pub(super) fn composed(text: &str) -> String {
    ComposingNormalizerBorrowed::new_nfc().normalize(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(location: NewLocation) -> NewProject {
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

    #[test]
    fn another_input_has_another_mark() {
        let base = at(NewLocation::Address("1 Main St".into()));
        let named = NewProject { name: Some("1 Main St".into()), ..base.clone() };
        let tagged = NewProject { tags: vec!["a".into()], ..base.clone() };
        let other = at(NewLocation::Address("1 main St".into()));
        assert_eq!(base.mark(), base.clone().mark());
        for different in [named, tagged, other] {
            assert_ne!(base.mark().canonical, different.mark().canonical);
        }
    }

    #[test]
    fn another_way_to_write_an_input_is_the_same_input() {
        let point = |latitude| NewLocation::Coordinates(Coordinates::try_new(latitude, 11.5).unwrap());
        let one = NewProject {
            name: Some("Jos\u{e9}".into()),
            tags: vec!["a".into(), "b".into()],
            ..at(point(0.0))
        };
        let other = NewProject {
            name: Some("Jose\u{301}".into()),
            tags: vec!["b".into(), "a".into(), "b".into()],
            ..at(point(-0.0))
        };
        assert_eq!(one.mark().canonical, other.mark().canonical);
        assert_ne!(one.mark().written, other.mark().written);
        assert_eq!(one.mark().canonical, one.mark().written, "what 0.1 kept of the usual form still counts");
    }

    #[test]
    fn a_point_off_the_globe_is_refused() {
        assert_eq!(Coordinates::try_new(90.1, 0.0).err(), Some(NoSuchPoint::Latitude));
        assert_eq!(Coordinates::try_new(0.0, -181.0).err(), Some(NoSuchPoint::Longitude));
        assert_eq!(Coordinates::try_new(f64::NAN, 0.0).err(), Some(NoSuchPoint::Latitude));
        assert!(Coordinates::try_new(-33.9, 151.2).is_ok());
    }

    #[test]
    fn a_person_never_shows_in_debug_output() {
        let customer = Customer { last_name: Some("Nightingale".into()), ..Customer::default() };
        assert!(!format!("{customer:?}").contains("Nightingale"));
    }
}
