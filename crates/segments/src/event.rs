//! What is stored: one line of output with its times.

use std::fmt;
use std::sync::Arc;

use base::Timestamp;

/// What makes an event unique in its group and gives it its place: the time of the event, then the order of arrival.
///
/// It never changes and is never given twice. Ids compare as the events are ordered. As a text it has 56 decimal digits,
/// as CloudWatch Logs' `eventId` has; texts of one length compare as the numbers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(u128);

impl EventId {
    /// Before every event.
    pub(crate) const FIRST: Self = Self(0);
    /// Not before any event.
    pub(crate) const LAST: Self = Self(u128::MAX);

    /// The id of the event of this time that arrived as number `sequence` of its group.
    pub(crate) fn new(timestamp: i64, sequence: u64) -> Self {
        Self(u128::from(Self::biased(timestamp)) << 64 | u128::from(sequence))
    }

    /// The number.
    pub fn as_u128(self) -> u128 {
        self.0
    }

    /// The id with this number. None is checked to be in use.
    pub fn from_u128(number: u128) -> Self {
        Self(number)
    }

    /// The time of its event, in milliseconds since 1970.
    pub(crate) fn timestamp(self) -> i64 {
        ((self.0 >> 64) as u64 ^ (1 << 63)).cast_signed()
    }

    /// The next possible id.
    pub(crate) fn successor(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The previous possible id.
    pub(crate) fn predecessor(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// Times before 1970 come first, too.
    fn biased(timestamp: i64) -> u64 {
        timestamp.cast_unsigned() ^ (1 << 63)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:056}", self.0)
    }
}

/// An event that is to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// When it happened, as its sender says.
    pub timestamp: Timestamp,
    /// What it says.
    pub message: String,
}

/// A stored event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// When it happened, as its sender says.
    pub timestamp: Timestamp,
    /// When it arrived.
    pub ingestion: Timestamp,
    /// What it says.
    pub message: String,
    /// The name of its stream.
    pub stream: Arc<str>,
}

/// A stored event while a scan passes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventRef<'a> {
    /// Its id.
    pub id: EventId,
    /// When it happened, as its sender says.
    pub timestamp: Timestamp,
    /// When it arrived.
    pub ingestion: Timestamp,
    /// What it says.
    pub message: &'a str,
    /// The name of its stream.
    pub stream: &'a Arc<str>,
}

impl EventRef<'_> {
    /// The event, to keep.
    pub fn to_event(self) -> Event {
        Event {
            id: self.id,
            timestamp: self.timestamp,
            ingestion: self.ingestion,
            message: self.message.to_owned(),
            stream: Arc::clone(self.stream),
        }
    }
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// How many events were written: all of the batch.
    pub events: u64,
    /// The bytes of their messages.
    pub message_bytes: u64,
    /// The smallest id among them; none if the batch was empty.
    pub first: Option<EventId>,
}
