//! Quantities that keep their unit. Inside the gateway there is one unit per kind; others are made at the edge.

/// Why a number is not a quantity of its kind.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{0} cannot be such a quantity")]
pub struct NotAQuantity(f64);

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident, $least:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
        pub struct $name(f64);

        impl $name {
            /// # Errors
            /// When the number is not finite, or below what such a quantity can be.
            pub fn try_new(number: f64) -> Result<Self, NotAQuantity> {
                if number.is_finite() && number >= $least { Ok(Self(number)) } else { Err(NotAQuantity(number)) }
            }

            /// The bare number, in the unit that the type names.
            #[must_use]
            pub fn get(self) -> f64 {
                self.0
            }
        }
    };
}

quantity! {
    /// A power in watts.
    Watts, 0.0
}
quantity! {
    /// An energy in kilowatt-hours, AC.
    KilowattHours, 0.0
}
quantity! {
    /// An angle in degrees: an azimuth (clockwise from north) or a pitch (from horizontal).
    Degrees, f64::MIN
}
quantity! {
    /// A share in percent, so that 87 means 87 %. Over-sized systems go beyond 100.
    Percent, 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantity_that_cannot_be_is_refused() {
        assert!(Watts::try_new(-1.0).is_err());
        assert!(Watts::try_new(f64::NAN).is_err());
        assert!(KilowattHours::try_new(f64::INFINITY).is_err());
        assert!(Degrees::try_new(-12.5).is_ok());
        assert!(Percent::try_new(131.0).is_ok());
    }
}
