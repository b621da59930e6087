//! A house and what is put on its roof.
//!
//! [`Layout::of`] throws a house's dice: 2 to 4 faces, arrays on them, inverters that fit, and a
//! bill of materials. Invariants: the bill's quantities agree with the arrays and inverters; the
//! size at STC is the sum over the arrays of count times rating; the size at PTC and the AC size
//! are smaller. The house depends on the site alone, so a new revision changes how many modules
//! it carries and never its faces.

use super::super::dice::Dice;
use super::bill::{self, Line};
use super::parts::{BATTERIES, Battery, Inverter, MICROINVERTERS, MODULES, Module, STORAGE_INVERTER};
use super::parts::{OPTIMIZER, Part, STRING_INVERTERS};

/// What a layout is made from.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Site {
    /// Names the house: seed, tenant and the CRM's id or the address.
    pub(in crate::sandbox) key: String,
    pub(in crate::sandbox) latitude: f64,
}

/// One side of a roof.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::sandbox) struct Face {
    /// Counts from 1, as in Aurora's example.
    pub(in crate::sandbox) number: u32,
    pub(in crate::sandbox) azimuth_deg: f64,
    pub(in crate::sandbox) pitch_deg: f64,
    pub(in crate::sandbox) mean_height_m: f64,
    /// How much of the face its modules cover, once it has any.
    pub(in crate::sandbox) cover: f64,
    /// Of a face without modules.
    pub(in crate::sandbox) bare_area_m2: f64,
}

/// How arrays are wired.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::sandbox) enum Wiring {
    Strings,
    Optimizers,
    Micro,
}

/// Modules of one orientation on one face.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::sandbox) struct Array {
    pub(in crate::sandbox) face: usize,
    pub(in crate::sandbox) count: u32,
    pub(in crate::sandbox) portrait: bool,
    pub(in crate::sandbox) ground_mounted: bool,
    /// Counts from 1, as in Aurora's example.
    pub(in crate::sandbox) inverter: Option<usize>,
    pub(in crate::sandbox) access_pct: f64,
}

/// A roof with everything on it.
#[derive(Debug)]
pub(in crate::sandbox) struct Layout {
    pub(in crate::sandbox) faces: Vec<Face>,
    pub(in crate::sandbox) arrays: Vec<Array>,
    pub(in crate::sandbox) wiring: Wiring,
    pub(in crate::sandbox) module: &'static Module,
    pub(in crate::sandbox) micro: Option<&'static Inverter>,
    pub(in crate::sandbox) optimizer: Option<&'static Part>,
    pub(in crate::sandbox) string_inverters: Vec<&'static Inverter>,
    pub(in crate::sandbox) storage_inverters: Vec<&'static Inverter>,
    pub(in crate::sandbox) batteries: Vec<&'static Battery>,
    pub(in crate::sandbox) bill: Vec<Line>,
}

impl Layout {
    /// The layout of a site at a revision; the same two always give the same.
    pub(in crate::sandbox) fn of(site: &Site, revision: u32) -> Self {
        let mut dice = Dice::of(&["house", &site.key]);
        let faces = faces(site, &mut dice);
        let module = dice.pick(&MODULES);
        let wiring = *dice.pick(&[Wiring::Strings, Wiring::Micro, Wiring::Optimizers, Wiring::Micro]);
        let mut arrays = arrays(&faces, revision, &mut dice);
        let batteries = batteries(&mut dice);

        let size_w = f64::from(arrays.iter().map(|it| it.count).sum::<u32>()) * module.rating_stc_w;
        let string_inverters = match wiring {
            Wiring::Micro => Vec::new(),
            Wiring::Strings | Wiring::Optimizers => fitting(size_w),
        };
        if !string_inverters.is_empty() {
            for (at, array) in arrays.iter_mut().enumerate() {
                array.inverter = Some(at % string_inverters.len() + 1);
            }
        }
        let storage_inverters = batteries
            .iter()
            .take(1)
            .filter(|it| !it.has_integrated_inverter)
            .map(|_| &STORAGE_INVERTER)
            .collect();
        let mut layout = Self {
            faces,
            arrays,
            wiring,
            module,
            micro: (wiring == Wiring::Micro).then(|| micro_for(module)),
            optimizer: (wiring == Wiring::Optimizers).then_some(&OPTIMIZER),
            string_inverters,
            storage_inverters,
            batteries,
            bill: Vec::new(),
        };
        layout.bill = bill::of(&layout);
        layout
    }

    pub(in crate::sandbox) fn modules(&self) -> u32 {
        self.arrays.iter().map(|it| it.count).sum()
    }

    pub(in crate::sandbox) fn array_stc_w(&self, array: &Array) -> f64 {
        f64::from(array.count) * self.module.rating_stc_w
    }

    pub(in crate::sandbox) fn stc_w(&self) -> f64 {
        self.arrays.iter().map(|it| self.array_stc_w(it)).sum()
    }

    pub(in crate::sandbox) fn ptc_w(&self) -> f64 {
        self.stc_w() * self.module.ptc_share
    }

    pub(in crate::sandbox) fn ac_w(&self) -> f64 {
        let micros = self.micro.map_or(0.0, |it| it.rated_w * f64::from(self.modules()));
        micros + self.string_inverters.iter().map(|it| it.rated_w).sum::<f64>()
    }
}

fn faces(site: &Site, dice: &mut Dice) -> Vec<Face> {
    let equatorward = if site.latitude >= 0.0 { 180.0 } else { 0.0 };
    let main = equatorward + dice.between(-40.0, 40.0);
    let pitch = dice.between(14.0, 34.0);
    let one_pitch = dice.once_in(2);
    let turns = [0.0, 90.0, 180.0, 270.0];
    let count = dice.whole(2, 4);
    // A gable has two opposite faces; a third and fourth make it a hip.
    let order: &[usize] = if count == 2 { &[0, 2] } else { &[0, 1, 2, 3] };
    let mut faces = Vec::new();
    for (turn, number) in order.iter().zip(1..=count) {
        let pitch = if one_pitch { pitch } else { pitch + dice.between(-4.0, 4.0) };
        faces.push(Face {
            number,
            azimuth_deg: hundredth((main + turns[*turn]).rem_euclid(360.0)),
            pitch_deg: hundredth(pitch),
            mean_height_m: hundredth(dice.between(3.2, 6.4)),
            cover: dice.between(0.38, 0.72),
            bare_area_m2: dice.between(18.0, 46.0),
        });
    }
    faces
}

fn arrays(faces: &[Face], revision: u32, dice: &mut Dice) -> Vec<Array> {
    let mut arrays = Vec::new();
    for face in 0..faces.len() {
        // The first face looks to the equator and always carries modules, the others often do.
        let main = face == 0;
        let empty = !main && dice.once_in(3);
        let (low, high) = if main { (8, 14) } else { (4, 8) };
        let count = dice.whole(low, high);
        let portrait = !dice.once_in(3);
        let access_pct = tenth(dice.between(if main { 86.0 } else { 76.0 }, 99.4));
        let split = dice.once_in(4);
        if empty {
            continue;
        }
        // Neighbouring revisions always differ, and seven of them come before the first repeats.
        let count = if main { count + revision % 7 } else { count };
        let array = Array { face, count, portrait, ground_mounted: false, inverter: None, access_pct };
        if split {
            let turned = Array { count: 2, portrait: !portrait, ..array.clone() };
            arrays.push(Array { count: count - 2, ..array });
            arrays.push(turned);
        } else {
            arrays.push(array);
        }
    }
    arrays
}

fn batteries(dice: &mut Dice) -> Vec<&'static Battery> {
    let battery = dice.pick(&BATTERIES);
    let count = dice.whole(1, 2) as usize;
    let wanted = dice.once_in(3);
    if wanted { vec![battery; count] } else { Vec::new() }
}

/// As few inverters as carry the modules, each a little smaller than its share of them.
fn fitting(size_w: f64) -> Vec<&'static Inverter> {
    const MOST_DC_PER_AC: f64 = 1.35;
    let [smallest, .., largest] = &STRING_INVERTERS;
    let mut units = 1.0;
    while size_w / units > largest.rated_w * MOST_DC_PER_AC {
        units += 1.0;
    }
    let share = size_w / units * 0.96;
    let best = STRING_INVERTERS.iter().rev().find(|it| it.rated_w <= share).unwrap_or(smallest);
    let mut chosen = Vec::new();
    while (chosen.len() as f64) < units {
        chosen.push(best);
    }
    chosen
}

/// The largest micro-inverter that its module can fill.
fn micro_for(module: &Module) -> &'static Inverter {
    let [smallest, ..] = &MICROINVERTERS;
    MICROINVERTERS.iter().rev().find(|it| it.rated_w <= module.rating_stc_w * 0.92).unwrap_or(smallest)
}

fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn hundredth(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
pub(in crate::sandbox) fn houses() -> impl Iterator<Item = Site> {
    let latitudes = [61.2, 52.5, 37.8, 21.3, 1.3, -0.2, -33.9, -36.9];
    (0..200).map(move |n| Site { key: format!("house {n}"), latitude: latitudes[n % latitudes.len()] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_in_order_and_counts_are_those_of_a_house() {
        for site in houses() {
            let layout = Layout::of(&site, 0);
            assert!((2..=4).contains(&layout.faces.len()));
            assert!((8..=45).contains(&layout.modules()), "{}", layout.modules());
            assert!(layout.ptc_w() < layout.stc_w());
            assert!(layout.ac_w() < layout.stc_w(), "{} {}", layout.ac_w(), layout.stc_w());
            assert!(layout.ac_w() > layout.stc_w() / 1.7, "{} {}", layout.ac_w(), layout.stc_w());
        }
    }

    #[test]
    fn a_revision_changes_the_size_and_keeps_the_house() {
        for site in houses() {
            let (old, new) = (Layout::of(&site, 0), Layout::of(&site, 1));
            assert_eq!(old.faces, new.faces);
            assert_ne!(old.stc_w(), new.stc_w());
            assert_eq!(new.arrays, Layout::of(&site, 1).arrays);
        }
    }
}
