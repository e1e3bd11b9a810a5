//! Files that become blobs as they are.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::fd::AsRawFd;

use rustix::fs::{AtFlags, CWD};
use rustix::io::Errno;

use crate::place::{BLOB_MODE, Place, now};
use crate::{BlobError, Blobs, Digest};

impl Blobs {
    /// Makes a file that is open for reading a blob, without copying it: the blob is another name of the same file. When
    /// this returns it is on disk, whole, and counts as new.
    ///
    /// That the file has this digest is the caller's word: it has hashed every byte that it wrote. From now on it writes
    /// to the file no more, through no descriptor and under no name; removing the file's other names is up to it.
    ///
    /// Where a file cannot have another name among the blobs (it is on another file system, say) it is copied, and what
    /// was copied is compared with the digest.
    ///
    /// # Errors
    /// [`BlobError::Full`]; [`BlobError::Mismatch`] from a copy.
    pub fn adopt(&self, file: &File, digest: &Digest) -> Result<(), BlobError> {
        let doing = "storing a blob";
        let size = file.metadata().map_err(BlobError::io(doing))?.len();
        if self.renews(digest, size)? {
            return Ok(());
        }
        rustix::fs::fchmod(file, BLOB_MODE).map_err(BlobError::os(doing))?;
        rustix::fs::futimens(file, &now()).map_err(BlobError::os(doing))?;
        file.sync_all().map_err(BlobError::io(doing))?;
        let place = self.place(digest)?;
        match self.link(file, size, &place) {
            Ok(()) => return place.settle(),
            Err(error) if cannot_link(error) => drop(place),
            Err(error) => return Err(BlobError::os(doing)(error)),
        }
        self.copy(file, size, digest)
    }

    /// Makes a blob new if it is there in this size.
    fn renews(&self, digest: &Digest, size: u64) -> Result<bool, BlobError> {
        if self.size(digest)? != Some(size) {
            return Ok(false);
        }
        let place = self.place(digest)?;
        let is_there = place.is_taken_by(size)?;
        if is_there {
            place.touch()?;
            place.settle()?;
        }
        Ok(is_there)
    }

    /// Gives the file its name.
    fn link(&self, file: &File, size: u64, place: &Place) -> Result<(), Errno> {
        let own = format!("/proc/self/fd/{}", file.as_raw_fd());
        match rustix::fs::linkat(CWD, &own, &place.directory, &place.name, AtFlags::SYMLINK_FOLLOW) {
            Err(Errno::EXIST) => {}
            done => return done,
        }
        if place.is_taken_by(size).unwrap_or(false) {
            // Another writer has put it there just now.
            return Ok(());
        }
        // One that is damaged is replaced; no file can be linked over another.
        let name = self.temporary_name();
        rustix::fs::linkat(CWD, &own, self.temporary(), &name, AtFlags::SYMLINK_FOLLOW)?;
        rustix::fs::renameat(self.temporary(), &name, &place.directory, &place.name)
    }

    fn copy(&self, mut file: &File, size: u64, digest: &Digest) -> Result<(), BlobError> {
        let mut writer = self.writer(size)?;
        let reading = "reading a file that is to be a blob";
        file.seek(SeekFrom::Start(0)).map_err(BlobError::io(reading))?;
        // The writer's errors come through as they are: a full disk is one.
        io::copy(&mut file, &mut writer).map_err(BlobError::io("copying a file that is to be a blob"))?;
        writer.finish_as(digest).map(drop)
    }
}

/// Whether an error says that the file can have no name there, while its bytes can be there. (`NOENT` is a machine
/// without `/proc`, or a file that has lost its last name.)
fn cannot_link(error: Errno) -> bool {
    let refusals =
        [Errno::XDEV, Errno::NOENT, Errno::PERM, Errno::ACCESS, Errno::MLINK, Errno::OPNOTSUPP, Errno::NOSYS];
    refusals.contains(&error)
}
