//! Frames: pieces of a file that say how long they are and prove that they are whole.
//!
//! A frame is a header of [`HEADER_LENGTH`] bytes, little-endian, and a payload:
//!
//! | bytes | what |
//! | --- | --- |
//! | 4 | the kind |
//! | 4 | the payload's length |
//! | 4 | the payload's CRC-32 |
//! | 8 | a sequence number: the first of a batch or block |
//! | 4 | a count: a batch's events, a block's bytes before compression |
//! | 4 | the CRC-32 of the header before it |
//!
//! Header and payload have checksums of their own so that a damaged payload can be stepped over, and so that the header
//! can be written once the payload's checksum is long known.

/// The length of a header.
pub(crate) const HEADER_LENGTH: usize = 28;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A batch of an active file.
    Batch,
    /// A compressed block of a sealed file.
    Block,
    /// The index of a sealed file.
    Index,
    /// A deletion or an expiry.
    Mark,
}

impl Kind {
    const fn magic(self) -> [u8; 4] {
        match self {
            Self::Batch => *b"PVb1",
            Self::Block => *b"PVz1",
            Self::Index => *b"PVi1",
            Self::Mark => *b"PVm1",
        }
    }
}

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    /// The payload's.
    pub(crate) length: u32,
    /// The payload's.
    pub(crate) checksum: u32,
    pub(crate) sequence: u64,
    pub(crate) count: u32,
}

impl Header {
    /// The header of a payload. None is longer than `u32` can say: batches and blocks are limited.
    pub(crate) fn of(kind: Kind, payload: &[u8], sequence: u64, count: u32) -> Self {
        let length = u32::try_from(payload.len()).expect("a batch, block or index is far below 4 GiB");
        Self { kind, length, checksum: crc32fast::hash(payload), sequence, count }
    }

    pub(crate) fn to_bytes(self) -> [u8; HEADER_LENGTH] {
        let mut bytes = [0; HEADER_LENGTH];
        bytes[..4].copy_from_slice(&self.kind.magic());
        bytes[4..8].copy_from_slice(&self.length.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.checksum.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.count.to_le_bytes());
        let checksum = crc32fast::hash(&bytes[..24]);
        bytes[24..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// The header at the beginning of these bytes, if one of this kind is there.
    pub(crate) fn parse(kind: Kind, bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..HEADER_LENGTH)?;
        let number = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let whole = bytes[..4] == kind.magic() && number(24)? == crc32fast::hash(&bytes[..24]);
        let sequence = u64::from_le_bytes(bytes.get(12..20)?.try_into().ok()?);
        let header = Self { kind, length: number(4)?, checksum: number(8)?, sequence, count: number(20)? };
        whole.then_some(header)
    }

    /// The length of the whole frame.
    pub(crate) fn frame_length(&self) -> usize {
        HEADER_LENGTH + self.length as usize
    }

    /// The payload of the frame that these bytes are, if it is whole.
    pub(crate) fn payload_in<'a>(&self, frame: &'a [u8]) -> Option<&'a [u8]> {
        let payload = frame.get(HEADER_LENGTH..self.frame_length())?;
        (crc32fast::hash(payload) == self.checksum).then_some(payload)
    }
}

/// A frame, or what is there instead.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    Frame {
        offset: usize,
        header: Header,
        payload: &'a [u8],
    },
    /// Bytes that are no frame, up to the next frame or the end.
    Damaged {
        offset: usize,
        length: usize,
    },
}

/// Walks over frames that follow each other, and over damage between them.
#[derive(Debug, Clone)]
pub(crate) struct Frames<'a> {
    kind: Kind,
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Frames<'a> {
    /// The frames of a kind in a file's bytes, from an offset on.
    pub(crate) fn new(kind: Kind, bytes: &'a [u8], offset: usize) -> Self {
        Self { kind, bytes, offset: offset.min(bytes.len()) }
    }

    /// The frame at an offset; `Err` with the length of what to step over when there is a whole header.
    fn at(&self, offset: usize) -> Result<(Header, &'a [u8]), Option<usize>> {
        let rest = &self.bytes[offset..];
        let header = Header::parse(self.kind, rest).ok_or(None)?;
        if rest.len() < header.frame_length() {
            return Err(None);
        }
        header.payload_in(rest).map(|payload| (header, payload)).ok_or(Some(header.frame_length()))
    }

    /// Where the next whole header is, from an offset on.
    fn next_header(&self, offset: usize) -> usize {
        let magic = self.kind.magic();
        let candidate = |at: &usize| {
            self.bytes[*at..].starts_with(&magic)
                && Header::parse(self.kind, &self.bytes[*at..])
                    .is_some_and(|header| self.bytes.len() - *at >= header.frame_length())
        };
        (offset..self.bytes.len()).find(candidate).unwrap_or(self.bytes.len())
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Found<'a>;

    fn next(&mut self) -> Option<Found<'a>> {
        if self.offset >= self.bytes.len() {
            return None;
        }
        let offset = self.offset;
        let found = match self.at(offset) {
            Ok((header, payload)) => {
                self.offset += header.frame_length();
                Found::Frame { offset, header, payload }
            }
            Err(step) => {
                self.offset = step.map_or_else(|| self.next_header(offset + 1), |length| offset + length);
                Found::Damaged { offset, length: self.offset - offset }
            }
        };
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_of(payloads: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (number, payload) in payloads.iter().enumerate() {
            bytes.extend(Header::of(Kind::Batch, payload, number as u64, 1).to_bytes());
            bytes.extend_from_slice(payload);
        }
        bytes
    }

    fn payloads(bytes: &[u8]) -> Vec<Vec<u8>> {
        let whole = |found| match found {
            Found::Frame { payload, .. } => Some(payload.to_vec()),
            Found::Damaged { .. } => None,
        };
        Frames::new(Kind::Batch, bytes, 0).filter_map(whole).collect()
    }

    #[test]
    fn frames_are_read_back() {
        let file = file_of(&[b"one", b"", b"three"]);
        assert_eq!(payloads(&file), [&b"one"[..], b"", b"three"]);
    }

    #[test]
    fn any_flipped_byte_costs_its_own_frame_only() {
        let file = file_of(&[b"one", b"two", b"three"]);
        let ends = [31, 62, 95];
        for at in 0..file.len() {
            let mut damaged = file.clone();
            damaged[at] ^= 0x10;
            let hit = ends.iter().position(|end| at < *end).unwrap();
            let mut expected = vec![b"one".to_vec(), b"two".to_vec(), b"three".to_vec()];
            expected.remove(hit);
            assert_eq!(payloads(&damaged), expected, "byte {at}");
            let damage = Frames::new(Kind::Batch, &damaged, 0).filter(|f| matches!(f, Found::Damaged { .. })).count();
            assert_eq!(damage, 1, "byte {at}");
        }
    }

    #[test]
    fn a_torn_end_is_damage_up_to_the_end() {
        let file = file_of(&[b"one", b"two"]);
        for length in 32..file.len() {
            let torn = &file[..length];
            assert_eq!(payloads(torn), [b"one"]);
            let last = Frames::new(Kind::Batch, torn, 0).last();
            assert_eq!(last, Some(Found::Damaged { offset: 31, length: length - 31 }));
        }
    }
}
