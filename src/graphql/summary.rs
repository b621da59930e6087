//! `DesignSummary` and what it is made of. Numbers take their unit here.
//!
//! Everything below borrows from one shared summary: answering copies no more than the text that is asked for.

pub mod array;
pub mod component;
pub mod energy;

use array::SolarArray;
use async_graphql::{Context, ID, Object};
use component::{Battery, BillOfMaterialsItem, Inverter};
use energy::EnergyProduction;

use super::{
    Fallible,
    context::Reach,
    design, error,
    global_id::GlobalId,
    project::{self, Project},
    scalar::{DateTime, Id, PowerUnit},
};
use crate::domain::{DesignKey, Fetched, ProjectKey, Summary};

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
