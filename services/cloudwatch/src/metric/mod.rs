//! Metrics: who they are, what is kept of their values, and how it is read again.
//!
//! - [`MetricId`] names a metric, [`Metric`] is the record by which it is found and listed.
//! - [`aggregate`], [`chunk`]: the values of a slot of time, and the slots that are stored together. Chunks lie at
//!   `<account>/<region>/cloudwatch/data/<series>/<resolution>/<window>`, a prefix without history.
//! - [`ingest`]: what comes in; [`read`]: what is asked for; [`retention`](crate::reconcile::retention): what grows old.
//! - [`resolution`], [`statistic`], [`unit`]: AWS's own lists.

pub mod aggregate;
pub mod chunk;
pub mod datum;
pub mod ingest;
pub mod read;
pub mod resolution;
pub mod statistic;
pub mod unit;

use base::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use store::{Key, Record, Scope};

use resolution::Resolution;

/// The most dimensions of a metric (CloudWatch's quota).
pub const DIMENSIONS_MAX: usize = 30;

/// What names a metric within an account and region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MetricId {
    namespace: String,
    name: String,
    dimensions: Vec<(String, String)>,
}

impl MetricId {
    /// A metric. The order of its dimensions does not matter.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>, mut dimensions: Vec<(String, String)>) -> Self {
        dimensions.sort();
        Self { namespace: namespace.into(), name: name.into(), dimensions }
    }

    /// Its namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its dimensions, by name.
    pub fn dimensions(&self) -> &[(String, String)] {
        &self.dimensions
    }

    /// Its name in keys: a hash, since dimensions may be longer than a key. It begins with that of the metric's name alone,
    /// so that the metrics of one name lie together.
    pub fn series(&self) -> String {
        let mut hash = Sha256::new();
        let dimensions = self.dimensions.iter().flat_map(|(name, value)| [name, value]);
        for text in [&self.namespace, &self.name].into_iter().chain(dimensions) {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        }
        format!("{}{}", name_prefix(&self.name), hex::encode(&hash.finalize()[..12]))
    }
}

/// What the series of metrics of this name begin with.
pub fn name_prefix(name: &str) -> String {
    hex::encode(&Sha256::digest(name.as_bytes())[..4])
}

/// The record of a metric: `<namespace>/<series>`. It is there as long as any of its data is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metric {
    /// Which one it is.
    #[serde(flatten)]
    pub id: MetricId,
    /// When data last came in, to within [`ingest::SEEN_GRANULARITY`].
    pub last_seen: Timestamp,
    /// Whether data of one second's resolution has come in.
    #[serde(default)]
    pub is_high_resolution: bool,
}

impl Record for Metric {
    const SERVICE: &'static str = "cloudwatch";
    const KIND: &'static str = "metric";
}

/// Below what the chunks of a scope lie.
pub(crate) fn data_key(scope: &Scope) -> Key {
    scope.key().child("cloudwatch").child("data")
}

/// Where a chunk lies. Windows are written with as many digits, so that they come in the order of time.
pub(crate) fn chunk_key(series: &Key, resolution: Resolution, window_s: i64) -> Key {
    series.child(resolution.name()).child(&format!("{window_s:012}"))
}

/// The resolution and window that a chunk's key ends with.
pub(crate) fn chunk_of(key: &Key) -> Option<(Resolution, i64)> {
    let segments: Vec<_> = key.segments().collect();
    let [.., resolution, window] = segments.as_slice() else { return None };
    Some((Resolution::named(resolution)?, window.parse().ok()?))
}

/// The number of an instant's slot within its window.
pub(crate) fn slot_of(resolution: Resolution, at_s: i64) -> u16 {
    let within = at_s - resolution.window_of(at_s);
    u16::try_from(within / resolution.seconds()).expect("a window has at most 300 slots")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dimension(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn the_order_of_dimensions_does_not_make_another_metric_but_everything_else_does() {
        let (a, b) = (dimension("a", "1"), dimension("b", "2"));
        let metric = MetricId::new("n", "m", vec![a.clone(), b.clone()]);
        assert_eq!(metric.series(), MetricId::new("n", "m", vec![b.clone(), a.clone()]).series());
        for other in [
            MetricId::new("n", "m", vec![a.clone()]),
            MetricId::new("n", "m", vec![dimension("a1", ""), b.clone()]),
            MetricId::new("n", "ma", vec![b.clone()]),
            MetricId::new("nm", "", vec![a, b]),
        ] {
            assert_ne!(metric.series(), other.series(), "{other:?}");
        }
        assert!(metric.series().starts_with(&name_prefix("m")));
        assert_eq!(metric.series().len(), 32);
    }

    #[test]
    fn a_chunks_key_tells_its_resolution_and_window_and_sorts_by_time() {
        let series = data_key(&Scope::system()).child("s");
        let key = chunk_key(&series, Resolution::Minute, 1_767_225_600);
        assert_eq!(chunk_of(&key), Some((Resolution::Minute, 1_767_225_600)));
        assert!(chunk_key(&series, Resolution::Minute, 999_999_999) < key);
        assert_eq!(slot_of(Resolution::Minute, 1_767_225_600 + 59 * 60 + 59), 59);
    }
}
