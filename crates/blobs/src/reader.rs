//! Reading the blobs of another user.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::read::{Blob, of_file};
use crate::root::path_of;
use crate::{BlobError, Digest, LongDigest};

/// A directory of blobs that somebody else writes, for reading alone; cheap to clone.
///
/// It is for a process that has more rights than the directory's owner and therefore trusts nothing there: nothing is made
/// or locked; no symbolic link is followed and no mount entered beneath the root, so that the owner leads nobody
/// elsewhere; what is no regular file is neither read nor waited for. Whether a file is what its name says is the
/// reader's to check **while** it is read: the owner can change it afterwards.
///
/// Collection does not wait for readers: a blob that is open stays readable, others may go.
#[derive(Debug, Clone)]
pub struct Reader {
    root: Arc<OwnedFd>,
    /// Whose the blobs have to be.
    owner: Option<u32>,
}

impl Reader {
    /// Opens the directory: the same that [`Blobs::open_root`](crate::Blobs::open_root) is given. The last component of
    /// `path` must not be a symbolic link.
    ///
    /// # Errors
    /// [`BlobError::Io`] if it is not there or no directory.
    pub fn open_root(path: &Path) -> Result<Self, BlobError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let root = rustix::fs::open(path, flags, Mode::empty());
        let root = root.map_err(BlobError::os("opening the directory of blobs to read"))?;
        Ok(Self { root: Arc::new(root), owner: None })
    }

    /// The same for the blobs of one user: whoever owns a directory above could lead to another user's blobs, which this
    /// process may read and that user may not.
    ///
    /// # Errors
    /// Also [`BlobError::NotTheirs`] if the directory is somebody else's.
    pub fn open_root_of(path: &Path, owner: u32) -> Result<Self, BlobError> {
        let reader = Self { owner: Some(owner), ..Self::open_root(path)? };
        let stat = rustix::fs::fstat(&reader.root).map_err(BlobError::os("opening the directory of blobs to read"))?;
        if stat.st_uid == owner { Ok(reader) } else { Err(BlobError::NotTheirs) }
    }

    /// Opens a blob; none if it is not there.
    ///
    /// # Errors
    /// [`BlobError::NoFile`] if something else has its name, [`BlobError::Io`] if a link or a mount is on the way.
    pub fn open(&self, digest: &Digest) -> Result<Option<Blob>, BlobError> {
        self.open_path(&path_of(digest))
    }

    /// Opens a blob by its SHA-512; none if it is not there, or was not given it ([`Blobs::alias`](crate::Blobs::alias)).
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn open_long(&self, long: &LongDigest) -> Result<Option<Blob>, BlobError> {
        self.open_path(&long.path())
    }

    fn open_path(&self, path: &str) -> Result<Option<Blob>, BlobError> {
        let resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
        // A pipe would be waited for, and a terminal become ours.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        match rustix::fs::openat2(self.root.as_fd(), path, flags, Mode::empty(), resolve) {
            Ok(file) => self.is_theirs(&file)?.then(|| of_file(file)).ok_or(BlobError::NotTheirs)?.map(Some),
            Err(Errno::NOENT) => Ok(None),
            // A socket.
            Err(Errno::NXIO) => Err(BlobError::NoFile),
            Err(error) => Err(BlobError::os("opening a blob to read")(error)),
        }
    }

    /// Whether a file is the owner's. Root may have put one there for them, from a backup.
    fn is_theirs(&self, file: &OwnedFd) -> Result<bool, BlobError> {
        let Some(owner) = self.owner else { return Ok(true) };
        let uid = rustix::fs::fstat(file).map_err(BlobError::os("opening a blob to read"))?.st_uid;
        Ok(uid == owner || uid == 0)
    }

    /// The size of a blob, in bytes; none if it is not there.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn size(&self, digest: &Digest) -> Result<Option<u64>, BlobError> {
        Ok(self.open(digest)?.map(|blob| blob.size()))
    }
}
