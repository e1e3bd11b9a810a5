//! Mounts that are attached nowhere: made by whoever may see the host, handed on as descriptors, attached within a container.
//! No path of a tenant is resolved but beneath a root, by `openat2(2)`, and what was resolved is used by descriptor alone.
//!
//! Linux 5.12 or later (`mount_setattr(2)`).

mod beneath;
mod identity;
mod memory;
mod moment;
mod original;
#[cfg(test)]
mod tests;

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::io::{Errno, Result};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
};

pub use beneath::{Kind, make_beneath, open_beneath};
pub(crate) use beneath::{open_plain, open_within};
pub use identity::{idmapped, user_namespace};
pub(crate) use memory::write_all;
pub use memory::{MemoryFile, memory_files, tmpfs};
pub use moment::Moment;
pub(crate) use original::{can_be_copied, in_a_thread, unshare};
pub use original::{clone_within, original};

use crate::plan::MountFlags;
use crate::setup::process;

/// How much of a tree of mounts is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The mount alone.
    Alone,
    /// The mount and those below it.
    Tree,
}

/// A copy of a directory's or file's mount, attached nowhere, or of an [`original`]. What is mounted below it comes along, if that is
/// asked for.
///
/// # Errors
/// `EPERM` without `CAP_SYS_ADMIN`, `EINVAL` if it is in another mount namespace, or before Linux 6.15 attached nowhere.
pub fn clone_of(what: BorrowedFd<'_>, depth: Depth) -> Result<OwnedFd> {
    if original::is_namespace(what)? {
        return original::copy_from_apart(what, "");
    }
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    if depth == Depth::Tree {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    open_tree(what, "", flags)
}

/// Forbids things at a mount. What is forbidden already stays so. It leaves the mount private: nothing that is mounted below it
/// here is seen elsewhere, and nothing from elsewhere here.
///
/// # Errors
/// `EPERM` without `CAP_SYS_ADMIN` where the mount is.
pub fn restrict(mount: BorrowedFd<'_>, flags: MountFlags, depth: Depth) -> Result<()> {
    // SAFETY: all zeroes is a valid value of a structure of integers.
    let mut attributes: libc::mount_attr = unsafe { std::mem::zeroed() };
    attributes.attr_set = attribute_flags(flags).bits().into();
    attributes.propagation = libc::MS_PRIVATE;
    set_attributes(mount, &attributes, depth)
}

/// `mount_setattr(2)`.
fn set_attributes(mount: BorrowedFd<'_>, attributes: &libc::mount_attr, depth: Depth) -> Result<()> {
    let recursive = if depth == Depth::Tree { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the empty path ends with NUL, the structure lives as long as the call, and its size is told.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | recursive,
            std::ptr::from_ref(attributes),
            size_of::<libc::mount_attr>(),
        )
    };
    if answer == 0 { Ok(()) } else { Err(last_error()) }
}

pub(crate) fn attribute_flags(flags: MountFlags) -> MountAttrFlags {
    let each = [
        (flags.read_only, MountAttrFlags::MOUNT_ATTR_RDONLY),
        (flags.no_exec, MountAttrFlags::MOUNT_ATTR_NOEXEC),
        (flags.no_suid, MountAttrFlags::MOUNT_ATTR_NOSUID),
        (flags.no_dev, MountAttrFlags::MOUNT_ATTR_NODEV),
    ];
    each.into_iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag).collect()
}

/// Has this process see mounts of its own beside the host's: what it mounts is seen by nobody else and ends with it, what the host
/// mounts or lets go of it still sees. To be called before there is a second thread, which would stay where it is.
///
/// # Errors
/// What the kernel says.
pub fn leave_the_hosts() -> Result<()> {
    process::unshare(libc::CLONE_NEWNS).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    rustix::mount::mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)
}

/// Attaches a mount at a directory or file.
///
/// # Errors
/// `ENOTDIR` if one is a directory and the other is not.
pub fn attach(mount: BorrowedFd<'_>, target: BorrowedFd<'_>) -> Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(mount, "", target, "", flags)
}

/// A new file system, attached nowhere. Options are `name=value` or `name`.
pub(crate) fn new(kind: &str, options: &[&str], flags: MountFlags) -> Result<OwnedFd> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&context, "source", kind)?;
    for option in options {
        match option.split_once('=') {
            Some((name, value)) => fsconfig_set_string(&context, name, value)?,
            None => fsconfig_set_flag(&context, *option)?,
        }
    }
    fsconfig_create(&context)?;
    fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attribute_flags(flags))
}

/// The error of the call that has just failed.
fn last_error() -> Errno {
    std::io::Error::last_os_error().raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error)
}
