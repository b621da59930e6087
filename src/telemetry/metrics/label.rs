//! The closed lists that metrics are counted by.
//!
//! Invariant: a label's value is never anything that a caller sent.

use std::marker::PhantomData;

use prometheus_client::{
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

/// A label whose values are a closed list.
pub trait Label: Copy + 'static {
    /// The label's name.
    const NAME: &'static str;
    /// Every value, in the order of [`Label::index`].
    const ALL: &'static [Self];
    /// The value as it stands in the label.
    fn text(self) -> &'static str;
    /// Its place in [`Label::ALL`].
    fn index(self) -> usize;
}

macro_rules! label {
    ($(#[$doc:meta])* $kind:ident = $name:literal {
        $($(#[$value_doc:meta])* $value:ident = $text:literal,)*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $kind { $($(#[$value_doc])* $value,)* }

        impl Label for $kind {
            const NAME: &'static str = $name;
            const ALL: &'static [Self] = &[$(Self::$value,)*];

            fn text(self) -> &'static str {
                match self { $(Self::$value => $text,)* }
            }

            fn index(self) -> usize {
                self as usize
            }
        }
    };
}

label! {
    /// The class of an answer's status.
    StatusClass = "status" {
        /// 1xx: an upgrade.
        Informational = "1xx",
        /// 2xx.
        Success = "2xx",
        /// 3xx.
        Redirection = "3xx",
        /// 4xx.
        ClientError = "4xx",
        /// 5xx.
        ServerError = "5xx",
        /// The client gave up before there was an answer.
        Aborted = "aborted",
    }
}

/// Stands in the log where a client gave up; never sent. The number is nginx's.
pub const ABORTED: u16 = 499;

impl StatusClass {
    /// The class of a status.
    #[must_use]
    pub fn of(status: u16) -> Self {
        match status {
            ..200 => Self::Informational,
            200..300 => Self::Success,
            300..400 => Self::Redirection,
            ABORTED => Self::Aborted,
            400..500 => Self::ClientError,
            500.. => Self::ServerError,
        }
    }
}

label! {
    /// How an operation ended.
    Outcome = "outcome" {
        /// Data and no error.
        Ok = "ok",
        /// It ran, and its answer has errors.
        Errors = "errors",
        /// It was refused before it ran.
        Refused = "refused",
    }
}

label! {
    /// How a webhook was answered.
    DeliveryAnswer = "answer" {
        /// On disk, and new.
        Kept = "kept",
        /// A repeat.
        Repeated = "repeated",
        /// Kept aside: no tenant could be found.
        SetAside = "set_aside",
        /// Missing or wrong secret.
        Unauthenticated = "unauthenticated",
        /// Not a delivery.
        Malformed = "malformed",
        /// The store could not write.
        Unavailable = "unavailable",
    }
}

/// A counter for each value of a label.
#[derive(Debug)]
pub struct By<L> {
    counters: Box<[Counter]>,
    label: PhantomData<L>,
}

impl<L: Label> By<L> {
    pub(super) fn new(counter: impl Fn(&'static str) -> Counter) -> Self {
        Self { counters: L::ALL.iter().map(|it| counter(it.text())).collect(), label: PhantomData }
    }

    pub(super) fn register(registry: &mut Registry, name: &str, help: &str) -> Self {
        let family = Family::<[(&str, &str); 1], Counter>::default();
        registry.register(name, help, family.clone());
        Self::new(|value| family.get_or_create_owned(&[(L::NAME, value)]))
    }

    /// Counts one more.
    pub fn count(&self, it: L) {
        if let Some(counter) = self.counters.get(it.index()) {
            counter.inc();
        }
    }

    /// How many there were.
    #[must_use]
    pub fn total(&self, it: L) -> u64 {
        self.counters.get(it.index()).map_or(0, Counter::get)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    #[test]
    fn each_label_finds_its_own_place() {
        fn check<L: Label + PartialEq + fmt::Debug>() {
            for (index, it) in L::ALL.iter().enumerate() {
                assert_eq!(it.index(), index, "{it:?}");
            }
        }
        check::<StatusClass>();
        check::<Outcome>();
        check::<DeliveryAnswer>();
    }
}
