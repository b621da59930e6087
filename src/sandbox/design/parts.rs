//! The components that designs are made of. Makers and models are invented.

use super::super::dice::Dice;

/// A solar module.
#[derive(Debug)]
pub(in crate::sandbox) struct Module {
    pub(in crate::sandbox) part: Part,
    pub(in crate::sandbox) rating_stc_w: f64,
    /// What is left of the nameplate under PVUSA test conditions.
    pub(in crate::sandbox) ptc_share: f64,
    pub(in crate::sandbox) area_m2: f64,
}

/// An inverter of any kind.
#[derive(Debug)]
pub(in crate::sandbox) struct Inverter {
    pub(in crate::sandbox) part: Part,
    pub(in crate::sandbox) rated_w: f64,
}

/// A battery.
#[derive(Debug)]
pub(in crate::sandbox) struct Battery {
    pub(in crate::sandbox) part: Part,
    pub(in crate::sandbox) has_integrated_inverter: bool,
}

/// What every component has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::sandbox) struct Part {
    pub(in crate::sandbox) name: &'static str,
    pub(in crate::sandbox) maker: &'static str,
    pub(in crate::sandbox) sku: Option<&'static str>,
}

impl Part {
    /// The same part has the same id in every design of every tenant.
    pub(in crate::sandbox) fn id(&self, opaque: bool) -> String {
        Dice::of(&["part", self.maker, self.name]).id(opaque)
    }
}

const fn part(maker: &'static str, name: &'static str, sku: Option<&'static str>) -> Part {
    Part { name, maker, sku }
}

const fn module(part: Part, rating_stc_w: f64, ptc_share: f64, area_m2: f64) -> Module {
    Module { part, rating_stc_w, ptc_share, area_m2 }
}

const fn inverter(part: Part, rated_w: f64) -> Inverter {
    Inverter { part, rated_w }
}

pub(super) const MODULES: [Module; 4] = [
    module(part("Helion", "Helion HX-410", Some("HX-410")), 410.0, 0.935, 1.95),
    module(part("Norrsol", "Norrsol Fjell 395 Black", None), 395.0, 0.93, 1.82),
    module(part("Tamarind Solar", "Tamarind T6 430W", Some("T6-430-BF")), 430.0, 0.94, 1.99),
    module(part("Helion", "Helion HX-365.5", Some("HX-3655")), 365.5, 0.925, 1.76),
];

/// Smallest first; the generator takes the largest that still fits.
pub(super) const STRING_INVERTERS: [Inverter; 6] = [
    inverter(part("Voltara", "Voltara S 2.5", Some("VS-25")), 2500.0),
    inverter(part("Voltara", "Voltara S 3.8", Some("VS-38")), 3800.0),
    inverter(part("Voltara", "Voltara S 5.0", Some("VS-50")), 5000.0),
    inverter(part("Voltara", "Voltara S 6.0", Some("VS-60")), 6000.0),
    inverter(part("Voltara", "Voltara S 7.6", Some("VS-76")), 7600.0),
    inverter(part("Voltara", "Voltara S 10.0", None), 10_000.0),
];

pub(super) const MICROINVERTERS: [Inverter; 4] = [
    inverter(part("Kolibri", "Kolibri M290", Some("KM-290")), 290.0),
    inverter(part("Kolibri", "Kolibri M325", Some("KM-325")), 325.0),
    inverter(part("Kolibri", "Kolibri M366", Some("KM-366")), 366.0),
    inverter(part("Kolibri", "Kolibri M384", None), 384.0),
];

pub(super) const OPTIMIZER: Part = part("Voltara", "Voltara P500", Some("VP-500"));

pub(super) const BATTERIES: [Battery; 2] = [
    Battery { part: part("Lumen Store", "Lumen Wall 13.5", Some("LW-135")), has_integrated_inverter: true },
    Battery { part: part("Norrsol", "Norrsol Sten 10", None), has_integrated_inverter: false },
];

pub(super) const STORAGE_INVERTER: Inverter =
    inverter(part("Voltara", "Voltara Hybrid 5.8", Some("VH-58")), 5800.0);

pub(super) const RAIL: Part = part("Rackline", "Rackline Rail 4.2 m", Some("RL-R42"));
pub(super) const MOUNT: Part = part("Rackline", "Rackline Flashed Mount", Some("RL-FM"));
pub(super) const DISCONNECT: Part = part("Safebreak", "Safebreak AC Disconnect 60 A", Some("SB-60"));
pub(super) const COMBINER: Part = part("Kolibri", "Kolibri Combiner 5", None);
