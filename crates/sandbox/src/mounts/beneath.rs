//! Paths within a root that somebody else may be changing at this moment (CVE-2021-30465): the kernel resolves each within the
//! root, whatever its links say, and what it found is held by descriptor.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::{Errno, Result};

/// How often a resolution is tried again that the kernel gave up because something was renamed meanwhile.
const TRIES_MAX: usize = 128;
/// The longest path, in bytes; the kernel's limit.
const PATH_BYTES_MAX: usize = 4096;
/// The most directories that are made for one target.
const COMPONENTS_MAX: usize = 256;

/// What a path is to lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A file, or whatever else is no directory.
    File,
}

/// Opens a path within `root`: links in it are followed as a process would whose root it is, and those of `/proc` that lead
/// anywhere are not followed at all.
///
/// # Errors
/// As `openat2(2)` has them; `ELOOP` for a link of `/proc` that leads elsewhere.
pub fn open_beneath(root: BorrowedFd<'_>, path: &str, flags: OFlags) -> Result<OwnedFd> {
    resolve(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS)
}

/// The same, but no link is followed and no mount crossed.
pub(crate) fn open_within(mount: BorrowedFd<'_>, path: &str, flags: OFlags) -> Result<OwnedFd> {
    let how = ResolveFlags::BENEATH | ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    resolve(mount, path, flags, Mode::empty(), how)
}

/// The same, but no link is followed at all.
pub(crate) fn open_plain(root: BorrowedFd<'_>, path: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
    let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    resolve(root, path, flags, mode, how)
}

fn resolve(root: BorrowedFd<'_>, path: &str, flags: OFlags, mode: Mode, how: ResolveFlags) -> Result<OwnedFd> {
    if path.len() > PATH_BYTES_MAX {
        return Err(Errno::NAMETOOLONG);
    }
    let path = if path.is_empty() { "." } else { path };
    for _ in 0..TRIES_MAX {
        match rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, mode, how) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            other => return other,
        }
    }
    Err(Errno::AGAIN)
}

/// Opens a path within `root` with `O_PATH`, and makes what is missing of it: directories of mode 755, and a directory or an empty
/// file at its end. Links are followed within the root; below what had to be made there are none.
///
/// # Errors
/// `EINVAL` for a `..` below something that is missing, `ENOTDIR` or `EISDIR` for something of the other kind.
pub fn make_beneath(root: BorrowedFd<'_>, path: &str, kind: Kind) -> Result<OwnedFd> {
    let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty() && *name != ".").collect();
    if names.len() > COMPONENTS_MAX {
        return Err(Errno::NAMETOOLONG);
    }
    let found = match open_beneath(root, &names.join("/"), OFlags::PATH) {
        Err(Errno::NOENT) => make_missing(root, &names, kind)?,
        other => other?,
    };
    let is_directory = FileType::from_raw_mode(rustix::fs::fstat(&found)?.st_mode) == FileType::Directory;
    match (kind, is_directory) {
        (Kind::Directory, false) => Err(Errno::NOTDIR),
        (Kind::File, true) => Err(Errno::ISDIR),
        _ => Ok(found),
    }
}

fn make_missing(root: BorrowedFd<'_>, names: &[&str], kind: Kind) -> Result<OwnedFd> {
    let (mut here, there) = deepest(root, names)?;
    for (index, name) in names.iter().enumerate().skip(there) {
        if *name == ".." {
            return Err(Errno::INVAL);
        }
        let is_last = index + 1 == names.len();
        here = make_one(here.as_fd(), name, if is_last { kind } else { Kind::Directory })?;
    }
    Ok(here)
}

/// The deepest directory of the path that is there, and how many names lead to it. A dangling link on the way is no directory: it
/// is found to be there when it is to be made.
fn deepest(root: BorrowedFd<'_>, names: &[&str]) -> Result<(OwnedFd, usize)> {
    for there in (0..names.len()).rev() {
        match open_beneath(root, &names[..there].join("/"), OFlags::PATH | OFlags::DIRECTORY) {
            Ok(directory) => return Ok((directory, there)),
            Err(Errno::NOENT) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Errno::NOENT)
}

/// Makes a name in a directory, unless somebody else just has, and opens it.
fn make_one(parent: BorrowedFd<'_>, name: &str, kind: Kind) -> Result<OwnedFd> {
    let made = match kind {
        Kind::Directory => rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755)),
        Kind::File => {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::openat(parent, name, flags, Mode::from_raw_mode(0o644)).map(drop)
        }
    };
    match made {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(error),
    }
    let stat = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
        return Err(Errno::LOOP);
    }
    resolve(
        parent,
        name,
        OFlags::PATH | OFlags::NOFOLLOW,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
    )
}
