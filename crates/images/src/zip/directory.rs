//! The central directory.

use super::mode::{described, mtime};
use super::{DIRECTORY_BYTES_MAX, Member, ReadAt, Record, ZipError, read};

/// What every member's entry of the directory begins with.
const ENTRY: u32 = 0x0201_4b50;
const ENTRY_BYTES: usize = 46;
/// The end of the directory.
const END: u32 = 0x0605_4b50;
const END_BYTES: usize = 22;
/// The longest comment after it.
const COMMENT_BYTES_MAX: usize = 0xffff;
/// Where the end of a directory of large numbers is.
const LOCATOR: u32 = 0x0706_4b50;
const LOCATOR_BYTES: usize = 20;
/// The end of a directory of large numbers.
const END_64: u32 = 0x0606_4b50;
const END_64_BYTES: usize = 56;
/// The further field of a member that has large numbers.
const LARGE: u16 = 0x0001;
/// Flags: encrypted, strongly encrypted, with a directory that is.
const ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// Where the directory is.
struct Place {
    offset: u64,
    bytes: u64,
    count: u64,
    /// How many bytes are before the archive: a program that unpacks it, say.
    before: u64,
}

/// All members, in the order of the directory, and where that begins: a later one of a name takes the place of an earlier one, as with Info-ZIP's `unzip -o`.
///
/// # Errors
/// [`ZipError`]; of more than `members_max` members [`ZipError::DirectoryTooLong`].
pub(crate) fn members(archive: &impl ReadAt, bytes: u64, members_max: u64) -> Result<(Vec<Member>, u64), ZipError> {
    let place = place(archive, bytes)?;
    if place.bytes > DIRECTORY_BYTES_MAX || place.count > members_max {
        return Err(ZipError::DirectoryTooLong);
    }
    if place.count.saturating_mul(ENTRY_BYTES as u64) > place.bytes {
        return Err(ZipError::Damaged("its directory has fewer entries than it says"));
    }
    let length = usize::try_from(place.bytes).map_err(|_| ZipError::DirectoryTooLong)?;
    let mut directory = vec![0; length];
    read(archive, &mut directory, place.offset)?;
    let (mut members, mut rest) = (Vec::new(), directory.as_slice());
    for _ in 0..place.count {
        let (member, length) = entry(rest, &place)?;
        members.push(member);
        rest = &rest[length..];
    }
    if rest.is_empty() {
        Ok((members, place.offset))
    } else {
        Err(ZipError::Damaged("something follows in its directory"))
    }
}

fn place(archive: &impl ReadAt, bytes: u64) -> Result<Place, ZipError> {
    let length = usize::try_from(bytes).unwrap_or(usize::MAX).min(END_BYTES + COMMENT_BYTES_MAX);
    let tail_at = bytes - length as u64;
    let mut tail = vec![0; length];
    read(archive, &mut tail, tail_at)?;
    let is_end = |at: &usize| {
        let record = Record(&tail[*at..]);
        record.u32(0) == END && at + END_BYTES + usize::from(record.u16(20)) == length
    };
    let at = (0..=length.checked_sub(END_BYTES).ok_or(ZipError::NotAZip)?).rev().find(is_end);
    let at = at.ok_or(ZipError::NotAZip)?;
    let end = Record(&tail[at..]);
    let is_large =
        end.u16(8) == u16::MAX || end.u16(10) == u16::MAX || end.u32(12) == u32::MAX || end.u32(16) == u32::MAX;
    let end_at = tail_at + at as u64;
    if is_large && let Some(place) = large(archive, end_at)? {
        return Ok(place);
    }
    if end.u16(4) != 0 || end.u16(6) != 0 || end.u16(8) != end.u16(10) {
        return Err(ZipError::SeveralParts);
    }
    located(end_at, end.u32(12).into(), end.u32(16).into(), end.u16(10).into())
}

/// The place of a directory of large numbers; none if there is none: then the small ones happen to be the largest that there are.
fn large(archive: &impl ReadAt, end_at: u64) -> Result<Option<Place>, ZipError> {
    let Some(locator_at) = end_at.checked_sub(LOCATOR_BYTES as u64) else { return Ok(None) };
    let mut locator = [0; LOCATOR_BYTES];
    read(archive, &mut locator, locator_at)?;
    let locator = Record(&locator);
    if locator.u32(0) != LOCATOR {
        return Ok(None);
    }
    // Right before it, whatever it says: what precedes the archive has moved it.
    let end_at = locator_at.checked_sub(END_64_BYTES as u64).ok_or(ZipError::Damaged("its end is cut off"))?;
    let mut end = [0; END_64_BYTES];
    read(archive, &mut end, end_at)?;
    let end = Record(&end);
    if end.u32(0) != END_64 {
        return Err(ZipError::Damaged("the end of its directory is not where it should be"));
    }
    if locator.u32(4) != 0 || locator.u32(16) > 1 || end.u32(16) != 0 || end.u32(20) != 0 || end.u64(24) != end.u64(32)
    {
        return Err(ZipError::SeveralParts);
    }
    located(end_at, end.u64(40), end.u64(48), end.u64(32)).map(Some)
}

/// The directory ends where its end begins; what is said of its place tells what is before the archive.
fn located(end_at: u64, bytes: u64, said_at: u64, count: u64) -> Result<Place, ZipError> {
    let damaged = ZipError::Damaged("its directory is not where it should be");
    let Some(offset) = end_at.checked_sub(bytes) else { return Err(damaged) };
    let Some(before) = offset.checked_sub(said_at) else { return Err(damaged) };
    Ok(Place { offset, bytes, count, before })
}

/// The first entry of what is left of the directory, and how long it is.
fn entry(rest: &[u8], place: &Place) -> Result<(Member, usize), ZipError> {
    let damaged = || ZipError::Damaged("an entry of its directory is cut off");
    let head = Record(rest.get(..ENTRY_BYTES).ok_or_else(damaged)?);
    if head.u32(0) != ENTRY {
        return Err(ZipError::Damaged("an entry of its directory is none"));
    }
    if head.u16(8) & ENCRYPTED != 0 {
        return Err(ZipError::Encrypted);
    }
    let is_deflated = match head.u16(10) {
        STORED => false,
        DEFLATED => true,
        method => return Err(ZipError::Method(method)),
    };
    let [name_bytes, further_bytes, comment_bytes] = [28, 30, 32].map(|at| usize::from(head.u16(at)));
    let name_end = ENTRY_BYTES + name_bytes;
    let (further_end, length) = (name_end + further_bytes, name_end + further_bytes + comment_bytes);
    let name = rest.get(ENTRY_BYTES..name_end).ok_or_else(damaged)?;
    let further = rest.get(name_end..further_end).ok_or_else(damaged)?;
    if rest.len() < length {
        return Err(damaged());
    }
    let [mut size, mut packed_size, mut header] = [24, 20, 42].map(|at| u64::from(head.u32(at)));
    let mut disk = u32::from(head.u16(34));
    if let Some(large) = field(further, LARGE) {
        large_numbers(large, [&mut size, &mut packed_size, &mut header], &mut disk)?;
    }
    if disk != 0 {
        return Err(ZipError::SeveralParts);
    }
    let system = head.u16(4) >> 8;
    let (path, kind, mode) = described(name, system, head.u32(38))?;
    let mtime = mtime(head.u16(14), head.u16(12), further);
    let header = header.checked_add(place.before).filter(|at| *at < place.offset);
    let header = header.ok_or(ZipError::Damaged("a member is not before the directory"))?;
    if !is_deflated && size != packed_size {
        return Err(ZipError::Damaged("a member that is not compressed has two sizes"));
    }
    Ok((Member { path, kind, mode, mtime, size, packed_size, is_deflated, crc: head.u32(16), header }, length))
}

/// Those numbers stand in the further field, in this order, whose own place says that they are too large for it.
fn large_numbers(field: &[u8], numbers: [&mut u64; 3], disk: &mut u32) -> Result<(), ZipError> {
    let (field, mut at) = (Record(field), 0);
    for number in numbers {
        if *number == u64::from(u32::MAX) {
            if field.0.len() < at + 8 {
                return Err(ZipError::Damaged("a large number is missing"));
            }
            (*number, at) = (field.u64(at), at + 8);
        }
    }
    if *disk == u32::from(u16::MAX) {
        *disk = field.u32(at);
    }
    Ok(())
}

/// A further field of a member.
pub(super) fn field(mut further: &[u8], wanted: u16) -> Option<&[u8]> {
    while further.len() >= 4 {
        let head = Record(further);
        let end = 4 + usize::from(head.u16(2));
        let content = further.get(4..end)?;
        if head.u16(0) == wanted {
            return Some(content);
        }
        further = &further[end..];
    }
    None
}
