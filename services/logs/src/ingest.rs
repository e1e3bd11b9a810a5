//! Events on their way in: what a batch may be, and what becomes of it.

use std::time::Duration;

use base::Timestamp;
use segments::NewEvent;
use store::Versioned;

use crate::api::{InputLogEvent, RejectedLogEventsInfo};
use crate::group::LogGroup;
use crate::names::GroupName;
use crate::{Error, Logs, group, stream};

/// What each event counts beyond its message, in bytes.
pub const EVENT_OVERHEAD_BYTES: usize = 26;
/// The largest event, its overhead included; 256 KiB at AWS until 2025.
pub const EVENT_BYTES_MAX: usize = 1024 * 1024;
/// The largest batch, overheads included.
pub const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// How far the events of a batch may be apart.
const BATCH_SPAN_MAX: Duration = Duration::from_secs(24 * 3600);
/// How old an event may be.
pub(crate) const AGE_MAX: Duration = Duration::from_secs(14 * 24 * 3600);
/// How far in the future an event may be.
pub(crate) const AHEAD_MAX: Duration = Duration::from_secs(2 * 3600);

/// A batch that may be stored: its events within the times that are taken, and what is said about the others.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Batch {
    pub(crate) events: Vec<NewEvent>,
    pub(crate) rejected: Option<RejectedLogEventsInfo>,
}

/// Checks sizes and order.
///
/// # Errors
/// [`Error::EventTooLarge`], [`Error::UploadTooLarge`], [`Error::NotChronological`], [`Error::BatchSpan`]
pub(crate) fn check(events: &[InputLogEvent]) -> Result<(), Error> {
    let size = |event: &InputLogEvent| event.message.len() + EVENT_OVERHEAD_BYTES;
    if let Some(size) = events.iter().map(size).find(|size| *size > EVENT_BYTES_MAX) {
        return Err(Error::EventTooLarge { size, max: EVENT_BYTES_MAX });
    }
    let size: usize = events.iter().map(size).sum();
    if size > BATCH_BYTES_MAX {
        return Err(Error::UploadTooLarge { size, max: BATCH_BYTES_MAX });
    }
    if !events.is_sorted_by_key(|event| event.timestamp) {
        return Err(Error::NotChronological);
    }
    match (events.first(), events.last()) {
        (Some(first), Some(last)) if at(last).since(at(first)) > BATCH_SPAN_MAX => Err(Error::BatchSpan),
        _ => Ok(()),
    }
}

/// Leaves out what is too old, too new or already expired. The indexes of ends are exclusive, those of starts are not.
pub(crate) fn admit(events: Vec<InputLogEvent>, now: Timestamp, retention_days: Option<i32>) -> Batch {
    let count_before = |limit: i64| events.partition_point(|event| event.timestamp < limit);
    let too_old = count_before(minus(now, AGE_MAX).as_millis());
    let expired = retention_days.map_or(0, |days| count_before(expiry(now, days).as_millis()));
    let too_new = count_before(now.plus(AHEAD_MAX).as_millis() + 1);
    let total = events.len();
    let index = |index: usize, is_told: bool| is_told.then(|| i32::try_from(index).unwrap_or(i32::MAX));
    let info = RejectedLogEventsInfo {
        too_old_log_event_end_index: index(too_old, too_old > 0),
        expired_log_event_end_index: index(expired, expired > 0),
        too_new_log_event_start_index: index(too_new, too_new < total),
    };
    let first = too_old.max(expired);
    let taken = events.into_iter().take(too_new).skip(first);
    let events = taken.map(|event| NewEvent { timestamp: at(&event), message: event.message }).collect();
    Batch { events, rejected: (info != RejectedLogEventsInfo::default()).then_some(info) }
}

/// The instant before which events have expired.
pub(crate) fn expiry(now: Timestamp, retention_days: i32) -> Timestamp {
    let days = u64::try_from(retention_days).unwrap_or_default();
    minus(now, Duration::from_secs(days * 24 * 3600))
}

fn minus(instant: Timestamp, by: Duration) -> Timestamp {
    Timestamp::from_millis(instant.as_millis().saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
}

fn at(event: &InputLogEvent) -> Timestamp {
    Timestamp::from_millis(event.timestamp)
}

/// Where events are to go. Kept while they are written, so that the stream is not deleted meanwhile.
pub(crate) struct Open<'a> {
    pub(crate) name: &'a GroupName,
    pub(crate) group: Versioned<LogGroup>,
    pub(crate) stream: &'a str,
    _writing: tokio::sync::OwnedRwLockReadGuard<()>,
}

impl Logs {
    /// Finds a group and a stream in it.
    ///
    /// # Errors
    /// [`Error::GroupNotFound`], [`Error::StreamNotFound`]
    pub(crate) async fn open<'a>(&self, name: &'a GroupName, stream: &'a str) -> Result<Open<'a>, Error> {
        let writing = self.writing.clone().read_owned().await;
        let store = &self.platform.store;
        let group = group::find(store, name).await?;
        stream::find(store, &name.scope(), &group.storage_id, stream).await?;
        Ok(Open { name, group, stream, _writing: writing })
    }

    /// Stores events, and sends what the group's metric and subscription filters find in them.
    pub(crate) async fn write(&self, open: Open<'_>, now: Timestamp, events: Vec<NewEvent>) -> Result<(), Error> {
        if events.is_empty() {
            return Ok(());
        }
        let (samples, events) = self.filters.samples(self, open.name, &open.group, events).await?;
        let wanted = self.subscriptions.wanted(self, open.name, &open.group, &events).await?;
        let key = open.name.key(&open.group.storage_id)?;
        let appended = self.segments.append(&key, open.stream, now, events).await?;
        self.filters.send(&*self.metrics, open.name, samples).await;
        match wanted.zip(appended.first) {
            Some((wanted, first)) => wanted.stored(open.name, open.stream, first).hand_on(&*self.destinations).await,
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_767_225_600);
    const HOUR: i64 = 3_600_000;

    fn event(offset_ms: i64) -> InputLogEvent {
        InputLogEvent { message: "m".to_owned(), timestamp: NOW.as_millis() + offset_ms }
    }

    fn sized(bytes: usize) -> InputLogEvent {
        InputLogEvent { message: "x".repeat(bytes), timestamp: NOW.as_millis() }
    }

    #[test]
    fn a_batch_is_bounded_ordered_and_within_a_day() {
        let full = BATCH_BYTES_MAX - EVENT_OVERHEAD_BYTES;
        assert!(check(&[sized(full)]).is_ok());
        for (events, message) in [
            (vec![sized(full + 1)], "Log event too large: 1048577 bytes exceeds limit of 1048576"),
            (vec![sized(full - 26), sized(1)], "Upload too large: 1048577 bytes exceeds limit of 1048576"),
            (vec![event(1), event(0)], "Log events in a single PutLogEvents request must be in chronological order."),
            (
                vec![event(-24 * HOUR - 1), event(0)],
                "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
            ),
        ] {
            assert_eq!(check(&events).unwrap_err().to_string(), message);
        }
        assert!(check(&[event(-24 * HOUR), event(0), event(0)]).is_ok());
    }

    #[test]
    fn what_is_too_old_too_new_or_expired_is_left_out_and_told() {
        let day = 24 * HOUR;
        let offsets = [-15 * day, -5 * day, -day, 0, 2 * HOUR, 2 * HOUR + 1, 3 * HOUR];
        let batch = admit(offsets.map(event).into(), NOW, Some(3));
        let kept: Vec<_> = batch.events.iter().map(|event| event.timestamp.as_millis() - NOW.as_millis()).collect();
        assert_eq!(kept, [-day, 0, 2 * HOUR]);
        let rejected = RejectedLogEventsInfo {
            too_old_log_event_end_index: Some(1),
            expired_log_event_end_index: Some(2),
            too_new_log_event_start_index: Some(5),
        };
        assert_eq!(batch.rejected, Some(rejected));
        assert_eq!(admit(vec![event(0)], NOW, None).rejected, None);
        let all_new = admit(vec![event(3 * HOUR)], NOW, None);
        assert!(all_new.events.is_empty());
        assert_eq!(all_new.rejected.unwrap().too_new_log_event_start_index, Some(0));
    }
}
