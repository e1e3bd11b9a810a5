//! What workloads use, as metrics: once a minute, of those that run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base::{AccountId, Region, Timestamp};
use node::protocol::{ContainerStats, WorkloadStats};
use platform::ports::{MetricSample, MetricSink};
use platform::workloads::{WorkloadError, Workloads};
use tokio::time::timeout;
use workload::{NodeId, WorkloadId};

use super::driver::Driver;
use crate::stop::Stop;

/// How often it is asked.
const EVERY: Duration = Duration::from_secs(60);
/// Metrics of as many containers of a node are kept at one time; of further ones none are.
const CONTAINERS_MAX: usize = 500;
/// Where the metrics are.
const NAMESPACE: &str = "Pilvi/Containers";

/// What one node's workloads use.
pub(super) struct Stats {
    workloads: Workloads,
    id: NodeId,
    driver: Arc<Driver>,
    sink: Arc<dyn MetricSink>,
    before: BTreeMap<(WorkloadId, String), Counted>,
}

/// What had been counted when it was last asked.
#[derive(Debug, Clone, Copy)]
struct Counted {
    at_ms: u64,
    stats: ContainerStats,
}

impl Stats {
    pub(super) fn new(workloads: Workloads, id: NodeId, driver: Arc<Driver>, sink: Arc<dyn MetricSink>) -> Self {
        Self { workloads, id, driver, sink, before: BTreeMap::new() }
    }

    /// Asks once a minute until told to stop.
    pub(super) async fn go_on(mut self, stop: Stop) {
        while timeout(EVERY, stop.requested()).await.is_err() {
            // A node that is away uses nothing that could be told.
            let Some(node) = self.driver.node() else { continue };
            let Ok(stats) = node.stats(&[]).await else { continue };
            if let Err(error) = self.put(stats).await {
                tracing::warn!(node = %self.id, %error, "what workloads use could not be written down");
            }
        }
    }

    async fn put(&mut self, stats: Vec<WorkloadStats>) -> Result<(), WorkloadError> {
        let owners = self.workloads.owners_on(&self.id).await?;
        let mut samples: BTreeMap<(AccountId, Region), Vec<MetricSample>> = BTreeMap::new();
        let mut now = BTreeMap::new();
        for workload in stats {
            let Some((scope, name)) = owners.get(&workload.id) else { continue };
            let (Some(account), Some(region)) = (scope.account(), scope.region()) else { continue };
            for (container, stats) in workload.containers {
                if now.len() == CONTAINERS_MAX {
                    break;
                }
                let key = (workload.id.clone(), container);
                let counted = Counted { at_ms: workload.at_ms, stats };
                let of = samples.entry((account, region.clone())).or_default();
                let dimensions = [("Workload", name.as_str()), ("Container", key.1.as_str())];
                of.extend(samples_of(dimensions, self.before.get(&key), counted));
                now.insert(key, counted);
            }
        }
        self.before = now;
        for ((account, region), samples) in samples {
            self.sink.put(account, &region, NAMESPACE, samples).await?;
        }
        Ok(())
    }
}

/// What a container uses: memory and processes now, and what was counted since it was last asked.
fn samples_of(dimensions: [(&str, &str); 2], before: Option<&Counted>, now: Counted) -> Vec<MetricSample> {
    let timestamp = Timestamp::from_millis(i64::try_from(now.at_ms).unwrap_or(i64::MAX));
    let dimensions: Vec<(String, String)> =
        dimensions.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let sample = |name: &str, value: f64, unit: &str| MetricSample {
        name: name.to_owned(),
        dimensions: dimensions.clone(),
        timestamp,
        value,
        unit: unit.to_owned(),
    };
    let mut samples = vec![
        sample("MemoryUtilized", now.stats.memory_bytes as f64, "Bytes"),
        sample("Processes", now.stats.pids as f64, "Count"),
    ];
    // Counters that went down are those of a container that was started again.
    let Some(before) = before.filter(|it| it.at_ms < now.at_ms && it.stats.cpu_us <= now.stats.cpu_us) else {
        return samples;
    };
    let spent_us = (now.stats.cpu_us - before.stats.cpu_us) as f64;
    let passed_us = (now.at_ms - before.at_ms) as f64 * 1000.0;
    // Of one processor, as CloudWatch's percentages of what has several: 250 is two and a half.
    samples.push(sample("CpuUtilized", spent_us * 100.0 / passed_us, "Percent"));
    let counters = [
        ("NetworkRxBytes", before.stats.received_bytes, now.stats.received_bytes),
        ("NetworkTxBytes", before.stats.sent_bytes, now.stats.sent_bytes),
        ("StorageReadBytes", before.stats.read_bytes, now.stats.read_bytes),
        ("StorageWriteBytes", before.stats.written_bytes, now.stats.written_bytes),
    ];
    samples.extend(counters.map(|(name, before, now)| sample(name, now.saturating_sub(before) as f64, "Bytes")));
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(at_ms: u64, cpu_us: u64, received_bytes: u64) -> Counted {
        Counted {
            at_ms,
            stats: ContainerStats { cpu_us, received_bytes, memory_bytes: 7, ..ContainerStats::default() },
        }
    }

    fn value(samples: &[MetricSample], name: &str) -> Option<f64> {
        samples.iter().find(|sample| sample.name == name).map(|sample| sample.value)
    }

    #[test]
    fn what_was_counted_is_told_as_what_it_rose_by() {
        let dimensions = [("Workload", "web"), ("Container", "main")];
        let first = samples_of(dimensions, None, counted(0, 5, 5));
        assert_eq!((value(&first, "MemoryUtilized"), value(&first, "CpuUtilized")), (Some(7.0), None));
        let later = samples_of(dimensions, Some(&counted(0, 5, 5)), counted(60_000, 15_000_005, 105));
        assert_eq!((value(&later, "CpuUtilized"), value(&later, "NetworkRxBytes")), (Some(25.0), Some(100.0)));
        assert_eq!(later[0].dimensions[0], ("Workload".to_owned(), "web".to_owned()));
        let anew = samples_of(dimensions, Some(&counted(0, 5000, 5)), counted(60_000, 5, 105));
        assert_eq!(value(&anew, "CpuUtilized"), None);
    }
}
