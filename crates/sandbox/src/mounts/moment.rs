//! Mounts that are attached for a moment.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{CWD, Mode};
use rustix::io::{Errno, Result};
use rustix::mount::{MoveMountFlags, UnmountFlags};

use super::original::can_be_copied;

/// Mounts that are attached for as long as this lives, and of no use afterwards. Before Linux 6.15 overlays and copies are made of
/// nothing else; a node that has mounts of its own ([`super::leave_the_hosts`]) shows them to nobody.
#[derive(Debug)]
pub struct Moment {
    places: Vec<PathBuf>,
    /// Paths may lead by way of its number.
    _parent: Option<OwnedFd>,
}

impl Moment {
    /// Attaches each of them, if this kernel needs that, at a new directory within `parent`, by this name and its number. Where the
    /// kernel does not, nothing happens.
    ///
    /// # Errors
    /// Those of `mkdir(2)` and `move_mount(2)`; then none is attached.
    pub fn of<F: AsFd>(mounts: &[F], parent: BorrowedFd<'_>, name: &str) -> Result<Self> {
        let parent = rustix::io::fcntl_dupfd_cloexec(parent, 0)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", parent.as_raw_fd()));
        let mut moment = Self { places: Vec::new(), _parent: Some(parent) };
        for (number, mount) in mounts.iter().enumerate() {
            if !can_be_copied(mount.as_fd()) {
                moment.attach(mount.as_fd(), path.join(format!("{name}-{number}")))?;
            }
        }
        Ok(moment)
    }

    /// Attaches one at a directory of the caller's, which is made if it is not there, on any kernel.
    ///
    /// # Errors
    /// As [`Moment::of`].
    pub(crate) fn at(mount: BorrowedFd<'_>, place: PathBuf) -> Result<Self> {
        let mut moment = Self { places: Vec::new(), _parent: None };
        moment.attach(mount, place)?;
        Ok(moment)
    }

    fn attach(&mut self, mount: BorrowedFd<'_>, place: PathBuf) -> Result<()> {
        match rustix::fs::mkdir(&place, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
        self.places.push(place);
        let place = &self.places[self.places.len() - 1];
        rustix::mount::move_mount(mount, c"", CWD, place, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
    }
}

impl Drop for Moment {
    fn drop(&mut self) {
        for place in &self.places {
            // What stays is cleared away by the node's next start.
            let _ = rustix::mount::unmount(place, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW);
            let _ = rustix::fs::rmdir(place);
        }
    }
}
