//! Files that stay as long as a backup copies them.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::{FileId, Files, OpenFile, list, open};
use crate::BlobError;
use crate::collect::{Hold, retry_on_interrupt};
use crate::root::open_beneath;

/// The files in a directory, of which none is removed while this exists, by whatever process has the directory open. New
/// ones may come.
#[derive(Debug)]
pub struct HeldFiles {
    root: OwnedFd,
    _hold: Hold,
}

impl HeldFiles {
    /// Holds the files of a directory; none if there is no such directory. Waits until removals that have begun are done.
    ///
    /// # Errors
    /// When it can be neither opened nor locked.
    pub fn at(path: &Path) -> Result<Option<Self>, BlobError> {
        let root: OwnedFd = match File::open(path) {
            Ok(root) => root.into(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(BlobError::io("opening the directory of files")(error)),
        };
        // Whoever wants to remove something finds that this is taken, and leaves it at that: otherwise those who remove,
        // of whom there may always be one, would be waited for without an end.
        let waiting = hold(root.as_fd(), WAITING)?;
        let hold = hold(root.as_fd(), LOCK)?;
        drop(waiting);
        Ok(Some(Self { root, _hold: hold }))
    }

    /// All files, one directory after the other. What is there when this begins is among them.
    pub fn all(&self) -> impl Iterator<Item = Result<FileId, BlobError>> + '_ {
        (0..=u8::MAX).flat_map(|directory| match list(self.root.as_fd(), directory, |_| true) {
            Ok(found) => found.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        })
    }

    /// Opens a file; none if it is not there.
    ///
    /// # Errors
    /// When it cannot be opened, or is no file.
    pub fn open(&self, id: &FileId) -> Result<Option<OpenFile>, BlobError> {
        open(self.root.as_fd(), id)
    }
}

impl Files {
    /// While it exists nobody holds the files; none if somebody does.
    pub(super) fn removing(&self) -> Result<Option<Hold>, BlobError> {
        // For no longer than it takes to have the other one.
        let Some(_nobody_waits) = share(self.root(), WAITING)? else { return Ok(None) };
        share(self.root(), LOCK)
    }
}

/// The lock between those who remove files and those who hold them.
const LOCK: &str = "lock";
/// The lock of those who wait for the other one.
const WAITING: &str = "lock-waiting";

/// Has a lock alone, as soon as nobody else has it.
fn hold(root: BorrowedFd<'_>, lock: &str) -> Result<Hold, BlobError> {
    let hold = Hold(lock_file(root, lock)?);
    retry_on_interrupt(|| rustix::fs::flock(&hold.0, FlockOperation::LockExclusive))
        .map_err(BlobError::os("holding files"))?;
    Ok(hold)
}

/// Has a lock with others; none if somebody has it alone.
fn share(root: BorrowedFd<'_>, lock: &str) -> Result<Option<Hold>, BlobError> {
    let hold = Hold(lock_file(root, lock)?);
    match retry_on_interrupt(|| rustix::fs::flock(&hold.0, FlockOperation::NonBlockingLockShared)) {
        Ok(()) => Ok(Some(hold)),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(BlobError::os("locking files to remove some")(error)),
    }
}

/// A descriptor of its own for a lock.
fn lock_file(root: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, BlobError> {
    let mode = Mode::RUSR | Mode::WUSR;
    open_beneath(root, name, OFlags::RDWR | OFlags::CREATE, mode).map_err(BlobError::os("opening the lock of files"))
}
