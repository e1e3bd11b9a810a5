//! Events side by side: the content of a batch, and that of a block before it is compressed.
//!
//! First the names of the streams and how many events each has, then the events' times, sequence numbers, times of
//! arrival and lengths, each as a column of differences, then all messages. So a compressor sees like next to like, and
//! all text is one string that is checked once.

use std::collections::HashMap;
use std::sync::Arc;

use base::Timestamp;

use crate::event::{EventId, EventRef};
use crate::varint::{self, Reader};

/// An event that is to be encoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    pub(crate) timestamp: i64,
    pub(crate) sequence: u64,
    pub(crate) ingestion: i64,
    pub(crate) message: &'a str,
}

/// Encodes the events of streams, whose sequence numbers are written as differences to `base`.
pub(crate) fn encode(base: u64, streams: &[(&str, &[Row<'_>])]) -> Vec<u8> {
    let rows = || streams.iter().flat_map(|(_, rows)| rows.iter());
    let text: usize = rows().map(|row| row.message.len()).sum();
    let mut out = Vec::with_capacity(text + 8 * rows().count() + 64 * streams.len() + 16);
    varint::put(&mut out, streams.len() as u64);
    for (name, rows) in streams {
        varint::put_bytes(&mut out, name.as_bytes());
        varint::put(&mut out, rows.len() as u64);
    }
    put_column(&mut out, rows().map(|row| row.timestamp));
    put_column(&mut out, rows().map(|row| row.sequence.wrapping_sub(base).cast_signed()));
    put_column(&mut out, rows().map(|row| row.ingestion));
    rows().for_each(|row| varint::put(&mut out, row.message.len() as u64));
    rows().for_each(|row| out.extend_from_slice(row.message.as_bytes()));
    out
}

fn put_column(out: &mut Vec<u8>, numbers: impl Iterator<Item = i64>) {
    let mut previous = 0;
    for number in numbers {
        varint::put_signed(out, number.wrapping_sub(previous));
        previous = number;
    }
}

/// Where an event of a [`Block`] is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) timestamp: i64,
    pub(crate) sequence: u64,
    pub(crate) ingestion: i64,
    /// Which of the block's streams it belongs to.
    pub(crate) stream: u32,
    start: u32,
    end: u32,
}

impl Entry {
    pub(crate) fn id(&self) -> EventId {
        EventId::new(self.timestamp, self.sequence)
    }
}

/// Decoded events.
#[derive(Debug, Default)]
pub(crate) struct Block {
    streams: Vec<Arc<str>>,
    entries: Vec<Entry>,
    text: String,
    /// The streams by name, while batches are put together.
    names: HashMap<Arc<str>, u32>,
}

impl Block {
    /// Adds what [`encode`] made with this base; none, and nothing is added, if it made something else.
    pub(crate) fn add(&mut self, bytes: &[u8], base: u64) -> Option<()> {
        let (entries, text) = (self.entries.len(), self.text.len());
        let added = self.decode(bytes, base);
        if added.is_none() {
            self.entries.truncate(entries);
            self.text.truncate(text);
        }
        added
    }

    fn decode(&mut self, bytes: &[u8], base: u64) -> Option<()> {
        let mut reader = Reader::new(bytes);
        let mut events = 0_usize;
        let mut counts = Vec::new();
        let is_first = self.streams.is_empty();
        for _ in 0..reader.number()? {
            let name = reader.text()?;
            let count = usize::try_from(reader.number()?).ok()?;
            events = events.checked_add(count)?;
            // Each name is there once.
            let stream = if is_first { self.new_stream(name)? } else { self.stream(name)? };
            counts.push((stream, count));
        }
        // Each event has a byte in each of four columns: a wrong number cannot make us reserve much.
        if events > reader.rest().len() / 4 {
            return None;
        }
        let first = self.entries.len();
        self.entries.reserve(events);
        for (stream, count) in counts {
            let blank = Entry { timestamp: 0, sequence: 0, ingestion: 0, stream, start: 0, end: 0 };
            self.entries.resize(self.entries.len() + count, blank);
        }
        let entries = &mut self.entries[first..];
        read_column(&mut reader, entries, |entry, number| entry.timestamp = number)?;
        let sequence = |entry: &mut Entry, number: i64| entry.sequence = base.wrapping_add(number.cast_unsigned());
        read_column(&mut reader, entries, sequence)?;
        read_column(&mut reader, entries, |entry, number| entry.ingestion = number)?;
        let mut end = u32::try_from(self.text.len()).ok()?;
        for entry in entries {
            entry.start = end;
            end = end.checked_add(u32::try_from(reader.number()?).ok()?)?;
            entry.end = end;
        }
        let text = std::str::from_utf8(reader.rest()).ok()?;
        self.text.push_str(text);
        (self.text.len() == end as usize && self.messages_are_text(first)).then_some(())
    }

    /// The events in the order of their ids.
    pub(crate) fn sorted(mut self) -> Self {
        if !self.entries.is_sorted_by_key(Entry::id) {
            self.entries.sort_unstable_by_key(Entry::id);
        }
        self.names = HashMap::new();
        self
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(crate) fn streams(&self) -> &[Arc<str>] {
        &self.streams
    }

    pub(crate) fn stream_of(&self, entry: &Entry) -> &Arc<str> {
        &self.streams[entry.stream as usize]
    }

    pub(crate) fn message_of(&self, entry: &Entry) -> &str {
        &self.text[entry.start as usize..entry.end as usize]
    }

    pub(crate) fn event(&self, entry: &Entry) -> EventRef<'_> {
        EventRef {
            id: entry.id(),
            timestamp: Timestamp::from_millis(entry.timestamp),
            ingestion: Timestamp::from_millis(entry.ingestion),
            message: self.message_of(entry),
            stream: self.stream_of(entry),
        }
    }

    /// How much memory it takes, about.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.text.len() + self.entries.len() * size_of::<Entry>() + self.streams.len() * 64 + 128
    }

    fn new_stream(&mut self, name: &str) -> Option<u32> {
        self.streams.push(name.into());
        u32::try_from(self.streams.len() - 1).ok()
    }

    fn stream(&mut self, name: &str) -> Option<u32> {
        // The batches of a busy stream follow each other.
        if self.streams.last().is_some_and(|last| **last == *name) {
            return u32::try_from(self.streams.len() - 1).ok();
        }
        if self.names.len() < self.streams.len() {
            let missing = (0..).zip(&self.streams).skip(self.names.len());
            self.names.extend(missing.map(|(number, name)| (Arc::clone(name), number)));
        }
        match self.names.get(name) {
            Some(number) => Some(*number),
            None => self.new_stream(name),
        }
    }

    /// No message begins or ends within a character.
    fn messages_are_text(&self, first: usize) -> bool {
        self.entries[first..].iter().all(|entry| self.text.is_char_boundary(entry.end as usize))
    }
}

fn read_column(reader: &mut Reader<'_>, entries: &mut [Entry], mut put: impl FnMut(&mut Entry, i64)) -> Option<()> {
    let mut previous = 0_i64;
    for entry in entries {
        previous = previous.wrapping_add(reader.signed()?);
        put(entry, previous);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Owned = (i64, u64, i64, String);

    fn some_rows() -> impl Strategy<Value = Vec<Owned>> {
        proptest::collection::vec((any::<i64>(), any::<u64>(), any::<i64>(), ".{0,8}"), 0..20)
    }

    fn rows(owned: &[Owned]) -> Vec<Row<'_>> {
        let mut rows = Vec::new();
        for (timestamp, sequence, ingestion, message) in owned {
            rows.push(Row { timestamp: *timestamp, sequence: *sequence, ingestion: *ingestion, message });
        }
        rows
    }

    /// What is in a block, by stream.
    fn content(block: &Block) -> Vec<(String, Owned)> {
        let owned = |entry: &Entry| {
            let message = block.message_of(entry).to_owned();
            (block.stream_of(entry).to_string(), (entry.timestamp, entry.sequence, entry.ingestion, message))
        };
        block.entries().iter().map(owned).collect()
    }

    proptest! {
        #[test]
        fn every_event_is_read_back(base: u64, a in some_rows(), b in some_rows(), c in some_rows()) {
            let mut block = Block::default();
            prop_assert!(block.add(&encode(base, &[("a", &rows(&a)), ("b", &rows(&b))]), base).is_some());
            prop_assert!(block.add(&encode(0, &[("c", &rows(&c))]), 0).is_some());
            prop_assert!(block.add(&encode(base, &[("a", &rows(&c))]), base).is_some());
            let written = [("a", a), ("b", b), ("c", c.clone()), ("a", c)];
            let written = written.into_iter().flat_map(|(name, rows)| rows.into_iter().map(|row| (name.to_owned(), row)));
            prop_assert_eq!(content(&block), written.collect::<Vec<_>>());
            prop_assert!(block.streams().len() <= 3);
        }

        #[test]
        fn other_bytes_are_refused_without_panic_and_leave_nothing(bytes: Vec<u8>) {
            let mut block = Block::default();
            prop_assert!(block.add(&bytes, 0).is_some() || block.entries().is_empty());
        }

        #[test]
        fn a_flipped_byte_makes_no_panic(at: usize, to: u8) {
            let row = Row { timestamp: 5, sequence: 9, ingestion: 7, message: "grüß dich" };
            let mut bytes = encode(9, &[("stream", &[row, row])]);
            let at = at % bytes.len();
            bytes[at] = to;
            let mut block = Block::default();
            if block.add(&bytes, 9).is_some() {
                for entry in block.entries() {
                    let _ = block.event(entry);
                }
            }
        }
    }
}
