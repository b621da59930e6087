//! `{"design": {…}}` of a design's summary.

use super::{
    Unreadable,
    block::{self, Block, answer, finite},
    word,
};
use crate::domain::{
    DesignId, ProjectId, Summary,
    summary::{
        ArrayComponent, ArrayMicroinverter, ArrayModule, Battery, BillOfMaterialsItem, EnergyProduction,
        Inverter, Shading, SolarArray,
    },
    units::Percent,
};

const MONTHS: &[usize] = &[12];

/// The hours of a year and of a leap year.
const HOURS: &[usize] = &[8760, 8784];

/// Any of these makes an answer a summary, where it does not name its design.
const TELLING: [&str; 14] = [
    "project_id",
    "design_request_id",
    "external_provider_id",
    "created_at",
    "system_size_stc",
    "system_size_ptc",
    "system_size_ac",
    "bill_of_materials",
    "arrays",
    "string_inverters",
    "storage_inverters",
    "batteries",
    "energy_production",
    "storage_selected_operating_mode",
];

/// Reads the summary of the design that was asked for.
///
/// # Errors
/// When it is another design's, or says nothing at all: it would be kept for an hour as if the design were empty.
pub(in crate::aurora) fn summary(body: &[u8], asked: &DesignId) -> Result<Summary, Unreadable> {
    let design = answer(body)?.wrapped("design")?;
    match design.id("design_id", DesignId::parse) {
        Some(told) if !told.as_str().eq_ignore_ascii_case(asked.as_str()) => {
            return Err(Unreadable("it is another design's"));
        }
        None if !design.has_any(&TELLING) => return Err(Unreadable("it says nothing of the design")),
        _ => {}
    }
    Ok(Summary {
        design: asked.clone(),
        project: design.id("project_id", ProjectId::parse),
        design_request_id: design.text("design_request_id"),
        external_provider_id: design.text("external_provider_id"),
        created_at: design.time("created_at"),
        size_stc: design.watts("system_size_stc"),
        size_ptc: design.watts("system_size_ptc"),
        size_ac: design.watts("system_size_ac"),
        bill_of_materials: design.each("bill_of_materials", |it| line(&it)),
        arrays: design.each("arrays", |it| array(&it)),
        string_inverters: design.each("string_inverters", |it| inverter(&it)),
        storage_inverters: design.each("storage_inverters", |it| inverter(&it)),
        batteries: design.each("batteries", |it| battery(&it)),
        energy_production: design.block("energy_production").map(|it| production(&it)),
        storage_operating_mode: design.text("storage_selected_operating_mode"),
    })
}

fn line(item: &Block<'_>) -> BillOfMaterialsItem {
    let component_type_text = item.text("component_type").unwrap_or_default();
    BillOfMaterialsItem {
        component_id: item.text("id"),
        component_type: word::component_type(&component_type_text),
        component_type_text,
        sku: item.text("sku"),
        name: item.text("name"),
        manufacturer_name: item.text("manufacturer_name"),
        quantity: item.quantity("quantity"),
    }
}

fn array(array: &Block<'_>) -> SolarArray {
    let configuration_text = array.text("configuration");
    SolarArray {
        size: array.watts("size"),
        azimuth: array.degrees("azimuth"),
        pitch: array.degrees("pitch"),
        configuration: configuration_text.as_deref().map(word::configuration),
        configuration_text,
        face: array.whole("face"),
        ground_mounted: array.flag("ground_mounted"),
        module: array.block("module").map(|it| module(&it)),
        dc_optimizer: array.block("dc_optimizer").map(|it| component(&it)),
        microinverter: array
            .block("microinverter")
            .map(|it| ArrayMicroinverter { component: component(&it), rated_power: it.watts("rated_power") }),
        string_inverter_index: array.block("string_inverter").and_then(|it| it.whole("index")),
        shading: array.block("shading").and_then(|it| shading(&it)),
    }
}

fn module(module: &Block<'_>) -> ArrayModule {
    let orientation_text = module.text("orientation");
    ArrayModule {
        component_id: module.text("id"),
        name: module.text("name"),
        rating_stc: module.watts("rating_stc"),
        count: module.pieces("count"),
        orientation: orientation_text.as_deref().map(word::orientation),
        orientation_text,
    }
}

fn component(part: &Block<'_>) -> ArrayComponent {
    ArrayComponent { component_id: part.text("id"), name: part.text("name"), count: part.pieces("count") }
}

/// None until irradiance has been computed: Aurora then sends the block empty.
fn shading(shading: &Block<'_>) -> Option<Shading> {
    let access = shading.block("solar_access").unwrap_or_default();
    let fraction = shading.block("total_solar_resource_fraction").unwrap_or_default();
    let read = Shading {
        solar_access_annual: access.percent("annual"),
        solar_access_monthly: access.numbers("monthly", MONTHS),
        total_solar_resource_fraction: fraction.percent("annual"),
    };
    let known = read.solar_access_annual.is_some()
        || read.solar_access_monthly.is_some()
        || read.total_solar_resource_fraction.is_some();
    known.then_some(read)
}

fn inverter(inverter: &Block<'_>) -> Inverter {
    Inverter {
        component_id: inverter.text("id"),
        name: inverter.text("name"),
        rated_power: inverter.watts("rated_power"),
    }
}

fn battery(battery: &Block<'_>) -> Battery {
    Battery {
        component_id: battery.text("id"),
        name: battery.text("name"),
        has_integrated_inverter: battery.flag("has_integrated_inverter"),
    }
}

fn production(production: &Block<'_>) -> EnergyProduction {
    let annual_offset_text = production.leaf("annual_offset", offset_text);
    EnergyProduction {
        up_to_date: production.flag("up_to_date"),
        annual: production.kilowatt_hours("annual"),
        annual_offset: annual_offset_text.as_deref().and_then(offset),
        annual_offset_text,
        monthly: production.numbers("monthly", MONTHS),
        hourly: production.numbers("hourly", HOURS),
    }
}

/// The offset as Aurora wrote it: a text as it stands, a number printed plainly.
fn offset_text(raw: &serde_json::value::RawValue) -> Option<String> {
    let text = block::text(raw)?;
    let is_number = !raw.get().starts_with('"');
    if is_number { finite(&text).map(|number| number.to_string()) } else { Some(text) }
}

/// `"87%"`, `"87"` or `"87.5 %"`.
fn offset(text: &str) -> Option<Percent> {
    let text = text.trim();
    let number = finite(text.strip_suffix('%').unwrap_or(text))?;
    Percent::try_new(number).ok()
}
