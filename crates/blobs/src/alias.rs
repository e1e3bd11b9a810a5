//! Blobs by their SHA-512: another name of the same file, for those whose clients know them by no other.

use std::fmt;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::read::{Blob, of_file};
use crate::root::{names_in, open_beneath, subdirectory};
use crate::{BlobError, Blobs, Digest};

/// The directory of the directories of aliases.
const ALIASES: &str = "sha512";

/// The SHA-512 of a blob. What [`Digest`] is for all blobs, this is for those that were given it by [`Blobs::alias`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LongDigest([u8; 64]);

impl LongDigest {
    /// The digest that has these bytes.
    pub fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The 128 digits, without `sha512:`.
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }

    /// Where it is found, beneath the root.
    pub(crate) fn path(&self) -> String {
        let digits = self.hex();
        format!("{ALIASES}/{}/{digits}", &digits[..2])
    }
}

impl fmt::Debug for LongDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha512:{}", self.hex())
    }
}

impl Blobs {
    /// Lets a blob be found by its SHA-512, too, as long as it is there. That it has this one is the caller's word. Answers
    /// whether the blob is there.
    ///
    /// # Errors
    /// [`BlobError::Io`] where a file cannot have two names.
    pub fn alias(&self, digest: &Digest, long: &LongDigest) -> Result<bool, BlobError> {
        let doing = "giving a blob another name";
        let _hold = self.hold()?;
        let Some(blobs) = self.directory_of(digest)? else { return Ok(false) };
        let aliases = subdirectory(subdirectory(self.root(), ALIASES)?.as_fd(), &long.hex()[..2])?;
        let (from, to) = (digest.hex(), long.hex());
        match rustix::fs::linkat(&blobs, &from, &aliases, &to, AtFlags::empty()) {
            Ok(()) => return Ok(true),
            Err(Errno::NOENT) => return Ok(false),
            Err(Errno::EXIST) if inode(&blobs, &from)? == inode(&aliases, &to)? => return Ok(true),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(BlobError::os(doing)(error)),
        }
        // It is another file's, whose blob has gone or was replaced.
        let temporary = self.temporary_name();
        rustix::fs::linkat(&blobs, &from, self.temporary(), &temporary, AtFlags::empty())
            .and_then(|()| rustix::fs::renameat(self.temporary(), &temporary, &aliases, &to))
            .map_err(BlobError::os(doing))?;
        Ok(true)
    }

    /// Opens a blob by its SHA-512; none if it is not there, or was not given it.
    ///
    /// # Errors
    /// As [`Blobs::open`].
    pub fn open_long(&self, long: &LongDigest) -> Result<Option<Blob>, BlobError> {
        match open_beneath(self.root(), &long.path(), OFlags::RDONLY, Mode::empty()) {
            Ok(file) => of_file(file).map(Some),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(BlobError::os("opening a blob")(error)),
        }
    }

    /// Removes the aliases of blobs that have gone: files that have no other name. Nothing may be collected meanwhile.
    pub(crate) fn collect_aliases(&self) -> Result<(), BlobError> {
        let doing = "collecting aliases of blobs";
        let open = |parent: &OwnedFd, name: &str| {
            open_beneath(parent.as_fd(), name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())
        };
        let aliases = match open_beneath(self.root(), ALIASES, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()) {
            Ok(aliases) => aliases,
            Err(Errno::NOENT) => return Ok(()),
            Err(error) => return Err(BlobError::os(doing)(error)),
        };
        for name in names_in(aliases.as_fd())? {
            let directory = open(&aliases, &name).map_err(BlobError::os(doing))?;
            for alias in names_in(directory.as_fd())? {
                let stat = rustix::fs::statat(&directory, &alias, AtFlags::SYMLINK_NOFOLLOW);
                if stat.map_err(BlobError::os(doing))?.st_nlink == 1 {
                    rustix::fs::unlinkat(&directory, &alias, AtFlags::empty()).map_err(BlobError::os(doing))?;
                }
            }
        }
        Ok(())
    }
}

fn inode(directory: &OwnedFd, name: &str) -> Result<Option<u64>, BlobError> {
    match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat.st_ino)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(BlobError::os("looking for a blob")(error)),
    }
}
