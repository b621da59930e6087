//! Counts that another part keeps, read when somebody looks.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
};

use super::{Label, Lookup, RotationOutcome, UpstreamOutcome};

/// Where the counts are.
pub struct Sources {
    /// Calls to Aurora by how they ended.
    pub upstream_calls: Source<UpstreamOutcome>,
    /// Looks into the cache by what they gave.
    pub cache_lookups: Source<Lookup>,
    /// Targets of deliveries. They are those of the configuration, so that no caller can make the page grow.
    pub targets: Box<dyn Fn() -> Vec<TargetCounts> + Send + Sync>,
    /// Session tokens that came with a delivery and that nobody took in time.
    pub session_tokens_dropped: Count,
    /// Events executed for subscribers, once for all who share an operation.
    pub event_executions: Count,
    /// Answers with events, handed to subscribers.
    pub event_answers: Count,
    /// Secrets that changed while the gateway ran.
    pub secret_rotations: Source<RotationOutcome>,
    /// Whether the store takes writes.
    pub store_writable: Box<dyn Fn() -> bool + Send + Sync>,
    /// Rows of the store that cannot be read and are passed over.
    pub store_unreadable: Box<dyn Fn() -> u64 + Send + Sync>,
}

/// What is counted of one target of deliveries.
#[derive(Debug, Clone)]
pub struct TargetCounts {
    /// Its name.
    pub name: String,
    /// Tries by how they ended.
    pub outcomes: Vec<(&'static str, u64)>,
    /// Events that wait.
    pub pending: u64,
    /// Whether nothing is sent any more.
    pub is_disabled: bool,
}

/// Tells how many there were.
pub type Count = Box<dyn Fn() -> u64 + Send + Sync>;

/// Tells how many there were of each.
pub type Source<L> = Box<dyn Fn(L) -> u64 + Send + Sync>;

impl Sources {
    /// Where nobody counts.
    #[must_use]
    pub fn silent() -> Self {
        Self {
            upstream_calls: Box::new(|_| 0),
            cache_lookups: Box::new(|_| 0),
            targets: Box::new(Vec::new),
            session_tokens_dropped: Box::new(|| 0),
            secret_rotations: Box::new(|_| 0),
            event_executions: Box::new(|| 0),
            event_answers: Box::new(|| 0),
            store_writable: Box::new(|| true),
            store_unreadable: Box::new(|| 0),
        }
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").finish_non_exhaustive()
    }
}

impl Collector for Sources {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let calls = ("upstream_calls", "Calls to Aurora by how they ended");
        by(&mut encoder, calls, &self.upstream_calls)?;
        let lookups = ("cache_lookups", "Looks into the cache by what they gave");
        by(&mut encoder, lookups, &self.cache_lookups)?;
        let rotations =
            ("secret_rotations", "Secrets that changed while the gateway ran, by what came of it");
        by(&mut encoder, rotations, &self.secret_rotations)?;
        targets(&mut encoder, &(self.targets)())?;
        let dropped = ("session_tokens_dropped", "Session tokens that nobody took in time");
        one(&mut encoder, dropped, &self.session_tokens_dropped)?;
        let executions = ("event_executions", "Events executed for all who subscribe alike");
        one(&mut encoder, executions, &self.event_executions)?;
        let answers = ("event_answers", "Answers with events, handed to subscribers");
        one(&mut encoder, answers, &self.event_answers)?;
        let writable = u64::from((self.store_writable)());
        gauge(&mut encoder, "store_writable", "1 while the store takes writes", writable)?;
        let unreadable = (self.store_unreadable)();
        gauge(
            &mut encoder,
            "store_unreadable_rows",
            "Rows that cannot be read and are passed over",
            unreadable,
        )
    }
}

fn one(encoder: &mut DescriptorEncoder<'_>, (name, help): (&str, &str), source: &Count) -> fmt::Result {
    let counter = ConstCounter::new(source());
    counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)
}

fn targets(encoder: &mut DescriptorEncoder<'_>, targets: &[TargetCounts]) -> fmt::Result {
    if targets.is_empty() {
        return Ok(());
    }
    let kind = ConstCounter::new(0_u64).metric_type();
    let help = "Tries of outbound messages by target and outcome";
    let mut family = encoder.encode_descriptor("outbound_tries", help, None, kind)?;
    for target in targets {
        for (outcome, count) in &target.outcomes {
            let labels = [("target", target.name.as_str()), ("outcome", outcome)];
            ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
        }
    }
    let pending = |target: &TargetCounts| i64::try_from(target.pending).unwrap_or(i64::MAX);
    gauges(encoder, ("outbound_pending", "Events that wait for a target"), targets, pending)?;
    let help = "Whether nothing is sent to a target any more";
    gauges(encoder, ("outbound_disabled", help), targets, |target| i64::from(target.is_disabled))
}

fn gauges(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    targets: &[TargetCounts],
    value: impl Fn(&TargetCounts) -> i64,
) -> fmt::Result {
    let kind = ConstGauge::new(0_i64).metric_type();
    let mut family = encoder.encode_descriptor(name, help, None, kind)?;
    for target in targets {
        let labels = [("target", target.name.as_str())];
        ConstGauge::new(value(target)).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
    gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
}

fn by<L: Label>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    source: &Source<L>,
) -> fmt::Result {
    let kind = ConstCounter::new(0_u64).metric_type();
    let mut family = encoder.encode_descriptor(name, help, None, kind)?;
    for label in L::ALL {
        let labels = [(L::NAME, label.text())];
        ConstCounter::new(source(*label)).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}
