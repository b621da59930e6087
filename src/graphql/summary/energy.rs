//! What a performance simulation found.

use async_graphql::Object;

use crate::{
    domain::summary as plain,
    graphql::scalar::{EnergyUnit, Numbers, RatioUnit},
};

/// What a performance simulation found.
pub struct EnergyProduction<'a>(pub(super) &'a plain::EnergyProduction);

/// What a performance simulation found.
#[Object]
impl EnergyProduction<'_> {
    /// False when the design was changed after the simulation: the figures then describe an older state of it.
    async fn up_to_date(&self) -> Option<bool> {
        self.0.up_to_date
    }

    /// AC energy in the first year, in kilowatt-hours unless `unit` says otherwise.
    async fn annual(
        &self,
        #[graphql(default_with = "EnergyUnit::KilowattHour", desc = "The unit of the answer.")]
        unit: EnergyUnit,
    ) -> Option<f64> {
        self.0.annual.map(|it| unit.of(it))
    }

    /// That energy as a share of the household's consumption, in percent unless `unit` says otherwise. Above 100 for
    /// systems that produce more than is used; null where Aurora knows no consumption.
    async fn annual_offset(
        &self,
        #[graphql(default_with = "RatioUnit::Percent", desc = "How the share is written.")] unit: RatioUnit,
    ) -> Option<f64> {
        self.0.annual_offset.map(|it| unit.of(it))
    }

    /// The offset as Aurora wrote it, such as `87%`.
    async fn annual_offset_text(&self) -> Option<&str> {
        self.0.annual_offset_text.as_deref()
    }

    /// AC energy from January to December: twelve numbers, in kilowatt-hours unless `unit` says otherwise.
    async fn monthly(
        &self,
        #[graphql(default_with = "EnergyUnit::KilowattHour", desc = "The unit of the answer.")]
        unit: EnergyUnit,
    ) -> Option<Numbers<'_>> {
        energies(self.0.monthly.as_deref(), unit)
    }

    /// AC energy of each hour of the year (8,760 numbers), in kilowatt-hours unless `unit` says otherwise. Aurora
    /// seldom gives it.
    async fn hourly(
        &self,
        #[graphql(default_with = "EnergyUnit::KilowattHour", desc = "The unit of the answer.")]
        unit: EnergyUnit,
    ) -> Option<Numbers<'_>> {
        energies(self.0.hourly.as_deref(), unit)
    }
}

fn energies(list: Option<&[f64]>, unit: EnergyUnit) -> Option<Numbers<'_>> {
    Some(Numbers { list: list?, convert: Box::new(move |it| unit.of_kilowatt_hours(it)) })
}
