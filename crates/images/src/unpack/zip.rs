//! A zip archive becomes files, as a layer does: by the same [`Tree`], so beneath its root alone.

use std::fs::File;
use std::io::{self, Read, Write};

use rustix::fs::{AtFlags, Mode, OFlags};

use super::tree::Tree;
use super::{Reading, Target, UnpackError, Unpacked, ZipProblem};
use crate::digest::Hasher;
use crate::error::is_full;
use crate::tar::{Entry, Kind as EntryKind, PATH_LENGTH_MAX};
use crate::zip::{Content, Kind, Member, ZipError, members};

/// How many bytes are read at a time.
const PIECE_BYTES: usize = 128 * 1024;
/// What the archive is called for the moment in which it has a name.
const SPOOL: &str = "archive";

/// Unpacks an archive. First it is copied to where nobody else can write, and only what has the right digest is looked at.
pub(crate) fn unpack_zip(
    reading: &Reading<'_>,
    target: &Target<'_>,
    blob: Box<dyn Read + Send>,
) -> Result<Unpacked, UnpackError> {
    let archive = spool(reading, target, blob)?;
    let (members, end) = members(&archive, reading.layer.blob.size, target.limits.entries_max).map_err(zip)?;
    let bytes = members.iter().fold(0u64, |sum, member| sum.saturating_add(member.size));
    if bytes > target.limits.archive_bytes_max {
        return Err(UnpackError::TooLarge { bytes });
    }
    let mut tree = Tree::new(target)?;
    for member in &members {
        if !(reading.progress)(reading.layer.blob.size) {
            return Err(UnpackError::Stopped);
        }
        let mut content = Content::open(&archive, member, end).map_err(zip)?;
        let entry = entry(member, &mut content)?;
        tree.add_from(&entry, |buffer| content.read(buffer).map_err(zip))?;
    }
    tree.finish()
}

/// A copy of the blob that has no name and the right digest.
fn spool(reading: &Reading<'_>, target: &Target<'_>, mut blob: Box<dyn Read + Send>) -> Result<File, UnpackError> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let failed = |error: io::Error| if is_full(&error) { UnpackError::Full } else { UnpackError::Spool(error) };
    let file = rustix::fs::openat(target.trash, SPOOL, flags, Mode::RUSR | Mode::WUSR);
    let mut file = File::from(file.map_err(|error| failed(error.into()))?);
    rustix::fs::unlinkat(target.trash, SPOOL, AtFlags::empty()).map_err(|error| failed(error.into()))?;
    let announced = &reading.layer.blob;
    let mut hasher = Hasher::new(announced.digest.algorithm());
    let (mut piece, mut copied) = (vec![0; PIECE_BYTES], 0u64);
    loop {
        let count = blob.read(&mut piece).map_err(UnpackError::Read)?;
        if count == 0 {
            break;
        }
        copied += count as u64;
        if copied > announced.size {
            return Err(UnpackError::BlobSize { announced: announced.size });
        }
        hasher.update(&piece[..count]);
        file.write_all(&piece[..count]).map_err(failed)?;
        if !(reading.progress)(copied) {
            return Err(UnpackError::Stopped);
        }
    }
    if copied != announced.size {
        return Err(UnpackError::BlobSize { announced: announced.size });
    }
    let found = hasher.finish();
    if found == announced.digest { Ok(file) } else { Err(UnpackError::BlobMismatch { found }) }
}

/// The member as a layer would have it. What a link leads to is its content.
fn entry(member: &Member, content: &mut Content<'_, File>) -> Result<Entry, UnpackError> {
    let kind = match member.kind {
        Kind::File => EntryKind::File,
        Kind::Directory => EntryKind::Directory,
        Kind::Symlink => EntryKind::Symlink,
    };
    let link = if member.kind == Kind::Symlink { target_of(member, content)? } else { Vec::new() };
    Ok(Entry {
        path: member.path.clone(),
        kind,
        link,
        mode: member.mode,
        uid: 0,
        gid: 0,
        mtime: (member.mtime, 0),
        size: member.size,
        sparse: None,
        device: (0, 0),
        xattrs: Vec::new(),
    })
}

fn target_of(member: &Member, content: &mut Content<'_, File>) -> Result<Vec<u8>, UnpackError> {
    if member.size > PATH_LENGTH_MAX as u64 {
        return Err(zip(ZipError::Damaged("a symbolic link leads further than any path")));
    }
    let mut target = vec![0; PATH_LENGTH_MAX + 1];
    let mut length = 0;
    loop {
        match content.read(&mut target[length..]).map_err(zip)? {
            0 => break,
            count => length += count,
        }
    }
    target.truncate(length);
    Ok(target)
}

fn zip(error: ZipError) -> UnpackError {
    ZipProblem(error).into()
}
