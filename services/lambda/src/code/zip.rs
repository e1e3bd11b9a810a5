//! Looks an archive through without unpacking it anywhere: that it is whole, that it is as large as it says, and that what
//! is in it stays in it.
//!
//! What counts is the directory at its end, as it does for those who unpack it later. Every file is inflated once, into
//! nothing: an archive that is damaged, or that lies about its sizes, is refused when it is uploaded instead of when it is
//! called.
//!
//! Source: PKWARE, APPNOTE.TXT 6.3.10: sections 4.3.6 to 4.3.16 (structure), 4.4 (fields), 4.5.3 (Zip64).

use std::io::{self, Read, Seek, SeekFrom};

use flate2::Crc;
use flate2::read::DeflateDecoder;

use crate::limits::{ARCHIVE_FILES_MAX, UNZIPPED_BYTES_MAX};

const END: u32 = 0x0605_4b50;
const END_64: u32 = 0x0606_4b50;
const LOCATOR_64: u32 = 0x0706_4b50;
const ENTRY: u32 = 0x0201_4b50;
const FILE: u32 = 0x0403_4b50;
const END_BYTES: usize = 22;
const END_64_BYTES: usize = 56;
const LOCATOR_64_BYTES: usize = 20;
const ENTRY_BYTES: usize = 46;
const FILE_BYTES: usize = 30;
/// The longest comment behind the end record, in bytes.
const COMMENT_BYTES_MAX: usize = 65_535;
/// The largest directory that is read, in bytes: names of some hundred characters for as many files as there may be.
const DIRECTORY_BYTES_MAX: u64 = 64 << 20;
/// The longest target of a symbolic link, in bytes (`PATH_MAX`).
const LINK_BYTES_MAX: u64 = 4096;
/// The kind of file in a Unix mode, and that of a symbolic link, a directory and a plain file.
const KIND_MASK: u32 = 0o170_000;
const KIND_LINK: u32 = 0o120_000;
const KIND_DIRECTORY: u32 = 0o040_000;
const KIND_FILE: u32 = 0o100_000;

/// What an archive holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contents {
    /// How many files and directories.
    pub files: usize,
    /// What they have together, in bytes.
    pub bytes: u64,
}

/// What is wrong with an archive.
#[derive(Debug, thiserror::Error)]
pub enum ZipProblem {
    /// There is nothing.
    #[error("it is empty")]
    Empty,
    /// It has no directory, or one that does not agree with itself.
    #[error("it is not a whole ZIP archive: {0}")]
    Malformed(&'static str),
    /// It has more files than may be.
    #[error("it has more than {ARCHIVE_FILES_MAX} files")]
    TooMany,
    /// Unpacked it has more than may be.
    #[error("unpacked it has {UNZIPPED_BYTES_MAX} bytes or more")]
    TooLarge,
    /// A file would be written elsewhere.
    #[error("`{0}` leads out of it")]
    Outside(String),
    /// A file is compressed or encrypted in a way that Lambda does not read.
    #[error("`{0}` is encrypted, or compressed by another method than deflate")]
    Method(String),
    /// A file is of a kind that code has no use for.
    #[error("`{0}` is neither a file nor a directory nor a symbolic link")]
    Kind(String),
    /// A file is not what the directory says.
    #[error("`{0}` is damaged")]
    Damaged(String),
    /// It could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// One entry of the directory.
#[derive(Debug)]
struct Entry {
    name: String,
    method: u16,
    flags: u16,
    crc: u32,
    compressed: u64,
    size: u64,
    mode: u32,
    offset: u64,
}

/// Looks an archive of `size` bytes through.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn verify(archive: &mut (impl Read + Seek), size: u64) -> Result<Contents, ZipProblem> {
    if size == 0 {
        return Err(ZipProblem::Empty);
    }
    let directory = directory(archive, size)?;
    let mut bytes: u64 = 0;
    for entry in &directory {
        check(entry)?;
        bytes = bytes.saturating_add(entry.size);
        if bytes >= UNZIPPED_BYTES_MAX {
            return Err(ZipProblem::TooLarge);
        }
    }
    for entry in &directory {
        read_through(archive, entry)?;
    }
    Ok(Contents { files: directory.len(), bytes })
}

fn check(entry: &Entry) -> Result<(), ZipProblem> {
    let name = || entry.name.clone();
    if entry.flags & 1 != 0 || !matches!(entry.method, 0 | 8) {
        return Err(ZipProblem::Method(name()));
    }
    let is_outside = entry.name.is_empty()
        || entry.name.starts_with('/')
        || entry.name.contains(['\0', '\\'])
        || entry.name.split('/').any(|part| part == "..");
    if is_outside {
        return Err(ZipProblem::Outside(name()));
    }
    match entry.mode & KIND_MASK {
        0 | KIND_DIRECTORY | KIND_FILE => Ok(()),
        KIND_LINK if entry.size <= LINK_BYTES_MAX => Ok(()),
        _ => Err(ZipProblem::Kind(name())),
    }
}

/// Inflates a file into nothing.
fn read_through(archive: &mut (impl Read + Seek), entry: &Entry) -> Result<(), ZipProblem> {
    let damaged = || ZipProblem::Damaged(entry.name.clone());
    archive.seek(SeekFrom::Start(entry.offset))?;
    let head: [u8; FILE_BYTES] = read(archive).map_err(|_| damaged())?;
    if u32_at(&head, 0) != FILE {
        return Err(damaged());
    }
    let before = i64::from(u16_at(&head, 26)) + i64::from(u16_at(&head, 28));
    archive.seek(SeekFrom::Current(before))?;
    let packed = archive.take(entry.compressed);
    let summed = match entry.method {
        0 => sum(packed, entry.size),
        _ => sum(DeflateDecoder::new(packed), entry.size),
    };
    match summed {
        Ok((size, crc)) if size == entry.size && crc == entry.crc => Ok(()),
        _ => Err(damaged()),
    }
}

/// How much there is, but for one byte more than there should be, and its checksum.
fn sum(content: impl Read, expected: u64) -> io::Result<(u64, u32)> {
    let (mut crc, mut content) = (Crc::new(), content.take(expected.saturating_add(1)));
    let (mut buffer, mut size) = (vec![0; 64 * 1024], 0);
    loop {
        match content.read(&mut buffer)? {
            0 => return Ok((size, crc.sum())),
            count => {
                crc.update(&buffer[..count]);
                size += count as u64;
            }
        }
    }
}

/// Where the directory is, and of how many entries.
struct Place {
    entries: u64,
    bytes: u64,
    offset: u64,
}

fn directory(archive: &mut (impl Read + Seek), size: u64) -> Result<Vec<Entry>, ZipProblem> {
    let place = place(archive, size)?;
    if place.entries > ARCHIVE_FILES_MAX as u64 {
        return Err(ZipProblem::TooMany);
    }
    let end = place.offset.checked_add(place.bytes);
    if place.bytes > DIRECTORY_BYTES_MAX || end.is_none_or(|end| end > size) {
        return Err(ZipProblem::Malformed("its directory is not in it"));
    }
    archive.seek(SeekFrom::Start(place.offset))?;
    let mut bytes = vec![0; usize::try_from(place.bytes).unwrap_or_default()];
    archive.read_exact(&mut bytes)?;
    let (mut rest, mut entries) = (bytes.as_slice(), Vec::new());
    for _ in 0..place.entries {
        let (entry, more) = entry(rest).ok_or(ZipProblem::Malformed("its directory ends early"))?;
        if entry.offset.checked_add(entry.compressed).is_none_or(|end| end > size) {
            return Err(ZipProblem::Damaged(entry.name));
        }
        entries.push(entry);
        rest = more;
    }
    Ok(entries)
}

fn place(archive: &mut (impl Read + Seek), size: u64) -> Result<Place, ZipProblem> {
    let tail_bytes = size.min((END_BYTES + COMMENT_BYTES_MAX + LOCATOR_64_BYTES) as u64);
    archive.seek(SeekFrom::Start(size - tail_bytes))?;
    let mut tail = vec![0; usize::try_from(tail_bytes).unwrap_or_default()];
    archive.read_exact(&mut tail)?;
    let found = (0..=tail.len().saturating_sub(END_BYTES)).rev().find(|at| {
        let end = tail.get(*at..).unwrap_or_default();
        end.len() >= END_BYTES && u32_at(end, 0) == END && at + END_BYTES + usize::from(u16_at(end, 20)) == tail.len()
    });
    let at = found.ok_or(ZipProblem::Malformed("it has no end"))?;
    let end = &tail[at..];
    let place =
        Place { entries: u16_at(end, 10).into(), bytes: u32_at(end, 12).into(), offset: u32_at(end, 16).into() };
    let is_long = place.entries == 0xffff || place.bytes == 0xffff_ffff || place.offset == 0xffff_ffff;
    let locator = at.checked_sub(LOCATOR_64_BYTES).map(|at| &tail[at..]).filter(|it| u32_at(it, 0) == LOCATOR_64);
    match locator.filter(|_| is_long) {
        None => Ok(place),
        Some(locator) => {
            let offset = u64_at(locator, 8);
            if offset.checked_add(END_64_BYTES as u64).is_none_or(|end| end > size) {
                return Err(ZipProblem::Malformed("its long end is not in it"));
            }
            archive.seek(SeekFrom::Start(offset))?;
            let end: [u8; END_64_BYTES] = read(archive)?;
            if u32_at(&end, 0) != END_64 {
                return Err(ZipProblem::Malformed("its long end is none"));
            }
            Ok(Place { entries: u64_at(&end, 32), bytes: u64_at(&end, 40), offset: u64_at(&end, 48) })
        }
    }
}

/// The first entry of a directory, and what follows.
fn entry(bytes: &[u8]) -> Option<(Entry, &[u8])> {
    let (head, rest) = bytes.split_at_checked(ENTRY_BYTES)?;
    if u32_at(head, 0) != ENTRY {
        return None;
    }
    let (name, rest) = rest.split_at_checked(u16_at(head, 28).into())?;
    let (extra, rest) = rest.split_at_checked(u16_at(head, 30).into())?;
    let (_, rest) = rest.split_at_checked(u16_at(head, 32).into())?;
    let mut entry = Entry {
        name: String::from_utf8_lossy(name).into_owned(),
        flags: u16_at(head, 8),
        method: u16_at(head, 10),
        crc: u32_at(head, 16),
        compressed: u32_at(head, 20).into(),
        size: u32_at(head, 24).into(),
        // Made under Unix (3) or macOS (19): the upper half of the external attributes is the mode.
        mode: if matches!(head[5], 3 | 19) { u32_at(head, 38) >> 16 } else { 0 },
        offset: u32_at(head, 42).into(),
    };
    lengthen(&mut entry, extra)?;
    Some((entry, rest))
}

/// Puts the long numbers of the Zip64 field where the short ones have no room.
fn lengthen(entry: &mut Entry, mut extra: &[u8]) -> Option<()> {
    const SHORT: u64 = 0xffff_ffff;
    let mut wanted: Vec<&mut u64> = [&mut entry.size, &mut entry.compressed, &mut entry.offset]
        .into_iter()
        .filter(|number| **number == SHORT)
        .collect();
    if wanted.is_empty() {
        return Some(());
    }
    while let Some((head, rest)) = extra.split_at_checked(4) {
        let (field, rest) = rest.split_at_checked(u16_at(head, 2).into())?;
        if u16_at(head, 0) == 1 {
            for (number, bytes) in wanted.iter_mut().zip(field.chunks_exact(8)) {
                **number = u64_at(bytes, 0);
            }
            return (field.len() / 8 >= wanted.len()).then_some(());
        }
        extra = rest;
    }
    None
}

fn read<const N: usize>(archive: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    archive.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

#[cfg(test)]
pub(crate) mod tests;
