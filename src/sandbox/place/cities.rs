//! Real cities, so that addresses look real and yields fit their latitude.

/// A city and how addresses in it are written.
#[derive(Debug)]
pub(super) struct City {
    pub(super) name: &'static str,
    pub(super) region: &'static str,
    pub(super) postal_code: &'static str,
    pub(super) country: &'static str,
    pub(super) latitude: f64,
    pub(super) longitude: f64,
}

const fn city(
    name: &'static str,
    region: &'static str,
    postal_code: &'static str,
    country: &'static str,
    (latitude, longitude): (f64, f64),
) -> City {
    City { name, region, postal_code, country, latitude, longitude }
}

const US: &str = "United States";

/// Both hemispheres, the tropics, and the far north; the first one is Aurora's own.
pub(super) const CITIES: [City; 40] = [
    city("San Francisco", "CA", "94107", US, (37.7796, -122.3953)),
    city("Stanford", "CA", "94305", US, (37.4241, -122.1661)),
    city("Los Angeles", "CA", "90012", US, (34.0537, -118.2428)),
    city("San Diego", "CA", "92101", US, (32.7157, -117.1611)),
    city("Sacramento", "CA", "95814", US, (38.5816, -121.4944)),
    city("Phoenix", "AZ", "85004", US, (33.4484, -112.0740)),
    city("Las Vegas", "NV", "89101", US, (36.1716, -115.1391)),
    city("Denver", "CO", "80202", US, (39.7392, -104.9903)),
    city("Austin", "TX", "78701", US, (30.2672, -97.7431)),
    city("Magnolia", "TX", "77354", US, (30.2094, -95.7508)),
    city("Minneapolis", "MN", "55401", US, (44.9778, -93.2650)),
    city("Chicago", "IL", "60602", US, (41.8781, -87.6298)),
    city("Atlanta", "GA", "30303", US, (33.7490, -84.3880)),
    city("Miami", "FL", "33130", US, (25.7617, -80.1918)),
    city("Belmar", "NJ", "07719", US, (40.1784, -74.0218)),
    city("New York", "NY", "10007", US, (40.7128, -74.0060)),
    city("Boston", "MA", "02108", US, (42.3601, -71.0589)),
    city("Portland", "OR", "97204", US, (45.5152, -122.6784)),
    city("Seattle", "WA", "98104", US, (47.6062, -122.3321)),
    city("Honolulu", "HI", "96813", US, (21.3069, -157.8583)),
    city("Anchorage", "AK", "99501", US, (61.2181, -149.9003)),
    city("Toronto", "ON", "M5H 2N2", "Canada", (43.6532, -79.3832)),
    city("Vancouver", "BC", "V5Y 1V4", "Canada", (49.2827, -123.1207)),
    city("Mexico City", "CDMX", "06000", "Mexico", (19.4326, -99.1332)),
    city("Quito", "P", "170150", "Ecuador", (-0.1807, -78.4678)),
    city("Santiago", "RM", "8320000", "Chile", (-33.4489, -70.6693)),
    city("London", "ENG", "SW1A 2AA", "United Kingdom", (51.5072, -0.1276)),
    city("Madrid", "MD", "28013", "Spain", (40.4168, -3.7038)),
    city("Paris", "IDF", "75004", "France", (48.8566, 2.3522)),
    city("Amsterdam", "NH", "1012 JS", "Netherlands", (52.3676, 4.9041)),
    city("Munich", "BY", "80331", "Germany", (48.1351, 11.5820)),
    city("Berlin", "BE", "10178", "Germany", (52.5200, 13.4050)),
    city("Oslo", "03", "0037", "Norway", (59.9139, 10.7522)),
    city("Nairobi", "30", "00100", "Kenya", (-1.2921, 36.8219)),
    city("Cape Town", "WC", "8001", "South Africa", (-33.9249, 18.4241)),
    city("Singapore", "01", "178957", "Singapore", (1.3521, 103.8198)),
    city("Perth", "WA", "6000", "Australia", (-31.9523, 115.8613)),
    city("Melbourne", "VIC", "3000", "Australia", (-37.8136, 144.9631)),
    city("Sydney", "NSW", "2000", "Australia", (-33.8688, 151.2093)),
    city("Auckland", "AUK", "1010", "New Zealand", (-36.8509, 174.7645)),
];

/// Street names for addresses made from coordinates.
pub(super) const STREETS: [&str; 10] = [
    "Brannan St",
    "Maple St",
    "Oak Ave",
    "Juniper Ln",
    "Mission St",
    "Harbor Rd",
    "Prospect Ave",
    "Mill Rd",
    "Sunset Blvd",
    "Cedar Ct",
];
