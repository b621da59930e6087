//! What a layout yields in a year, month by month.
//!
//! Figures a solar engineer would believe: 900 to 1900 kWh for each kW of modules, most of it when
//! the sun stands high. June in the north, December in the south, much the same all year at the
//! equator. Invariant: the months, each in tenths of a kWh, add up to the year exactly.

use std::f64::consts::TAU;

use super::super::dice::Dice;
use super::layout::{Array, Layout, Site};

/// A year's yield.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::sandbox) struct Harvest {
    pub(in crate::sandbox) monthly_kwh: [f64; 12],
    pub(in crate::sandbox) annual_kwh: f64,
    /// Of the household's consumption.
    pub(in crate::sandbox) offset_pct: f64,
}

/// How much sun reaches an array, in percent of what an unshaded one there would get.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::sandbox) struct Access {
    pub(in crate::sandbox) annual_pct: f64,
    pub(in crate::sandbox) monthly_pct: [f64; 12],
    /// The total solar resource fraction: shade and orientation together.
    pub(in crate::sandbox) tsrf_pct: f64,
}

/// Believable bounds of a year's yield per kW of modules.
const YIELD_KWH_PER_KW: std::ops::RangeInclusive<f64> = 900.0..=1900.0;

impl Harvest {
    /// The yield of a layout on its site.
    pub(in crate::sandbox) fn of(site: &Site, layout: &Layout) -> Self {
        let mut dice = Dice::of(&["harvest", &site.key]);
        let size_kw = layout.stc_w() / 1000.0;
        let reach: f64 = layout
            .arrays
            .iter()
            .map(|it| layout.array_stc_w(it) / 1000.0 * Access::of(site, layout, it).tsrf_pct / 100.0)
            .sum();
        let per_kw = full_sun_kwh_per_kw(site.latitude) * reach / size_kw.max(0.001);
        let annual = per_kw.clamp(*YIELD_KWH_PER_KW.start(), *YIELD_KWH_PER_KW.end()) * size_kw;

        let weather: [f64; 12] = std::array::from_fn(|_| dice.between(0.98, 1.02));
        let weights: [f64; 12] = std::array::from_fn(|month| season(site.latitude, month) * weather[month]);
        let total: f64 = weights.iter().sum();
        // In whole tenths, so that adding them up is exact.
        let tenths = weights.map(|weight| (annual * weight / total * 10.0).round());
        let annual_kwh = tenths.iter().sum::<f64>() / 10.0;
        let consumption_kwh = dice.between(6500.0, 13_000.0);
        Self {
            monthly_kwh: tenths.map(|it| it / 10.0),
            annual_kwh,
            offset_pct: (annual_kwh / consumption_kwh * 100.0).round(),
        }
    }
}

impl Access {
    /// The sun that reaches one array.
    pub(in crate::sandbox) fn of(site: &Site, layout: &Layout, array: &Array) -> Self {
        let tenth = |it: f64| (it * 10.0).round() / 10.0;
        let annual = array.access_pct;
        // Winter's low sun finds more trees. The swing keeps the mean and stays below 100.
        let swing = (100.0 - annual).min(6.0) * sway(site.latitude).signum();
        let monthly = |month| tenth((annual + swing * 0.8 * wave(month)).min(100.0));
        let face = &layout.faces[array.face];
        let equatorward = if site.latitude >= 0.0 { 180.0 } else { 0.0_f64 };
        let away = (1.0 - (face.azimuth_deg - equatorward).to_radians().cos()) / 2.0;
        // A steep roof looking away from the sun loses most; at the equator it matters little.
        let loss = away * face.pitch_deg * 0.012 * (0.25 + site.latitude.abs() / 60.0);
        Self {
            annual_pct: annual,
            monthly_pct: std::array::from_fn(monthly),
            tsrf_pct: tenth(annual * (1.0 - loss).max(0.3)),
        }
    }
}

/// kWh a year from one well-placed, unshaded kW: highest in the dry belts around 25 degrees.
fn full_sun_kwh_per_kw(latitude: f64) -> f64 {
    const BY_LATITUDE: [(f64, f64); 6] =
        [(0.0, 1480.0), (25.0, 1780.0), (35.0, 1700.0), (45.0, 1380.0), (55.0, 1120.0), (90.0, 950.0)];
    let at = latitude.abs();
    let mut low = BY_LATITUDE[0];
    for high in BY_LATITUDE {
        if at <= high.0 {
            let share = if high.0 > low.0 { (at - low.0) / (high.0 - low.0) } else { 0.0 };
            return low.1 + (high.1 - low.1) * share;
        }
        low = high;
    }
    low.1
}

/// A month's part of the year, before the weather.
fn season(latitude: f64, month: usize) -> f64 {
    1.0 + sway(latitude) * wave(month)
}

/// How far summer and winter are apart; negative in the south.
fn sway(latitude: f64) -> f64 {
    (latitude * 0.0125).clamp(-0.85, 0.85)
}

/// 1 in June, -1 in December.
fn wave(month: usize) -> f64 {
    ((month as f64 - 5.0) / 12.0 * TAU).cos()
}

#[cfg(test)]
mod tests {
    use super::super::layout;
    use super::*;

    fn at(latitude: f64) -> Harvest {
        let site = Site { key: "home".to_owned(), latitude };
        Harvest::of(&site, &Layout::of(&site, 0))
    }

    #[test]
    fn the_months_add_up_to_the_year_exactly() {
        for site in layout::houses() {
            let harvest = Harvest::of(&site, &Layout::of(&site, 0));
            let tenths: f64 = harvest.monthly_kwh.iter().map(|it| (it * 10.0).round()).sum();
            assert_eq!(tenths / 10.0, harvest.annual_kwh);
        }
    }

    #[test]
    fn the_yield_is_one_an_engineer_would_believe() {
        for site in layout::houses() {
            let layout = Layout::of(&site, 0);
            let per_kw = Harvest::of(&site, &layout).annual_kwh / (layout.stc_w() / 1000.0);
            assert!((899.0..1901.0).contains(&per_kw), "{per_kw} at {}", site.latitude);
        }
    }

    #[test]
    fn summer_is_in_june_in_the_north_and_in_december_in_the_south() {
        let (north, south, equator) = (at(48.0), at(-34.0), at(0.5));
        assert!(north.monthly_kwh[5] > 2.0 * north.monthly_kwh[11]);
        assert!(south.monthly_kwh[11] > 2.0 * south.monthly_kwh[5]);
        let (most, least) = (
            equator.monthly_kwh.iter().copied().fold(0.0, f64::max),
            equator.monthly_kwh.iter().copied().fold(f64::MAX, f64::min),
        );
        assert!(most < 1.1 * least);
    }

    #[test]
    fn shares_of_sun_are_percentages() {
        for site in layout::houses() {
            let layout = Layout::of(&site, 0);
            for array in &layout.arrays {
                let access = Access::of(&site, &layout, array);
                assert!(access.monthly_pct.iter().all(|it| (0.0..=100.0).contains(it)));
                assert!(access.tsrf_pct <= access.annual_pct);
            }
        }
    }
}
