//! The content of a member.

use std::io::{self, Read};

use flate2::Crc;
use flate2::read::DeflateDecoder;

use super::{Member, ReadAt, Record, ZipError, read};

/// What a member itself begins with.
const HEADER: u32 = 0x0403_4b50;
const HEADER_BYTES: usize = 30;

/// The content of a member while it is read: as much as was announced, and what its checksum says, or an error.
pub(crate) struct Content<'a, A> {
    inner: Inner<'a, A>,
    crc: Crc,
    expected_crc: u32,
    left: u64,
}

enum Inner<'a, A> {
    Stored(Range<'a, A>),
    Deflated(Box<DeflateDecoder<Range<'a, A>>>),
}

impl<'a, A: ReadAt> Content<'a, A> {
    /// Opens it. `end` is where the directory begins, which no content reaches into.
    pub(crate) fn open(archive: &'a A, member: &Member, end: u64) -> Result<Self, ZipError> {
        let mut head = [0; HEADER_BYTES];
        read(archive, &mut head, member.header)?;
        let head = Record(&head);
        let [name_bytes, further_bytes] = [26, 28].map(|at| usize::from(head.u16(at)));
        let is_deflated = head.u16(8) != 0;
        if head.u32(0) != HEADER || is_deflated != member.is_deflated {
            return Err(ZipError::Damaged("a member is not where it should be"));
        }
        let mut name = vec![0; name_bytes];
        read(archive, &mut name, member.header + HEADER_BYTES as u64)?;
        if !is_same(&name, &member.path) {
            return Err(ZipError::Damaged("a member has two names"));
        }
        let at = member.header + (HEADER_BYTES + name_bytes + further_bytes) as u64;
        if at.checked_add(member.packed_size).is_none_or(|its_end| its_end > end) {
            return Err(ZipError::Damaged("a member reaches beyond the others"));
        }
        let range = Range { archive, at, left: member.packed_size };
        let inner = match is_deflated {
            true => Inner::Deflated(Box::new(DeflateDecoder::new(range))),
            false => Inner::Stored(range),
        };
        Ok(Self { inner, crc: Crc::new(), expected_crc: member.crc, left: member.size })
    }

    /// The next bytes; none at the end, once it is known that all were right.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ZipError> {
        let inflated = |error: io::Error| match error.kind() {
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                ZipError::Damaged("a member cannot be inflated")
            }
            io::ErrorKind::UnexpectedEof => ZipError::Damaged("a member ends too early"),
            _ => ZipError::Read(error),
        };
        let count = match &mut self.inner {
            Inner::Stored(range) => range.read(buffer),
            Inner::Deflated(decoder) => decoder.read(buffer),
        };
        let count = count.map_err(inflated)?;
        self.left = self.left.checked_sub(count as u64).ok_or(ZipError::Damaged("a member is longer than it says"))?;
        self.crc.update(&buffer[..count]);
        if count == 0 && !buffer.is_empty() {
            if self.left > 0 {
                return Err(ZipError::Damaged("a member is shorter than it says"));
            }
            if self.crc.sum() != self.expected_crc {
                return Err(ZipError::Checksum);
            }
        }
        Ok(count)
    }
}

/// Whether the name that a member itself has is that of the directory, which may have been read with other slashes.
fn is_same(own: &[u8], path: &[u8]) -> bool {
    let plain = |byte: &u8| if *byte == b'\\' { b'/' } else { *byte };
    own.len() == path.len() && own.iter().map(plain).eq(path.iter().map(plain))
}

/// Some of an archive's bytes.
struct Range<'a, A> {
    archive: &'a A,
    at: u64,
    left: u64,
}

impl<A: ReadAt> Read for Range<'_, A> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.archive.read_exact_at(&mut buffer[..count], self.at)?;
        (self.at, self.left) = (self.at + count as u64, self.left - count as u64);
        Ok(count)
    }
}
