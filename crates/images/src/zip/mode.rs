//! What a member becomes: its name, kind, permissions and time.

use super::directory::field;
use super::{Kind, Record, ZipError};

/// Systems by whose rules a member's attributes are to be read (APPNOTE, 4.4.2.2).
const UNIX: u16 = 3;
const DARWIN: u16 = 19;
const FAT: u16 = 0;
/// What kind of file a Unix mode says.
const KIND_MASK: u32 = 0o170_000;
const KIND_DIRECTORY: u32 = 0o040_000;
const KIND_FILE: u32 = 0o100_000;
const KIND_SYMLINK: u32 = 0o120_000;
/// DOS's attribute of directories.
const DOS_DIRECTORY: u32 = 0x10;
/// Permissions where the archive has none: Info-ZIP's with the usual umask.
const FILE_MODE: u32 = 0o644;
const DIRECTORY_MODE: u32 = 0o755;
/// The further field with a time in seconds since 1970, and its flag for the time of the last change.
const TIMES: u16 = 0x5455;
const HAS_MTIME: u8 = 1;

/// The path, the kind and the permissions of a member.
pub(super) fn described(name: &[u8], system: u16, attributes: u32) -> Result<(Vec<u8>, Kind, u32), ZipError> {
    let mut path = name.to_vec();
    if system == FAT && !path.contains(&b'/') {
        // As Info-ZIP reads what was written on Windows by programs that do not know better.
        path.iter_mut().filter(|byte| **byte == b'\\').for_each(|byte| *byte = b'/');
    }
    let is_directory = path.ends_with(b"/");
    if !matches!(system, UNIX | DARWIN) {
        let is_directory = is_directory || system == FAT && attributes & DOS_DIRECTORY != 0;
        let (kind, mode) = if is_directory { (Kind::Directory, DIRECTORY_MODE) } else { (Kind::File, FILE_MODE) };
        return Ok((path, kind, mode));
    }
    let mode = attributes >> 16;
    let kind = match mode & KIND_MASK {
        KIND_DIRECTORY => Kind::Directory,
        KIND_SYMLINK if !is_directory => Kind::Symlink,
        // Python's zipfile says no kind.
        KIND_FILE | 0 if is_directory => Kind::Directory,
        KIND_FILE | 0 => Kind::File,
        _ => return Err(ZipError::Kind),
    };
    Ok((path, kind, mode & 0o777))
}

/// When a member was changed last, in seconds since 1970. DOS's times say no zone: they are taken for UTC.
pub(super) fn mtime(date: u16, time: u16, further: &[u8]) -> i64 {
    if let Some(times) = field(further, TIMES)
        && times.first().is_some_and(|flags| flags & HAS_MTIME != 0)
        && times.len() >= 5
    {
        return i64::from(Record(times).u32(1).cast_signed());
    }
    let [year, month, day] = [1980 + i64::from(date >> 9), i64::from(date >> 5 & 15), i64::from(date & 31)];
    let [hours, minutes, seconds] = [i64::from(time >> 11), i64::from(time >> 5 & 63), i64::from(time & 31) * 2];
    days(year, month.clamp(1, 12), day.clamp(1, 31)) * 86_400 + hours * 3_600 + minutes * 60 + seconds
}

/// Days from 1970 to a day of the Gregorian calendar, counted in eras of 400 years that begin in March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}
