//! What the server counts of requests, for Prometheus.

use std::fmt;
use std::sync::Arc;

use platform::denials::Denials;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use wire::serve::Outcome;

/// Requests by operation and status, and how long each service took.
#[derive(Debug, Clone)]
pub(crate) struct RequestMetrics {
    requests: Family<Request, Counter>,
    durations: Family<Service, Histogram, fn() -> Histogram>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    service: &'static str,
    operation: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Service {
    service: &'static str,
}

impl RequestMetrics {
    /// Metrics that `registry` shows.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let requests = Family::<Request, Counter>::default();
        let durations = Family::<Service, Histogram, fn() -> Histogram>::new_with_constructor(histogram);
        registry.register("pilvi_requests", "Requests answered", requests.clone());
        registry.register_with_unit(
            "pilvi_request_duration",
            "From a request's head to its answer",
            Unit::Seconds,
            durations.clone(),
        );
        Self { requests, durations }
    }

    /// Counts one request. Names come from the models, so the number of series is bounded.
    pub(crate) fn observe(&self, outcome: &Outcome) {
        let Outcome { service, operation, status, duration } = *outcome;
        self.requests.get_or_create(&Request { service, operation, status }).inc();
        self.durations.get_or_create(&Service { service }).observe(duration.as_secs_f64());
    }
}

/// 50 µs to 1.6 s.
fn histogram() -> Histogram {
    Histogram::new(exponential_buckets(50e-6, 2.0, 16))
}

/// Denials that were not written down, asked for when they are shown.
#[derive(Debug)]
pub(crate) struct DenialMetrics(pub(crate) Arc<Denials>);

impl Collector for DenialMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "Denials that could not be written down, since the start";
        let family = encoder.encode_descriptor("pilvi_denials_dropped", help, None, MetricType::Counter)?;
        ConstCounter::new(self.0.dropped_in_all()).encode(family)
    }
}
