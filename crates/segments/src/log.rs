//! The active file of a group: batches in the order in which they arrived, and where which are.
//!
//! Batches that lie side by side are one chunk of about [`CHUNK_BYTES`]; what is known of a chunk is all that stays in
//! memory. A file that is full is frozen: it only waits to be sealed.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use crate::block::{Block, Row};
use crate::files::StoredFile;
use crate::frame::{Found, Frames, Header, Kind};
use crate::marks::Hidden;
use crate::report::Reports;
use crate::select::Selection;
use crate::summary::Summary;
use crate::{Damage, GroupKey};

/// A chunk is not made longer than this, unless by one batch.
const CHUNK_BYTES: u32 = 64 * 1024;

/// An active file, or a frozen one.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    pub(crate) file: Arc<StoredFile>,
    pub(crate) number: u64,
    /// Up to where it holds whole batches.
    pub(crate) length: u64,
    pub(crate) totals: Summary,
    chunks: Vec<Arc<Chunk>>,
    streams: Vec<Summary>,
    names: HashMap<Arc<str>, u32>,
    /// How much memory all of this takes, about.
    memory_bytes: usize,
}

/// Batches that lie side by side.
#[derive(Debug, Clone)]
pub(crate) struct Chunk {
    pub(crate) offset: u64,
    pub(crate) length: u32,
    pub(crate) first_timestamp: i64,
    pub(crate) last_timestamp: i64,
    /// The streams that it has events of, by their number in the file; in order.
    streams: Vec<u32>,
}

/// What is known of a batch.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) stream: Arc<str>,
    pub(crate) summary: Summary,
    /// The whole frame's.
    pub(crate) length: u32,
}

impl Log {
    pub(crate) fn new(file: Arc<StoredFile>, number: u64) -> Self {
        Self {
            file,
            number,
            length: 0,
            totals: Summary::EMPTY,
            chunks: Vec::new(),
            streams: Vec::new(),
            names: HashMap::new(),
            memory_bytes: size_of::<Self>(),
        }
    }

    /// Takes note of a batch that was written at the end.
    pub(crate) fn record(&mut self, batch: &Batch) {
        let (offset, summary) = (self.length, &batch.summary);
        self.length += u64::from(batch.length);
        self.totals.add(summary);
        let stream = self.stream(&batch.stream);
        self.streams[stream as usize].add(summary);
        let fits = |chunk: &Arc<Chunk>| {
            chunk.offset + u64::from(chunk.length) == offset && chunk.length.saturating_add(batch.length) <= CHUNK_BYTES
        };
        if !self.chunks.last().is_some_and(fits) {
            self.memory_bytes += size_of::<Chunk>() + 32;
            self.chunks.push(Arc::new(Chunk {
                offset,
                length: 0,
                first_timestamp: i64::MAX,
                last_timestamp: i64::MIN,
                streams: Vec::new(),
            }));
        }
        let Some(chunk) = self.chunks.last_mut().map(Arc::make_mut) else { return };
        chunk.length += batch.length;
        chunk.first_timestamp = chunk.first_timestamp.min(summary.first_timestamp);
        chunk.last_timestamp = chunk.last_timestamp.max(summary.last_timestamp);
        if let Err(place) = chunk.streams.binary_search(&stream) {
            chunk.streams.insert(place, stream);
            self.memory_bytes += 2 * size_of::<u32>();
        }
    }

    fn stream(&mut self, name: &Arc<str>) -> u32 {
        if let Some(&stream) = self.names.get(name) {
            return stream;
        }
        let stream = u32::try_from(self.streams.len()).unwrap_or(u32::MAX);
        self.memory_bytes += name.len() + 64 + size_of::<Summary>();
        self.streams.push(Summary::EMPTY);
        self.names.insert(Arc::clone(name), stream);
        stream
    }

    /// Reads a file back after a restart. What a crash left half-written at its end is not part of it: then `length` is
    /// less than the file's.
    pub(crate) fn recover(
        file: Arc<StoredFile>,
        number: u64,
        size: u64,
        hidden: &Hidden,
        reports: &Reports,
        group: &GroupKey,
    ) -> io::Result<Self> {
        let bytes = file.read(0, usize::try_from(size).unwrap_or(usize::MAX))?;
        let mut log = Self::new(file, number);
        for found in Frames::new(Kind::Batch, &bytes, 0) {
            match found {
                Found::Frame { offset, header, payload } => {
                    log.length = offset as u64;
                    match batch_in(&header, payload) {
                        Some(batch) => {
                            log.record(&batch);
                            if batch.summary.last_sequence < hidden.boundary(&batch.stream) {
                                log.forget(&batch.stream);
                            }
                        }
                        None => {
                            log.length += header.frame_length() as u64;
                            reports.add(group, &log.file, offset as u64, header.frame_length() as u64, Damage::Batch);
                        }
                    }
                }
                Found::Damaged { offset, length } => {
                    let is_torn = offset + length == bytes.len()
                        && Header::parse(Kind::Batch, &bytes[offset..])
                            .is_none_or(|header| header.frame_length() > length);
                    let damage = if is_torn { Damage::TornTail } else { Damage::Batch };
                    reports.add(group, &log.file, offset as u64, length as u64, damage);
                    log.length = if is_torn { offset } else { offset + length } as u64;
                }
            }
        }
        Ok(log)
    }

    /// The chunks that may have selected events.
    pub(crate) fn chunks(&self, selection: &Selection<'_>) -> impl Iterator<Item = &Arc<Chunk>> {
        let (first, last) = (selection.first_timestamp(), selection.last_timestamp());
        let mut wanted = vec![false; self.streams.len()];
        match selection.only() {
            Some(name) => self.names.get(name).into_iter().for_each(|stream| wanted[*stream as usize] = true),
            None => self.names.iter().for_each(|(name, stream)| wanted[*stream as usize] = selection.has_stream(name)),
        }
        self.chunks.iter().filter(move |chunk| {
            let is_in_time = chunk.first_timestamp <= last && chunk.last_timestamp >= first;
            is_in_time && chunk.streams.iter().any(|stream| wanted[*stream as usize])
        })
    }

    /// All chunks, in the order of the file.
    pub(crate) fn all_chunks(&self) -> &[Arc<Chunk>] {
        &self.chunks
    }

    /// What it has of a stream.
    pub(crate) fn summary_of(&self, stream: &str) -> Option<&Summary> {
        self.names.get(stream).map(|stream| &self.streams[*stream as usize])
    }

    /// Forgets what it knows of a stream that is deleted, so that its successor of the same name begins anew.
    pub(crate) fn forget(&mut self, stream: &str) {
        if let Some(&stream) = self.names.get(stream) {
            self.streams[stream as usize] = Summary::EMPTY;
        }
    }

    /// How much memory it takes, about.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }
}

impl Chunk {
    /// Reads the events, in the order of their ids.
    pub(crate) fn read(&self, file: &StoredFile, reports: &Reports, group: &GroupKey) -> io::Result<Block> {
        let bytes = file.read_what_can_be(self.offset, self.length as usize)?;
        let mut block = Block::default();
        let report = |offset: usize, length: usize| {
            reports.add(group, file, self.offset + offset as u64, length as u64, Damage::Batch);
        };
        for found in Frames::new(Kind::Batch, &bytes, 0) {
            match found {
                Found::Frame { offset, header, payload } => {
                    if block.add(payload, header.sequence).is_none() {
                        report(offset, header.frame_length());
                    }
                }
                Found::Damaged { offset, length } => report(offset, length),
            }
        }
        if bytes.len() < self.length as usize {
            report(bytes.len(), self.length as usize - bytes.len());
        }
        Ok(block.sorted())
    }
}

/// What a batch that was read back is.
fn batch_in(header: &Header, payload: &[u8]) -> Option<Batch> {
    let mut block = Block::default();
    block.add(payload, header.sequence)?;
    let mut summary = Summary::EMPTY;
    for entry in block.entries() {
        let (message, sequence) = (block.message_of(entry), entry.sequence);
        summary.add(&Summary::of(&Row { timestamp: entry.timestamp, sequence, ingestion: entry.ingestion, message }));
    }
    let stream = Arc::clone(block.streams().first()?);
    Some(Batch { stream, summary, length: u32::try_from(header.frame_length()).ok()? })
}
