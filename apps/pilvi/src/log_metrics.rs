//! What is lost of log events, for Prometheus.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use segments::{Damage, Segments};

/// Every kind of damage, with its label.
const DAMAGES: [(Damage, &str); 5] = [
    (Damage::TornTail, "torn_tail"),
    (Damage::Batch, "batch"),
    (Damage::Block, "block"),
    (Damage::Index, "index"),
    (Damage::Marks, "marks"),
];

/// Events that were dropped, and damage that was found, asked for when they are shown. Groups are not named.
#[derive(Debug)]
pub(crate) struct LogMetrics(pub(crate) Arc<Segments>);

impl Collector for LogMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let dropped = self.0.dropped_in_all();
        let help = "Log events lost since the start: refused as the disk was full, or capped to keep within the bytes";
        let mut family = encoder.encode_descriptor("pilvi_log_events_dropped", help, None, MetricType::Counter)?;
        for (reason, count) in [("refused", dropped.refused), ("capped", dropped.capped)] {
            ConstCounter::new(count).encode(family.encode_family(&[("reason", reason)])?)?;
        }
        let found = self.0.corruptions();
        let help =
            "Damaged places found in the files of log events since the start; a torn tail is what a crash leaves";
        let mut family = encoder.encode_descriptor("pilvi_log_corruptions", help, None, MetricType::Gauge)?;
        for (damage, kind) in DAMAGES {
            let count = found.iter().filter(|one| one.what == damage).count();
            ConstGauge::new(count as u64).encode(family.encode_family(&[("kind", kind)])?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use base::{AccountId, Region, SystemClock};
    use prometheus_client::registry::Registry;
    use segments::{GroupKey, NewEvent, Options};

    fn shown(segments: &Arc<Segments>) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(LogMetrics(segments.clone())));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    }

    #[tokio::test]
    async fn what_a_cap_dropped_and_what_is_damaged_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let group = GroupKey::new(AccountId::DEFAULT, &Region::default(), "secret-group").unwrap();
        let open = |group_bytes_max| {
            let options = Options { group_bytes_max, active_bytes_max: 500, ..Options::default() };
            Segments::open(folder.path(), options).unwrap()
        };
        let segments = open(2_000);
        let now = base::Clock::now(&SystemClock);
        for _ in 0..100 {
            let events = vec![NewEvent { timestamp: now, message: "x".repeat(100) }];
            segments.append(&group, "s", now, events).await.unwrap();
        }
        segments.settle();
        let text = shown(&segments);
        assert!(text.contains("pilvi_log_events_dropped_total{reason=\"refused\"} 0"), "{text}");
        let capped =
            text.lines().find_map(|line| line.strip_prefix("pilvi_log_events_dropped_total{reason=\"capped\"} "));
        assert!(capped.unwrap().parse::<u64>().unwrap() > 0, "{text}");
        assert!(text.contains("pilvi_log_corruptions{kind=\"batch\"} 0") && !text.contains("secret-group"), "{text}");
        drop(segments);

        let files = std::fs::read_dir(folder.path().join(group.as_str())).unwrap();
        for file in files.map(|file| file.unwrap().path()) {
            let mut bytes = std::fs::read(&file).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(&file, bytes).unwrap();
        }
        let segments = open(2_000);
        drop(segments.read(&group, "s", segments::Query::default()));
        let text = shown(&segments);
        let damaged = |line: &&str| line.starts_with("pilvi_log_corruptions{") && !line.ends_with(" 0");
        assert!(text.lines().any(|line| damaged(&line)), "{text}");
    }
}
