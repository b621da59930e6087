//! Arrays: modules that lie alike, what converts their current, and how much sun reaches them.

use async_graphql::{Enum, Object};

use super::component::id;
use crate::{
    domain::summary as plain,
    graphql::scalar::{Id, Numbers, PowerUnit, RatioUnit},
};

/// Modules of one kind that lie alike on one face.
pub struct SolarArray<'a>(pub(super) &'a plain::SolarArray);

/// Modules of one kind that lie alike on one face of a roof, or on the ground.
#[Object]
impl SolarArray<'_> {
    /// DC power at standard test conditions (STC), in watts unless `unit` says otherwise.
    async fn size(
        &self,
        #[graphql(default_with = "PowerUnit::Watt", desc = "The unit of the answer.")] unit: PowerUnit,
    ) -> Option<f64> {
        self.0.size.map(|it| unit.of(it))
    }

    /// Where it faces, in degrees clockwise from north: 180 is south.
    async fn azimuth(&self) -> Option<f64> {
        self.0.azimuth.map(|it| it.get())
    }

    /// How steep it is, in degrees from horizontal.
    async fn pitch(&self) -> Option<f64> {
        self.0.pitch.map(|it| it.get())
    }

    /// What converts its current; `OTHER` for words that this gateway does not know.
    async fn configuration(&self) -> Option<ArrayConfiguration> {
        self.0.configuration.map(Into::into)
    }

    /// The configuration in Aurora's own words, such as `string inverter`.
    async fn configuration_text(&self) -> Option<&str> {
        self.0.configuration_text.as_deref()
    }

    /// Arrays with the same number lie on the same face. The number says nothing about direction.
    async fn face(&self) -> Option<i32> {
        self.0.face
    }

    /// Whether it stands on the ground rather than on a roof.
    async fn ground_mounted(&self) -> Option<bool> {
        self.0.ground_mounted
    }

    /// The modules it is made of.
    async fn module(&self) -> Option<ArrayModule<'_>> {
        self.0.module.as_ref().map(ArrayModule)
    }

    /// Its DC optimizers, if it has any.
    async fn dc_optimizer(&self) -> Option<ArrayComponent<'_>> {
        self.0.dc_optimizer.as_ref().map(ArrayComponent)
    }

    /// Its microinverters, if it has any.
    async fn microinverter(&self) -> Option<ArrayMicroinverter<'_>> {
        self.0.microinverter.as_ref().map(ArrayMicroinverter)
    }

    /// Which of the string inverters it is wired to, as Aurora numbers them; whether Aurora counts from 0 or from 1 is
    /// not published.
    async fn string_inverter_index(&self) -> Option<i32> {
        self.0.string_inverter_index
    }

    /// How much sun reaches it; null until Aurora has computed irradiance.
    async fn shading(&self) -> Option<Shading<'_>> {
        self.0.shading.as_ref().map(Shading)
    }
}

/// The modules of an array.
pub struct ArrayModule<'a>(pub(super) &'a plain::ArrayModule);

/// The modules of an array.
#[Object]
impl ArrayModule<'_> {
    /// Aurora's id of the module.
    async fn component_id(&self) -> Option<Id<'_>> {
        id(&self.0.component_id)
    }

    /// The module's name.
    async fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// DC power of one module at standard test conditions (STC), in watts unless `unit` says otherwise.
    async fn rating_stc(
        &self,
        #[graphql(default_with = "PowerUnit::Watt", desc = "The unit of the answer.")] unit: PowerUnit,
    ) -> Option<f64> {
        self.0.rating_stc.map(|it| unit.of(it))
    }

    /// How many, in pieces.
    async fn count(&self) -> Option<i32> {
        self.0.count
    }

    /// Which way round they lie; `OTHER` for words that this gateway does not know.
    async fn orientation(&self) -> Option<ModuleOrientation> {
        self.0.orientation.map(Into::into)
    }

    /// The orientation in Aurora's own word, such as `landscape`.
    async fn orientation_text(&self) -> Option<&str> {
        self.0.orientation_text.as_deref()
    }
}

/// A component that an array has several of.
pub struct ArrayComponent<'a>(pub(super) &'a plain::ArrayComponent);

/// A component that an array has several of.
#[Object]
impl ArrayComponent<'_> {
    /// Aurora's id of the component.
    async fn component_id(&self) -> Option<Id<'_>> {
        id(&self.0.component_id)
    }

    /// The component's name.
    async fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// How many, in pieces.
    async fn count(&self) -> Option<i32> {
        self.0.count
    }
}

/// The microinverters of an array.
pub struct ArrayMicroinverter<'a>(pub(super) &'a plain::ArrayMicroinverter);

/// The microinverters of an array.
#[Object]
impl ArrayMicroinverter<'_> {
    /// Aurora's id of the microinverter.
    async fn component_id(&self) -> Option<Id<'_>> {
        id(&self.0.component.component_id)
    }

    /// The microinverter's name.
    async fn name(&self) -> Option<&str> {
        self.0.component.name.as_deref()
    }

    /// How many, in pieces.
    async fn count(&self) -> Option<i32> {
        self.0.component.count
    }

    /// AC power of one, in watts unless `unit` says otherwise.
    async fn rated_power(
        &self,
        #[graphql(default_with = "PowerUnit::Watt", desc = "The unit of the answer.")] unit: PowerUnit,
    ) -> Option<f64> {
        self.0.rated_power.map(|it| unit.of(it))
    }
}

/// How much sun reaches an array.
pub struct Shading<'a>(pub(super) &'a plain::Shading);

/// How much sun reaches an array.
#[Object]
impl Shading<'_> {
    /// Sun that arrives, as a share of what would arrive with nothing in the way.
    async fn solar_access(&self) -> Option<SolarAccess<'_>> {
        let known = self.0.solar_access_annual.is_some() || self.0.solar_access_monthly.is_some();
        known.then_some(SolarAccess(self.0))
    }

    /// Sun that arrives over the year, as a share of what would arrive at the best angle with nothing in the way
    /// (TSRF), in percent unless `unit` says otherwise.
    async fn total_solar_resource_fraction(
        &self,
        #[graphql(default_with = "RatioUnit::Percent", desc = "How the share is written.")] unit: RatioUnit,
    ) -> Option<f64> {
        self.0.total_solar_resource_fraction.map(|it| unit.of(it))
    }
}

/// Sun that arrives, as a share of what would arrive with nothing in the way.
pub struct SolarAccess<'a>(pub(super) &'a plain::Shading);

/// Sun that arrives, as a share of what would arrive with nothing in the way.
#[Object]
impl SolarAccess<'_> {
    /// Over the year, in percent unless `unit` says otherwise.
    async fn annual(
        &self,
        #[graphql(default_with = "RatioUnit::Percent", desc = "How the share is written.")] unit: RatioUnit,
    ) -> Option<f64> {
        self.0.solar_access_annual.map(|it| unit.of(it))
    }

    /// From January to December: twelve numbers, in percent unless `unit` says otherwise.
    async fn monthly(
        &self,
        #[graphql(default_with = "RatioUnit::Percent", desc = "How the shares are written.")] unit: RatioUnit,
    ) -> Option<Numbers<'_>> {
        let list = self.0.solar_access_monthly.as_deref()?;
        Some(Numbers { list, convert: Box::new(move |it| unit.of_percent(it)) })
    }
}

/// What converts an array's current. Aurora's set is open: `OTHER` stands for the rest, with the words in
/// `configurationText`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "plain::ArrayConfiguration")]
pub enum ArrayConfiguration {
    /// One inverter for a string of modules.
    StringInverter,
    /// An inverter at each module.
    Microinverter,
    /// An optimizer at each module, before a string inverter.
    DcOptimizer,
    /// Anything else.
    Other,
}

/// Which way round a module lies. `OTHER` stands for words that this gateway does not know, with the word in
/// `orientationText`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "plain::ModuleOrientation")]
pub enum ModuleOrientation {
    /// The long side across the slope.
    Landscape,
    /// The long side up the slope.
    Portrait,
    /// Anything else.
    Other,
}
