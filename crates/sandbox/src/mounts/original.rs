//! Mounts that copies are made of.
//!
//! Before Linux 6.15 the kernel copies a mount only for whoever sees it attached: one that is attached nowhere is of use once. There
//! it is made the root of a mount namespace that has nothing else in it and in which there is no process; a thread goes there for a
//! moment to make a copy. No host's mount table ever has it, and it is gone when its last descriptor is closed.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::{Errno, Result};
use rustix::mount::{MountPropagationFlags, OpenTreeFlags, UnmountFlags, open_tree};

use super::{Depth, Kind, attach, clone_of, make_beneath, open_beneath};
use crate::setup::process;

/// The file system that namespaces are files of (linux/magic.h).
const NSFS_MAGIC: u64 = 0x6e73_6673;

/// Has copies be made of a mount that is attached nowhere, on any kernel: by [`clone_within`], or [`clone_of`]. What it answers may
/// be kept and handed on; it is the mount itself, or a namespace of which it is the root.
///
/// # Errors
/// `EPERM` without `CAP_SYS_ADMIN`.
pub fn original(mount: OwnedFd) -> Result<OwnedFd> {
    if can_be_copied(mount.as_fd()) { Ok(mount) } else { apart(mount.as_fd()) }
}

/// A copy of the mount of a directory or file within an [`original`], attached nowhere. The path is relative to it, empty for all of
/// it; what is missing of it is made, as directories.
///
/// # Errors
/// As [`clone_of`] and [`make_beneath`].
pub fn clone_within(original: BorrowedFd<'_>, path: &str) -> Result<OwnedFd> {
    if is_namespace(original)? { copy_from_apart(original, path) } else { copy(original, path) }
}

fn copy(root: BorrowedFd<'_>, path: &str) -> Result<OwnedFd> {
    let place = match open_beneath(root, path, OFlags::PATH) {
        Err(Errno::NOENT) => make_beneath(root, path, Kind::Directory)?,
        found => found?,
    };
    clone_of(place.as_fd(), Depth::Alone)
}

/// Whether this kernel makes copies of a mount that is attached nowhere.
pub(crate) fn can_be_copied(mount: BorrowedFd<'_>) -> bool {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    open_tree(mount, "", flags).is_ok()
}

pub(super) fn is_namespace(descriptor: BorrowedFd<'_>) -> Result<bool> {
    Ok(rustix::fs::fstatfs(descriptor)?.f_type as u64 == NSFS_MAGIC)
}

/// A mount namespace whose root is this mount, which must be attached nowhere.
pub(super) fn apart(mount: BorrowedFd<'_>) -> Result<OwnedFd> {
    in_a_thread(|| {
        unshare(libc::CLONE_NEWNS)?;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let namespace = rustix::fs::open("/proc/thread-self/ns/mnt", flags, Mode::empty())?;
        rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
        let root = rustix::fs::open("/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        // On top of the root, where whoever enters the namespace arrives.
        attach(mount, root.as_fd())?;
        rustix::process::fchdir(mount)?;
        // Lets go of what the host has mounted. Where its root is the kernel's first one, which nothing can take the place of, that
        // stays, out of reach.
        if rustix::process::pivot_root(".", ".").is_ok() {
            rustix::mount::unmount(".", UnmountFlags::DETACH)?;
        }
        Ok(namespace)
    })
}

/// The same as [`copy`] of what [`apart`] has put into a namespace.
pub(super) fn copy_from_apart(namespace: BorrowedFd<'_>, path: &str) -> Result<OwnedFd> {
    in_a_thread(|| {
        unshare(libc::CLONE_FS)?;
        // This thread's root is now the namespace's.
        process::join(namespace, libc::CLONE_NEWNS).map_err(errno)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::openat(CWD, "/", flags, Mode::empty())?;
        copy(root.as_fd(), path)
    })
}

/// Namespaces, root and working directory are changed for a thread alone, which then ends.
pub(crate) fn in_a_thread<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, work);
        let thread = thread.map_err(errno)?;
        // It panicked: nothing is known of what it did.
        thread.join().unwrap_or(Err(Errno::IO))
    })
}

/// `unshare(2)` for this thread. A thread that has a root and a working directory of its own may enter other mount namespaces.
pub(crate) fn unshare(flags: libc::c_int) -> Result<()> {
    process::unshare(flags).map_err(errno)
}

fn errno(error: std::io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}
