//! `DesignSummary` and what it is made of. Numbers take their unit here.
//!
//! Everything below borrows from one shared summary: answering copies no more than the text that is asked for.

use async_graphql::{Context, Enum, ID, Object};

use super::{
    Fallible,
    context::Reach,
    design, error,
    global_id::GlobalId,
    project::{self, Project},
    scalar::{DateTime, EnergyUnit, Id, Numbers, PowerUnit, RatioUnit},
};
use crate::domain::{DesignKey, Fetched, ProjectKey, Summary, summary as plain};

/// The root fields of this noun.
#[derive(Default)]
pub struct SummaryQuery;

#[Object]
impl SummaryQuery {
    /// What a design is made of and what it would produce. Null with an error `NOT_FOUND` where there is no such
    /// design. Costs at most one call to Aurora, and none while the cache is fresh.
    async fn design_summary(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Aurora's id of the tenant. May be left out where the credential reaches only one."
        )]
        tenant_id: Option<ID>,
        #[graphql(desc = "Aurora's id of the design.")] design_id: ID,
    ) -> Fallible<DesignSummary> {
        let key = match design::key(ctx, tenant_id.as_ref(), &design_id) {
            Ok(key) => key,
            Err(failure) => return Some(Err(failure.into())),
        };
        DesignSummary::load(ctx, key).await
    }
}

/// What a design is made of and what it would produce, as Aurora reports it.
pub struct DesignSummary {
    key: DesignKey,
    read: Fetched<Summary>,
}

impl DesignSummary {
    /// Reads a summary: at once where it is at hand, else together with its siblings.
    pub async fn load(ctx: &Context<'_>, key: DesignKey) -> Fallible<Self> {
        let read = ctx.asked().summary(&key).await;
        Some(read.map(|read| Self { key, read }).map_err(|error| error::public("design", &error).into()))
    }

    fn project_key(&self) -> Option<ProjectKey> {
        let project = self.read.value.project.clone()?;
        Some(ProjectKey { tenant: self.key.tenant.clone(), project })
    }
}

/// What a design is made of and what it would produce, as Aurora reports it. A number that Aurora did not give is
/// null, never 0. Quantities are in the unit that the argument `unit` names.
#[Object]
impl DesignSummary {
    /// The global id.
    pub async fn id(&self) -> ID {
        GlobalId::Summary(self.key.clone()).seal().into()
    }

    /// Aurora's id of the design.
    async fn design_id(&self) -> Id<'_> {
        Id(self.key.design.as_str())
    }

    /// Aurora's id of the tenant.
    async fn tenant_id(&self) -> Id<'_> {
        Id(self.key.tenant.as_str())
    }

    /// Aurora's id of the project that the design belongs to.
    async fn project_id(&self) -> Option<Id<'_>> {
        self.read.value.project.as_ref().map(|it| it.as_str()).map(Id)
    }

    /// The project that the design belongs to. Costs a call to Aurora where it is not in the cache.
    async fn project(&self, ctx: &Context<'_>) -> Fallible<Project> {
        project::load(ctx, self.project_key()?).await
    }

    /// The design request that the design came from, if it came from one.
    async fn design_request_id(&self) -> Option<Id<'_>> {
        self.read.value.design_request_id.as_deref().map(Id)
    }

    /// The CRM's own id, as it was given to Aurora for the design or its project.
    async fn external_provider_id(&self) -> Option<&str> {
        self.read.value.external_provider_id.as_deref()
    }

    /// When the design was made.
    async fn created_at(&self) -> Option<DateTime> {
        self.read.value.created_at.map(DateTime)
    }

    /// DC power of the whole system at standard test conditions (STC), in watts unless `unit` says otherwise.
    async fn system_size_stc(
        &self,
        #[graphql(default_with = "PowerUnit::Watt", desc = "The unit of the answer.")] unit: PowerUnit,
    ) -> Option<f64> {
        self.read.value.size_stc.map(|it| unit.of(it))
    }

    /// DC power of the whole system at PVUSA test conditions (PTC), in watts unless `unit` says otherwise.
    async fn system_size_ptc(
        &self,
        #[graphql(default_with = "PowerUnit::Watt", desc = "The unit of the answer.")] unit: PowerUnit,
    ) -> Option<f64> {
        self.read.value.size_ptc.map(|it| unit.of(it))
    }

    /// AC power of the whole system, in watts unless `unit` says otherwise.
    async fn system_size_ac(
        &self,
        #[graphql(default_with = "PowerUnit::Watt", desc = "The unit of the answer.")] unit: PowerUnit,
    ) -> Option<f64> {
        self.read.value.size_ac.map(|it| unit.of(it))
    }

    /// Solar modules in all, in pieces: the sum over `arrays`, or over the bill of materials where there are no
    /// arrays. Null as soon as one of the numbers is missing.
    async fn module_count(&self) -> Option<i32> {
        self.read.value.module_count()
    }

    /// What has to be bought, in no particular order.
    async fn bill_of_materials(&self) -> Vec<BillOfMaterialsItem<'_>> {
        self.read.value.bill_of_materials.iter().map(BillOfMaterialsItem).collect()
    }

    /// The modules on the roof or the ground, grouped by face, module, angle and electronics, in no particular order.
    async fn arrays(&self) -> Vec<SolarArray<'_>> {
        self.read.value.arrays.iter().map(SolarArray).collect()
    }

    /// The string inverters, one entry a unit.
    async fn string_inverters(&self) -> Vec<Inverter<'_>> {
        self.read.value.string_inverters.iter().map(Inverter).collect()
    }

    /// The inverters that charge and discharge batteries, one entry a unit.
    async fn storage_inverters(&self) -> Vec<Inverter<'_>> {
        self.read.value.storage_inverters.iter().map(Inverter).collect()
    }

    /// The batteries, one entry a unit.
    async fn batteries(&self) -> Vec<Battery<'_>> {
        self.read.value.batteries.iter().map(Battery).collect()
    }

    /// What a performance simulation found; null until one has run.
    async fn energy_production(&self) -> Option<EnergyProduction<'_>> {
        self.read.value.energy_production.as_ref().map(EnergyProduction)
    }

    /// How storage is operated, in Aurora's own word, such as `backup`.
    async fn storage_operating_mode(&self) -> Option<&str> {
        self.read.value.storage_operating_mode.as_deref()
    }

    /// When Aurora gave these figures.
    async fn fetched_at(&self) -> DateTime {
        DateTime(self.read.at)
    }

    /// True when these figures came from the cache, older than they should be, because Aurora could not answer.
    async fn stale(&self) -> bool {
        self.read.stale
    }
}

/// One line of a bill of materials.
pub struct BillOfMaterialsItem<'a>(&'a plain::BillOfMaterialsItem);

/// One line of a bill of materials.
#[Object]
impl BillOfMaterialsItem<'_> {
    /// Aurora's id of the component. It differs between Aurora's sandbox and production.
    async fn component_id(&self) -> Option<Id<'_>> {
        id(&self.0.component_id)
    }

    /// What kind of component it is; `OTHER` for kinds that this gateway does not know.
    async fn component_type(&self) -> ComponentType {
        self.0.component_type.into()
    }

    /// The kind in Aurora's own word, such as `modules`.
    async fn component_type_text(&self) -> &str {
        &self.0.component_type_text
    }

    /// The maker's order number.
    async fn sku(&self) -> Option<&str> {
        self.0.sku.as_deref()
    }

    /// The component's name.
    async fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// Who makes it.
    async fn manufacturer_name(&self) -> Option<&str> {
        self.0.manufacturer_name.as_deref()
    }

    /// How many, in pieces.
    async fn quantity(&self) -> Option<f64> {
        self.0.quantity
    }
}

/// Modules of one kind that lie alike on one face.
pub struct SolarArray<'a>(&'a plain::SolarArray);

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
pub struct ArrayModule<'a>(&'a plain::ArrayModule);

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
pub struct ArrayComponent<'a>(&'a plain::ArrayComponent);

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
pub struct ArrayMicroinverter<'a>(&'a plain::ArrayMicroinverter);

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
pub struct Shading<'a>(&'a plain::Shading);

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
pub struct SolarAccess<'a>(&'a plain::Shading);

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

/// An inverter.
pub struct Inverter<'a>(&'a plain::Inverter);

/// An inverter.
#[Object]
impl Inverter<'_> {
    /// Aurora's id of the inverter.
    async fn component_id(&self) -> Option<Id<'_>> {
        id(&self.0.component_id)
    }

    /// The inverter's name.
    async fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// AC power, in watts unless `unit` says otherwise.
    async fn rated_power(
        &self,
        #[graphql(default_with = "PowerUnit::Watt", desc = "The unit of the answer.")] unit: PowerUnit,
    ) -> Option<f64> {
        self.0.rated_power.map(|it| unit.of(it))
    }
}

/// A battery.
pub struct Battery<'a>(&'a plain::Battery);

/// A battery.
#[Object]
impl Battery<'_> {
    /// Aurora's id of the battery.
    async fn component_id(&self) -> Option<Id<'_>> {
        id(&self.0.component_id)
    }

    /// The battery's name.
    async fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// Whether it brings its own inverter.
    async fn has_integrated_inverter(&self) -> Option<bool> {
        self.0.has_integrated_inverter
    }
}

/// What a performance simulation found.
pub struct EnergyProduction<'a>(&'a plain::EnergyProduction);

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

fn id(text: &Option<String>) -> Option<Id<'_>> {
    text.as_deref().map(Id)
}

/// Kinds of component. Aurora's set is open: `OTHER` stands for the rest, with the word in `componentTypeText`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "plain::ComponentType")]
pub enum ComponentType {
    /// A solar module.
    Module,
    /// An inverter of any kind.
    Inverter,
    /// An inverter for strings of modules.
    StringInverter,
    /// An inverter at a single module.
    Microinverter,
    /// A DC optimizer.
    DcOptimizer,
    /// A battery.
    Battery,
    /// A combiner box.
    CombinerBox,
    /// A disconnect switch.
    Disconnect,
    /// Racking: what holds modules in place.
    Racking,
    /// Anything else.
    Other,
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
