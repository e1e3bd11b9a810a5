//! Metrics of other services.

use base::{AccountId, Region};
use platform::BoxFuture;
use platform::ports::{MetricSample, MetricSink};
use store::{Scope, StoreError};

use crate::CloudWatch;
use crate::metric::MetricId;
use crate::metric::aggregate::Aggregate;
use crate::metric::datum::{is_dimension, is_value};
use crate::metric::ingest::Sample;
use crate::metric::resolution::Resolution;
use crate::metric::unit::Unit;

impl MetricSink for CloudWatch {
    /// Namespaces of AWS are allowed here. Left out is what no metric can have: what is no finite number, since nothing can be
    /// computed with it, and dimensions of other texts or lengths than PutMetricData takes. A metric filter takes both from
    /// whatever an event says.
    fn put<'a>(
        &'a self,
        account: AccountId,
        region: &'a Region,
        namespace: &'a str,
        samples: Vec<MetricSample>,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let sample = |it: MetricSample| Sample {
            metric: MetricId::new(namespace, it.name, it.dimensions),
            at: it.timestamp,
            resolution: Resolution::Minute,
            unit: Unit::named(&it.unit).unwrap_or(Unit::NONE),
            values: Aggregate::of(it.value, 1.0),
        };
        let can_be = |it: &MetricSample| {
            is_value(it.value) && it.dimensions.iter().all(|(name, value)| is_dimension(name, value))
        };
        let samples = samples.into_iter().filter(can_be).map(sample).collect();
        let (scope, now) = (Scope::new(account, region.clone()), self.platform.clock.now());
        Box::pin(self.ingest.put(scope, now, samples))
    }
}
