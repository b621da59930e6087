//! What another part keeps, read when somebody looks.
//!
//! Invariant: names and labels are the program's own words or the configuration's, so that no caller can make the page
//! grow.

use std::{borrow::Cow, fmt};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

/// A label and its value.
pub type Word = (&'static str, Cow<'static, str>);

/// One metric that another part keeps.
pub struct Told {
    /// Its name, without what all have before it and counters behind it.
    pub name: &'static str,
    /// What it counts.
    pub help: &'static str,
    /// What sort of figures it has.
    pub kind: Kind,
    /// Reads them: for each series its labels and its figure, of the kind that was said.
    pub read: Box<dyn Fn() -> Vec<(Vec<Word>, Figure)> + Send + Sync>,
}

/// What sort of figures a metric has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only ever grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// How many were how large.
    Histogram,
}

/// A figure as it is now.
#[derive(Debug, Clone, PartialEq)]
pub enum Figure {
    /// Of a counter.
    Count(u64),
    /// Of a gauge.
    Level(f64),
    /// Of a histogram.
    Spread {
        /// All of them together.
        sum: f64,
        /// Limits, the last of them infinite, and how many were no larger but larger than the one before.
        buckets: Vec<(f64, u64)>,
    },
}

impl Figure {
    fn kind(&self) -> Kind {
        match self {
            Self::Count(_) => Kind::Counter,
            Self::Level(_) => Kind::Gauge,
            Self::Spread { .. } => Kind::Histogram,
        }
    }
}

impl Kind {
    fn metric_type(self) -> MetricType {
        match self {
            Self::Counter => MetricType::Counter,
            Self::Gauge => MetricType::Gauge,
            Self::Histogram => MetricType::Histogram,
        }
    }
}

impl EncodeMetric for Figure {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => ConstCounter::new(*count).encode(encoder),
            Self::Level(level) => ConstGauge::new(*level).encode(encoder),
            Self::Spread { sum, buckets } => {
                let all = buckets.iter().map(|(_, count)| count).sum();
                encoder.encode_histogram::<NoLabelSet>(*sum, all, buckets, None)
            }
        }
    }

    fn metric_type(&self) -> MetricType {
        self.kind().metric_type()
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Told").field("name", &self.name).finish_non_exhaustive()
    }
}

/// All that is told.
#[derive(Debug)]
pub(super) struct All(pub(super) Vec<Told>);

impl Collector for All {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for told in &self.0 {
            let mut metric =
                encoder.encode_descriptor(told.name, told.help, None, told.kind.metric_type())?;
            for (labels, figure) in (told.read)() {
                if labels.is_empty() {
                    figure.encode(metric)?;
                    break;
                }
                figure.encode(metric.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::{encoding::text::encode, registry::Registry};

    use super::*;

    #[test]
    fn what_is_told_stands_on_the_page_in_each_of_its_kinds() {
        let told = |name, kind, figure: Figure, labels: Vec<Word>| Told {
            name,
            help: "Help",
            kind,
            read: Box::new(move || vec![(labels.clone(), figure.clone())]),
        };
        let buckets = vec![(0.5, 2), (1.0, 1), (f64::INFINITY, 4)];
        let all = All(vec![
            told(
                "calls",
                Kind::Counter,
                Figure::Count(3),
                vec![("lane", "a".into()), ("outcome", "ok".into())],
            ),
            told("level", Kind::Gauge, Figure::Level(2.5), Vec::new()),
            told(
                "wait_seconds",
                Kind::Histogram,
                Figure::Spread { sum: 9.5, buckets },
                vec![("lane", "a".into())],
            ),
        ]);
        let mut registry = Registry::with_prefix("x");
        registry.register_collector(Box::new(all));
        let mut page = String::new();
        encode(&mut page, &registry).unwrap();
        for line in [
            r#"x_calls_total{lane="a",outcome="ok"} 3"#,
            "x_level 2.5",
            r#"x_wait_seconds_sum{lane="a"} 9.5"#,
            r#"x_wait_seconds_count{lane="a"} 7"#,
            r#"x_wait_seconds_bucket{le="1.0",lane="a"} 3"#,
            r#"x_wait_seconds_bucket{le="+Inf",lane="a"} 7"#,
        ] {
            assert!(page.lines().any(|it| it == line), "{line} is missing from {page}");
        }
    }
}
