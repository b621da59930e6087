//! A design's summary in Aurora's words (2024.05).
//!
//! [`json`] writes the healthy object, with every member of Aurora's published example; what may
//! be odd about one is in [`oddity`]. Invariant: without a simulation there is no
//! `energy_production` and no shading, not even as null.

use serde_json::{Value, json};

use super::answer::{number, tenth};
use super::design::harvest::{Access, Harvest};
use super::design::layout::{Array, Layout, Wiring};
use super::design::parts::Part;
use super::design::{Design, Line};

mod oddity;
pub use oddity::Oddity;
pub(super) use oddity::apply;

/// The object inside `{"design": …}`.
pub(super) fn json(design: &Design, opaque: bool) -> Value {
    let layout = design.layout();
    let writer = Writer { design, layout: &layout, opaque };
    let batteries = layout.batteries.iter().map(|it| {
        json!({
            "id": it.part.id(opaque),
            "name": it.part.name,
            "has_integrated_inverter": it.has_integrated_inverter,
        })
    });
    let mut object = json!({
        "design_id": design.id,
        "design_request_id": null,
        "external_provider_id": design.external_provider_id,
        "project_id": design.project_id,
        "created_at": design.created_at.iso(),
        "bill_of_materials": writer.bill(),
        "system_size_ac": number(layout.ac_w()),
        "system_size_ptc": number(tenth(layout.ptc_w())),
        "system_size_stc": number(layout.stc_w()),
        "arrays": layout.arrays.iter().map(|it| writer.array(it)).collect::<Vec<_>>(),
        "string_inverters": writer.inverters(layout.string_inverters.iter().map(|it| (&it.part, it.rated_w))),
        "storage_inverters":
            writer.inverters(layout.storage_inverters.iter().map(|it| (&it.part, it.rated_w))),
        "batteries": batteries.collect::<Vec<_>>(),
        "storage_selected_operating_mode": (!layout.batteries.is_empty()).then_some("backup"),
    });
    if let Some(harvest) = design.harvest() {
        object["energy_production"] = production(&harvest, design.is_up_to_date());
    }
    object
}

fn production(harvest: &Harvest, up_to_date: bool) -> Value {
    json!({
        "up_to_date": up_to_date,
        "annual": number(harvest.annual_kwh),
        "annual_offset": format!("{}%", number(harvest.offset_pct)),
        "monthly": harvest.monthly_kwh.map(number),
        "hourly": null,
    })
}

struct Writer<'a> {
    design: &'a Design,
    layout: &'a Layout,
    opaque: bool,
}

impl Writer<'_> {
    fn bill(&self) -> Vec<Value> {
        let line = |it: &Line| {
            json!({
                "id": it.part.id(self.opaque),
                "component_type": it.component_type,
                "sku": it.part.sku,
                "name": it.part.name,
                "manufacturer_name": it.part.maker,
                "quantity": it.quantity,
            })
        };
        self.layout.bill.iter().map(line).collect()
    }

    fn inverters<'p>(&self, units: impl Iterator<Item = (&'p Part, f64)>) -> Vec<Value> {
        units
            .map(|(part, rated_w)| {
                json!({"id": part.id(self.opaque), "name": part.name, "rated_power": number(rated_w)})
            })
            .collect()
    }

    fn array(&self, array: &Array) -> Value {
        let face = &self.layout.faces[array.face];
        let module = self.layout.module;
        let configuration = match self.layout.wiring {
            Wiring::Strings => "string inverter",
            Wiring::Optimizers => "dc optimizer",
            Wiring::Micro => "microinverter",
        };
        let mut object = json!({
            "size": number(self.layout.array_stc_w(array)),
            "azimuth": number(face.azimuth_deg),
            "pitch": number(face.pitch_deg),
            "configuration": configuration,
            "face": face.number,
            "ground_mounted": array.ground_mounted,
            "module": {
                "id": module.part.id(self.opaque),
                "name": module.part.name,
                "manufacturer": module.part.maker,
                "rating_stc": number(module.rating_stc_w),
                "count": array.count,
                "orientation": if array.portrait { "portrait" } else { "landscape" },
            },
            "dc_optimizer": self.layout.optimizer.map(|it| {
                json!({"id": it.id(self.opaque), "name": it.name, "count": array.count})
            }),
            "microinverter": self.layout.micro.map(|it| {
                json!({
                    "id": it.part.id(self.opaque),
                    "name": it.part.name,
                    "count": array.count,
                    "rated_power": number(it.rated_w),
                })
            }),
            "string_inverter": array.inverter.map(|index| json!({"index": index})),
        });
        if self.design.simulation.is_some() {
            let access = Access::of(&self.design.site, self.layout, array);
            object["shading"] = json!({
                "solar_access": {
                    "annual": number(access.annual_pct),
                    "monthly": access.monthly_pct.map(number),
                },
                "total_solar_resource_fraction": { "annual": number(access.tsrf_pct) },
            });
        }
        object
    }
}

#[cfg(test)]
mod tests {
    use super::super::clock::Moment;
    use super::super::design::layout::{self, Site};
    use super::super::design::{Design, Simulation};
    use super::*;

    pub(super) fn design(site: Site) -> Design {
        Design {
            id: "d1".to_owned(),
            project_id: "p1".to_owned(),
            name: "Design 1".to_owned(),
            external_provider_id: None,
            created_at: Moment::at_second(0),
            site,
            revision: 0,
            simulation: Some(Simulation { revision: 0, job_id: "j1".to_owned() }),
            milestone: None,
            oddities: Vec::new(),
            runs: 1,
        }
    }

    fn sum(values: &Value) -> f64 {
        values.as_array().unwrap().iter().filter_map(Value::as_f64).sum()
    }

    #[test]
    fn sizes_and_counts_agree_inside_a_summary() {
        for site in layout::houses() {
            let summary = json(&design(site), false);
            let arrays = summary["arrays"].as_array().unwrap();
            let size: f64 = arrays.iter().filter_map(|it| it["size"].as_f64()).sum();
            assert_eq!(Some(size), summary["system_size_stc"].as_f64());
            let production = &summary["energy_production"];
            assert!((sum(&production["monthly"]) - production["annual"].as_f64().unwrap()).abs() < 1e-6);
            assert!(production["annual_offset"].as_str().unwrap().ends_with('%'));
        }
    }

    #[test]
    fn a_summary_before_its_simulation_has_no_production() {
        let site = Site { key: "x".to_owned(), latitude: 37.0 };
        let summary = json(&Design { simulation: None, ..design(site) }, false);
        assert!(summary.get("energy_production").is_none());
        assert!(summary["arrays"][0].get("shading").is_none());
    }

    #[test]
    fn a_layout_changed_since_its_simulation_is_not_up_to_date() {
        let site = Site { key: "x".to_owned(), latitude: 37.0 };
        let (old, new) = (design(site.clone()), Design { revision: 1, ..design(site) });
        let (old, new) = (json(&old, false), json(&new, false));
        assert_eq!(new["energy_production"]["up_to_date"], false);
        assert_eq!(new["energy_production"]["annual"], old["energy_production"]["annual"]);
        assert_ne!(new["system_size_stc"], old["system_size_stc"]);
    }
}
