//! How heavy each cached noun is, and each key: the struct, and the text and lists it owns.
//!
//! Ids are shared between keys and values. Each place counts them whole: who else holds one is not known here.

use crate::{
    cache::Weigh,
    domain::{
        Design, DesignKey, Project, ProjectKey, Summary, TenantId,
        summary::{
            ArrayComponent, ArrayModule, Battery, BillOfMaterialsItem, EnergyProduction, Inverter, Shading,
            SolarArray,
        },
    },
};

/// What a shared text takes beside its letters: two counters.
const SHARED: usize = 16;

fn id(text: &str) -> usize {
    SHARED + text.len()
}

impl Weigh for DesignKey {
    fn weight(&self) -> usize {
        size_of::<Self>() + id(self.tenant.as_str()) + id(self.design.as_str())
    }
}

impl Weigh for ProjectKey {
    fn weight(&self) -> usize {
        size_of::<Self>() + id(self.tenant.as_str()) + id(self.project.as_str())
    }
}

impl Weigh for (TenantId, u32) {
    fn weight(&self) -> usize {
        size_of::<Self>() + id(self.0.as_str())
    }
}

fn text(value: &Option<String>) -> usize {
    value.as_ref().map_or(0, String::len)
}

fn numbers(value: &Option<Vec<f64>>) -> usize {
    value.as_ref().map_or(0, |list| size_of_val(list.as_slice()))
}

fn owned<T>(items: &[T], inside: impl Fn(&T) -> usize) -> usize {
    items.iter().map(|item| size_of::<T>() + inside(item)).sum()
}

impl Weigh for Design {
    fn weight(&self) -> usize {
        size_of::<Self>()
            + id(self.tenant.as_str())
            + id(self.id.as_str())
            + self.project.as_ref().map_or(0, |it| id(it.as_str()))
            + text(&self.name)
    }
}

impl Weigh for Project {
    fn weight(&self) -> usize {
        let customer = &self.customer;
        let fields = [
            &self.external_provider_id,
            &self.name,
            &self.mailing_address,
            &self.status,
            &customer.salutation,
            &customer.first_name,
            &customer.last_name,
            &customer.email,
            &customer.phone,
        ];
        let location = self.location.as_ref().map_or(0, |location| {
            let parts = location.components.as_ref().map_or(0, |it| {
                [&it.street_address, &it.city, &it.region, &it.postal_code, &it.country]
                    .map(text)
                    .iter()
                    .sum()
            });
            text(&location.property_address) + parts
        });
        let ids = id(self.tenant.as_str()) + id(self.id.as_str());
        size_of::<Self>()
            + ids
            + fields.map(text).iter().sum::<usize>()
            + location
            + owned(&self.tags, String::len)
    }
}

impl Weigh for Summary {
    fn weight(&self) -> usize {
        let fields = [&self.design_request_id, &self.external_provider_id, &self.storage_operating_mode];
        size_of::<Self>()
            + self.project.as_ref().map_or(0, |it| id(it.as_str()))
            + fields.map(text).iter().sum::<usize>()
            + owned(&self.bill_of_materials, bill)
            + owned(&self.arrays, array)
            + owned(&self.string_inverters, inverter)
            + owned(&self.storage_inverters, inverter)
            + owned(&self.batteries, |it: &Battery| text(&it.component_id) + text(&it.name))
            + self.energy_production.as_ref().map_or(0, |it: &EnergyProduction| {
                text(&it.annual_offset_text) + numbers(&it.monthly) + numbers(&it.hourly)
            })
    }
}

fn bill(it: &BillOfMaterialsItem) -> usize {
    it.component_type_text.len()
        + [&it.component_id, &it.sku, &it.name, &it.manufacturer_name].map(text).iter().sum::<usize>()
}

fn inverter(it: &Inverter) -> usize {
    text(&it.component_id) + text(&it.name)
}

fn array(it: &SolarArray) -> usize {
    let component = |it: &ArrayComponent| text(&it.component_id) + text(&it.name);
    text(&it.configuration_text)
        + it.module.as_ref().map_or(0, |it: &ArrayModule| {
            text(&it.component_id) + text(&it.name) + text(&it.orientation_text)
        })
        + it.dc_optimizer.as_ref().map_or(0, component)
        + it.microinverter.as_ref().map_or(0, |it| component(&it.component))
        + it.shading.as_ref().map_or(0, |it: &Shading| numbers(&it.solar_access_monthly))
}
