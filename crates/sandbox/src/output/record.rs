//! The head of a record, and the walk from one to the next.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::Stream;

/// How long a head is, in bytes.
pub(super) const HEAD_BYTES: usize = 16;
/// The longest record without its head, in bytes; a writer makes none that is longer.
pub(super) const RECORD_BYTES_MAX: usize = 64 * 1024;

const OUTPUT_MARK: u8 = 0xA1;
const ERRORS_MARK: u8 = 0xA2;

/// What is said of a record's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) stream: Stream,
    pub(super) length: u32,
    pub(super) at_ns: u64,
}

impl Head {
    pub(super) fn to_bytes(self) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[0] = match self.stream {
            Stream::Output => OUTPUT_MARK,
            Stream::Errors => ERRORS_MARK,
        };
        bytes[4..8].copy_from_slice(&self.length.to_le_bytes());
        bytes[8..].copy_from_slice(&self.at_ns.to_le_bytes());
        bytes
    }

    /// None if these bytes are no head: what a loss of power left.
    pub(super) fn from_bytes(bytes: &[u8; HEAD_BYTES]) -> Option<Self> {
        let [mark, zero @ .., a, b, c, d, e, f, g, h, i, j, k, l] = *bytes;
        let stream = match mark {
            OUTPUT_MARK => Stream::Output,
            ERRORS_MARK => Stream::Errors,
            _ => return None,
        };
        let length = u32::from_le_bytes([a, b, c, d]);
        let fits = usize::try_from(length).is_ok_and(|length| (1..=RECORD_BYTES_MAX).contains(&length));
        let at_ns = u64::from_le_bytes([e, f, g, h, i, j, k, l]);
        (fits && zero == [0; 3]).then_some(Self { stream, length, at_ns })
    }
}

/// A place in a segment: where a record begins in the file, and at which position of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) position: u64,
}

impl Place {
    /// The place after a record.
    pub(super) fn after(self, head: Head) -> Self {
        let length = u64::from(head.length);
        Self { offset: self.offset + HEAD_BYTES as u64 + length, position: self.position + length }
    }
}

/// Walks from record to record. What was read ahead is kept: many records are short.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    file: &'a File,
    file_bytes: u64,
    buffer: Vec<u8>,
    buffer_offset: u64,
}

/// How much is read ahead, in bytes.
const AHEAD_BYTES: usize = 64 * 1024;

impl<'a> Walk<'a> {
    pub(super) fn over(file: &'a File) -> io::Result<Self> {
        Ok(Self { file, file_bytes: file.metadata()?.len(), buffer: Vec::new(), buffer_offset: 0 })
    }

    /// The record at this place, if all of it was there when the walk began.
    pub(super) fn head(&mut self, place: Place) -> io::Result<Option<Head>> {
        let Some(bytes) = self.bytes(place.offset, HEAD_BYTES)? else {
            return Ok(None);
        };
        let Some(head) = bytes.try_into().ok().and_then(Head::from_bytes) else {
            return Ok(None);
        };
        Ok((place.after(head).offset <= self.file_bytes).then_some(head))
    }

    /// The bytes from `skip` on, at most `most`, of the record at this place.
    pub(super) fn data(&mut self, place: Place, head: Head, skip: usize, most: usize) -> io::Result<&[u8]> {
        let length = (head.length as usize - skip).min(most);
        let offset = place.offset + (HEAD_BYTES + skip) as u64;
        self.bytes(offset, length)?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn bytes(&mut self, offset: u64, length: usize) -> io::Result<Option<&[u8]>> {
        if offset + length as u64 > self.file_bytes {
            return Ok(None);
        }
        let buffered = self.buffer_offset + self.buffer.len() as u64;
        if offset < self.buffer_offset || offset + length as u64 > buffered {
            let rest = usize::try_from(self.file_bytes - offset).unwrap_or(usize::MAX);
            self.buffer.resize(rest.min(AHEAD_BYTES.max(length)), 0);
            self.buffer_offset = offset;
            if let Err(error) = self.file.read_exact_at(&mut self.buffer, offset) {
                self.buffer.clear();
                // A shim that goes on with the output has cut off what the one before had not ended.
                return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(None) } else { Err(error) };
            }
        }
        let begin = usize::try_from(offset - self.buffer_offset).unwrap_or(usize::MAX);
        Ok(self.buffer.get(begin..begin + length))
    }
}
