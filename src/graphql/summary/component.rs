//! What a design is made of: the bill of materials, inverters and batteries.

use async_graphql::{Enum, Object};

use crate::{
    domain::summary as plain,
    graphql::scalar::{Id, PowerUnit},
};

/// One line of a bill of materials.
pub struct BillOfMaterialsItem<'a>(pub(super) &'a plain::BillOfMaterialsItem);

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

/// An inverter.
pub struct Inverter<'a>(pub(super) &'a plain::Inverter);

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
pub struct Battery<'a>(pub(super) &'a plain::Battery);

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

/// A component's id, borrowed.
pub(super) fn id(text: &Option<String>) -> Option<Id<'_>> {
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
