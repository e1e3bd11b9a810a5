//! What an event takes on the disk.

use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{Context, Result};
use segments::{Options, Scan, Segments};
use serde::Serialize;

use super::lines::Corpus;
use crate::stats::figure;

/// Bytes of an event, on average.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Disk {
    /// Of its message.
    pub(super) message_bytes: f64,
    /// Of the files, all of them sealed.
    pub(super) stored_bytes: f64,
}

/// Seals what a stopped server has of the lines, and measures it.
pub(super) fn measure(data: &Path, corpus: &Corpus) -> Result<Disk> {
    let segments = Segments::open(&data.join("logs"), Options::default())?;
    for group in segments.groups()? {
        let mut events = 0;
        let scan = Scan { limit_events: u64::MAX, limit_bytes: u64::MAX, ..Scan::default() };
        segments.scan(&group, &scan, &mut |_| {
            events += 1;
            ControlFlow::Continue(())
        })?;
        if events == corpus.count() {
            segments.seal(&group)?;
            let stored_bytes = figure(segments.group_bytes(&group)?) / figure(events);
            segments.close();
            return Ok(Disk { message_bytes: corpus.bytes_per_line(), stored_bytes });
        }
    }
    None.context("no group in the files has the events that were stored")
}

#[cfg(test)]
mod tests {
    use super::*;

    use base::{AccountId, Clock, Region, SystemClock, Timestamp};
    use segments::{GroupKey, NewEvent};

    #[tokio::test]
    async fn sealed_events_take_less_than_their_messages() {
        let folder = std::env::temp_dir().join(format!("pilvi-disk-{}", std::process::id()));
        let corpus = Corpus::new(20_000, SystemClock.now().as_millis());
        let segments = Segments::open(&folder.join("logs"), Options::default()).unwrap();
        let group = GroupKey::new(AccountId::DEFAULT, &Region::default(), "g").unwrap();
        let event = |line: &super::super::lines::Line| NewEvent {
            timestamp: Timestamp::from_millis(line.at_ms),
            message: line.message.clone(),
        };
        let events = corpus.lines.iter().map(event).collect();
        segments.append(&group, "s", SystemClock.now(), events).await.unwrap();
        drop(segments);
        let disk = measure(&folder, &corpus).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(disk.stored_bytes > 10.0 && disk.stored_bytes < disk.message_bytes, "{disk:?}");
    }
}
