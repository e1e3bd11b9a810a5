//! File systems in memory.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::{Errno, Result};

use super::{Depth, restrict};
use crate::plan::MountFlags;

/// The most files that are made at once.
const FILES_MAX: usize = 4096;

/// A file of [`memory_files`].
#[derive(Debug, Clone)]
pub struct MemoryFile {
    /// Where, relative to the mount, without `..`.
    pub path: String,
    /// What is in it.
    pub content: Vec<u8>,
    /// Its mode.
    pub mode: u32,
}

/// A directory in memory of at most so many bytes, attached nowhere, whose root has this mode and owner. Its pages count as the
/// memory of whoever writes them.
///
/// # Errors
/// As `fsopen(2)` and `fsconfig(2)` have them.
pub fn tmpfs(bytes_max: u64, mode: u32, uid: u32, gid: u32, flags: MountFlags) -> Result<OwnedFd> {
    let options =
        [format!("size={bytes_max}"), format!("mode={:o}", mode & 0o7777), format!("uid={uid}"), format!("gid={gid}")];
    super::new("tmpfs", &options.each_ref().map(String::as_str), flags)
}

/// Files in memory, read-only, attached nowhere, owned by root.
///
/// # Errors
/// `EINVAL` for a path with `..`, `EEXIST` for a path that is there twice, `E2BIG` for too many files.
pub fn memory_files(files: &[MemoryFile]) -> Result<OwnedFd> {
    if files.len() > FILES_MAX {
        return Err(Errno::TOOBIG);
    }
    let bytes: u64 = files.iter().map(|file| file.content.len().next_multiple_of(PAGE_BYTES) as u64).sum();
    let flags = MountFlags { read_only: false, no_exec: true, no_suid: true, no_dev: true };
    // A page for each file and directory beside, as none is allowed to be 0: that would be no limit.
    let mount = tmpfs(bytes + (files.len() as u64 + 1) * PAGE_BYTES as u64, 0o755, 0, 0, flags)?;
    for file in files {
        write(mount.as_fd(), file)?;
    }
    restrict(mount.as_fd(), MountFlags { read_only: true, ..flags }, Depth::Alone)?;
    Ok(mount)
}

/// What the size of files in memory is counted in; no page is smaller.
const PAGE_BYTES: usize = 4096;

fn write(root: BorrowedFd<'_>, file: &MemoryFile) -> Result<()> {
    let path = file.path.trim_start_matches('/');
    let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
    if path.split('/').any(|part| part == "..") {
        return Err(Errno::INVAL);
    }
    let parent = super::make_beneath(root, parent, super::Kind::Directory)?;
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(file.mode & 0o7777);
    let made = rustix::fs::openat(&parent, name, flags, mode)?;
    // The caller's umask has no say.
    rustix::fs::fchmod(&made, mode)?;
    write_all(made.as_fd(), &file.content)
}

pub(crate) fn write_all(file: BorrowedFd<'_>, mut content: &[u8]) -> Result<()> {
    while !content.is_empty() {
        match rustix::io::write(file, content) {
            Ok(written) => content = &content[written..],
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
