//! The registry of metrics, and a handle for each.
//!
//! Invariant: a series that is counted per request is resolved before the first request, so that counting is one
//! atomic add; labels come from closed lists, so that no caller can make the page grow.

mod label;
mod plain;
mod told;

use std::{fmt, time::Duration};

use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::Registry,
};

pub use label::{ABORTED, By, DeliveryAnswer, Label, Outcome, StatusClass};
pub use told::{Figure, Kind, Told, Word};

/// Every metric that is kept here, as it stands on the metrics page. The others are told by those who keep them.
pub const NAMES: &[&str] = &[
    "heliograph_build_info",
    "heliograph_http_requests_total",
    "heliograph_http_request_duration_seconds",
    "heliograph_operations_total",
    "heliograph_operations_running",
    "heliograph_sockets_open",
    "heliograph_sockets_closed_total",
    "heliograph_webhook_deliveries_total",
];

/// Seconds: from a cached read up to the longest that a request may wait for Aurora.
const DURATION_BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Operations by what they do.
#[derive(Debug)]
pub struct Operations {
    /// Reads.
    pub query: By<Outcome>,
    /// Writes.
    pub mutation: By<Outcome>,
    /// Subscriptions, counted when they end.
    pub subscription: By<Outcome>,
    /// Refused before that could be told.
    pub unknown: By<Outcome>,
}

impl Operations {
    fn register(registry: &mut Registry) -> Self {
        let family = Family::<[(&str, &str); 2], Counter>::default();
        registry.register("operations", "GraphQL operations by kind and outcome", family.clone());
        let of =
            |kind| By::new(|outcome| family.get_or_create_owned(&[("kind", kind), (Outcome::NAME, outcome)]));
        Self {
            query: of("query"),
            mutation: of("mutation"),
            subscription: of("subscription"),
            unknown: of("unknown"),
        }
    }
}

/// What is counted for one route.
#[derive(Debug)]
pub struct Route {
    requests: By<StatusClass>,
    duration: Histogram,
}

impl Route {
    /// Counts one answered request.
    pub fn count(&self, status: u16, took: Duration) {
        self.requests.count(StatusClass::of(status));
        self.duration.observe(took.as_secs_f64());
    }
}

/// One more for as long as it lives.
#[derive(Debug)]
pub struct Held(Gauge);

impl Held {
    /// Raises the gauge until the value is dropped.
    #[must_use]
    pub fn raise(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.dec();
    }
}

type Durations = Family<[(&'static str, &'static str); 1], Histogram, fn() -> Histogram>;

/// Every metric of the gateway.
pub struct Metrics {
    registry: Registry,
    requests: Family<[(&'static str, &'static str); 2], Counter>,
    durations: Durations,
    /// Operations that ended.
    pub operations: Operations,
    /// Operations that run now, listening subscriptions among them.
    pub operations_running: Gauge,
    /// WebSockets that are open now.
    pub sockets_open: Gauge,
    sockets_closed: Family<[(&'static str, u64); 1], Counter>,
    /// Webhooks by how they were answered.
    pub deliveries: By<DeliveryAnswer>,
}

impl Metrics {
    /// A registry with what is kept here, all at zero.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Vec::new())
    }

    /// A registry with every metric in it; what other parts keep is read from them.
    #[must_use]
    pub fn with(told: Vec<Told>) -> Self {
        let mut all = Registry::with_prefix("heliograph");
        let registry = &mut all;
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The version that runs", build);
        let requests = Family::default();
        registry.register("http_requests", "HTTP requests by route and class of status", requests.clone());
        let durations =
            Family::new_with_constructor((|| Histogram::new(DURATION_BUCKETS)) as fn() -> Histogram);
        registry.register(
            "http_request_duration_seconds",
            "Seconds from a request's head to its answer",
            durations.clone(),
        );
        let operations = Operations::register(registry);
        let operations_running = Gauge::default();
        registry.register(
            "operations_running",
            "GraphQL operations that run now, subscriptions among them",
            operations_running.clone(),
        );
        let sockets_open = Gauge::default();
        registry.register("sockets_open", "WebSockets that are open now", sockets_open.clone());
        let sockets_closed = Family::default();
        registry.register("sockets_closed", "WebSockets closed, by the code", sockets_closed.clone());
        let deliveries = By::register(registry, "webhook_deliveries", "Webhooks by how they were answered");
        registry.register_collector(Box::new(told::All(told)));
        Self {
            registry: all,
            requests,
            durations,
            operations,
            operations_running,
            sockets_open,
            sockets_closed,
            deliveries,
        }
    }

    /// The handles of one route, named by its template and never by a path that somebody asked for.
    #[must_use]
    pub fn route(&self, template: &'static str) -> Route {
        let requests = By::new(|status| {
            self.requests.get_or_create_owned(&[("route", template), (StatusClass::NAME, status)])
        });
        let duration = self.durations.get_or_create(&[("route", template)]).clone();
        Route { requests, duration }
    }

    /// Counts a closed socket.
    pub fn socket_closed(&self, code: u16) {
        self.sockets_closed.get_or_create(&[("code", u64::from(code))]).inc();
    }

    /// The metrics page in the older text format of Prometheus, which every scraper reads.
    ///
    /// # Errors
    /// When the text cannot be written.
    pub fn plain_page(&self) -> Result<String, fmt::Error> {
        self.page().map(|page| plain::from_open_metrics(&page))
    }

    /// The metrics page, in the OpenMetrics text format.
    ///
    /// # Errors
    /// When the text cannot be written.
    pub fn page(&self) -> Result<String, fmt::Error> {
        let mut page = String::new();
        encode(&mut page, &self.registry)?;
        Ok(page)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_listed_metric_and_no_other() {
        let metrics = Metrics::new();
        metrics.route("/graphql").count(200, Duration::from_millis(3));
        metrics.socket_closed(4400);
        let page = metrics.page().unwrap();
        for name in NAMES {
            assert!(page.lines().any(|line| line.starts_with(name)), "{name} is missing from {page}");
        }
        for line in page.lines().filter(|line| !line.starts_with('#')) {
            assert!(NAMES.iter().any(|name| line.starts_with(name)), "{line} is not listed");
        }
    }

    #[test]
    fn a_count_goes_to_its_own_series() {
        let metrics = Metrics::new();
        metrics.operations.mutation.count(Outcome::Refused);
        metrics.deliveries.count(DeliveryAnswer::Repeated);
        let page = metrics.page().unwrap();
        assert!(
            page.contains(r#"heliograph_operations_total{kind="mutation",outcome="refused"} 1"#),
            "{page}"
        );
        assert!(page.contains(r#"heliograph_webhook_deliveries_total{answer="repeated"} 1"#), "{page}");
        assert_eq!(metrics.deliveries.total(DeliveryAnswer::Kept), 0);
    }

    #[test]
    fn what_is_held_is_counted_only_while_it_lives() {
        let metrics = Metrics::new();
        let held = Held::raise(&metrics.sockets_open);
        assert_eq!(metrics.sockets_open.get(), 1);
        drop(held);
        assert_eq!(metrics.sockets_open.get(), 0);
    }
}
