//! One directory of limited size, in use.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::error::Error;
use super::loops::Loop;
use super::{PROJECT_FIRST, image, open_directory, quota};
use crate::mounts::Moment;

const UPPER: &str = "upper";
const WORK: &str = "work";

/// A directory, limited or not.
#[derive(Debug)]
pub struct Limited {
    root: OwnedFd,
    upper: OwnedFd,
    work: OwnedFd,
    pub(super) form: Form,
}

#[derive(Debug)]
pub(super) enum Form {
    Tree,
    /// The device, where to attach it for a moment, and whether that must be.
    Image {
        device: Loop,
        attach_at: PathBuf,
        is_of_use_detached: bool,
    },
}

/// What a directory holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Used, in bytes.
    pub bytes_used: u64,
    /// What fits, in bytes.
    pub bytes_max: u64,
}

impl Limited {
    pub(super) fn of_tree(path: &Path) -> Result<Self, Error> {
        Self::of(open_directory(path)?, Form::Tree)
    }

    pub(super) fn of(root: OwnedFd, form: Form) -> Result<Self, Error> {
        let (upper, work) = parts(root.as_fd())?;
        Ok(Self { root, upper, work, form })
    }

    /// What is written to: an overlay's upper directory, or a volume. Root's, mode 0755, empty at first.
    pub fn upper(&self) -> BorrowedFd<'_> {
        self.upper.as_fd()
    }

    /// What an overlay needs beside it.
    pub fn work(&self) -> BorrowedFd<'_> {
        self.work.as_fd()
    }

    /// Calls `make` with [`Limited::upper`] and [`Limited::work`] in a state in which overlays and clones can be made of them.
    /// Before Linux 6.15 neither can be made of a mount that is attached nowhere: there an image is attached in the node's
    /// directory for as long as `make` takes. What was made stays good.
    pub fn attached<T>(&self, make: impl FnOnce(BorrowedFd<'_>, BorrowedFd<'_>) -> T) -> Result<T, Error> {
        match &self.form {
            Form::Image { device, attach_at, is_of_use_detached: false } => {
                let root = image::mount(&device.path)?;
                let failed = |error| Error::io("attaching at", attach_at)(error);
                let _attached = Moment::at(root.as_fd(), attach_at.clone()).map_err(failed)?;
                let (upper, work) = parts(root.as_fd())?;
                Ok(make(upper.as_fd(), work.as_fd()))
            }
            Form::Image { .. } | Form::Tree => Ok(make(self.upper(), self.work())),
        }
    }

    /// What it holds. `None` for what is not limited.
    pub fn usage(&self) -> Result<Option<Usage>, Error> {
        match &self.form {
            Form::Tree => usage_of_tree(self.root.as_fd()),
            Form::Image { .. } => {
                let all = rustix::fs::fstatvfs(&self.root).map_err(Error::io("looking at", "a file system"))?;
                let bytes_max = all.f_blocks * all.f_frsize;
                let bytes_used = bytes_max.saturating_sub(all.f_bfree * all.f_frsize);
                Ok(Some(Usage { bytes_used, bytes_max }))
            }
        }
    }
}

pub(super) fn usage_of_tree(tree: BorrowedFd<'_>) -> Result<Option<Usage>, Error> {
    let failed = |error| Error::std("looking at", "a directory's quota")(error);
    let project = match quota::project_of(tree) {
        Ok(project) if project >= PROJECT_FIRST => project,
        // Not limited, or on a file system that knows no projects.
        _ => return Ok(None),
    };
    let of_project = quota::look(tree, project).map_err(failed)?;
    Ok(Some(Usage { bytes_used: of_project.bytes_used, bytes_max: of_project.bytes_max }))
}

/// The two directories in a new tree or image.
pub(super) fn make_parts(root: BorrowedFd<'_>, path: &Path) -> Result<(), Error> {
    for (name, mode) in [(UPPER, 0o755), (WORK, 0o700)] {
        rustix::fs::mkdirat(root, name, Mode::from_raw_mode(mode)).map_err(Error::io("preparing", path))?;
        let made = parts_open(root, name).map_err(Error::io("preparing", path))?;
        // Whatever the node's umask is.
        rustix::fs::fchmod(&made, Mode::from_raw_mode(mode)).map_err(Error::io("preparing", path))?;
    }
    Ok(())
}

fn parts(root: BorrowedFd<'_>) -> Result<(OwnedFd, OwnedFd), Error> {
    let open = |name| parts_open(root, name).map_err(Error::io("opening", name));
    Ok((open(UPPER)?, open(WORK)?))
}

fn parts_open(root: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(root, name, flags, Mode::empty())
}
