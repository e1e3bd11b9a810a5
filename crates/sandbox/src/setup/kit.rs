//! What a sandbox keeps for its containers: a small read-only directory in memory which is the root of the sandbox's own process, and
//! from which each container's tree of mounts starts. Nothing of the host is in it.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{FileType, Mode};

use super::devices;
use super::failure::Doing;
use crate::mounts::{self, Depth};
use crate::plan::MountFlags;
use crate::protocol::ShimFailure;

/// Where a container's root is attached before it becomes the root.
pub(crate) const ROOT: &str = "root";
/// Where the sandbox's own `/proc` is.
pub(crate) const PROC: &str = "proc";
/// An empty directory, which covers directories.
pub(crate) const EMPTY: &str = "empty";
/// The device `null`, which covers files.
pub(crate) const NULL: &str = "null";
/// How much fits, in bytes: it is for names.
const BYTES_MAX: u64 = 1024 * 1024;

/// A new one, attached nowhere. To be made with the host's rights, as device files are.
pub(crate) fn make() -> Result<OwnedFd, ShimFailure> {
    let flags = MountFlags { read_only: false, no_exec: true, no_suid: true, no_dev: false };
    let mount = mounts::tmpfs(BYTES_MAX, 0o555, 0, 0, flags).doing("making a sandbox's directory")?;
    for name in [ROOT, PROC, EMPTY] {
        rustix::fs::mkdirat(&mount, name, Mode::from_raw_mode(0o555)).doing("making a sandbox's directory")?;
    }
    for (name, major, minor) in devices::USUAL {
        devices::node(mount.as_fd(), name, FileType::CharacterDevice, (major, minor), 0o666)?;
    }
    let flags = MountFlags { read_only: true, ..flags };
    mounts::restrict(mount.as_fd(), flags, Depth::Alone).doing("making a sandbox's directory")?;
    Ok(mount)
}
