//! Addresses and coordinates, and Aurora's way of making one from the other.
//!
//! [`Gazetteer::resolve`] follows Aurora: an address alone is looked up; coordinates alone get an
//! address *and are then moved to it*; both together are kept as sent. The lookup is deterministic
//! and needs no network: a known city gives its neighbourhood, any other text a spot in one of the
//! known cities. Invariant: an address made from coordinates leads back to the same coordinates.

use std::collections::BTreeMap;

use super::answer::Complaint;
use super::dice::Dice;

mod cities;
use cities::{CITIES, City, STREETS};

/// Addresses made from coordinates that are remembered; the rest are looked up like any other.
const PLACES_KEPT: usize = 10_000;

/// An address with this word in it cannot be resolved.
const NOWHERE: &str = "nowhere";

/// Where a project is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place {
    pub(super) address: String,
    pub(super) latitude: f64,
    pub(super) longitude: f64,
}

/// The parts of an address, as far as they can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Components {
    pub(super) street_address: Option<String>,
    pub(super) city: Option<String>,
    pub(super) region: Option<String>,
    pub(super) postal_code: Option<String>,
    pub(super) country: Option<String>,
}

/// Remembers which address was made for which coordinates.
#[derive(Debug, Default)]
pub(super) struct Gazetteer {
    made: BTreeMap<String, (f64, f64)>,
}

impl Gazetteer {
    /// The place for what was sent: at least one of the two.
    pub(super) fn resolve(
        &mut self,
        address: Option<&str>,
        coordinates: Option<(f64, f64)>,
    ) -> Result<Place, Complaint> {
        match (address, coordinates) {
            (None, None) => Err(Complaint::new("location", "is required")),
            (Some(address), Some((latitude, longitude))) => {
                Ok(Place { address: address.to_owned(), latitude, longitude })
            }
            (Some(address), None) => self.locate(address),
            (None, Some((latitude, longitude))) => self.name(latitude, longitude),
        }
    }

    fn locate(&self, address: &str) -> Result<Place, Complaint> {
        if let Some((latitude, longitude)) = self.made.get(address) {
            return Ok(Place { address: address.to_owned(), latitude: *latitude, longitude: *longitude });
        }
        let unknown =
            address.to_lowercase().contains(NOWHERE) || !address.contains(|it: char| it.is_alphabetic());
        if unknown {
            return Err(Complaint::new("location", "could not be resolved"));
        }
        let mut dice = Dice::of(&["address", &address.to_lowercase()]);
        let city = city_in(address).unwrap_or_else(|| dice.pick(&CITIES));
        // About two kilometres either way: inside the city, and another spot for every house.
        let latitude = round(city.latitude + dice.between(-0.02, 0.02));
        let longitude = round(city.longitude + dice.between(-0.02, 0.02));
        Ok(Place { address: address.to_owned(), latitude, longitude })
    }

    fn name(&mut self, latitude: f64, longitude: f64) -> Result<Place, Complaint> {
        // Null Island is open sea, and what broken clients send.
        if latitude == 0.0 && longitude == 0.0 {
            return Err(Complaint::new("location", "could not be resolved"));
        }
        let city = nearest(latitude, longitude);
        let mut dice = Dice::of(&["spot", &format!("{latitude:.6},{longitude:.6}")]);
        let (number, street) = (dice.whole(1, 999), dice.pick(&STREETS));
        let City { name, region, postal_code, country, .. } = city;
        let mut address = format!("{number} {street}, {name}, {region} {postal_code}");
        if *country != "United States" {
            address = format!("{address}, {country}");
        }
        // A house's own point lies some ten metres from wherever its owner put the pin.
        let latitude = round(latitude + dice.between(0.00005, 0.0001));
        let longitude = round(longitude + dice.between(0.00005, 0.0001));
        if self.made.len() < PLACES_KEPT {
            self.made.insert(address.clone(), (latitude, longitude));
        }
        Ok(Place { address, latitude, longitude })
    }
}

impl Components {
    /// Reads `434 Brannan St, San Francisco, CA, 94107` and its many relatives.
    pub(super) fn of(address: &str) -> Self {
        let mut parts: Vec<&str> = address.split(',').map(str::trim).filter(|it| !it.is_empty()).collect();
        let city = city_in(address);
        let known_country =
            parts.last().and_then(|last| CITIES.iter().find(|it| it.country.eq_ignore_ascii_case(last)));
        let country = known_country.map(|it| it.country).or_else(|| usa(parts.last()));
        if country.is_some() {
            parts.pop();
        }
        let street_address = (!parts.is_empty()).then(|| parts.remove(0).to_owned());
        let town = (!parts.is_empty()).then(|| parts.remove(0).to_owned());
        let (region, postal_code) = region_and_code(&parts.join(" "));
        let american = region.as_ref().is_some_and(|it| it.len() == 2);
        let country = country.or(city.map(|it| it.country)).or(american.then_some("United States"));
        Self { street_address, city: town, region, postal_code, country: country.map(str::to_owned) }
    }
}

fn usa(last: Option<&&str>) -> Option<&'static str> {
    let short = ["us", "usa", "u.s.a.", "united states of america"];
    last.filter(|it| short.contains(&it.to_lowercase().as_str())).map(|_| "United States")
}

/// `CA 94107`, `NSW 2000`, `ON M5H 2N2`: letters first are the region, the rest is the code.
fn region_and_code(text: &str) -> (Option<String>, Option<String>) {
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    let is_region = !first.is_empty() && first.chars().all(char::is_alphabetic);
    let (region, code) = if is_region { (first, rest) } else { ("", text) };
    let some = |it: &str| (!it.trim().is_empty()).then(|| it.trim().to_owned());
    (some(region), some(code))
}

fn city_in(address: &str) -> Option<&'static City> {
    let parts: Vec<String> = address.split(',').map(|it| it.trim().to_lowercase()).collect();
    CITIES.iter().find(|city| parts.contains(&city.name.to_lowercase()))
}

fn nearest(latitude: f64, longitude: f64) -> &'static City {
    let distance = |city: &City| {
        let around = (city.longitude - longitude).abs();
        let east = around.min(360.0 - around) * latitude.to_radians().cos();
        (city.latitude - latitude).hypot(east)
    };
    let first = &CITIES[0];
    CITIES.iter().fold(first, |best, it| if distance(it) < distance(best) { it } else { best })
}

/// Six digits: a decimetre.
fn round(degrees: f64) -> f64 {
    (degrees * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn components(address: &str) -> [Option<String>; 5] {
        let it = Components::of(address);
        [it.street_address, it.city, it.region, it.postal_code, it.country]
    }

    #[test]
    fn addresses_are_taken_apart() {
        let us = |street: &str, city: &str, region: &str, code: &str| {
            [street, city, region, code, "United States"].map(|it| Some(it.to_owned()))
        };
        assert_eq!(
            components("434 Brannan St, San Francisco, CA, 94107"),
            us("434 Brannan St", "San Francisco", "CA", "94107")
        );
        assert_eq!(
            components("901 Mears Ct, Stanford, CA 94305, USA"),
            us("901 Mears Ct", "Stanford", "CA", "94305")
        );
        let sydney = components("1 Harbor Rd, Sydney, NSW 2000, Australia");
        assert_eq!(sydney[4].as_deref(), Some("Australia"));
        assert_eq!(sydney[3].as_deref(), Some("2000"));
    }

    #[test]
    fn an_address_alone_is_located_in_its_city_every_time() {
        let mut gazetteer = Gazetteer::default();
        let address = "434 Brannan St, San Francisco, CA, 94107";
        let place = gazetteer.resolve(Some(address), None).unwrap();
        assert!((place.latitude - 37.78).abs() < 0.03);
        assert_eq!(gazetteer.resolve(Some(address), None), Ok(place));
    }

    #[test]
    fn coordinates_alone_are_moved_to_the_address_made_from_them() {
        let mut gazetteer = Gazetteer::default();
        let made = gazetteer.resolve(None, Some((37.7796, -122.3953))).unwrap();
        assert!(made.address.contains("San Francisco"));
        assert_ne!(made.latitude, 37.7796);
        assert_eq!(gazetteer.resolve(Some(&made.address), None), Ok(made));
    }

    #[test]
    fn both_together_are_kept_and_nowhere_is_refused() {
        let mut gazetteer = Gazetteer::default();
        let place = gazetteer.resolve(Some("Anything"), Some((1.0, 2.0))).unwrap();
        assert_eq!((place.address.as_str(), place.latitude, place.longitude), ("Anything", 1.0, 2.0));
        assert!(gazetteer.resolve(Some("1 Nowhere Rd, Austin, TX"), None).is_err());
        assert!(gazetteer.resolve(None, Some((0.0, 0.0))).is_err());
        assert!(gazetteer.resolve(None, None).is_err());
    }
}
