//! The summary of a design: what it is made of and what it would produce.
//!
//! Every number may be absent: what Aurora did not give is `None`, never zero and never a guess.

use jiff::Timestamp;

use super::{
    DesignId, Fingerprint, ProjectId,
    fingerprint::Fingerprinter,
    units::{Degrees, KilowattHours, Percent, Watts},
};

/// What Aurora reports of one design.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// The design that was asked for.
    pub design: DesignId,
    /// The project it belongs to.
    pub project: Option<ProjectId>,
    /// The design request it came from, if it came from one.
    pub design_request_id: Option<String>,
    /// The CRM's own key, of the design or its project.
    pub external_provider_id: Option<String>,
    /// When the design was made.
    pub created_at: Option<Timestamp>,
    /// DC power at standard test conditions.
    pub size_stc: Option<Watts>,
    /// DC power at PVUSA test conditions.
    pub size_ptc: Option<Watts>,
    /// AC power.
    pub size_ac: Option<Watts>,
    /// What has to be bought. Aurora promises no order.
    pub bill_of_materials: Vec<BillOfMaterialsItem>,
    /// The modules on the roof, grouped by face, module, angle and electronics.
    pub arrays: Vec<SolarArray>,
    /// One entry a unit.
    pub string_inverters: Vec<Inverter>,
    /// Inverters that charge and discharge batteries.
    pub storage_inverters: Vec<Inverter>,
    /// One entry a unit.
    pub batteries: Vec<Battery>,
    /// Absent until a performance simulation has run.
    pub energy_production: Option<EnergyProduction>,
    /// How storage is operated; Aurora publishes "backup" and leaves the set open.
    pub storage_operating_mode: Option<String>,
}

/// One line of the bill of materials.
#[derive(Debug, Clone, PartialEq)]
pub struct BillOfMaterialsItem {
    /// The component's id.
    pub component_id: Option<String>,
    /// What kind of component.
    pub component_type: ComponentType,
    /// The kind in Aurora's own word.
    pub component_type_text: String,
    /// The maker's order number.
    pub sku: Option<String>,
    /// The component's name.
    pub name: Option<String>,
    /// Who makes it.
    pub manufacturer_name: Option<String>,
    /// Pieces.
    pub quantity: Option<f64>,
}

/// The kinds of component that are known; Aurora's set is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComponentType {
    /// `modules`
    Module,
    /// `inverters`
    Inverter,
    /// `string_inverters`
    StringInverter,
    /// `microinverters`
    Microinverter,
    /// `dc_optimizers`
    DcOptimizer,
    /// `batteries`
    Battery,
    /// `combiner_boxes`
    CombinerBox,
    /// `disconnects`
    Disconnect,
    /// `racking` and `racking_components`
    Racking,
    /// Any other word.
    Other,
}

/// Modules of one kind that lie alike on one face.
#[derive(Debug, Clone, PartialEq)]
pub struct SolarArray {
    /// DC power at standard test conditions.
    pub size: Option<Watts>,
    /// Clockwise from north.
    pub azimuth: Option<Degrees>,
    /// From horizontal.
    pub pitch: Option<Degrees>,
    /// What converts its current.
    pub configuration: Option<ArrayConfiguration>,
    /// The same in Aurora's own words.
    pub configuration_text: Option<String>,
    /// Groups arrays on one roof face; the number says nothing about direction.
    pub face: Option<i32>,
    /// On the ground rather than on a roof.
    pub ground_mounted: Option<bool>,
    /// The module it is made of.
    pub module: Option<ArrayModule>,
    /// Its DC optimizers.
    pub dc_optimizer: Option<ArrayComponent>,
    /// Its microinverters.
    pub microinverter: Option<ArrayMicroinverter>,
    /// Index into the string inverters, as Aurora gives it; whether it counts from 0 or 1 is not published.
    pub string_inverter_index: Option<i32>,
    /// How much sun reaches it. Absent until irradiance has been computed.
    pub shading: Option<Shading>,
}

/// What converts an array's current.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArrayConfiguration {
    /// One inverter for a string of modules.
    StringInverter,
    /// An inverter at each module.
    Microinverter,
    /// An optimizer at each module before a string inverter.
    DcOptimizer,
    /// Any other words.
    Other,
}

/// The module of an array.
#[derive(Debug, Clone, PartialEq)]
pub struct ArrayModule {
    /// The component's id.
    pub component_id: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// DC power of one module at standard test conditions.
    pub rating_stc: Option<Watts>,
    /// Pieces.
    pub count: Option<i32>,
    /// Which way round it lies.
    pub orientation: Option<ModuleOrientation>,
    /// The same in Aurora's own word.
    pub orientation_text: Option<String>,
}

/// Which way round a module lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModuleOrientation {
    /// The long side across.
    Landscape,
    /// The long side up the slope.
    Portrait,
    /// Any other word.
    Other,
}

/// A component that an array has several of.
#[derive(Debug, Clone, PartialEq)]
pub struct ArrayComponent {
    /// The component's id.
    pub component_id: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Pieces.
    pub count: Option<i32>,
}

/// The microinverters of an array.
#[derive(Debug, Clone, PartialEq)]
pub struct ArrayMicroinverter {
    /// Which, and how many.
    pub component: ArrayComponent,
    /// AC power of one.
    pub rated_power: Option<Watts>,
}

/// How much sun reaches an array.
#[derive(Debug, Clone, PartialEq)]
pub struct Shading {
    /// Sun that arrives, of what would arrive with nothing in the way, over the year.
    pub solar_access_annual: Option<Percent>,
    /// The same for January to December: twelve numbers, percent.
    pub solar_access_monthly: Option<Vec<f64>>,
    /// Sun that arrives, of what would arrive at the best angle with nothing in the way, over the year (TSRF).
    pub total_solar_resource_fraction: Option<Percent>,
}

/// An inverter.
#[derive(Debug, Clone, PartialEq)]
pub struct Inverter {
    /// The component's id.
    pub component_id: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// AC power.
    pub rated_power: Option<Watts>,
}

/// A battery.
#[derive(Debug, Clone, PartialEq)]
pub struct Battery {
    /// The component's id.
    pub component_id: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Whether it brings its own inverter.
    pub has_integrated_inverter: Option<bool>,
}

/// What a performance simulation found.
#[derive(Debug, Clone, PartialEq)]
pub struct EnergyProduction {
    /// False when the design changed after the simulation: the figures then describe an older state.
    pub up_to_date: Option<bool>,
    /// AC energy in the first year.
    pub annual: Option<KilowattHours>,
    /// Of the household's consumption.
    pub annual_offset: Option<Percent>,
    /// The same as Aurora wrote it.
    pub annual_offset_text: Option<String>,
    /// January to December: twelve numbers, kilowatt-hours AC.
    pub monthly: Option<Vec<f64>>,
    /// Each hour of the year, kilowatt-hours AC.
    pub hourly: Option<Vec<f64>>,
}

impl Summary {
    /// Modules over all arrays, or over the bill's module lines where there are no arrays. `None` as soon as
    /// one of the numbers is missing: a partial sum would be a guess.
    #[must_use]
    pub fn module_count(&self) -> Option<i32> {
        if !self.arrays.is_empty() {
            return self
                .arrays
                .iter()
                .map(|array| array.module.as_ref()?.count)
                .try_fold(0, |sum, count| count.and_then(|count| i32::checked_add(sum, count)));
        }
        let mut lines =
            self.bill_of_materials.iter().filter(|it| it.component_type == ComponentType::Module).peekable();
        lines.peek()?;
        let pieces =
            lines.map(|line| line.quantity).try_fold(0.0, |sum, pieces| pieces.map(|it| sum + it))?;
        #[expect(clippy::cast_possible_truncation, reason = "the guard keeps it within i32")]
        (pieces.fract() == 0.0 && (0.0..=f64::from(i32::MAX)).contains(&pieces)).then_some(pieces as i32)
    }

    /// Stands for everything a person could see change. Lists count as sets, for Aurora promises no order.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let scalars = (
            (
                &self.design,
                &self.project,
                &self.design_request_id,
                &self.external_provider_id,
                &self.created_at,
            ),
            (&self.size_stc, &self.size_ptc, &self.size_ac),
            (&self.energy_production, &self.storage_operating_mode),
        );
        let mut parts = Fingerprinter::new("summary").text(&format!("{scalars:?}"));
        for list in [
            sorted(&self.bill_of_materials),
            sorted(&self.arrays),
            sorted(&self.string_inverters),
            sorted(&self.storage_inverters),
            sorted(&self.batteries),
        ] {
            parts = parts.text(&list.len().to_string());
            for item in &list {
                parts = parts.text(item);
            }
        }
        parts.finish()
    }
}

fn sorted<T: std::fmt::Debug>(items: &[T]) -> Vec<String> {
    let mut texts: Vec<String> = items.iter().map(|item| format!("{item:?}")).collect();
    texts.sort_unstable();
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> Summary {
        Summary {
            design: DesignId::parse("d").unwrap(),
            project: None,
            design_request_id: None,
            external_provider_id: None,
            created_at: None,
            size_stc: None,
            size_ptc: None,
            size_ac: None,
            bill_of_materials: Vec::new(),
            arrays: Vec::new(),
            string_inverters: Vec::new(),
            storage_inverters: Vec::new(),
            batteries: Vec::new(),
            energy_production: None,
            storage_operating_mode: None,
        }
    }

    fn array(count: Option<i32>) -> SolarArray {
        SolarArray {
            size: None,
            azimuth: None,
            pitch: None,
            configuration: None,
            configuration_text: None,
            face: None,
            ground_mounted: None,
            module: Some(ArrayModule {
                component_id: None,
                name: None,
                rating_stc: None,
                count,
                orientation: None,
                orientation_text: None,
            }),
            dc_optimizer: None,
            microinverter: None,
            string_inverter_index: None,
            shading: None,
        }
    }

    fn line(component_type: ComponentType, quantity: Option<f64>) -> BillOfMaterialsItem {
        BillOfMaterialsItem {
            component_id: None,
            component_type,
            component_type_text: String::new(),
            sku: None,
            name: None,
            manufacturer_name: None,
            quantity,
        }
    }

    #[test]
    fn modules_are_counted_over_arrays_before_the_bill() {
        let modules = vec![line(ComponentType::Module, Some(1.0)), line(ComponentType::Battery, Some(9.0))];
        let bill_only = Summary { bill_of_materials: modules, ..empty() };
        assert_eq!(bill_only.module_count(), Some(1));
        let both = Summary { arrays: vec![array(Some(11)), array(Some(4))], ..bill_only };
        assert_eq!(both.module_count(), Some(15));
    }

    #[test]
    fn a_missing_number_makes_the_count_unknown_not_smaller() {
        assert_eq!(empty().module_count(), None);
        assert_eq!(Summary { arrays: vec![array(Some(11)), array(None)], ..empty() }.module_count(), None);
        let bill = vec![line(ComponentType::Module, Some(1.0)), line(ComponentType::Module, None)];
        assert_eq!(Summary { bill_of_materials: bill, ..empty() }.module_count(), None);
    }

    #[test]
    fn another_order_is_the_same_summary_and_another_figure_is_not() {
        let one = Summary { arrays: vec![array(Some(1)), array(Some(2))], ..empty() };
        let other = Summary { arrays: vec![array(Some(2)), array(Some(1))], ..empty() };
        let bigger = Summary { size_stc: Watts::try_new(1.0).ok(), ..one.clone() };
        assert_eq!(one.fingerprint(), other.fingerprint());
        assert_ne!(one.fingerprint(), bigger.fingerprint());
    }
}
