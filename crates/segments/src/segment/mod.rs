//! Sealed files: immutable, compressed, sorted by stream, then time.
//!
//! A sealed file is blocks of about [`writer::BLOCK_BYTES`], an index and a footer. Each block names its streams itself,
//! so that an index that is damaged can be made again from the blocks.

pub(crate) mod index;
pub(crate) mod writer;

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use self::index::{BlockMeta, FOOTER_LENGTH, Footer, Index};
use self::writer::Indexer;
use crate::block::Block;
use crate::cache::Caches;
use crate::files::StoredFile;
use crate::frame::{Found, Frames, Header, Kind};
use crate::report::Reports;
use crate::summary::Summary;
use crate::{BATCH_BYTES_MAX, Damage, GroupKey};

/// No block is longer before compression: one event of the largest batch, and what is known of it.
const RAW_BYTES_MAX: usize = 2 * BATCH_BYTES_MAX;

thread_local! {
    /// A context takes 100 KiB and longer to make than to use.
    static DECOMPRESSOR: RefCell<zstd::bulk::Decompressor<'static>> = RefCell::new(zstd::bulk::Decompressor::default());
}

/// What a sealed file is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name {
    /// The number of the first active file that went into it.
    pub(crate) first: u64,
    /// The number of the last.
    pub(crate) last: u64,
    /// How often its events have been compacted: no two files have one name, so nobody can take one for the other.
    pub(crate) generation: u64,
}

impl Name {
    /// The name that a file has.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let mut numbers = name.strip_suffix(".seg")?.split('-').map(|digits| {
            let is_ours = digits.len() == 16 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            is_ours.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
        });
        let (first, last, generation) = (numbers.next()??, numbers.next()??, numbers.next()??);
        (numbers.next().is_none() && first <= last).then_some(Self { first, last, generation })
    }

    /// Whether this one's file has taken the place of the other's.
    pub(crate) fn supersedes(&self, other: &Self) -> bool {
        self.first <= other.first && self.last >= other.last && self.generation > other.generation
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{:016x}-{:016x}.seg", self.first, self.last, self.generation)
    }
}

/// A sealed file.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) file: Arc<StoredFile>,
    pub(crate) name: Name,
    pub(crate) size: u64,
    pub(crate) totals: Summary,
    /// What was deleted or expired before this number has been left out.
    pub(crate) clean_before: u64,
    /// How long the index is; 0 if it is damaged.
    pub(crate) index_bytes: u64,
    /// The index, where the stored one is damaged.
    rebuilt: OnceLock<Arc<Index>>,
    is_damaged: AtomicBool,
}

impl Segment {
    /// One whose footer is known.
    pub(crate) fn new(file: Arc<StoredFile>, name: Name, size: u64, footer: &Footer) -> Self {
        Self {
            file,
            name,
            size,
            totals: footer.totals,
            clean_before: footer.clean_before,
            index_bytes: footer.index_length,
            rebuilt: OnceLock::new(),
            is_damaged: AtomicBool::new(false),
        }
    }

    /// One that is there.
    pub(crate) fn open(
        file: Arc<StoredFile>,
        name: Name,
        size: u64,
        reports: &Reports,
        group: &GroupKey,
    ) -> io::Result<Self> {
        let at = size.saturating_sub(FOOTER_LENGTH as u64);
        let bytes = file.read(at, FOOTER_LENGTH)?;
        if let Some(footer) = Footer::parse(&bytes) {
            return Ok(Self::new(file, name, size, &footer));
        }
        reports.add(group, &file, at, bytes.len() as u64, Damage::Index);
        let footer = Footer { index_offset: 0, index_length: 0, totals: Summary::EMPTY, clean_before: 0 };
        let mut segment = Self::new(file, name, size, &footer);
        let (index, totals) = segment.rebuild(reports, group)?;
        segment.totals = totals;
        segment.rebuilt = OnceLock::from(Arc::new(index));
        segment.is_damaged.store(true, Ordering::Release);
        Ok(segment)
    }

    /// Whether damage has been found in it.
    pub(crate) fn is_damaged(&self) -> bool {
        self.is_damaged.load(Ordering::Acquire)
    }

    pub(crate) fn index(&self, caches: &Caches, reports: &Reports, group: &GroupKey) -> io::Result<Arc<Index>> {
        if let Some(index) = self.rebuilt.get() {
            return Ok(Arc::clone(index));
        }
        if let Some(index) = caches.index(self.file.id()) {
            return Ok(index);
        }
        if let Some(index) = self.stored_index()? {
            let index = Arc::new(index);
            caches.keep_index(self.file.id(), &index);
            return Ok(index);
        }
        let footer = self.size.saturating_sub(FOOTER_LENGTH as u64);
        reports.add(group, &self.file, footer, FOOTER_LENGTH as u64, Damage::Index);
        self.is_damaged.store(true, Ordering::Release);
        let index = Arc::new(self.rebuild(reports, group)?.0);
        Ok(Arc::clone(self.rebuilt.get_or_init(|| index)))
    }

    fn stored_index(&self) -> io::Result<Option<Index>> {
        let at = self.size.saturating_sub(FOOTER_LENGTH as u64);
        let Some(footer) = Footer::parse(&self.file.read(at, FOOTER_LENGTH)?) else { return Ok(None) };
        if footer.index_offset.checked_add(footer.index_length) != Some(at) {
            return Ok(None);
        }
        let bytes = self.file.read(footer.index_offset, usize::try_from(footer.index_length).unwrap_or(0))?;
        let payload = Header::parse(Kind::Index, &bytes).and_then(|header| header.payload_in(&bytes));
        Ok(payload.and_then(Index::decode))
    }

    /// Makes the index again from the blocks that are whole.
    fn rebuild(&self, reports: &Reports, group: &GroupKey) -> io::Result<(Index, Summary)> {
        let bytes = self.file.read(0, usize::try_from(self.size).unwrap_or(usize::MAX))?;
        let mut indexer = Indexer::default();
        let mut frames = Frames::new(Kind::Block, &bytes, 0).peekable();
        while let Some(found) = frames.next() {
            match found {
                Found::Frame { offset, header, payload } => match decompress(&header, payload) {
                    Some(block) => indexer.add(offset as u64, header.frame_length(), &block),
                    None => reports.add(group, &self.file, offset as u64, header.frame_length() as u64, Damage::Block),
                },
                // The last of it are index and footer, of which we know.
                Found::Damaged { .. } if frames.peek().is_none() => {}
                Found::Damaged { offset, length } => {
                    reports.add(group, &self.file, offset as u64, length as u64, Damage::Block);
                }
            }
        }
        Ok(indexer.finish())
    }

    /// Reads a block, its events in the order of the file: by stream, then id. None if it is damaged, which is reported.
    pub(crate) fn block(&self, meta: &BlockMeta, reports: &Reports, group: &GroupKey) -> io::Result<Option<Block>> {
        let bytes = self.file.read_what_can_be(meta.offset, meta.length as usize)?;
        let whole =
            Header::parse(Kind::Block, &bytes).and_then(|header| decompress(&header, header.payload_in(&bytes)?));
        if whole.is_none() {
            self.is_damaged.store(true, Ordering::Release);
            reports.add(group, &self.file, meta.offset, u64::from(meta.length), Damage::Block);
        }
        Ok(whole)
    }
}

/// The block that a payload is.
fn decompress(header: &Header, payload: &[u8]) -> Option<Block> {
    let raw_bytes = header.count as usize;
    if raw_bytes > RAW_BYTES_MAX {
        return None;
    }
    let raw = DECOMPRESSOR.with_borrow_mut(|it| it.decompress(payload, raw_bytes)).ok()?;
    let mut block = Block::default();
    block.add(&raw, header.sequence)?;
    Some(block)
}
