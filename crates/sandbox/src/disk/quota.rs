//! Project quotas: a directory, and all that is made in it, counts to a number that has a limit. ext4 and XFS have them where
//! they are mounted with `prjquota`.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

// linux/fs.h
const FSGETXATTR: libc::c_ulong = 0x801C_581F;
const FSSETXATTR: libc::c_ulong = 0x401C_5820;
const PROJINHERIT: u32 = 0x200;
// linux/quota.h: commands are shifted by 8 and or-ed with the kind of quota.
const PROJECT: u32 = 2;
const GETQUOTA: u32 = 0x80_0007 << 8 | PROJECT;
const SETQUOTA: u32 = 0x80_0008 << 8 | PROJECT;
const BLOCK_LIMITS: u32 = 1;
const INODE_LIMITS: u32 = 4;
/// In what the limit of space is given.
const BLOCK_BYTES: u64 = 1024;

/// `struct fsxattr`
#[derive(Clone, Copy, Default)]
#[repr(C)]
struct Attributes {
    xflags: u32,
    extsize: u32,
    nextents: u32,
    projid: u32,
    cowextsize: u32,
    pad: [u8; 8],
}

/// `struct if_dqblk`
#[derive(Clone, Copy, Default)]
#[repr(C)]
struct Quota {
    block_hard: u64,
    block_soft: u64,
    space: u64,
    inode_hard: u64,
    inode_soft: u64,
    inodes: u64,
    block_time: u64,
    inode_time: u64,
    valid: u32,
}

/// What a project has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Project {
    pub(super) bytes_used: u64,
    /// 0 is no limit.
    pub(super) bytes_max: u64,
    pub(super) inodes_used: u64,
}

/// Makes a directory, and all that is made in it from now on, a project's.
pub(super) fn assign(directory: BorrowedFd<'_>, project: u32) -> io::Result<()> {
    let mut attributes = attributes(directory)?;
    attributes.projid = project;
    attributes.xflags |= PROJINHERIT;
    // SAFETY: the request reads one `struct fsxattr`, whose layout `Attributes` has, during the call.
    let answer = unsafe { libc::ioctl(directory.as_raw_fd(), FSSETXATTR, &raw const attributes) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The project of a directory; 0 is none.
pub(super) fn project_of(directory: BorrowedFd<'_>) -> io::Result<u32> {
    Ok(attributes(directory)?.projid)
}

/// Limits a project; 0 is no limit. `directory` is any on the file system.
pub(super) fn limit(directory: BorrowedFd<'_>, project: u32, bytes: u64, inodes: u64) -> io::Result<()> {
    let mut quota = Quota {
        block_hard: bytes.div_ceil(BLOCK_BYTES),
        inode_hard: inodes,
        valid: BLOCK_LIMITS | INODE_LIMITS,
        ..Quota::default()
    };
    command(directory, SETQUOTA, project, &mut quota)
}

/// What a project has used, and may.
pub(super) fn look(directory: BorrowedFd<'_>, project: u32) -> io::Result<Project> {
    let mut quota = Quota::default();
    match command(directory, GETQUOTA, project, &mut quota) {
        Ok(()) => {}
        // XFS says so of a project that it has never met.
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
        Err(error) => return Err(error),
    }
    Ok(Project {
        bytes_used: quota.space,
        bytes_max: quota.block_hard.saturating_mul(BLOCK_BYTES),
        inodes_used: quota.inodes,
    })
}

fn attributes(directory: BorrowedFd<'_>) -> io::Result<Attributes> {
    let mut attributes = Attributes::default();
    // SAFETY: the request writes one `struct fsxattr`, whose layout `Attributes` has and of which any bytes are a value.
    let answer = unsafe { libc::ioctl(directory.as_raw_fd(), FSGETXATTR, &raw mut attributes) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(attributes) }
}

/// `quotactl_fd(2)`, of Linux 5.14.
fn command(directory: BorrowedFd<'_>, command: u32, project: u32, quota: &mut Quota) -> io::Result<()> {
    let quota: *mut Quota = quota;
    // SAFETY: both commands that are given here read or write one `struct if_dqblk`, whose layout `Quota` has and of which any
    // bytes are a value; it lives through the call.
    let answer = unsafe { libc::syscall(libc::SYS_quotactl_fd, directory.as_raw_fd(), command, project, quota) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_reads_has_the_kernels_size() {
        assert_eq!(std::mem::size_of::<Attributes>(), 28);
        assert_eq!(std::mem::size_of::<Quota>(), 72);
    }
}
