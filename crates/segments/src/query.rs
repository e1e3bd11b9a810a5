//! What is asked and what is answered.

use std::collections::BTreeSet;

use base::Timestamp;

use crate::event::EventId;
use crate::{Error, Event};

/// The most events that a page has when a query does not say: as many as GetLogEvents and FilterLogEvents answer.
pub const PAGE_EVENTS_MAX: usize = 10_000;
/// The most bytes of messages that a page has when a query does not say: 1 MiB, as AWS answers.
pub const PAGE_BYTES_MAX: usize = 1024 * 1024;

/// In which direction a query goes from where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// From older to newer.
    #[default]
    Forward,
    /// From newer to older.
    Backward,
}

/// A place between two events of a group: everything is before it or after it. Both directions can go on from it, and it
/// stays where it is while events arrive, are sealed, compacted or expire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cursor(EventId);

impl Cursor {
    /// How many bytes [`Cursor::to_bytes`] answers.
    pub const LENGTH: usize = 17;
    const VERSION: u8 = 1;

    /// The place before this event, and after all that are smaller.
    pub fn before(event: EventId) -> Self {
        Self(event)
    }

    /// The place after this event.
    pub fn after(event: EventId) -> Self {
        Self(event.successor())
    }

    /// The cursor as bytes. They mean nothing to others.
    pub fn to_bytes(self) -> [u8; Self::LENGTH] {
        let mut bytes = [Self::VERSION; Self::LENGTH];
        bytes[1..].copy_from_slice(&self.0.as_u128().to_be_bytes());
        bytes
    }

    /// The cursor that these bytes are.
    ///
    /// # Errors
    /// [`Error::InvalidCursor`] if they are none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        match bytes.split_first() {
            Some((&Self::VERSION, number)) => {
                let number = number.try_into().map_err(|_| Error::InvalidCursor)?;
                Ok(Self(EventId::from_u128(u128::from_be_bytes(number))))
            }
            _ => Err(Error::InvalidCursor),
        }
    }

    /// The smallest id that is after it.
    pub(crate) fn id(self) -> EventId {
        self.0
    }
}

/// Which events of a stream [`crate::Segments::read`] answers.
#[derive(Debug, Clone, Copy)]
pub struct Query {
    /// Only events of this time and later.
    pub start: Option<Timestamp>,
    /// Only events before this time.
    pub end: Option<Timestamp>,
    /// Where to begin; else at that end of the stream which the direction leads away from.
    pub from: Option<Cursor>,
    /// Where to go.
    pub direction: Direction,
    /// The most events.
    pub limit_events: usize,
    /// The most bytes of messages; a page has one event at least, if there is one.
    pub limit_bytes: usize,
}

impl Default for Query {
    fn default() -> Self {
        Self {
            start: None,
            end: None,
            from: None,
            direction: Direction::Forward,
            limit_events: PAGE_EVENTS_MAX,
            limit_bytes: PAGE_BYTES_MAX,
        }
    }
}

/// Events of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The events by time, then by arrival, whatever the direction.
    pub events: Vec<Event>,
    /// Where the query's direction goes on. Once there is nothing more this is where the query began.
    pub next: Cursor,
    /// Where the other direction goes on.
    pub previous: Cursor,
    /// There is nothing more in the query's direction for now.
    pub exhausted: bool,
}

/// Which events of a group [`crate::Segments::scan`] passes.
#[derive(Debug, Clone)]
pub struct Scan {
    /// Only events of the streams with these names.
    pub streams: Option<BTreeSet<String>>,
    /// Only events of streams whose names begin so.
    pub stream_prefix: Option<String>,
    /// Only events of this time and later.
    pub start: Option<Timestamp>,
    /// Only events before this time.
    pub end: Option<Timestamp>,
    /// Where to begin; else at that end which the direction leads away from.
    pub from: Option<Cursor>,
    /// Where to go.
    pub direction: Direction,
    /// The most events that are passed.
    pub limit_events: u64,
    /// The most bytes of messages that are passed; the event that reaches it is the last.
    pub limit_bytes: u64,
}

impl Default for Scan {
    fn default() -> Self {
        Self {
            streams: None,
            stream_prefix: None,
            start: None,
            end: None,
            from: None,
            direction: Direction::Forward,
            limit_events: u64::MAX,
            limit_bytes: u64::MAX,
        }
    }
}

/// How far a scan came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scanned {
    /// How many events were passed.
    pub events: u64,
    /// The bytes of their messages.
    pub message_bytes: u64,
    /// Where to go on; none if everything has been passed.
    pub next: Option<Cursor>,
}
