//! Trees of files that nobody wants any more, removed however they are made.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, IFlags, Mode, OFlags};
use rustix::io::Errno;

use super::error::Error;

/// Removes everything in a directory. What tenants have made may be nested as deep as they like: a directory that is not
/// empty is moved up beside the first ones, so neither stack nor descriptors grow. Nothing is followed.
pub(super) fn empty(trash: BorrowedFd<'_>) -> Result<(), Error> {
    let failed = |error| Error::io("emptying", "the trash")(error);
    let mut next = 0u64;
    // Each round leaves what it has moved up for the next.
    loop {
        let names = names(trash).map_err(failed)?;
        if names.is_empty() {
            return Ok(());
        }
        for name in names {
            if !remove(trash, &name).map_err(failed)? {
                flatten(trash, &name, &mut next).map_err(failed)?;
                remove(trash, &name).map_err(failed)?;
            }
        }
    }
}

/// Removes all that is in a directory of the trash, or moves it up.
fn flatten(trash: BorrowedFd<'_>, name: &[u8], next: &mut u64) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory: OwnedFd = match rustix::fs::openat(trash, name, flags, Mode::empty()) {
        Ok(directory) => directory,
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error),
    };
    for within in names(directory.as_fd())? {
        if remove(directory.as_fd(), &within)? {
            continue;
        }
        loop {
            let above = format!(".{next}");
            *next += 1;
            use rustix::fs::RenameFlags;
            match rustix::fs::renameat_with(&directory, &within[..], trash, &above[..], RenameFlags::NOREPLACE) {
                Ok(()) => break,
                // From a run that was cut short.
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// Removes a file or an empty directory; `false` if it is a directory that is not empty.
fn remove(directory: BorrowedFd<'_>, name: &[u8]) -> Result<bool, Errno> {
    match rustix::fs::unlinkat(directory, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(true),
        Err(Errno::ISDIR) => {}
        Err(Errno::PERM) => release(directory, name),
        Err(error) => return Err(error),
    }
    match rustix::fs::unlinkat(directory, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
        Err(Errno::NOTDIR) => rustix::fs::unlinkat(directory, name, AtFlags::empty()).map(|()| true),
        Err(error) => Err(error),
    }
}

/// Takes away the marks by which a file or directory cannot be changed, which a container with the right to may have given.
fn release(directory: BorrowedFd<'_>, name: &[u8]) {
    let unmark = |opened: OwnedFd| {
        let marks = IFlags::IMMUTABLE | IFlags::APPEND;
        if let Ok(flags) = rustix::fs::ioctl_getflags(&opened)
            && flags.intersects(marks)
        {
            let _ = rustix::fs::ioctl_setflags(&opened, flags - marks);
        }
    };
    if let Ok(above) = rustix::io::dup(directory) {
        unmark(above);
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    if let Ok(opened) = rustix::fs::openat(directory, name, flags, Mode::empty()) {
        unmark(opened);
    }
}

fn names(directory: BorrowedFd<'_>) -> Result<Vec<Vec<u8>>, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let listed = rustix::fs::openat(directory, c".", flags, Mode::empty())?;
    let mut names = Vec::new();
    for entry in Dir::new(listed)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(name.to_vec());
        }
        // The rest is found by the next look: a directory may have more names than memory should hold.
        if names.len() >= NAMES_MAX {
            break;
        }
    }
    Ok(names)
}

/// How many names are held at a time.
const NAMES_MAX: usize = 10_000;
