//! Mounts whose files belong to other users than those on disk.

use std::io::Write;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use rustix::io::Result;

use super::{Depth, last_error, set_attributes};
use crate::plan::IdRange;

/// Has a detached mount's files belong to the users of a namespace ([`user_namespace`]): what is user 0's on disk is user 0's in there.
///
/// # Errors
/// `EINVAL` where the file system cannot (an overlay cannot: map its layers), or the mount is attached or mapped already.
pub fn idmapped(mount: BorrowedFd<'_>, users: BorrowedFd<'_>, depth: Depth) -> Result<()> {
    // SAFETY: all zeroes is a valid value of a structure of integers.
    let mut attributes: libc::mount_attr = unsafe { std::mem::zeroed() };
    attributes.attr_set = libc::MOUNT_ATTR_IDMAP;
    attributes.userns_fd = users.as_raw_fd().cast_unsigned().into();
    set_attributes(mount, &attributes, depth)
}

/// A user namespace of this mapping, in which there is no process. For [`idmapped`]; it may be called in a threaded process.
///
/// # Errors
/// As `clone(2)` has them, and those of writing its mapping.
pub fn user_namespace(range: IdRange) -> std::io::Result<OwnedFd> {
    let holder = Holder::new()?;
    let directory = format!("/proc/{}", holder.0);
    for file in ["uid_map", "gid_map"] {
        std::fs::OpenOptions::new()
            .write(true)
            .open(format!("{directory}/{file}"))?
            .write_all(format!("0 {} {}", range.first, range.count).as_bytes())?;
    }
    let namespace = std::fs::File::open(format!("{directory}/ns/user"))?;
    Ok(namespace.into())
}

/// A process that does nothing but be in a new user namespace. It ends when this value does.
struct Holder(i32);

impl Holder {
    fn new() -> Result<Self> {
        let flags = libc::c_long::from(libc::CLONE_NEWUSER | libc::SIGCHLD);
        // SAFETY: as fork(2): no stack, no shared memory. The child may have been forked from a process of many threads, so it
        // calls nothing but pause(2), which takes no lock.
        match unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) } {
            -1 => Err(last_error()),
            0 => loop {
                // SAFETY: neither takes a pointer. The caller's thread outlives the child unless all of it is killed.
                unsafe {
                    libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                    libc::pause();
                }
            },
            pid => Ok(Self(i32::try_from(pid).unwrap_or(i32::MAX))),
        }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // SAFETY: the process is this one's child and not yet reaped, so the number is its own. No status is asked for.
        unsafe {
            libc::kill(self.0, libc::SIGKILL);
            libc::waitpid(self.0, std::ptr::null_mut(), 0);
        }
    }
}
