//! Counts that another part keeps, read when somebody looks.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::counter::ConstCounter,
};

use super::{Label, Lookup, UpstreamOutcome};

/// Where the counts are.
pub struct Sources {
    /// Calls to Aurora by how they ended.
    pub upstream_calls: Source<UpstreamOutcome>,
    /// Looks into the cache by what they gave.
    pub cache_lookups: Source<Lookup>,
    /// Session tokens that came with a delivery and that nobody took in time.
    pub session_tokens_dropped: Count,
    /// Events executed for subscribers, once for all who share an operation.
    pub event_executions: Count,
    /// Answers with events, handed to subscribers.
    pub event_answers: Count,
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
            session_tokens_dropped: Box::new(|| 0),
            event_executions: Box::new(|| 0),
            event_answers: Box::new(|| 0),
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
        let dropped = ("session_tokens_dropped", "Session tokens that nobody took in time");
        one(&mut encoder, dropped, &self.session_tokens_dropped)?;
        let executions = ("event_executions", "Events executed for all who subscribe alike");
        one(&mut encoder, executions, &self.event_executions)?;
        let answers = ("event_answers", "Answers with events, handed to subscribers");
        one(&mut encoder, answers, &self.event_answers)
    }
}

fn one(encoder: &mut DescriptorEncoder<'_>, (name, help): (&str, &str), source: &Count) -> fmt::Result {
    let counter = ConstCounter::new(source());
    counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)
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
