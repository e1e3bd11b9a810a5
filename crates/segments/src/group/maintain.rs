//! What is done in the background: sealing, compacting, and holding the byte caps. One thread does it, so that files are
//! superseded in order.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Group;
use crate::Error;
use crate::block::{Block, Entry, Row};
use crate::log::Log;
use crate::marks::Hidden;
use crate::segment::index::Index;
use crate::segment::writer::Writer;
use crate::segment::{Name, Segment};
use crate::shared::Shared;

/// Sealed files are compacted into files of at most this many bytes of messages.
const COMPACTED_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// So many small files are compacted even if they are small together, too.
const COMPACTED_FILES: usize = 8;
/// How much a byte of an index counts: in memory it takes five, and is needed twice.
const INDEX_WEIGHT: u64 = 10;
/// A compacted file is one of that many, at least, that a group may have under its cap: the cap drops whole files.
const FILES_UNDER_CAP: u64 = 8;

impl Group {
    /// Seals what is frozen now, compacts, and holds the caps meanwhile. After an error it is to be tried again.
    pub(crate) fn maintain(self: &Arc<Self>, shared: &Shared) -> Result<(), Error> {
        let frozen = self.with(shared, |open| Ok(open.frozen.len()))?;
        for _ in 0..frozen {
            // What is written in the meantime is the next maintenance's, so that other groups have their turn.
            if shared.work.is_ending() {
                return Ok(());
            }
            self.hold_caps(shared)?;
            self.seal_oldest(shared)?;
        }
        self.hold_caps(shared)?;
        while !shared.work.is_ending() && self.compact(shared)? {
            self.hold_caps(shared)?;
        }
        self.with(shared, |open| {
            let clean_before = open.clean_before();
            open.marks.prune(&shared.root, &self.key, clean_before)
        })
    }

    /// Freezes the active file, so that the next maintenance seals it.
    pub(crate) fn freeze(self: &Arc<Self>, shared: &Shared) -> Result<(), Error> {
        self.with(shared, |open| {
            open.freeze();
            Ok(())
        })
    }

    /// How much memory its active file takes.
    pub(crate) fn active_memory_bytes(&self) -> usize {
        match &*crate::lock(&self.state) {
            super::State::Open(open) => open.active.as_ref().map_or(0, Log::memory_bytes),
            super::State::Closed { .. } | super::State::Deleted => 0,
        }
    }

    /// Seals the oldest frozen file, if there is one.
    fn seal_oldest(self: &Arc<Self>, shared: &Shared) -> Result<(), Error> {
        let oldest =
            |open: &mut super::Open| Ok(open.frozen.first().cloned().map(|log| (log, open.marks.hidden().clone())));
        let Some((log, hidden)) = self.with(shared, oldest)? else { return Ok(()) };
        let name = Name { first: log.number, last: log.number, generation: 0 };
        let mut writer = Writer::create(&shared.root, &self.key, name, hidden.last_boundary())?;
        self.write_sorted(shared, &log, &hidden, &mut writer)?;
        let sealed = writer.finish()?;
        let is_published = self.with(shared, |open| {
            // It may have expired meanwhile.
            if !open.frozen.first().is_some_and(|first| Arc::ptr_eq(first, &log)) {
                return Ok(false);
            }
            if let Some(sealed) = sealed {
                open.segments.push(Arc::new(sealed.publish()?));
            }
            open.frozen.remove(0);
            open.unsynced.retain(|file| file.id() != log.file.id());
            Ok(true)
        })?;
        if is_published {
            shared.root.sync_folders(self.key.as_str())?;
            log.file.doom();
        }
        Ok(())
    }

    /// Writes the events of an active file in the order of sealed files.
    fn write_sorted(&self, shared: &Shared, log: &Log, hidden: &Hidden, writer: &mut Writer) -> Result<(), Error> {
        let read = |chunk: &Arc<crate::log::Chunk>| chunk.read(&log.file, &shared.reports, &self.key);
        let blocks: Result<Vec<Block>, _> = log.all_chunks().iter().map(read).collect();
        let blocks = blocks.map_err(Error::io("reading an active file of events"))?;
        let mut ranks: BTreeMap<&Arc<str>, u32> = BTreeMap::new();
        ranks.extend(blocks.iter().flat_map(Block::streams).map(|name| (name, 0)));
        (0..).zip(ranks.values_mut()).for_each(|(number, rank)| *rank = number);
        let mut events: Vec<(u32, &Entry, &Block)> = Vec::new();
        for block in &blocks {
            let ranked: Vec<u32> = block.streams().iter().map(|name| ranks[name]).collect();
            events.extend(block.entries().iter().map(|entry| (ranked[entry.stream as usize], entry, block)));
        }
        events.sort_unstable_by_key(|(rank, entry, _)| (*rank, entry.id()));
        for (_, entry, block) in events {
            push(writer, hidden, block, entry)?;
        }
        Ok(())
    }

    /// Compacts some files. Answers whether there was something to do.
    fn compact(self: &Arc<Self>, shared: &Shared) -> Result<bool, Error> {
        let (segments, hidden) = self.with(shared, |open| Ok((open.segments.clone(), open.marks.hidden().clone())))?;
        let mut facts = Vec::with_capacity(segments.len());
        for segment in &segments {
            facts.push(self.facts(shared, segment, &hidden)?);
        }
        let bytes_max = COMPACTED_BYTES_MAX.min(shared.group_bytes_max / FILES_UNDER_CAP);
        let Some(range) = plan(&facts, bytes_max) else { return Ok(false) };
        let inputs = &segments[range];
        let (Some(first), Some(last)) = (inputs.first(), inputs.last()) else { return Ok(false) };
        let generation = inputs.iter().map(|input| input.name.generation + 1).max().unwrap_or(0);
        let name = Name { first: first.name.first, last: last.name.last, generation };
        let mut writer = Writer::create(&shared.root, &self.key, name, hidden.last_boundary())?;
        if !self.write_merged(shared, inputs, &hidden, &mut writer)? {
            // A damaged file is left as it is: the next plan leaves it out.
            return Ok(true);
        }
        let compacted = writer.finish()?;
        let is_published = self.with(shared, |open| {
            let at = open.segments.iter().position(|segment| Arc::ptr_eq(segment, first));
            let Some(range) = at.map(|at| at..at + inputs.len()) else { return Ok(false) };
            let is_unchanged = open
                .segments
                .get(range.clone())
                .is_some_and(|now| now.iter().zip(inputs).all(|(now, input)| Arc::ptr_eq(now, input)));
            // Some may have expired meanwhile.
            if is_unchanged {
                let compacted = compacted.map(|compacted| compacted.publish()).transpose()?;
                open.segments.splice(range, compacted.map(Arc::new));
            }
            Ok(is_unchanged)
        })?;
        if is_published {
            shared.root.sync_folders(self.key.as_str())?;
            inputs.iter().for_each(|input| input.file.doom());
        }
        Ok(true)
    }

    fn facts(&self, shared: &Shared, segment: &Segment, hidden: &Hidden) -> Result<Facts, Error> {
        let totals = &segment.totals;
        // Where streams are very many, compacting is limited by what must be known of them.
        let bytes = totals.message_bytes + totals.events + INDEX_WEIGHT * segment.index_bytes;
        let mut facts = Facts { bytes, dead_bytes: 0, is_damaged: segment.is_damaged() };
        if hidden.last_boundary() <= segment.clean_before {
            return Ok(facts);
        }
        if hidden.has_streams() {
            let index = segment.index(&shared.caches, &shared.reports, &self.key);
            let index: Arc<Index> = index.map_err(Error::io("reading the index of a sealed file of events"))?;
            let is_dead = |name: &str, last: u64| last < hidden.boundary(name);
            let dead = index.streams.iter().filter(|stream| is_dead(&stream.name, stream.summary.last_sequence));
            facts.dead_bytes = dead.map(|stream| stream.summary.message_bytes + stream.summary.events).sum();
        }
        if let Some(expired) = hidden.expired_before() {
            // As if the events were spread evenly over the time.
            let span = totals.last_timestamp.saturating_sub(totals.first_timestamp).max(1);
            let over = expired.saturating_sub(totals.first_timestamp).clamp(0, span);
            facts.dead_bytes += (facts.bytes as f64 * over as f64 / span as f64) as u64;
        }
        Ok(facts)
    }

    /// Writes the events of sealed files in their order. Answers false if one is damaged.
    fn write_merged(
        &self,
        shared: &Shared,
        inputs: &[Arc<Segment>],
        hidden: &Hidden,
        writer: &mut Writer,
    ) -> Result<bool, Error> {
        let doing = "reading a sealed file of events";
        let mut readers = Vec::with_capacity(inputs.len());
        for segment in inputs {
            let index = segment.index(&shared.caches, &shared.reports, &self.key).map_err(Error::io(doing))?;
            readers.push(Reader { segment, index, next_block: 0, block: Block::default(), at: 0 });
        }
        let mut heap = BinaryHeap::new();
        for (number, reader) in readers.iter_mut().enumerate() {
            reader.load(shared, self).map_err(Error::io(doing))?;
            heap.extend(reader.key().map(|key| Reverse((key, number))));
        }
        while let Some(Reverse((_, number))) = heap.pop() {
            let reader = &mut readers[number];
            // Mostly a stream's next events are in the same file.
            while let Some(key) = reader.key() {
                if heap.peek().is_some_and(|Reverse((other, _))| *other < key) {
                    heap.push(Reverse((key, number)));
                    break;
                }
                push(writer, hidden, &reader.block, &reader.block.entries()[reader.at])?;
                reader.at += 1;
                reader.load(shared, self).map_err(Error::io(doing))?;
            }
        }
        Ok(!inputs.iter().any(|segment| segment.is_damaged()))
    }

    /// Drops the oldest events as long as the group, or all groups together, have more bytes than they may.
    fn hold_caps(self: &Arc<Self>, shared: &Shared) -> Result<(), Error> {
        while self.bytes() > shared.group_bytes_max && self.drop_oldest(shared)? {}
        shared.hold_total_cap()
    }

    /// Drops the oldest file. Answers whether there was one.
    pub(crate) fn drop_oldest(self: &Arc<Self>, shared: &Shared) -> Result<bool, Error> {
        self.with(shared, |open| {
            let (file, events) = if !open.segments.is_empty() {
                let segment = open.segments.remove(0);
                (Arc::clone(&segment.file), segment.totals.events)
            } else {
                open.freeze();
                if open.frozen.is_empty() {
                    return Ok(false);
                }
                let log = open.frozen.remove(0);
                (Arc::clone(&log.file), log.totals.events)
            };
            file.doom();
            self.capped.fetch_add(events, Ordering::Relaxed);
            tracing::warn!(group = %self.key, events, "the oldest events are dropped: a byte cap is reached");
            Ok(true)
        })
    }
}

/// Adds an event, unless it is deleted or expired.
fn push(writer: &mut Writer, hidden: &Hidden, block: &Block, entry: &Entry) -> Result<(), Error> {
    let stream = block.stream_of(entry);
    if entry.sequence < hidden.boundary(stream) || hidden.is_expired(entry.timestamp, entry.sequence) {
        return Ok(());
    }
    let (timestamp, sequence, ingestion) = (entry.timestamp, entry.sequence, entry.ingestion);
    writer.push(stream, &Row { timestamp, sequence, ingestion, message: block.message_of(entry) })
}

/// Reads a sealed file from its beginning to its end.
struct Reader<'a> {
    segment: &'a Arc<Segment>,
    index: Arc<Index>,
    next_block: usize,
    block: Block,
    at: usize,
}

impl Reader<'_> {
    /// Reads the next block once the last is done.
    fn load(&mut self, shared: &Shared, group: &Group) -> std::io::Result<()> {
        while self.at == self.block.entries().len() {
            let Some(meta) = self.index.blocks.get(self.next_block) else { return Ok(()) };
            self.block = self.segment.block(meta, &shared.reports, &group.key)?.unwrap_or_default();
            self.next_block += 1;
            self.at = 0;
        }
        Ok(())
    }

    fn key(&self) -> Option<(Arc<str>, crate::EventId)> {
        let entry = self.block.entries().get(self.at)?;
        Some((Arc::clone(self.block.stream_of(entry)), entry.id()))
    }
}

/// What a plan needs to know of a sealed file.
#[derive(Debug, Clone, Copy)]
struct Facts {
    bytes: u64,
    /// Of what is deleted or expired, about.
    dead_bytes: u64,
    is_damaged: bool,
}

/// Which files are to become one, if any.
fn plan(files: &[Facts], bytes_max: u64) -> Option<Range<usize>> {
    let is_half_dead = |file: &Facts| !file.is_damaged && file.dead_bytes > 0 && file.dead_bytes * 2 >= file.bytes;
    if let Some(at) = files.iter().position(is_half_dead) {
        return Some(at..at + 1);
    }
    let is_small = |file: &&Facts| !file.is_damaged && file.bytes < bytes_max / 2;
    (0..files.len()).find_map(|start| {
        let mut bytes = 0;
        let fits = |file: &&Facts| {
            bytes += file.bytes;
            bytes <= bytes_max
        };
        let count = files[start..].iter().take_while(is_small).take_while(fits).count();
        let sum: u64 = files[start..start + count].iter().map(|file| file.bytes).sum();
        let is_worth_it = count >= COMPACTED_FILES || (count > 1 && sum >= bytes_max / 2);
        is_worth_it.then(|| start..start + count)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(bytes: &[u64]) -> Vec<Facts> {
        bytes.iter().map(|bytes| Facts { bytes: *bytes, dead_bytes: 0, is_damaged: false }).collect()
    }

    #[test]
    fn small_neighbours_become_one() {
        assert_eq!(plan(&files(&[100, 20, 20, 20, 90]), 100), Some(1..4));
        assert_eq!(plan(&files(&[1; 8]), 100), Some(0..8));
    }

    #[test]
    fn what_is_large_or_too_little_stays() {
        assert_eq!(plan(&files(&[60, 60, 60]), 100), None);
        assert_eq!(plan(&files(&[1; 7]), 100), None);
        assert_eq!(plan(&[], 100), None);
    }

    #[test]
    fn a_damaged_file_is_left_alone() {
        let mut some = files(&[1; 9]);
        some[4].is_damaged = true;
        some[4].dead_bytes = 1;
        assert_eq!(plan(&some, 100), None);
    }

    #[test]
    fn a_file_that_is_half_dead_is_written_anew() {
        let mut some = files(&[100, 100]);
        some[1].dead_bytes = 50;
        assert_eq!(plan(&some, 100), Some(1..2));
    }
}
