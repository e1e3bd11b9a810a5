//! Owners, permissions, times and extended attributes.

use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

use super::policy::{Attribute, CAPABILITY, attribute, shifted_capability};
use super::{MemberError, Owners, Policy};
use crate::tar::{Entry, Kind};

/// Owner and group of a member on this machine; none if they are not taken over.
pub(super) fn owner(policy: &Policy, uid: u64, gid: u64) -> Result<Option<(Uid, Gid)>, MemberError> {
    let Owners::Archive { shift } = policy.owners else { return Ok(None) };
    // The highest number means "leave as it is" to the kernel.
    let number =
        |id: u64| id.checked_add(u64::from(shift)).and_then(|id| u32::try_from(id).ok()).filter(|&id| id != u32::MAX);
    match (number(uid), number(gid)) {
        (Some(uid), Some(gid)) => Ok(Some((Uid::from_raw(uid), Gid::from_raw(gid)))),
        _ => Err(MemberError::Owner),
    }
}

/// Gives an open file or directory its owner, its attributes and its mode; in this order, because a new owner takes set-id
/// bits and capabilities away, and a mode may forbid its owner to note something. Answers how many attributes were left out.
pub(super) fn apply(file: BorrowedFd<'_>, entry: &Entry, mode: u32, policy: &Policy) -> Result<u64, MemberError> {
    if let Some((uid, gid)) = owner(policy, entry.uid, entry.gid)? {
        rustix::fs::fchown(file, Some(uid), Some(gid)).map_err(MemberError::os("giving a file its owner"))?;
    }
    let mut omitted = 0;
    for (name, value) in &entry.xattrs {
        omitted += u64::from(!set_xattr(file, entry.kind, name, value, policy)?);
    }
    rustix::fs::fchmod(file, Mode::from_raw_mode(mode)).map_err(MemberError::os("giving a file its mode"))?;
    Ok(omitted)
}

/// The same for what cannot be opened without consequences: links, pipes. They have no attributes that are kept.
pub(super) fn apply_by_name(
    directory: BorrowedFd<'_>,
    name: &[u8],
    entry: &Entry,
    policy: &Policy,
) -> Result<u64, MemberError> {
    if let Some((uid, gid)) = owner(policy, entry.uid, entry.gid)? {
        rustix::fs::chownat(directory, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(MemberError::os("giving a file its owner"))?;
    }
    if entry.kind != Kind::Symlink {
        // Follows links, but this was made a moment ago, is none, and nobody else can get here.
        rustix::fs::chmodat(directory, name, Mode::from_raw_mode(entry.mode), AtFlags::empty())
            .map_err(MemberError::os("giving a file its mode"))?;
    }
    rustix::fs::utimensat(directory, name, &times(entry.mtime), AtFlags::SYMLINK_NOFOLLOW)
        .map_err(MemberError::os("giving a file its time"))?;
    refuse_overlay_attributes(entry)?;
    Ok(entry.xattrs.len() as u64)
}

/// Attributes by which an overlay would be told what to show are refused on whatever they stand.
pub(super) fn refuse_overlay_attributes(entry: &Entry) -> Result<(), MemberError> {
    let smuggled = entry.xattrs.iter().any(|(name, _)| attribute(name) == Attribute::Refused);
    if smuggled { Err(MemberError::OverlayAttribute) } else { Ok(()) }
}

/// Gives an open file its times; access is as long ago as change.
pub(super) fn set_times(file: BorrowedFd<'_>, mtime: (i64, u32)) -> Result<(), MemberError> {
    rustix::fs::futimens(file, &times(mtime)).map_err(MemberError::os("giving a file its time"))
}

fn times((seconds, nanoseconds): (i64, u32)) -> Timestamps {
    let time = Timespec { tv_sec: seconds, tv_nsec: nanoseconds.into() };
    Timestamps { last_access: time, last_modification: time }
}

fn set_xattr(
    file: BorrowedFd<'_>,
    kind: Kind,
    name: &[u8],
    value: &[u8],
    policy: &Policy,
) -> Result<bool, MemberError> {
    match attribute(name) {
        Attribute::Refused => return Err(MemberError::OverlayAttribute),
        Attribute::Omitted => return Ok(false),
        Attribute::Kept if name == CAPABILITY && kind != Kind::File => return Ok(false),
        Attribute::Kept => {}
    }
    let set = match policy.owners {
        Owners::Archive { shift } if name == CAPABILITY => {
            rustix::fs::fsetxattr(file, name, &shifted_capability(value, shift), XattrFlags::empty())
        }
        _ => rustix::fs::fsetxattr(file, name, value, XattrFlags::empty()),
    };
    match set {
        Ok(()) => Ok(true),
        // Capabilities are root's to give, and notes are not on every file system.
        Err(Errno::PERM) if policy.owners == Owners::Caller => Ok(false),
        Err(Errno::NOTSUP) if name != CAPABILITY => Ok(false),
        Err(error) => Err(MemberError::os("giving a file an attribute")(error)),
    }
}
