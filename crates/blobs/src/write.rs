//! Writing.

use std::fs::File;
use std::io::{self, Write};

use rustix::fs::{AtFlags, RenameFlags};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use crate::place::BLOB_MODE;
use crate::{BlobError, Blobs, Digest};

/// A blob that is being written. Dropping it leaves nothing.
#[derive(Debug)]
pub struct Writer {
    blobs: Blobs,
    file: File,
    /// The name of the temporary file; none once the file has another.
    temporary: Option<String>,
    hasher: Sha256,
    size: u64,
    size_max: u64,
}

impl Blobs {
    /// Begins a blob of at most `size_max` bytes.
    pub fn writer(&self, size_max: u64) -> Result<Writer, BlobError> {
        let (name, file) = self.new_temporary()?;
        Ok(Writer {
            blobs: self.clone(),
            file: file.into(),
            temporary: Some(name),
            hasher: Sha256::new(),
            size: 0,
            size_max,
        })
    }

    /// Stores bytes that are in memory.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, BlobError> {
        let mut writer = self.writer(u64::MAX)?;
        writer.append(bytes)?;
        writer.finish()
    }
}

impl Writer {
    /// Adds bytes.
    ///
    /// # Errors
    /// [`BlobError::TooLarge`] and [`BlobError::Full`]; the writer is of no more use then.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), BlobError> {
        let size = self.size.saturating_add(bytes.len() as u64);
        if size > self.size_max {
            return Err(BlobError::TooLarge { max: self.size_max });
        }
        self.file.write_all(bytes).map_err(BlobError::io("writing a blob"))?;
        self.hasher.update(bytes);
        self.size = size;
        Ok(())
    }

    /// How many bytes have been added.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Makes what was written a blob. When this returns it is on disk, and stays for as long as collection is told to
    /// leave new blobs alone. If the blob was there already it counts as new again.
    pub fn finish(self) -> Result<Digest, BlobError> {
        let digest = self.digest();
        self.publish(digest)
    }

    /// Does the same if what was written has this digest.
    ///
    /// # Errors
    /// [`BlobError::Mismatch`] if it has not; then nothing of it is left.
    pub fn finish_as(self, expected: &Digest) -> Result<Digest, BlobError> {
        let found = self.digest();
        if found != *expected {
            return Err(BlobError::Mismatch { expected: *expected, found });
        }
        self.publish(found)
    }

    /// The digest of what has been added so far.
    pub fn digest(&self) -> Digest {
        Digest::from_bytes(self.hasher.clone().finalize().into())
    }

    fn publish(mut self, digest: Digest) -> Result<Digest, BlobError> {
        let doing = "storing a blob";
        rustix::fs::fchmod(&self.file, BLOB_MODE).map_err(BlobError::os(doing))?;
        self.file.sync_all().map_err(BlobError::io(doing))?;
        let from = self.temporary.clone().unwrap_or_default();
        let temporary = self.blobs.temporary();
        let place = self.blobs.place(&digest)?;
        match rustix::fs::renameat_with(temporary, &from, &place.directory, &place.name, RenameFlags::NOREPLACE) {
            Ok(()) => self.temporary = None,
            Err(Errno::EXIST) if place.is_taken_by(self.size)? => place.touch()?,
            // One that is damaged is replaced.
            Err(Errno::EXIST) => {
                rustix::fs::renameat(temporary, &from, &place.directory, &place.name).map_err(BlobError::os(doing))?;
                self.temporary = None;
            }
            Err(error) => return Err(BlobError::os(doing)(error)),
        }
        place.settle()?;
        Ok(digest)
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.append(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(name) = &self.temporary {
            // If it cannot be removed now, the next opening does it.
            let _ = rustix::fs::unlinkat(self.blobs.temporary(), name, AtFlags::empty());
        }
    }
}
