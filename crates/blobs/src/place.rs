//! Where a blob is to be.

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Mode, Timespec, Timestamps, UTIME_NOW};

use crate::collect::Hold;
use crate::read::size_in;
use crate::{BlobError, Blobs, Digest};

/// A blob is read by its owner, and written by nobody.
pub(crate) const BLOB_MODE: Mode = Mode::RUSR;

/// The place of a blob's file. While it is held nothing is collected: between finding the blob there and making it new
/// again, nobody may take it.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) directory: OwnedFd,
    pub(crate) name: String,
    _hold: Hold,
}

impl Blobs {
    /// The place of a blob, whose directory is made if it is not there.
    pub(crate) fn place(&self, digest: &Digest) -> Result<Place, BlobError> {
        let directory = self.make_directory_of(digest)?;
        Ok(Place { directory, name: digest.hex(), _hold: self.hold()? })
    }
}

impl Place {
    /// Whether a blob of this size is there: it is the same one then.
    pub(crate) fn is_taken_by(&self, size: u64) -> Result<bool, BlobError> {
        Ok(size_in(&self.directory, &self.name)? == Some(size))
    }

    /// Makes the blob that is there count as new.
    pub(crate) fn touch(&self) -> Result<(), BlobError> {
        touch(&self.directory, &self.name)
    }

    /// Makes the blob's name durable; also if another writer has put it there, who may not have come so far yet.
    pub(crate) fn settle(&self) -> Result<(), BlobError> {
        rustix::fs::fsync(&self.directory).map_err(BlobError::os("storing a blob"))
    }
}

/// Makes a blob count as new.
pub(crate) fn touch(directory: &OwnedFd, name: &str) -> Result<(), BlobError> {
    rustix::fs::utimensat(directory, name, &now(), AtFlags::SYMLINK_NOFOLLOW)
        .map_err(BlobError::os("making a blob new again"))
}

/// Both times of a file, to be set to the present by the file system's clock.
pub(crate) fn now() -> Timestamps {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    Timestamps { last_access: now, last_modification: now }
}
