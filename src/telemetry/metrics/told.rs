//! Counts that another part keeps, read when somebody looks.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::counter::ConstCounter,
};

use super::{Label, Lookup, RotationOutcome, UpstreamOutcome};

/// Where the counts are.
pub struct Sources {
    /// Calls to Aurora by how they ended.
    pub upstream_calls: Source<UpstreamOutcome>,
    /// Looks into the cache by what they gave.
    pub cache_lookups: Source<Lookup>,
    /// Session tokens that came with a delivery and that nobody took in time.
    pub session_tokens_dropped: Box<dyn Fn() -> u64 + Send + Sync>,
    /// Secrets that changed while the gateway ran.
    pub secret_rotations: Source<RotationOutcome>,
}

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
            secret_rotations: Box::new(|_| 0),
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
        let counter = ConstCounter::new((self.session_tokens_dropped)());
        let help = "Session tokens that nobody took in time";
        counter.encode(encoder.encode_descriptor(
            "session_tokens_dropped",
            help,
            None,
            counter.metric_type(),
        )?)
    }
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
