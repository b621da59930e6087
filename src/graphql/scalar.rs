//! Scalars and units: where quantities leave the unit they have inside and take the one that was asked for.

use std::borrow::Cow;

use async_graphql::{
    ContextSelectionSet, Enum, ID, InputType, InputValueError, InputValueResult, OutputType, Positioned,
    Scalar, ScalarType, ServerResult, Value, parser::types::Field, registry::Registry,
};
use jiff::Timestamp;

use crate::domain::units::{KilowattHours, Percent, Watts};

/// A point in time, as RFC 3339 text in UTC: `2024-06-21T21:12:44.591Z`.
#[derive(Debug, Clone, Copy)]
pub struct DateTime(pub Timestamp);

/// A point in time, as RFC 3339 text in UTC, such as `2024-06-21T21:12:44.591Z`.
#[Scalar]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => Ok(Self(text.parse().map_err(|_| refused())?)),
            _ => Err(refused()),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

fn refused<T: InputType>() -> InputValueError<T> {
    InputValueError::custom("expected a date and time such as 2024-06-21T21:12:44Z")
}

/// A place in the order of a tenant's events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub String);

/// A place in the order of a tenant's events: opaque text, good for `after`, also after a restart of the gateway and
/// in another process. It belongs to one tenant.
#[Scalar]
impl ScalarType for Cursor {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) => Ok(Self(text)),
            other => Err(InputValueError::expected_type(other)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// One of Aurora's own ids, as GraphQL's `ID`, borrowed from what it names.
#[derive(Debug, Clone, Copy)]
pub struct Id<'a>(pub &'a str);

impl OutputType for Id<'_> {
    fn type_name() -> Cow<'static, str> {
        <ID as OutputType>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <ID as OutputType>::create_type_info(registry)
    }

    async fn resolve(
        &self,
        _ctx: &ContextSelectionSet<'_>,
        _field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        Ok(Value::from(self.0))
    }
}

/// Units of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum PowerUnit {
    /// W
    Watt,
    /// kW: 1,000 W
    Kilowatt,
    /// MW: 1,000,000 W
    Megawatt,
}

impl PowerUnit {
    /// The power as a number of this unit.
    #[must_use]
    pub fn of(self, power: Watts) -> f64 {
        match self {
            Self::Watt => power.get(),
            Self::Kilowatt => power.get() / 1e3,
            Self::Megawatt => power.get() / 1e6,
        }
    }
}

/// Units of energy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum EnergyUnit {
    /// Wh
    WattHour,
    /// kWh: 1,000 Wh
    KilowattHour,
    /// MWh: 1,000,000 Wh
    MegawattHour,
}

impl EnergyUnit {
    /// The energy as a number of this unit.
    #[must_use]
    pub fn of(self, energy: KilowattHours) -> f64 {
        self.of_kilowatt_hours(energy.get())
    }

    /// The same for a bare number of kilowatt-hours out of a list.
    #[must_use]
    pub fn of_kilowatt_hours(self, number: f64) -> f64 {
        match self {
            Self::WattHour => number * 1e3,
            Self::KilowattHour => number,
            Self::MegawattHour => number / 1e3,
        }
    }
}

/// Units of length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum LengthUnit {
    /// m
    Meter,
    /// ft: 0.3048 m
    Foot,
}

/// Units of area.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum AreaUnit {
    /// m²
    SquareMeter,
    /// ft²: 0.09290304 m²
    SquareFoot,
}

/// Ways to write a share of a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum RatioUnit {
    /// 87 means 87 %
    Percent,
    /// 0.87 means 87 %
    Fraction,
}

impl RatioUnit {
    /// The share written this way.
    #[must_use]
    pub fn of(self, share: Percent) -> f64 {
        self.of_percent(share.get())
    }

    /// The same for a bare percentage out of a list.
    #[must_use]
    pub fn of_percent(self, number: f64) -> f64 {
        match self {
            Self::Percent => number,
            Self::Fraction => number / 100.0,
        }
    }
}

/// A list of numbers written in one go. The engine would run a future for each element of a `Vec<f64>`, which for
/// the hours of a year is ninety times slower.
pub struct Numbers<'a> {
    /// The numbers in the unit that they have inside.
    pub list: &'a [f64],
    /// Makes the unit that was asked for.
    pub convert: Box<dyn Fn(f64) -> f64 + Send + Sync>,
}

impl OutputType for Numbers<'_> {
    fn type_name() -> Cow<'static, str> {
        <Vec<f64> as OutputType>::type_name()
    }

    fn qualified_type_name() -> String {
        <Vec<f64> as OutputType>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <Vec<f64> as OutputType>::create_type_info(registry)
    }

    async fn resolve(
        &self,
        _ctx: &ContextSelectionSet<'_>,
        _field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        Ok(Value::List(self.list.iter().map(|number| Value::from((self.convert)(*number))).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
    }

    proptest! {
        #[test]
        fn every_unit_tells_the_same_quantity(number in 0.0..1e9_f64) {
            let power = Watts::try_new(number).unwrap();
            prop_assert!(near(PowerUnit::Watt.of(power), PowerUnit::Kilowatt.of(power) * 1e3));
            prop_assert!(near(PowerUnit::Watt.of(power), PowerUnit::Megawatt.of(power) * 1e6));
            let energy = KilowattHours::try_new(number).unwrap();
            prop_assert!(near(EnergyUnit::WattHour.of(energy), EnergyUnit::KilowattHour.of(energy) * 1e3));
            prop_assert!(near(EnergyUnit::KilowattHour.of(energy), EnergyUnit::MegawattHour.of(energy) * 1e3));
            let share = Percent::try_new(number).unwrap();
            prop_assert!(near(RatioUnit::Percent.of(share), RatioUnit::Fraction.of(share) * 100.0));
        }
    }

    #[test]
    fn the_canonical_units_change_nothing() {
        assert_eq!(PowerUnit::Watt.of(Watts::try_new(6500.0).unwrap()), 6500.0);
        assert_eq!(EnergyUnit::KilowattHour.of(KilowattHours::try_new(2550.3).unwrap()), 2550.3);
        assert_eq!(RatioUnit::Percent.of(Percent::try_new(87.3).unwrap()), 87.3);
    }
}
