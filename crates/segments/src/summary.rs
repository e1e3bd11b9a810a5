//! What is known of a set of events without reading them.

use base::Timestamp;

use crate::StreamStats;
use crate::block::Row;
use crate::varint::{self, Reader};

/// The bounds and sums of some events: of a stream, of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) first_timestamp: i64,
    pub(crate) last_timestamp: i64,
    pub(crate) last_ingestion: i64,
    pub(crate) first_sequence: u64,
    pub(crate) last_sequence: u64,
    pub(crate) events: u64,
    pub(crate) message_bytes: u64,
}

impl Summary {
    /// Of no event: adding to it gives the other.
    pub(crate) const EMPTY: Self = Self {
        first_timestamp: i64::MAX,
        last_timestamp: i64::MIN,
        last_ingestion: i64::MIN,
        first_sequence: u64::MAX,
        last_sequence: 0,
        events: 0,
        message_bytes: 0,
    };

    pub(crate) fn of(row: &Row<'_>) -> Self {
        Self {
            first_timestamp: row.timestamp,
            last_timestamp: row.timestamp,
            last_ingestion: row.ingestion,
            first_sequence: row.sequence,
            last_sequence: row.sequence,
            events: 1,
            message_bytes: row.message.len() as u64,
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.first_timestamp = self.first_timestamp.min(other.first_timestamp);
        self.last_timestamp = self.last_timestamp.max(other.last_timestamp);
        self.last_ingestion = self.last_ingestion.max(other.last_ingestion);
        self.first_sequence = self.first_sequence.min(other.first_sequence);
        self.last_sequence = self.last_sequence.max(other.last_sequence);
        self.events += other.events;
        self.message_bytes += other.message_bytes;
    }

    pub(crate) fn stats(&self) -> Option<StreamStats> {
        (self.events > 0).then(|| StreamStats {
            first_event: Timestamp::from_millis(self.first_timestamp),
            last_event: Timestamp::from_millis(self.last_timestamp),
            last_ingestion: Timestamp::from_millis(self.last_ingestion),
            events: self.events,
            message_bytes: self.message_bytes,
        })
    }

    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        varint::put_signed(out, self.first_timestamp);
        varint::put_signed(out, self.last_timestamp.wrapping_sub(self.first_timestamp));
        varint::put_signed(out, self.last_ingestion.wrapping_sub(self.first_timestamp));
        varint::put(out, self.first_sequence);
        varint::put(out, self.last_sequence.wrapping_sub(self.first_sequence));
        varint::put(out, self.events);
        varint::put(out, self.message_bytes);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let first_timestamp = reader.signed()?;
        let last_timestamp = first_timestamp.wrapping_add(reader.signed()?);
        let last_ingestion = first_timestamp.wrapping_add(reader.signed()?);
        let first_sequence = reader.number()?;
        let last_sequence = first_sequence.wrapping_add(reader.number()?);
        let (events, message_bytes) = (reader.number()?, reader.number()?);
        Some(Self {
            first_timestamp,
            last_timestamp,
            last_ingestion,
            first_sequence,
            last_sequence,
            events,
            message_bytes,
        })
    }
}
