//! The index of a sealed file: where its blocks are, and which streams are in which.

use std::ops::Range;
use std::sync::Arc;

use crate::summary::Summary;
use crate::varint::{self, Reader};

/// The length of a [`Footer`].
pub(crate) const FOOTER_LENGTH: usize = 96;
const MAGIC: [u8; 8] = *b"PVseg\0\0\x01";

/// What is known of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockMeta {
    /// Where its frame begins.
    pub(crate) offset: u64,
    /// The whole frame's.
    pub(crate) length: u32,
    pub(crate) first_timestamp: i64,
    pub(crate) last_timestamp: i64,
}

/// What is known of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamMeta {
    pub(crate) name: Arc<str>,
    /// The blocks that hold its events: they follow each other.
    pub(crate) blocks: Range<u32>,
    pub(crate) summary: Summary,
}

/// The index of a sealed file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) blocks: Vec<BlockMeta>,
    /// By name.
    pub(crate) streams: Vec<StreamMeta>,
}

impl Index {
    pub(crate) fn stream(&self, name: &str) -> Option<&StreamMeta> {
        self.streams.binary_search_by(|stream| (*stream.name).cmp(name)).ok().map(|at| &self.streams[at])
    }

    /// The numbers of the blocks that have events of wanted streams.
    pub(crate) fn blocks_of(&self, only: Option<&str>, wanted: &dyn Fn(&str) -> bool) -> Vec<u32> {
        if let Some(name) = only {
            return self.stream(name).map_or_else(Vec::new, |stream| stream.blocks.clone().collect());
        }
        let mut numbers: Vec<u32> = Vec::new();
        for stream in self.streams.iter().filter(|stream| wanted(&stream.name)) {
            let next = numbers.last().map_or(0, |last| last + 1);
            numbers.extend(stream.blocks.start.max(next)..stream.blocks.end);
        }
        numbers
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(24 * self.blocks.len() + 64 * self.streams.len() + 16);
        varint::put(&mut out, self.blocks.len() as u64);
        let mut end = 0;
        for block in &self.blocks {
            varint::put(&mut out, block.offset.wrapping_sub(end));
            varint::put(&mut out, u64::from(block.length));
            varint::put_signed(&mut out, block.first_timestamp);
            varint::put_signed(&mut out, block.last_timestamp.wrapping_sub(block.first_timestamp));
            end = block.offset + u64::from(block.length);
        }
        varint::put(&mut out, self.streams.len() as u64);
        for stream in &self.streams {
            varint::put_bytes(&mut out, stream.name.as_bytes());
            varint::put(&mut out, u64::from(stream.blocks.start));
            varint::put(&mut out, u64::from(stream.blocks.end - stream.blocks.start));
            stream.summary.put(&mut out);
        }
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let mut index = Self::default();
        let mut end = 0_u64;
        for _ in 0..reader.number()? {
            let offset = end.wrapping_add(reader.number()?);
            let length = u32::try_from(reader.number()?).ok()?;
            let first_timestamp = reader.signed()?;
            let last_timestamp = first_timestamp.wrapping_add(reader.signed()?);
            index.blocks.push(BlockMeta { offset, length, first_timestamp, last_timestamp });
            end = offset.checked_add(u64::from(length))?;
        }
        for _ in 0..reader.number()? {
            let name = reader.text()?.into();
            let start = u32::try_from(reader.number()?).ok()?;
            let blocks = start..start.checked_add(u32::try_from(reader.number()?).ok()?)?;
            if blocks.end as usize > index.blocks.len() {
                return None;
            }
            index.streams.push(StreamMeta { name, blocks, summary: Summary::read(&mut reader)? });
        }
        reader.rest().is_empty().then_some(index)
    }

    /// How much memory it takes, about.
    pub(crate) fn memory_bytes(&self) -> usize {
        let names: usize = self.streams.iter().map(|stream| stream.name.len() + 16).sum();
        self.blocks.len() * size_of::<BlockMeta>() + self.streams.len() * size_of::<StreamMeta>() + names + 64
    }
}

/// The last bytes of a sealed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Footer {
    pub(crate) index_offset: u64,
    /// The whole frame's.
    pub(crate) index_length: u64,
    pub(crate) totals: Summary,
    /// What was deleted or expired before this number has been left out.
    pub(crate) clean_before: u64,
}

impl Footer {
    pub(crate) fn to_bytes(self) -> [u8; FOOTER_LENGTH] {
        let totals = &self.totals;
        let numbers = [
            self.index_offset,
            self.index_length,
            totals.first_timestamp.cast_unsigned(),
            totals.last_timestamp.cast_unsigned(),
            totals.last_ingestion.cast_unsigned(),
            totals.first_sequence,
            totals.last_sequence,
            totals.events,
            totals.message_bytes,
            self.clean_before,
        ];
        let mut bytes = [0; FOOTER_LENGTH];
        bytes[..8].copy_from_slice(&MAGIC);
        for (place, number) in bytes[8..88].chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        let checksum = u64::from(crc32fast::hash(&bytes[..88]));
        bytes[88..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; FOOTER_LENGTH] = bytes.try_into().ok()?;
        let number = |at: usize| Some(u64::from_le_bytes(bytes.get(8 * at..8 * at + 8)?.try_into().ok()?));
        if bytes[..8] != MAGIC || number(11)? != u64::from(crc32fast::hash(&bytes[..88])) {
            return None;
        }
        let totals = Summary {
            first_timestamp: number(3)?.cast_signed(),
            last_timestamp: number(4)?.cast_signed(),
            last_ingestion: number(5)?.cast_signed(),
            first_sequence: number(6)?,
            last_sequence: number(7)?,
            events: number(8)?,
            message_bytes: number(9)?,
        };
        Some(Self { index_offset: number(1)?, index_length: number(2)?, totals, clean_before: number(10)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn an_index() -> Index {
        let summary = Summary {
            first_timestamp: -5,
            last_timestamp: i64::MAX,
            last_ingestion: 7,
            first_sequence: 3,
            last_sequence: u64::MAX,
            events: 2,
            message_bytes: 9,
        };
        let block = |offset| BlockMeta { offset, length: 10, first_timestamp: -5, last_timestamp: i64::MAX };
        let stream = |name: &str, blocks| StreamMeta { name: name.into(), blocks, summary };
        let streams = vec![stream("a", 0..1), stream("b", 0..3), stream("c", 2..3)];
        Index { blocks: vec![block(0), block(10), block(25)], streams }
    }

    #[test]
    fn index_and_footer_are_read_back() {
        let index = an_index();
        assert_eq!(Index::decode(&index.encode()), Some(index.clone()));
        let footer = Footer { index_offset: 1, index_length: 2, totals: index.streams[0].summary, clean_before: 8 };
        assert_eq!(Footer::parse(&footer.to_bytes()), Some(footer));
    }

    #[test]
    fn a_flipped_bit_of_a_footer_is_noticed() {
        let footer = Footer { index_offset: 1, index_length: 2, totals: Summary::EMPTY, clean_before: 0 }.to_bytes();
        for bit in 0..FOOTER_LENGTH * 8 {
            let mut damaged = footer;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Footer::parse(&damaged), None, "bit {bit}");
        }
    }

    #[test]
    fn each_block_with_a_wanted_stream_is_found_once() {
        let index = an_index();
        assert_eq!(index.blocks_of(None, &|_| true), [0, 1, 2]);
        assert_eq!(index.blocks_of(None, &|name| name != "b"), [0, 2]);
        assert_eq!(index.blocks_of(Some("c"), &|_| true), [2]);
        assert_eq!(index.blocks_of(Some("d"), &|_| true), [0; 0]);
    }
}
